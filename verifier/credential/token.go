package credential

import (
	"fmt"
	"slices"
	"time"
)

// Expect says what a token must be.
type Expect struct {
	// Issuer is what iss must equal, byte for byte.
	Issuer string
	// Audience is what aud must contain: the client that an ID token was
	// issued for, the ledger, or [EnrolmentAudience].
	Audience string
	// Client is the client that presents the token: azp and client_id, if
	// there, must equal it, and one of them must be there unless it is the
	// sole audience. Empty: whoever presents it.
	Client string
	// Nonce is what nonce must equal: for instance the thumbprint of a
	// device's key. Empty: not compared.
	Nonce string
	// Type is the typ of the header, such as "at+jwt". Empty: none, or "JWT".
	Type string
}

// VerifyToken checks an OpenID Connect ID token, an OAuth access token that is
// a JWT, or a workload token of an OIDC issuer, as of the time at: signature,
// issuer, audience, client, nonce and times, each with [Skew].
//
// OpenID Connect Core, section 3.1.3.7; RFC 9068, section 4; RFC 8725.
//
// It does not check that the token is used once, nor that whoever presents it
// holds the key in [Facts.Confirms].
func VerifyToken(token string, keys *KeySet, want Expect, at time.Time) (*Facts, error) {
	j, err := parseJWS("token", token, nil)
	if err != nil {
		return nil, err
	}
	types := []string{"", "JWT"}
	if want.Type != "" {
		types = []string{want.Type}
	}
	if err := j.checkType(types...); err != nil {
		return nil, err
	}
	c, err := j.claims()
	if err != nil {
		return nil, err
	}
	// Before the key: of another issuer's token, "unknown key" would be true
	// and would not help.
	if got := c.text("iss", 1024); *c.err == nil && (got == "" || got != want.Issuer) {
		return nil, refuse(ReasonIssuer, "token.iss", "is "+quote(got)+", not "+quote(want.Issuer), "send a token of that issuer")
	}
	k, err := keys.find(j, UseSig)
	if err != nil {
		return nil, err
	}
	if err := j.verify(k); err != nil {
		return nil, err
	}
	c.need("iss", "sub", "aud", "exp", "iat")
	f := readFacts(c, 255)
	if *c.err != nil {
		return nil, *c.err
	}
	f.Digest, f.KeyID = TokenDigest(token), k.thumb
	if err := f.checkAudience("token", want.Audience); err != nil {
		return nil, err
	}
	if err := f.checkClient(want.Client); err != nil {
		return nil, err
	}
	if want.Nonce != "" && f.Nonce != want.Nonce {
		return nil, refuse(ReasonNonce, "token.nonce", "is not the nonce that was asked for", "log in again, with the nonce of this request")
	}
	if err := f.checkTimes("token", at); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Facts) checkAudience(field, want string) error {
	if want != "" && slices.Contains(f.Audience, want) {
		return nil
	}
	return refuse(ReasonAudience, field+".aud", fmt.Sprintf("is %s, without %s", quote(fmt.Sprint(f.Audience)), quote(want)), "get a token for this audience")
}

// checkClient refuses a token that was issued to somebody else than presents
// it. OpenID Connect Core, section 3.1.3.7, steps 3 to 5; RFC 9068, section
// 2.2, has client_id for azp.
func (f *Facts) checkClient(want string) error {
	parties := map[string]string{"azp": f.AuthorizedParty, "client_id": f.ClientID}
	if parties["azp"] == "" && parties["client_id"] == "" {
		if len(f.Audience) > 1 {
			return refuse(ReasonOtherClient, "token.azp", fmt.Sprintf("is missing from a token with %d audiences", len(f.Audience)), "get a token for one audience")
		}
		parties["aud"] = f.Audience[0]
	}
	for _, name := range []string{"azp", "client_id", "aud"} {
		if got := parties[name]; want != "" && got != "" && got != want {
			return refuse(ReasonOtherClient, "token."+name, "is "+quote(got)+": the token was issued to another client than "+quote(want), "send a token that was issued to the client that sends it")
		}
	}
	return nil
}

// checkTimes holds exp, nbf and iat to the time at. RFC 7519, sections 4.1.4
// to 4.1.6.
func (f *Facts) checkTimes(field string, at time.Time) error {
	if at.IsZero() {
		return refuse(ReasonNotYetValid, field, "is to be checked as of no time", "name the time")
	}
	if !at.Before(f.Expires.Add(Skew)) {
		return refuse(ReasonExpired, field+".exp", fmt.Sprintf("is %s: it expired before %s", stamp(f.Expires), stamp(at)), "get a fresh token")
	}
	for _, c := range []struct {
		name string
		time time.Time
	}{{"nbf", f.NotBefore}, {"iat", f.IssuedAt}} {
		if !c.time.IsZero() && at.Add(Skew).Before(c.time) {
			return refuse(ReasonNotYetValid, field+"."+c.name, fmt.Sprintf("is %s: it is not valid yet at %s", stamp(c.time), stamp(at)), "wait, or set the issuer's clock")
		}
	}
	return nil
}

// Hint is what a token says about itself, unverified. It serves to find the
// keys to verify it with, and nothing else.
type Hint struct {
	KeyID   string // kid in the header: of a proof, the recorded key's id
	Issuer  string
	Subject string
}

// Peek reads a token without verifying it.
func Peek(token string) (Hint, error) {
	j, err := parseJWS("token", token, nil)
	if err != nil {
		return Hint{}, err
	}
	c, err := j.claims()
	if err != nil {
		return Hint{}, err
	}
	h := Hint{KeyID: j.kid, Issuer: c.text("iss", 1024), Subject: c.text("sub", 2048)}
	if *c.err != nil {
		return Hint{}, *c.err
	}
	return h, nil
}
