package record

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Bounds of what a record says of tokens. They hold whatever package
// credential accepts in one.
const (
	maxActors   = 8
	maxAudience = 32
	maxMethods  = 16
	maxClaim    = 1024
)

// userToken holds what is said of the user's token to the form of a token's
// claims. Whether the token says it too is for the ledger to compare.
func (c *checker) userToken(m *onusv1.Record) {
	t := m.GetToken()
	if t == nil {
		return
	}
	c.want(m.GetUser() != "", "token", "is set without user", "name the token's user, by pseudonym")
	// Without it, the end of the session would not end what the token gives.
	c.want(m.GetSession() != "", "token", "is set without session", "name the token's session, by pseudonym: of issuer and sid, or of issuer and digest")
	c.want(isKeyID(t.GetDigest()), "token.digest", "is not base64url of SHA-256", "hash the compact token; 43 characters")
	c.claim("token.issuer", t.GetIssuer(), maxClaim, false)
	if n := len(t.GetAudience()); n < 1 || n > maxAudience {
		c.fail("token.audience", fmt.Sprintf("has %d entries", n), "name what aud has: 1 to 32")
	}
	for i, s := range clip(t.GetAudience(), maxAudience) {
		if s == "" || !isClaim(s, maxClaim) {
			c.fail(fmt.Sprintf("token.audience[%d]", i), badClaim(maxClaim), sayClaim)
		}
	}
	c.claim("token.client", t.GetClient(), maxClaim, true)
	c.claim("token.id", t.GetId(), 256, true)
	c.want(t.GetExpires() != nil, "token.expires", "is missing", "say what exp has")
	c.optionalTime("token.issued", t.GetIssued())
	c.optionalTime("token.expires", t.GetExpires())
	c.optionalTime("token.authenticated", t.GetAuthenticated())
	c.claim("token.acr", t.GetAcr(), 256, true)
	if n := len(t.GetAmr()); n > maxMethods {
		c.fail("token.amr", fmt.Sprintf("has %d entries, at most %d are allowed", n, maxMethods), sayClaim)
	}
	for i, s := range clip(t.GetAmr(), maxMethods) {
		if s == "" || !isClaim(s, 256) {
			c.fail(fmt.Sprintf("token.amr[%d]", i), badClaim(256), sayClaim)
		}
	}
	c.want(t.GetConfirms() == "" || isKeyID(t.GetConfirms()), "token.confirms", "is not an RFC 7638 thumbprint", "use the thumbprint of the key that the token is bound to")
	if n := len(t.GetActors()); n > maxActors {
		c.fail("token.actors", fmt.Sprintf("has %d entries, at most %d are allowed", n, maxActors), sayClaim)
	}
	for i, a := range clip(t.GetActors(), maxActors) {
		if e := checkActor(a); e != nil {
			c.fail(fmt.Sprintf("token.actors[%d]%s", i, e.Field), e.Detail, e.Next)
		}
	}
}

// checkActor returns an error whose field is what comes after the actor's own.
func checkActor(a *onusv1.Actor) *Error {
	c := &checker{}
	c.claim(".subject", a.GetSubject(), 2048, false)
	c.claim(".issuer", a.GetIssuer(), maxClaim, true)
	c.claim(".client", a.GetClient(), maxClaim, true)
	return c.err
}

// tokenFacts holds what a target saw of a user's token to its form.
func (c *checker) tokenFacts(field string, t *onusv1.TokenFacts) {
	if err := checkTokenFacts(t); err != nil {
		c.fail(field+err.Field, err.Detail, err.Next)
	}
}

func checkTokenFacts(t *onusv1.TokenFacts) *Error {
	if t == nil {
		return nil
	}
	c := &checker{}
	c.pseudonym(".sub", t.GetSub(), UserPrefix)
	c.want(len(t.GetAct()) <= maxActors, ".act", "has more than 8 actors", "keep the outermost")
	for i, s := range clip(t.GetAct(), maxActors) {
		if s == "" || !isForeignID(s) {
			c.fail(fmt.Sprintf(".act[%d]", i), "is empty, or "+badForeignID, "use the actor's id, or a hash of it")
		}
	}
	c.foreignID(".azp", t.GetAzp())
	return c.err
}

const sayClaim = "say what the token says"

// claim is what a token says, byte for byte.
func (c *checker) claim(field, s string, n int, optional bool) {
	if s == "" && optional {
		return
	}
	if s == "" || !isClaim(s, n) {
		c.fail(field, badClaim(n), sayClaim)
	}
}

func isClaim(s string, n int) bool { return len(s) <= n && !hasUnseen(s) && !hasOuterSpace(s) }

func badClaim(n int) string {
	return fmt.Sprintf("is missing, or has more than %d bytes, a space at an end, or characters that are not seen", n)
}
