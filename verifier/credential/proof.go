package credential

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier/record"
)

// ProofType is the typ of a proof: draft-ietf-wimse-wpt, section 2.
const ProofType = "wpt+jwt"

// MaxProofLife is how far ahead a proof may expire. A minute or two is enough.
const MaxProofLife = 5 * time.Minute

// Request is what a proof is bound to: the caller fills in what it sends, the
// callee what it received. All fields are compared, so a proof that binds a
// token is refused beside a request without it.
type Request struct {
	// Audience is the callee: its SPIFFE ID or URL. A callee takes it from its
	// own configuration, never from the request.
	Audience string // aud
	Method   string // htm: "POST"
	// URL is the target. Query and fragment are not bound: RFC 9449, section
	// 4.2.
	URL string // htu
	// Digests of tokens that travel with the request, each by [TokenDigest],
	// or empty: a workload identity token, an access token, a transaction
	// token.
	WorkloadToken    string // wth
	AccessToken      string // ath
	TransactionToken string // tth
}

// Proof is a short-lived statement of an agent that it makes this request, for
// a callee who knows the agent's key from the ledger.
//
// It has the shape of a WIMSE workload proof token, draft-ietf-wimse-wpt, with
// three differences: the key comes from the ledger's registry and not from a
// workload identity token, so wth may be missing; it says who calls (iss, sub,
// iid) and under which grant (grant); and it binds method and URL as RFC 9449
// does (htm, htu). The draft's oth is not accepted.
type Proof struct {
	Request
	// Agent is the SPIFFE ID of the agent class, and Instance the process.
	Agent    string // iss and sub
	Instance string // iid, or empty
	// Grant is the record under whose authority the request is made, or zero.
	Grant record.ID // grant
	// ID is unique to the proof: 8 to 128 bytes. [SignProof] makes one up if
	// it is empty.
	ID string // jti
	// Expires is in whole seconds.
	Expires time.Time // exp
}

// SignProof makes the token that says p, with the key that the agent signs its
// records with. P is not changed.
func SignProof(p Proof, s record.Signer) (string, error) {
	u, err := plainURL(p.URL)
	if err != nil {
		return "", fmt.Errorf("proof: %w", err)
	}
	if p.ID == "" {
		p.ID = rand.Text() // 130 bits; never fails
	}
	claims := map[string]any{
		"iss": p.Agent, "sub": p.Agent, "aud": p.Audience, "exp": p.Expires.Unix(), "jti": p.ID, "htm": p.Method, "htu": u,
	}
	for name, s := range map[string]string{"iid": p.Instance, "wth": p.WorkloadToken, "ath": p.AccessToken, "tth": p.TransactionToken} {
		if s != "" {
			claims[name] = s
		}
	}
	if !p.Grant.IsZero() {
		claims["grant"] = p.Grant.String()
	}
	token, err := signJWS(s, ProofType, claims)
	if err != nil {
		return "", fmt.Errorf("proof: %w", err)
	}
	// Say now what the callee would say.
	j, err := parseJWS("proof", token, nil)
	if err != nil {
		return "", err
	}
	if _, err := readProof(j); err != nil {
		return "", err
	}
	return token, nil
}

// VerifyProof checks a proof that was made with key for the request req, as of
// the time at.
//
// Three things are the caller's. It finds key by [Peek]'s KeyID. It compares
// Agent and Instance with those that the registry binds the key to, and Grant
// with what it is asked to do. And it refuses a proof whose ID it has seen from
// this key before: an ID may be forgotten when [Skew] has passed after Expires.
func VerifyProof(token string, key *record.PublicKey, req Request, at time.Time) (*Proof, error) {
	alg := recordAlgorithm(key.Crypto())
	j, err := parseJWS("proof", token, nil)
	if err != nil {
		return nil, err
	}
	if err := j.checkType(ProofType); err != nil {
		return nil, err
	}
	if j.kid != key.ID() {
		return nil, refuse(ReasonUnknownKey, "proof.header.kid", "is "+quote(j.kid)+", not "+quote(key.ID()), "sign the proof with the recorded key")
	}
	if err := j.verify(&Key{id: key.ID(), use: UseSig, alg: alg, pub: key.Crypto()}); err != nil {
		return nil, err
	}
	p, err := readProof(j)
	if err != nil {
		return nil, err
	}
	if err := p.checkRequest(req); err != nil {
		return nil, err
	}
	if err := (&Facts{Expires: p.Expires}).checkTimes("proof", at); err != nil {
		return nil, err
	}
	if p.Expires.After(at.Add(MaxProofLife)) {
		return nil, refuse(ReasonProofLife, "proof.exp", fmt.Sprintf("is %s, more than %s after %s", stamp(p.Expires), MaxProofLife, stamp(at)), "sign a proof for each request, for a minute or two")
	}
	return p, nil
}

