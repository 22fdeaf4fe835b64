package record

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// The rules for what the host and target services say they saw.

// keySet and trustBundle hold what was fetched to a size alone, which is that
// of a payload: whether it is a JWK Set is for package registry to say, which
// reads it.
func (c *checker) keySet(k *onusv1.KeySet) {
	c.issuer("key_set.issuer", k.GetIssuer())
	c.want(len(k.GetJwks()) > 0, "key_set.jwks", "is empty", "give the JWK Set as the issuer published it")
	c.time("key_set.fetched", k.GetFetched())
}

func (c *checker) trustBundle(b *onusv1.TrustBundle) {
	if why := checkTrustDomain(b.GetDomain()); why != "" {
		c.fail("trust_bundle.domain", why, "name the trust domain, such as example.com")
	}
	c.want(len(b.GetBundle()) > 0, "trust_bundle.bundle", "is empty", "give the SPIFFE bundle as it was published")
	c.time("trust_bundle.fetched", b.GetFetched())
}

func (c *checker) rejection(r *onusv1.Rejection) {
	c.want(r.GetRecord() != "", "rejection.record", "is missing", "name the refused record")
	c.id("rejection.record", r.GetRecord())
	c.author("rejection.author", r.GetAuthor())
	// Entry 0 is the genesis.
	if n := r.GetRevocation(); n < 1 {
		c.fail("rejection.revocation", fmt.Sprintf("is %d", n), "give the index of the revocation's entry")
	}
}

func (c *checker) read(r *onusv1.Read) {
	c.label("read.caller", r.GetCaller(), false)
	c.label("read.role", r.GetRole(), false)
	c.want(isName(r.GetProcedure(), 64, alnum), "read.procedure", "is missing or has characters other than A-Z a-z 0-9", `name the procedure, such as "GetChain"`)
	c.id("read.record", r.GetRecord())
}

// counter: a service may have seen little of who called, or nothing.
func (c *checker) counter(r *onusv1.CounterRecord) {
	c.spiffe("counter.caller", r.GetCaller(), true)
	if r.GetCaller() == "" {
		c.want(r.GetCallerInstance() == "", "counter.caller_instance", "is set without caller", "name the agent class too")
		c.want(r.GetCallerKey() == "", "counter.caller_key", "is set without caller", "name the agent class too")
	}
	if r.GetCallerInstance() != "" {
		c.instance("counter.caller_instance", r.GetCallerInstance())
	}
	c.want(r.GetCallerKey() == "" || isKeyID(r.GetCallerKey()), "counter.caller_key", "is not an RFC 7638 thumbprint", "use the key's id, 43 characters of base64url")
	c.id("counter.grant", r.GetGrant())
	c.want(r.GetElement() != nil, "counter.element", "is missing", "say what was asked for")
	c.element("counter.element", r.GetElement(), false)
	c.tokenFacts("counter.token", r.GetToken())
	c.foreignID("counter.external_request_id", r.GetExternalRequestId())
	c.targetDecision("counter.decision", r.GetDecision())
	c.want(r.GetStatus() >= 0 && r.GetStatus() <= onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN, "counter.status", "is unknown", "say how it ended, such as OUTCOME_STATUS_SUCCEEDED, or leave it out")
}
