package workloadtest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// JWT signs a JWT-SVID for an audience.
func (a *Authority) JWT(id, audience string) string {
	a.t.Helper()
	token, err := a.jwt(id, []string{audience})
	if err != nil {
		a.t.Fatalf("JWT for %s: %v", id, err)
	}
	return token
}

// Sign signs any token with the newest key, by ES256 (RFC 7515, section 7.1).
// What header says is added to alg, kid and typ, or replaces them; nil takes
// one away.
func (a *Authority) Sign(header, claims map[string]any) string {
	a.t.Helper()
	token, err := a.sign(header, claims)
	if err != nil {
		a.t.Fatalf("sign token: %v", err)
	}
	return token
}

func (a *Authority) jwt(id string, audience []string) (string, error) {
	a.mu.Lock()
	lifetime := a.lifetime
	a.mu.Unlock()
	now := time.Now()
	return a.sign(nil, map[string]any{"sub": id, "aud": audience, "iat": now.Unix(), "exp": now.Add(lifetime).Unix()})
}

func (a *Authority) sign(header, claims map[string]any) (string, error) {
	a.mu.Lock()
	by := a.newest()
	a.mu.Unlock()
	head := map[string]any{"alg": "ES256", "kid": by.keyID, "typ": "JWT"}
	for name, v := range header {
		if head[name] = v; v == nil {
			delete(head, name)
		}
	}
	var parts [2]string
	for i, part := range []map[string]any{head, claims} {
		b, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(b)
	}
	signed := parts[0] + "." + parts[1]
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, by.jwtKey, digest[:])
	if err != nil {
		return "", err
	}
	// RFC 7518, section 3.4: both numbers in 32 bytes each.
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
