package credential

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// KeySet is the public keys of an issuer: an RFC 7517 JWK Set. It is
// immutable.
type KeySet struct {
	digest  [sha256.Size]byte
	keys    []*Key
	ignored []IgnoredKey
}

// IgnoredKey is a key of a set that is well-formed but of no use here: of a
// kind, curve or size that is not accepted, or for encryption. A token that
// names it is refused, and the refusal says why.
type IgnoredKey struct {
	ID  string // kid, or ""
	Why string
}

// ParseKeySet reads a JWK Set of at most [MaxKeySet] bytes and [MaxKeys] keys.
// It refuses the set if any key is malformed, private or symmetric, or if two
// of its keys share a kid.
func ParseKeySet(b []byte) (*KeySet, error) {
	s, _, err := parseKeySet(b)
	return s, err
}

func parseKeySet(b []byte) (*KeySet, *object, error) {
	if len(b) > MaxKeySet {
		return nil, nil, refuse(ReasonTooLarge, "key set", fmt.Sprintf("has %d bytes, at most %d are allowed", len(b), MaxKeySet), "publish fewer keys")
	}
	const next = "fetch the issuer's JWK Set as it is published"
	m, err := parseObject(b)
	if err != nil {
		return nil, nil, refuse(ReasonKeySet, "key set", err.Error(), next)
	}
	o := newObject(m, "", ReasonKeySet, next)
	o.need("keys")
	s := &KeySet{digest: digest(b)}
	named := map[[2]string]bool{}
	list := o.list("keys", MaxKeys)
	for i, v := range list {
		field := fmt.Sprintf("keys[%d]", i)
		jwk := o.asObject(field, v)
		if *o.err != nil {
			break
		}
		k, why, err := parseKey(field, jwk.m)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			s.ignored = append(s.ignored, IgnoredKey{k.id, why})
			continue
		}
		// RFC 7517, section 4.5, would let two keys share a kid. Then which
		// one a token names depends on who reads it.
		if name := [2]string{k.use, k.id}; k.id != "" && k.use != UseX509SVID {
			if named[name] {
				return nil, nil, refuse(ReasonKeyDuplicate, field+".kid", "is "+quote(k.id)+", as that of another key in the set", "give each key its own kid")
			}
			named[name] = true
		}
		s.keys = append(s.keys, k)
	}
	if *o.err != nil {
		return nil, nil, *o.err
	}
	return s, o, nil
}

// MarshalKeySet writes keys as a JWK Set that [ParseKeySet] reads: the same
// bytes for the same keys.
func MarshalKeySet(keys ...*Key) ([]byte, error) {
	jwks := make([]map[string]any, 0, len(keys))
	for _, k := range keys {
		m, err := k.jwk()
		if err != nil {
			return nil, err
		}
		jwks = append(jwks, m)
	}
	return marshalSet(map[string]any{"keys": jwks})
}

func marshalSet(set map[string]any) ([]byte, error) {
	b, err := json.Marshal(set) // sorts members by name
	if err != nil {
		return nil, fmt.Errorf("marshal key set: %w", err)
	}
	if _, err := ParseKeySet(b); err != nil {
		return nil, err
	}
	return b, nil
}

func (k *Key) jwk() (map[string]any, error) {
	m, err := jwkOf(k.pub)
	if err != nil {
		return nil, err
	}
	m["use"] = k.use
	if k.id != "" {
		m["kid"] = k.id
	}
	if k.alg != "" {
		m["alg"] = k.alg
	}
	if k.cert != nil {
		m["x5c"] = [][]byte{k.cert.Raw} // encoding/json writes plain base64
	}
	return m, nil
}

// Digest returns the SHA-256 of the exact bytes that were parsed.
func (s *KeySet) Digest() [sha256.Size]byte { return s.digest }

// Keys returns the keys that tokens and certificates may be verified with. The
// slice must not be changed.
func (s *KeySet) Keys() []*Key { return s.keys }

// Ignored returns the keys that were left out. The slice must not be changed.
func (s *KeySet) Ignored() []IgnoredKey { return s.ignored }

func digest(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

// find returns the key that the token names. Without a kid there must be one
// key only: trying each would let the token choose. OpenID Connect Core,
// section 10.1.
func (s *KeySet) find(j *jws, use string) (*Key, error) {
	var found []*Key
	for _, k := range s.keys {
		if k.use == use && (j.kid == "" || k.id == j.kid) {
			found = append(found, k)
		}
	}
	unknown := func(detail string) error {
		return refuse(ReasonUnknownKey, j.field+".header.kid", detail, "fetch the issuer's key set again, or get a token of this issuer")
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, unknown(fmt.Sprintf("is missing, and the key set has %d keys", len(found)))
	case j.kid == "":
		return nil, unknown("is missing, and the key set has no key for this use")
	}
	for _, k := range s.ignored {
		if k.ID == j.kid {
			return nil, unknown("is " + quote(j.kid) + ", a key that " + k.Why)
		}
	}
	return nil, unknown("is " + quote(j.kid) + ", which the key set does not hold")
}
