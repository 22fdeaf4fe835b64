package record

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

const (
	maxChain         = 8
	maxWorkloadToken = 16 << 10
)

// BindingStatement returns what a key signs to show that whoever binds it to
// a party has it: "onus/v1 key binding", the log's origin, the id of the key
// that is bound and the id of the other key, a line each.
//
// Of a rotation the bound key signs it, and the other one is the key that
// signs the record. Of an enrolment by an X.509-SVID the key of the leaf signs
// it, and is the other one. The statement is no pre-authentication encoding,
// so no signature over one is a signature over a record.
func BindingStatement(origin, boundKeyID, otherKeyID string) []byte {
	return fmt.Appendf(nil, "onus/v1 key binding\n%s\n%s\n%s\n", origin, boundKeyID, otherKeyID)
}

// SelfEnrolment returns the binding by which m registers the very key that it
// is signed with for its own author, and nil if m is nothing of that kind.
func SelfEnrolment(m *onusv1.Record) *onusv1.KeyBinding {
	k := m.GetRegistration().GetKey()
	if k == nil || !bindsAuthor(k, m.GetAuthor()) {
		return nil
	}
	key, err := ParsePublicKey(k.GetPublicKey())
	if err != nil || key.ID() != m.GetAuthor().GetKeyId() {
		return nil
	}
	return k
}

// bindsAuthor reports whether the party that a key is bound to is a itself.
func bindsAuthor(k *onusv1.KeyBinding, a *onusv1.Author) bool {
	p := partiesOfKey(k)
	if p != partiesOf(a) {
		return false
	}
	switch p {
	case anAgent:
		return k.GetAgent() == a.GetAgent() && k.GetOperator() == a.GetOperator() &&
			(k.GetInstance() == "" || k.GetInstance() == a.GetInstance())
	case anOperator:
		return k.GetOperator() == a.GetOperator()
	case aService:
		return k.GetService() == a.GetService()
	case aClient:
		return k.GetClient() == a.GetClient()
	case aUser:
		return k.GetUser() == a.GetUser()
	case aReviewer:
		return k.GetReviewer() == a.GetReviewer()
	}
	return false
}

// partiesOfKey returns the kinds of party that a binding names: exactly one,
// if it is valid.
func partiesOfKey(k *onusv1.KeyBinding) parties {
	return partiesOf(&onusv1.Author{Agent: k.GetAgent(), Operator: k.GetOperator(), Service: k.GetService(),
		Client: k.GetClient(), User: k.GetUser(), Reviewer: k.GetReviewer()})
}

func (c *checker) keyBinding(m *onusv1.Record, k *onusv1.KeyBinding) {
	const f = "registration.key"
	key, err := ParsePublicKey(k.GetPublicKey())
	if err != nil {
		c.fail(f+".public_key", "is not accepted: "+err.Error(), "use DER SubjectPublicKeyInfo")
		return
	}
	c.boundParty(k)
	c.optionalTime(f+".not_after", k.GetNotAfter())
	c.want(k.GetReplaces() == "" || isKeyID(k.GetReplaces()), f+".replaces", "is not an RFC 7638 thumbprint", "use the id of the key that ends, 43 characters of base64url")
	c.want(k.GetReplaces() != key.ID(), f+".replaces", "is the key that is bound", "name the key that ends")
	c.optionalTime(f+".replaced_until", k.GetReplacedUntil())
	c.want(k.GetReplacedUntil() == nil || k.GetReplaces() != "", f+".replaced_until", "is set without replaces", "name the key that ends")
	c.credential(k)
	c.signer(m, k, key)
}

// boundParty: a key is of one party, and says of an agent whose it is.
func (c *checker) boundParty(k *onusv1.KeyBinding) {
	const (
		f    = "registration.key"
		next = "name one: an agent (agent, operator, maybe instance), an operator, a service, a client, a reviewer or a user"
	)
	p := partiesOfKey(k)
	c.want(p != 0, f, "names no party", next)
	c.want(p&(p-1) == 0, f, "mixes more than one party", next)
	if p != anAgent {
		c.want(k.GetInstance() == "", f+".instance", "is set without an agent", "name the agent class too")
	}
	switch p {
	case anAgent:
		c.spiffe(f+".agent", k.GetAgent(), false)
		c.operatorID(f+".operator", k.GetOperator())
		if k.GetInstance() != "" {
			c.instance(f+".instance", k.GetInstance())
		}
	case anOperator:
		c.operatorID(f+".operator", k.GetOperator())
	case aService:
		c.spiffe(f+".service", k.GetService(), false)
	case aClient:
		c.clientID(f+".client", k.GetClient())
	case aUser:
		c.pseudonym(f+".user", k.GetUser(), UserPrefix)
	case aReviewer:
		c.reviewerName(f+".reviewer", k.GetReviewer())
	}
}

