package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
)

const (
	fetchTimeout = 10 * time.Second
	maxMetadata  = 256 << 10
	maxRedirects = 3
)

// CheckIssuer says what is wrong with the URL of an issuer, after its name, or
// "". OpenID Connect Discovery, section 3: https, without query and fragment.
// Plain http is for this machine only.
func CheckIssuer(issuer string) string {
	u, err := url.Parse(issuer)
	switch {
	case len(issuer) > 1024 || err != nil || strings.ContainsFunc(issuer, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "does not begin with https://"
	case u.Hostname() == "" || u.User != nil || strings.ContainsAny(issuer, "?#"):
		return "has no host, or a user, query or fragment besides"
	case u.Scheme == "http" && !isLocal(u):
		return "is plain http to another machine: whoever is in between could put in other keys"
	}
	return ""
}

func isLocal(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// issuerClient follows no redirect to another host: where an issuer's keys are
// is for its metadata to say.
var issuerClient = &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if req.URL.Scheme != from.Scheme || req.URL.Host != from.Host {
		return fmt.Errorf("redirect from %s to %s://%s is not followed", from.Host, req.URL.Scheme, req.URL.Host)
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}}

// fetchKeys asks an issuer for its metadata, and then for its keys.
func fetchKeys(ctx context.Context, issuer string) (*IssuerKeys, error) {
	fetched := time.Now()
	fail := func(err error) (*IssuerKeys, error) { return nil, fmt.Errorf("keys of %s: %w", issuer, err) }
	// Section 4.1: a slash at the end of the issuer is left out.
	body, err := fetch(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", maxMetadata)
	if err != nil {
		return fail(err)
	}
	var meta struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &meta); err != nil {
		return fail(fmt.Errorf("its metadata: %w", err))
	}
	if meta.Issuer != issuer { // section 4.3
		return fail(fmt.Errorf("its metadata is that of %.200q", meta.Issuer))
	}
	// The keys may be on another host, as the issuer says, but not in clear
	// where the issuer is not.
	u, err := url.Parse(meta.JWKS)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(strings.HasPrefix(issuer, "http://") && u.Scheme == "http" && isLocal(u)) {
		return fail(fmt.Errorf("its jwks_uri is %.200q, which is not an https URL", meta.JWKS))
	}
	raw, err := fetch(ctx, meta.JWKS, credential.MaxKeySet)
	if err != nil {
		return fail(err)
	}
	set, err := credential.ParseKeySet(raw)
	if err != nil {
		return fail(errors.New(err.Error())) // not as a record.Error: see KeySet
	}
	return &IssuerKeys{Issuer: issuer, Raw: raw, Set: set, Fetched: fetched}, nil
}

func fetch(ctx context.Context, address string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := issuerClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if int64(len(body)) > most {
		return nil, fmt.Errorf("%s: more than %d bytes", address, most)
	}
	return body, nil
}
