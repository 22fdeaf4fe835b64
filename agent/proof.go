package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
)

// ProofHeader is the HTTP header that carries a proof of who calls:
// draft-ietf-wimse-wpt, section 3.
const ProofHeader = "Workload-Proof-Token"

// proofLife is how long a proof is good: for the time that the request takes to
// arrive, and what two clocks differ.
const proofLife = time.Minute

// ProofTransport shows a callee who calls: it signs, for each request, a
// short-lived proof with the key that the agent signs its records with. The
// proof is bound to the callee, to method and URL, to the access token in the
// header Authorization if there is one, and names the grant that the agent acts
// under by the request's context. It also sends the context's link, as
// [Transport] does. The callee's side is package callee.
//
// A proof is good once: a request that is made again gets a new one.
type ProofTransport struct {
	// Agent is who calls. It must be set.
	Agent *Agent
	// Audience is the callee: its SPIFFE ID, or its URL, as the callee's own
	// configuration has it. It must be set.
	Audience string
	// Base makes the requests; nil means http.DefaultTransport.
	Base http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *ProofTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	proof, err := t.proof(req)
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // as a RoundTripper must, on errors too
		}
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set(ProofHeader, proof)
	return (&Transport{Base: t.Base}).RoundTrip(req)
}

func (t *ProofTransport) proof(req *http.Request) (string, error) {
	switch {
	case t.Agent == nil:
		return "", errors.New("proof transport: Agent is missing")
	case t.Audience == "":
		return "", errors.New("proof transport: Audience is missing: set it to the callee's SPIFFE ID or URL")
	}
	u := *req.URL
	if req.Host != "" {
		u.Host = req.Host
	}
	ask := credential.Request{Audience: t.Audience, Method: req.Method, URL: u.String()}
	if ask.Method == "" {
		ask.Method = http.MethodGet
	}
	ask.AccessToken = BearerDigest(req.Header)
	proof, err := t.Agent.Proof(req.Context(), ask)
	if err != nil {
		return "", fmt.Errorf("prove who calls: %w", err)
	}
	return proof, nil
}

// Proof signs a proof for one request, for callers that have no
// [http.RoundTripper] to use: [ProofTransport] does it for those that have.
func (a *Agent) Proof(ctx context.Context, req credential.Request) (string, error) {
	if err := a.mayGoOn(); err != nil {
		return "", err
	}
	return credential.SignProof(credential.Proof{
		Request: req, Agent: a.name, Instance: a.instance,
		Grant: grantFrom(ctx, a.name), Expires: time.Now().Add(proofLife),
	}, a.signs())
}

// BearerDigest returns the digest of the access token that travels in a
// request's header Authorization, as a proof binds it; empty if there is none.
func BearerDigest(h http.Header) string {
	if scheme, token, ok := strings.Cut(h.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return credential.TokenDigest(strings.TrimSpace(token))
	}
	return ""
}
