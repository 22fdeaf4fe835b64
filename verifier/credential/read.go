package credential

// ReadFacts reads what a token says about itself, unverified. Its author's
// side uses it, to describe a token that it was given: the ledger, which
// verifies the token, compares. Nothing may be decided on what it returns, and
// its KeyID is empty.
func ReadFacts(token string) (*Facts, error) {
	j, err := parseJWS("token", token, nil)
	if err != nil {
		return nil, err
	}
	c, err := j.claims()
	if err != nil {
		return nil, err
	}
	c.need("iss", "sub", "aud", "exp", "iat")
	f := readFacts(c, 255)
	if *c.err != nil {
		return nil, *c.err
	}
	if f.Issuer == "" {
		c.fail("iss", "is empty")
		return nil, *c.err
	}
	f.Digest = TokenDigest(token)
	return f, nil
}
