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

// fetchKeys asks an issuer for its keys, and before that for its metadata,
// unless it is known where they are.
func fetchKeys(ctx context.Context, at place) (*IssuerKeys, error) {
	fetched := time.Now()
	raw, set, err := fetchSet(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", at.issuer, err)
	}
	return &IssuerKeys{Issuer: at.issuer, Raw: raw, Set: set, Fetched: fetched, at: at}, nil
}

func fetchSet(ctx context.Context, at place) ([]byte, *credential.KeySet, error) {
	uri := at.jwksURI
	if uri == "" {
		var err error
		if uri, err = fetchMetadata(ctx, at.issuer); err != nil {
			return nil, nil, err
		}
	}
	// The keys may be on another host, but not in clear where the issuer is
	// not.
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(strings.HasPrefix(at.issuer, "http://") && u.Scheme == "http" && isLocal(u)) {
		return nil, nil, fmt.Errorf("its jwks_uri is %.200q, which is not an https URL", uri)
	}
	raw, err := fetch(ctx, uri, credential.MaxKeySet)
	if err != nil {
		return nil, nil, err
	}
	set, err := credential.ParseKeySet(raw)
	if err != nil {
		return nil, nil, errors.New(err.Error()) // not as a record.Error: see KeySet
	}
	return raw, set, nil
}

// fetchMetadata returns an issuer's jwks_uri.
func fetchMetadata(ctx context.Context, issuer string) (jwksURI string, err error) {
	// Section 4.1: a slash at the end of the issuer is left out.
	body, err := fetch(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", maxMetadata)
	if err != nil {
		return "", err
	}
	var meta struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &meta); err != nil {
		return "", fmt.Errorf("its metadata: %w", err)
	}
	if meta.Issuer != issuer { // section 4.3
		return "", fmt.Errorf("its metadata is that of %.200q", meta.Issuer)
	}
	return meta.JWKS, nil
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
