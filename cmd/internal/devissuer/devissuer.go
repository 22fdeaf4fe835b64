// Package devissuer is a small OpenID provider for demos and for learning: it
// signs whatever token it is asked for, and so must never be trusted with
// anything. What it publishes and signs has the form of the real ones:
// metadata (OpenID Connect Discovery), a JWK Set, and ID tokens signed with
// ES256.
package devissuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
)

// Issuer issues tokens. It is safe for concurrent use.
type Issuer struct {
	url  string
	key  *ecdsa.PrivateKey
	kid  string
	jwks []byte
}

// New returns an issuer with a fresh key, which will be served at url.
func New(url string) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	kid := rand.Text()[:8]
	pub, err := credential.NewKey(kid, credential.UseSig, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	jwks, err := credential.MarshalKeySet(pub)
	if err != nil {
		return nil, err
	}
	return &Issuer{url: url, key: key, kid: kid, jwks: jwks}, nil
}

// URL returns what the tokens have as iss.
func (i *Issuer) URL() string { return i.url }

// KeySet returns the JWK Set that it publishes.
func (i *Issuer) KeySet() []byte { return i.jwks }

// Life is how long a token is good for that asks for nothing else.
const Life = 15 * time.Minute

// Token signs claims. iss, iat and exp are filled in where they are missing.
func (i *Issuer) Token(claims map[string]any) (string, error) {
	now := time.Now()
	all := map[string]any{"iss": i.url, "iat": now.Unix(), "exp": now.Add(Life).Unix()}
	for name, v := range claims {
		all[name] = v
	}
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": i.kid, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		return "", err
	}
	// RFC 7518, section 3.4: r ‖ s, 32 bytes each.
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig[:]), nil
}

// Handler serves the metadata, the key set, and tokens for the asking:
//
//	GET /token?sub=anna&aud=chat&azp=chat&nonce=…&authorization_details=[…]&ttl=90s
//
// Every parameter becomes a claim. aud may be repeated; authorization_details,
// act, cnf and amr are JSON; ttl says how long the token is good for, and age
// how long ago it was issued.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/keys", "token_endpoint": i.url + "/token",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(i.jwks)
	})
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		claims, err := claimsOf(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		token, err := i.Token(claims)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/jwt")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, token)
	})
	return mux
}

// claimsOf reads the claims that a request asks for.
func claimsOf(q url.Values) (map[string]any, error) {
	claims := map[string]any{}
	spans := map[string]time.Duration{"ttl": Life, "age": 0}
	for name, values := range q {
		switch {
		case name == "aud" && len(values) > 1:
			claims[name] = values
		case len(values) > 1:
			return nil, fmt.Errorf("%s is given twice", name)
		case name == "ttl" || name == "age":
			d, err := time.ParseDuration(values[0])
			if err != nil || d <= 0 {
				return nil, fmt.Errorf("%s %q is not a span such as 90s", name, values[0])
			}
			spans[name] = d
		case slices.Contains([]string{"authorization_details", "act", "cnf", "amr"}, name):
			var v any
			if err := json.Unmarshal([]byte(values[0]), &v); err != nil {
				return nil, fmt.Errorf("%s is JSON: %v", name, err)
			}
			claims[name] = v
		case slices.Contains([]string{"iss", "iat", "exp", "nbf"}, name):
			return nil, fmt.Errorf("%s is the issuer's to say: ttl says how long a token is good for", name)
		default:
			claims[name] = values[0]
		}
	}
	issued := time.Now().Add(-spans["age"])
	claims["iat"], claims["exp"] = issued.Unix(), issued.Add(spans["ttl"]).Unix()
	var missing []string
	for _, name := range []string{"sub", "aud"} {
		if claims[name] == nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("say %s: GET /token?sub=anna&aud=chat", strings.Join(missing, " and "))
	}
	return claims, nil
}
