package identity

import (
	"context"
	"crypto/x509"
	"net/url"
	"time"

	"github.com/onus-ledger/onus/verifier/record"
)

// Certificates knows callers by the client certificate of their connection,
// an X.509-SVID. Its chain has been verified by crypto/tls against the
// authorities that the server was given; nothing else is looked at.
type Certificates struct {
	// Tokens says which SPIFFE IDs have another role than that of an agent of
	// this class; nil means none.
	Tokens *Tokens
}

const nextCertificate = "use a certificate with one URI, the workload's SPIFFE ID"

// Authenticate implements [Authenticator].
func (cs Certificates) Authenticate(_ context.Context, req Request) (Caller, error) {
	if req.TLS == nil || len(req.TLS.VerifiedChains) == 0 {
		return Caller{}, ErrNone
	}
	id, err := workloadID(req.TLS.VerifiedChains)
	if err != nil {
		return Caller{}, err
	}
	if Expired(req) {
		// It was good when the connection began. The caller may well have a
		// newer one: it is to connect again, and is not refused for good.
		return Caller{}, &UnavailableError{"the client certificate of this connection has expired: connect again", errExpired}
	}
	if cs.Tokens != nil {
		if c, ok, err := cs.Tokens.workload(id); ok || err != nil {
			return c, err
		}
	}
	return Caller{Name: id, Role: Agent, Scope: id}, nil
}

var errExpired = &RefusedError{"expired client certificate", ""}

// Expired reports whether the client certificate of the connection is no
// longer valid. The server should then end the connection.
func Expired(req Request) bool {
	return req.TLS != nil && len(req.TLS.VerifiedChains) > 0 && time.Now().After(req.TLS.VerifiedChains[0][0].NotAfter)
}

// workloadID returns the SPIFFE ID that a verified certificate stands for.
// X509-SVID, section 2: exactly one URI; section 4: a leaf is no authority;
// section 5.2: an authority's own URI names the trust domain it signs for.
func workloadID(chains [][]*x509.Certificate) (string, error) {
	leaf := chains[0][0]
	switch {
	case len(leaf.URIs) == 0:
		return "", &RefusedError{"the client certificate has no SPIFFE ID", nextCertificate}
	case len(leaf.URIs) > 1:
		return "", &RefusedError{"the client certificate has several URIs", nextCertificate}
	case leaf.IsCA:
		return "", &RefusedError{"the client certificate is that of an authority", nextCertificate}
	}
	id := leaf.URIs[0].String()
	if why := record.CheckSPIFFE(id); why != "" {
		return "", &RefusedError{"the client certificate's URI is not a SPIFFE ID: it " + why, nextCertificate}
	}
	for _, chain := range chains {
		if ownDomain(leaf.URIs[0], chain[1:]) {
			return id, nil
		}
	}
	return "", &RefusedError{"the client certificate is of another trust domain than its authority", nextCertificate}
}

// ownDomain reports whether all authorities that name a trust domain name
// that of the leaf.
func ownDomain(leaf *url.URL, authorities []*x509.Certificate) bool {
	for _, ca := range authorities {
		for _, u := range ca.URIs {
			if u.Scheme == "spiffe" && u.Host != leaf.Host {
				return false
			}
		}
	}
	return true
}
