package record

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// revocation holds a revocation to what can be seen of it alone. Whether its
// author may revoke the target is for packages registry and authority to say,
// save what no party of its kind may.
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
	case *onusv1.Revocation_Grant:
		c.want(t.Grant != "", "revocation.grant", "is missing", "use the id of the grant's record")
		c.id("revocation.grant", t.Grant)
	case *onusv1.Revocation_Session:
		c.want(IsPseudonym(t.Session, SessionPrefix), "revocation.session", "is not the pseudonym of a session", "use what the records of the session have")
	default:
		c.fail("revocation", "names no target", "set one of key, instance, agent, operator, grant, session")
	}
	c.optionalTime("revocation.suspected_since", r.GetSuspectedSince())
	c.text("revocation.reason", r.GetReason())
	c.revoker(m.GetAuthor(), r)
}

// revoker: every key may end itself. Besides, an agent and whoever speaks for
// a user may revoke a grant, and the latter a session. Whether it is theirs is
// not seen here.
func (c *checker) revoker(a *onusv1.Author, r *onusv1.Revocation) {
	p := partiesOf(a)
	ownKey := r.GetKey() != "" && r.GetKey() == a.GetKeyId()
	_, grant := r.GetTarget().(*onusv1.Revocation_Grant)
	_, session := r.GetTarget().(*onusv1.Revocation_Session)
	switch p {
	case anAgent:
		c.want(ownKey || grant, "revocation", "is by an agent, and neither of a grant nor of the key that it is signed with", "have the agent's operator or an administrator sign it")
	case anOperator:
		c.want(!session, "revocation.session", "is not for an operator to revoke", "have the session's user or an administrator sign it")
	case aClient, aUser:
		c.want(ownKey || grant || session, "revocation", "is by "+p.String()+", and neither of a grant, of a session nor of the key that it is signed with", "have an administrator sign it")
	case aService, aReviewer:
		c.want(ownKey, "revocation", "is by "+p.String()+" and not of the key that it is signed with", "have an administrator sign it")
	}
}
