package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/record"
)

// Bounds of a token file.
const (
	MaxFile  = 4 << 20
	MaxLines = 10_000
)

// maxLine is the most bytes of a line: two SPIFFE IDs and a comment.
const maxLine = 8 << 10

// Line is one line of a token file: who a credential stands for.
type Line struct {
	Caller
	// Hash is the SHA-256 of a token, or SPIFFEID names a workload that shows
	// a certificate, or Issuer and Subject name who shows an OIDC token. One
	// of the three is set.
	Hash            [sha256.Size]byte
	SPIFFEID        string
	Issuer, Subject string
}

const (
	hashPrefix = "sha256:"
	oidcPrefix = "oidc:"
)

// String writes the line as [ParseLines] reads it.
func (l Line) String() string {
	credential := l.SPIFFEID
	switch {
	case l.Issuer != "":
		credential = oidcPrefix + l.Issuer + "#" + escapeSubject.Replace(l.Subject)
	case credential == "":
		credential = hashPrefix + hex.EncodeToString(l.Hash[:])
	}
	return l.Name + " " + l.Caller.String() + " " + credential
}

// Check reports what is wrong with a line, or nil.
func (l Line) Check() error {
	if l.Name == "" || len(l.Name) > 64 || !only(l.Name, alnum+"._@-") {
		return fmt.Errorf("name %.80q has not 1 to 64 characters of a-z A-Z 0-9 . _ @ -", l.Name)
	}
	switch l.Role {
	case Agent:
		if why := record.CheckSPIFFE(l.Scope); why != "" {
			return fmt.Errorf("the agent class %.80q %s: write agent=spiffe://DOMAIN/PATH", l.Scope, why)
		}
	case Operator:
		if !record.IsOperatorID(l.Scope) {
			return fmt.Errorf("%.80q is not the id of an operator: write operator=ID, such as operator=it/platform", l.Scope)
		}
	case Auditor, Compliance, Administrator:
		if l.Scope != "" {
			return fmt.Errorf("role %s has no scope: it reads all records", l.Role)
		}
	default:
		return fmt.Errorf("there is no role: use agent, operator, auditor, compliance or administrator")
	}
	if l.SPIFFEID != "" {
		if why := record.CheckSPIFFE(l.SPIFFEID); why != "" {
			return fmt.Errorf("the credential %.80q %s", l.SPIFFEID, why)
		}
	}
	if l.Issuer == "" && l.Subject == "" {
		return nil
	}
	if why := CheckIssuer(l.Issuer); why != "" {
		return fmt.Errorf("the issuer %.80q %s: write oidc:https://ISSUER#SUB", l.Issuer, why)
	}
	// OpenID Connect Core, section 2: ASCII, at most 255 characters.
	if l.Subject == "" || len(l.Subject) > 255 || strings.ContainsFunc(l.Subject, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("the subject %.80q has not 1 to 255 characters of ASCII: write oidc:https://ISSUER#SUB", l.Subject)
	}
	return nil
}

// In the file a subject is one word.
var escapeSubject, unescapeSubject = strings.NewReplacer("%", "%25", " ", "%20"), strings.NewReplacer("%25", "%", "%20", " ")

// parseOIDC reads oidc:ISSUER#SUB.
func parseOIDC(s string) (issuer, subject string, err error) {
	issuer, word, _ := strings.Cut(s, "#")
	subject = unescapeSubject.Replace(word)
	if escapeSubject.Replace(subject) != word {
		return "", "", fmt.Errorf("the subject %.80q has a %% that is not written %%25", word)
	}
	return issuer, subject, nil
}

// LineError says what is wrong in a token file, and where.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }

// ParseLines reads a token file: lines of three fields, separated by spaces or
// tabs; from a word that begins with # on, a comment. No credential stands there twice. A name may: so
// a token is replaced without a gap. But it is one caller's.
func ParseLines(text []byte) ([]Line, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("it has more than %d bytes", MaxFile)
	}
	var lines []Line
	credentials, names := map[string]int{}, map[string]Caller{}
	n := 0
	for raw := range bytes.Lines(text) {
		n++
		fail := func(format string, args ...any) ([]Line, error) {
			return nil, &LineError{n, fmt.Errorf(format, args...)}
		}
		if len(raw) > maxLine {
			return fail("has more than %d bytes", maxLine)
		}
		fields := strings.FieldsFunc(strings.TrimSuffix(string(raw), "\n"), func(r rune) bool { return r == ' ' || r == '\t' })
		if i := slices.IndexFunc(fields, func(s string) bool { return s[0] == '#' }); i >= 0 {
			fields = fields[:i]
		}
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 {
			return fail("has %d fields, not the three: name, role[=scope], and sha256:HASH, spiffe://ID or oidc:ISSUER#SUB", len(fields))
		}
		if len(lines) == MaxLines {
			return fail("is one more than the %d that a file may have: workloads with certificates need no line", MaxLines)
		}
		l, err := parseFields(fields[0], fields[1], fields[2])
		if err != nil {
			return fail("%w", err)
		}
		if before, ok := credentials[fields[2]]; ok {
			return fail("has the credential of line %d", before)
		}
		if before, ok := names[l.Name]; ok && before != l.Caller {
			return fail("makes %s %s, which is %s above: a name is one caller's", l.Name, l.Caller, before)
		}
		credentials[fields[2]], names[l.Name] = n, l.Caller
		lines = append(lines, l)
	}
	return lines, nil
}

func parseFields(name, role, credential string) (Line, error) {
	l := Line{Caller: Caller{Name: name}}
	role, scope, scoped := strings.Cut(role, "=")
	var err error
	if l.Role, err = ParseRole(role); err != nil {
		return l, err
	}
	if scoped && scope == "" {
		return l, fmt.Errorf("role %s= has an empty scope", role)
	}
	l.Scope = scope
	if digits, ok := strings.CutPrefix(credential, hashPrefix); ok {
		if len(digits) != 2*sha256.Size || !only(digits, "0123456789abcdef") {
			// What stands there may be a token: it is not repeated.
			return l, fmt.Errorf("sha256: is not followed by 64 characters of 0-9 a-f")
		}
		hex.Decode(l.Hash[:], []byte(digits))
	} else if strings.HasPrefix(credential, "spiffe://") {
		l.SPIFFEID = credential
	} else if who, ok := strings.CutPrefix(credential, oidcPrefix); ok {
		if l.Issuer, l.Subject, err = parseOIDC(who); err != nil {
			return l, err
		}
		if l.Issuer == "" {
			return l, fmt.Errorf("oidc: names no issuer: write oidc:https://ISSUER#SUB")
		}
	} else {
		return l, fmt.Errorf("the third field is neither sha256:HASH nor spiffe://ID nor oidc:ISSUER#SUB: the file holds hashes, never tokens; make both with onus token new")
	}
	return l, l.Check()
}

// tokenPrefix lets people and scanners of repositories see what a token is,
// and keeps tokens of other kinds apart from ours.
const tokenPrefix = "onus_"

// NewToken makes a token of 256 random bits, and its hash for the file.
func NewToken() (token string, hash [sha256.Size]byte) {
	var secret [32]byte
	rand.Read(secret[:])
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	return token, sha256.Sum256([]byte(token))
}

// isToken reports whether s has the form of a token that NewToken makes. A
// word that people chose does not, so none can be made valid by its hash.
func isToken(s string) bool {
	rest, ok := strings.CutPrefix(s, tokenPrefix)
	if !ok {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	return err == nil && len(b) == 32 && base64.RawURLEncoding.EncodeToString(b) == rest
}

const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func only(s, chars string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(chars, r) })
}