// readProof reads the claims. It checks their form and compares nothing.
func readProof(j *jws) (*Proof, error) {
	c, err := j.claims()
	if err != nil {
		return nil, err
	}
	c.next = "sign the proof with SignProof"
	c.need("iss", "sub", "aud", "exp", "jti", "htm", "htu")
	p := &Proof{
		Request: Request{
			Audience: c.text("aud", 1024), Method: c.text("htm", 32), URL: c.text("htu", 2048),
			WorkloadToken: c.text("wth", 64), AccessToken: c.text("ath", 64), TransactionToken: c.text("tth", 64),
		},
		Agent: c.text("sub", 2048), Instance: c.text("iid", 64),
		ID: c.text("jti", 128), Expires: c.when("exp"),
	}
	if p.Agent != c.text("iss", 2048) {
		c.fail("iss", "is not sub: an agent speaks for itself")
	}
	if why := record.CheckSPIFFE(p.Agent); why != "" {
		c.fail("sub", why)
	}
	if _, ok := c.m["oth"]; ok {
		// draft-ietf-wimse-wpt, section 2: entries that are not understood
		// make the token invalid.
		c.fail("oth", "binds tokens that are not understood here")
	}
	if p.Audience == "" || p.Method == "" {
		c.fail("aud", "or htm is empty")
	}
	for _, d := range []struct{ name, digest string }{{"wth", p.WorkloadToken}, {"ath", p.AccessToken}, {"tth", p.TransactionToken}} {
		if d.digest != "" && !isDigest(d.digest) {
			c.fail(d.name, "is not the base64url of a SHA-256")
		}
	}
	if len(p.ID) < 8 {
		c.fail("jti", "has fewer than 8 bytes")
	}
	if p.Expires.Nanosecond() != 0 {
		c.fail("exp", "is not in whole seconds")
	}
	if grant := c.text("grant", 64); grant != "" {
		if p.Grant, err = record.ParseID(grant); err != nil {
			c.fail("grant", "is not a record's id")
		}
	}
	if *c.err != nil {
		return nil, *c.err
	}
	return p, nil
}

func (p *Proof) checkRequest(req Request) error {
	if req.Audience == "" || p.Audience != req.Audience {
		return refuse(ReasonAudience, "proof.aud", "is "+quote(p.Audience)+", not "+quote(req.Audience), "sign a proof for this callee")
	}
	want, err := plainURL(req.URL)
	if err != nil {
		return refuse(ReasonProofRequest, "request URL", err.Error(), "verify the proof against the URL that was asked for")
	}
	got, err := plainURL(p.URL)
	if err != nil {
		return refuse(ReasonClaim, "proof.htu", err.Error(), "sign the proof with SignProof")
	}
	for _, c := range []struct{ name, got, want string }{
		{"htm", p.Method, req.Method}, {"htu", got, want},
		{"wth", p.WorkloadToken, req.WorkloadToken}, {"ath", p.AccessToken, req.AccessToken}, {"tth", p.TransactionToken, req.TransactionToken},
	} {
		if c.got != c.want {
			return refuse(ReasonProofRequest, "proof."+c.name, "is "+quote(c.got)+", but the request has "+quote(c.want), "sign a proof for each request")
		}
	}
	return nil
}

// plainURL spells a URL in one way, without query and fragment: RFC 9449,
// section 4.3, step 9; RFC 3986, sections 6.2.2 and 6.2.3.
func plainURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("%s is not an http or https URL with a host", quote(s))
	}
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return u.Scheme + "://" + host + path, nil
}
