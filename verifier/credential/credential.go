// Package credential checks certificates and tokens as of a time that its
// caller names, which is the log's.
//
// Tokens expire and keys rotate, but a log is judged years later. So nothing
// here reads a clock, a file or the network: the time, the issuer's keys and
// the trust bundle are arguments, and with the same arguments the answer is
// the same at any later time. Who fetched the keys, and whether they were the
// issuer's when the entry was logged, is for the registry to say.
//
// The words it uses:
//
//   - a [KeySet] is the public keys of an issuer, an RFC 7517 JWK Set;
//   - a [Bundle] is what a SPIFFE trust domain is verified with: root
//     certificates and JWT keys, in the form of a JWK Set;
//   - a token is a compact JWS (RFC 7515) whose payload is a JWT's claims
//     (RFC 7519). [VerifyToken] reads an OpenID Connect ID token, an OAuth
//     access token, or any OIDC workload token, such as a Kubernetes
//     service-account token;
//   - [Facts] is what a verified token says: what an entry keeps, never the
//     token itself;
//   - an SVID names a workload by its SPIFFE ID: an X.509 certificate,
//     [Bundle.VerifyX509], or a token, [Bundle.VerifyJWT];
//   - a [Proof] is a short-lived token that an agent signs with its recorded
//     key to show a callee who calls, in the shape of a WIMSE workload proof
//     token.
//
// Every refusal is a [*record.Error] whose Reason is one of the constants
// below. A refusal may be decided on claims that are not verified yet; what is
// returned without an error is verified in full.
//
// To check the ID token of a user of the client "k8s-agent", logged at at:
//
//	keys, err := credential.ParseKeySet(jwks)
//	…
//	facts, err := credential.VerifyToken(token, keys, credential.Expect{
//		Issuer:   "https://login.example.com",
//		Audience: "k8s-agent",
//		Client:   "k8s-agent",
//	}, at)
package credential

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/record"
)

// Bounds on what is read.
const (
	// MaxToken is the most bytes a token may have.
	MaxToken = 16 << 10
	// MaxKeySet is the most bytes a key set or trust bundle may have, and
	// MaxKeys the most keys in it.
	MaxKeySet = 256 << 10
	MaxKeys   = 64
	// MaxChain is the most certificates of an X.509-SVID, leaf included, and
	// MaxChainBytes the most bytes of all of them.
	MaxChain      = 8
	MaxChainBytes = 32 << 10
)

// Skew is how far an issuer's clock may be from the log's before a token
// counts as expired or not yet valid. Certificates have none: their issuers
// date them back.
const Skew = 60 * time.Second

// Reasons why a token is refused. They are stable: programs may compare them.
const (
	ReasonTooLarge       = "CREDENTIAL_TOO_LARGE"
	ReasonTokenMalformed = "TOKEN_MALFORMED"
	// ReasonTokenHeader: a header parameter that changes how the rest is to
	// be read: crit, b64.
	ReasonTokenHeader = "TOKEN_HEADER_REFUSED"
	ReasonTokenType   = "TOKEN_WRONG_TYPE"
	// ReasonTokenUnsigned: the signature is missing or empty.
	ReasonTokenUnsigned = "TOKEN_UNSIGNED"
	// ReasonAlgNone: the header says that there is no signature.
	ReasonAlgNone = "TOKEN_ALG_NONE"
	// ReasonAlgConfused: an algorithm of another kind of key, such as HMAC
	// with a public key as the secret.
	ReasonAlgConfused = "TOKEN_ALG_CONFUSED"
	// ReasonAlgRefused: an algorithm that is unknown, or not for this use.
	ReasonAlgRefused = "TOKEN_ALG_REFUSED"
	// ReasonUnknownKey: the key set holds no key of that name. The caller may
	// fetch the issuer's keys again, once.
	ReasonUnknownKey = "TOKEN_UNKNOWN_KEY"
	ReasonSignature  = "TOKEN_BAD_SIGNATURE"
	// ReasonClaim: a claim is missing or does not have its form.
	ReasonClaim    = "TOKEN_CLAIM_INVALID"
	ReasonIssuer   = "TOKEN_WRONG_ISSUER"
	ReasonAudience = "TOKEN_WRONG_AUDIENCE"
	// ReasonOtherClient: the token was issued to another client than the one
	// that presents it.
	ReasonOtherClient = "TOKEN_OF_ANOTHER_CLIENT"
	ReasonNonce       = "TOKEN_WRONG_NONCE"
	ReasonExpired     = "TOKEN_EXPIRED"
	ReasonNotYetValid = "TOKEN_NOT_YET_VALID"
	// ReasonProofRequest: a proof made for another request.
	ReasonProofRequest = "PROOF_OF_ANOTHER_REQUEST"
	// ReasonProofLife: a proof that is valid for too long.
	ReasonProofLife = "PROOF_TOO_LONG_LIVED"
)

// Reasons why a key set, a bundle or an X.509-SVID is refused.
const (
	ReasonKeySet = "KEY_SET_INVALID"
	// ReasonKeySecret: the set holds private or symmetric keys. Whoever
	// published it must replace them.
	ReasonKeySecret    = "KEY_SET_HAS_SECRETS"
	ReasonKeyDuplicate = "KEY_SET_DUPLICATE_KID"

	ReasonSPIFFEID      = "SPIFFE_ID_INVALID"
	ReasonTrustDomain   = "FOREIGN_TRUST_DOMAIN"
	ReasonSVIDMalformed = "SVID_MALFORMED"
	// ReasonSVIDNames: not exactly one URI SAN.
	ReasonSVIDNames = "SVID_NOT_ONE_URI"
	ReasonSVIDIsCA  = "SVID_IS_CA"
	ReasonSVIDUsage = "SVID_KEY_USAGE"
	// ReasonSVIDKey: not a key that may sign records.
	ReasonSVIDKey         = "SVID_KEY_REFUSED"
	ReasonSVIDWeak        = "SVID_WEAK_SIGNATURE"
	ReasonSVIDExpired     = "SVID_EXPIRED"
	ReasonSVIDNotYetValid = "SVID_NOT_YET_VALID"
	// ReasonSVIDIssuer: a certificate between leaf and root may not issue it.
	ReasonSVIDIssuer = "SVID_ISSUER_REFUSED"
	ReasonSVIDChain  = "SVID_CHAIN_NOT_VERIFIED"
)

// TokenDigest names a token without disclosing it: base64url(SHA-256(ASCII
// token)), the recipe of RFC 9449's ath and of a WIMSE proof's wth.
func TokenDigest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// EnrolmentAudience returns the audience of a workload token that enrols key
// with the log of that origin. A token for this audience binds this key and no
// other: it holds the key's RFC 7638 thumbprint.
func EnrolmentAudience(origin string, key *record.PublicKey) string {
	return origin + "/enrol/" + key.ID()
}

func refuse(reason, field, detail, next string) error {
	return &record.Error{Reason: reason, Field: field, Detail: detail, Next: next}
}

// quote quotes what somebody else wrote, cut to a length for error messages.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		n := most
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strconv.QuoteToASCII(s)
}

// stamp formats a time for error messages.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// trustDomain returns the trust domain of a valid SPIFFE ID.
func trustDomain(id string) string {
	td, _, _ := strings.Cut(strings.TrimPrefix(id, "spiffe://"), "/")
	return td
}
