package record

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// revocation holds a revocation to what can be seen of it alone. Whether its
// author may revoke the target is for package registry to say, save that an
// agent revokes nothing but the key it signs with.
func (c *checker) revocation(m *onusv1.Record, r *onusv1.Revocation) {
	switch t := r.GetTarget().(type) {
	case *onusv1.Revocation_Key:
		c.want(isKeyID(t.Key), "revocation.key", "is not an RFC 7638 thumbprint", "use the key's id, 43 characters of base64url")
	case *onusv1.Revocation_Instance:
		c.spiffe("revocation.instance.agent", t.Instance.GetAgent(), false)
		c.instance("revocation.instance.instance", t.Instance.GetInstance())
	case *onusv1.Revocation_Agent:
		c.spiffe("revocation.agent", t.Agent, false)
	case *onusv1.Revocation_Operator:
		c.operatorID("revocation.operator", t.Operator)
	default:
		c.fail("revocation", "names no target", "set one of key, instance, agent, operator")
	}
	if r.GetSuspectedSince() != nil {
		c.time("revocation.suspected_since", r.GetSuspectedSince())
	}
	c.text("revocation.reason", r.GetReason())
	if a := m.GetAuthor(); a.GetAgent() != "" {
		c.want(r.GetKey() == a.GetKeyId(), "revocation", "is by an agent and not of the key that it is signed with", "have the agent's operator or an administrator sign it")
	}
}