// credential holds a credential to its form. Whether it is valid at the log
// time of its entry is for package registry to say.
func (c *checker) credential(k *onusv1.KeyBinding) {
	switch x := k.GetCredential().(type) {
	case *onusv1.KeyBinding_Svid:
		const f = "registration.key.svid"
		if n := len(x.Svid.GetChain()); n < 1 || n > maxChain {
			c.fail(f+".chain", fmt.Sprintf("has %d certificates", n), "give 1 to 8, the leaf first")
		}
		for i, cert := range clip(x.Svid.GetChain(), maxChain) {
			if len(cert) == 0 {
				c.fail(fmt.Sprintf("%s.chain[%d]", f, i), "is empty", "give each certificate as DER")
			}
		}
		c.want(len(x.Svid.GetPossession()) <= MaxSignature, f+".possession", "has more than 512 bytes", "have the leaf's key sign the binding statement")
	case *onusv1.KeyBinding_WorkloadToken:
		const f = "registration.key.workload_token"
		c.want(len(x.WorkloadToken) <= maxWorkloadToken, f, "has more than 16,384 bytes", "ask the issuer for fewer claims")
		c.want(x.WorkloadToken != "" && only(x.WorkloadToken, alnum+"-_."), f, "is not a compact token", "give the token as the issuer made it")
	}
}

// signer: who may sign a binding, and what has to stand in it then.
func (c *checker) signer(m *onusv1.Record, k *onusv1.KeyBinding, key *PublicKey) {
	const f = "registration.key"
	a, p := m.GetAuthor(), partiesOfKey(k)
	own := bindsAuthor(k, a)
	self := own && key.ID() == a.GetKeyId()
	switch {
	case own, a.GetAdministrator() != "":
	case partiesOf(a) == anOperator:
		// Whether a service, a client or a reviewer is this operator's is for
		// package registry to say.
		ok := p == anAgent && k.GetOperator() == a.GetOperator() || p == aService || p == aClient || p == aReviewer
		c.want(ok, f, "is not for this operator to bind", "have an administrator sign it, or the operator who answers for the party")
	default:
		c.fail(f, "is for another party than the author", "bind keys of the author alone, or have an administrator sign it")
	}

	if k.GetCredential() != nil {
		c.want(p == anAgent || p == aService, f, "has a workload's credential, but is not for an agent or a service", "leave the credential out")
		c.want(own, f, "has a credential, but the author is not the party that it is for", "have the party sign it, or leave the credential out")
	}
	switch {
	case !own:
		c.want(len(k.GetPossession()) == 0, f+".possession", "is set, but no key of the party signs the record", "leave it out")
	case !self:
		ok := key.Verify(BindingStatement(m.GetOrigin(), key.ID(), a.GetKeyId()), k.GetPossession())
		c.want(ok, f+".possession", "does not verify over the binding statement for the signing key", "have the key that is bound sign the binding statement")
	default:
		c.selfEnrolment(m, k, p)
	}
}

// selfEnrolment: a key that binds itself shows by something else that its
// party may have it.
func (c *checker) selfEnrolment(m *onusv1.Record, k *onusv1.KeyBinding, p parties) {
	const f = "registration.key"
	c.want(len(k.GetPossession()) == 0, f+".possession", "is set, but the key itself signs the record", "leave it out")
	switch p {
	case anAgent, aService:
		c.want(k.GetCredential() != nil, f, "is signed by the key itself and has no credential", "set svid or workload_token, or have an administrator sign it")
		c.want(p != anAgent || k.GetInstance() != "", f+".instance", "is missing, but the key enrols itself", "name the instance; a key for any instance is for the operator to bind")
	case aUser:
		c.want(m.GetToken().GetConfirms() == m.GetAuthor().GetKeyId(), "token.confirms", "is not the key that enrols itself", "send a token that is bound to the key, by cnf or by a nonce that is its thumbprint")
	default:
		c.fail(f, "is signed by the key itself, which is not for "+p.String(), "have an administrator sign it, or another key of the same party")
	}
}
