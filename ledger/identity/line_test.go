package identity_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/ledger/identity"
)

var (
	hashA = "sha256:" + strings.Repeat("ab", sha256.Size)
	hashB = "sha256:" + strings.Repeat("cd", sha256.Size)
)

const k8s = "spiffe://example.com/k8s-agent"

func TestParseLines(t *testing.T) {
	lines, err := identity.ParseLines([]byte("# the bank's\n\n" +
		"root\tadministrator  " + hashA + "   # until March\n" +
		"  ci@2026.bank_1-x operator=it/platform " + hashB + "\n" +
		"k8s agent=" + k8s + " " + k8s + "\n" +
		"rossi auditor oidc:https://login.example.com/realms/bank#auth0|24%208#%252 #until March\n" +
		"ci agent=" + k8s + " oidc:https://k8s.example.com#system:serviceaccount:ci:k8s\n" +
		"board compliance spiffe://example.com/board")) // no line break at the end
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(lines))
	for i, l := range lines {
		got[i] = l.String()
	}
	want := []string{
		"root administrator " + hashA,
		"ci@2026.bank_1-x operator=it/platform " + hashB,
		"k8s agent=" + k8s + " " + k8s,
		"rossi auditor oidc:https://login.example.com/realms/bank#auth0|24%208#%252",
		"ci agent=" + k8s + " oidc:https://k8s.example.com#system:serviceaccount:ci:k8s",
		"board compliance spiffe://example.com/board",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if l := lines[3]; l.Issuer != "https://login.example.com/realms/bank" || l.Subject != "auth0|24 8#%2" {
		t.Errorf("issuer %q, subject %q", l.Issuer, l.Subject)
	}
	if lines, err := identity.ParseLines(nil); err != nil || len(lines) != 0 {
		t.Errorf("an empty file: %v, %v", lines, err)
	}
}

// What is wrong is said with its line, and never with what may be a token.
func TestParseLinesRefuses(t *testing.T) {
	const secret = "onus_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	ok := "ok auditor " + hashA + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"two fields":         {ok + "x auditor\n", "line 2: has 2 fields"},
		"four fields":        {"x auditor " + hashA + " y\n", "line 1: has 4 fields"},
		"role":               {"\n# c\nx auditer " + hashA, "line 3: unknown role \"auditer\""},
		"role in capitals":   {"x Auditor " + hashA, "line 1: unknown role"},
		"agent alone":        {"x agent " + hashA, "the agent class"},
		"agent, no SPIFFE":   {"x agent=https://example.com/a " + hashA, "does not begin with spiffe://"},
		"agent, no path":     {"x agent=spiffe://example.com " + hashA, "has no path"},
		"operator alone":     {"x operator " + hashA, "is not the id of an operator"},
		"operator, empty":    {"x operator= " + hashA, "empty scope"},
		"operator, relative": {"x operator=it/../hr " + hashA, "is not the id of an operator"},
		"operator, capitals": {"x operator=IT " + hashA, "is not the id of an operator"},
		"auditor, scope":     {"x auditor=it " + hashA, "has no scope"},
		"auditor, = alone":   {"x auditor= " + hashA, "empty scope"},
		"name":               {"x/y auditor " + hashA, "line 1: name \"x/y\""},
		"name, long":         {strings.Repeat("x", 65) + " auditor " + hashA, "line 1: name"},
		"name, not ASCII":    {"zoë auditor " + hashA, "line 1: name"},
		"a token":            {"x auditor " + secret, "the file holds hashes, never tokens"},
		"a token as a hash":  {"x auditor sha256:" + secret, "not followed by 64"},
		"hash, short":        {"x auditor " + hashA[:70], "not followed by 64"},
		"hash, long":         {"x auditor " + hashA + "a", "not followed by 64"},
		"hash, capitals":     {"x auditor sha256:" + strings.Repeat("AB", 32), "not followed by 64"},
		"hash, other":        {"x auditor sha512:" + strings.Repeat("ab", 32), "neither sha256:"},
		"SPIFFE, bad":        {"x auditor spiffe://example.com//a", "empty path segment"},
		"hash twice":         {ok + ok + "y auditor " + hashB, "line 2: has the credential of line 1"},
		"OIDC, no issuer":    {"x auditor oidc:#a", "names no issuer"},
		"OIDC, no subject":   {"x auditor oidc:https://example.com", "has not 1 to 255 characters"},
		"OIDC, long subject": {"x auditor oidc:https://example.com#" + strings.Repeat("a", 256), "has not 1 to 255 characters"},
		"OIDC, not ASCII":    {"x auditor oidc:https://example.com#zoë", "has not 1 to 255 characters"},
		"OIDC, % alone":      {"x auditor oidc:https://example.com#100%", "not written %25"},
		"OIDC, in clear":     {"x auditor oidc:http://example.com#a", "plain http to another machine"},
		"OIDC, query":        {"x auditor oidc:https://example.com?a#a", "query or fragment"},
		"OIDC, user":         {"x auditor oidc:https://a@example.com#a", "a user"},
		"OIDC, host alone":   {"x auditor oidc:example.com#a", "does not begin with https://"},
		"OIDC twice":         {"x auditor oidc:https://example.com#a\ny auditor oidc:https://example.com#a", "line 2: has the credential of line 1"},
		"glued comment":      {"x auditor " + hashA + "#March", "not followed by 64"},
		"SPIFFE twice":       {"x auditor " + k8s + "\ny auditor " + k8s, "line 2: has the credential of line 1"},
		"name of another":    {ok + "ok compliance " + hashB, "line 2: makes ok compliance, which is auditor above"},
		"CR LF":              {"ok auditor " + hashA + "\r\n", "line 1: sha256: is not followed"},
		"NUL":                {"ok auditor\x00 " + hashA, "line 1: unknown role"},
		"long line":          {"# " + strings.Repeat("x", 9000), "line 1: has more than"},
		"large":              {strings.Repeat("#\n", 3<<20), "more than 4194304 bytes"},
	} {
		_, err := identity.ParseLines([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error repeats a token: %v", name, err)
		}
	}
	var many strings.Builder
	for i := range identity.MaxLines + 1 {
		fmt.Fprintf(&many, "x auditor sha256:%064x\n", i)
	}
	if _, err := identity.ParseLines([]byte(many.String())); err == nil || !strings.Contains(err.Error(), "line 10001: ") {
		t.Errorf("many lines: %v", err)
	}
}

func TestNewTokens(t *testing.T) {
	a, hashOfA := identity.NewToken()
	b, _ := identity.NewToken()
	if a == b || len(a) != len("onus_")+43 || hashOfA != sha256.Sum256([]byte(a)) {
		t.Errorf("tokens of %d and %d characters, equal %t", len(a), len(b), a == b)
	}
}

func FuzzParseLines(f *testing.F) {
	f.Add([]byte("root administrator " + hashA + "\nci operator=it/platform " + hashB + " # comment\n"))
	f.Add([]byte("k8s agent=" + k8s + " " + k8s))
	f.Add([]byte("m auditor oidc:https://login.example.com#a%20b%25 # comment"))
	f.Add([]byte("x\tauditor  spiffe://example.com/x\n\n#\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, err := identity.ParseLines(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, l := range lines {
			if err := l.Check(); err != nil {
				t.Errorf("%q was parsed, and is wrong: %v", l, err)
			}
			b.WriteString(l.String() + "\n")
		}
		again, err := identity.ParseLines([]byte(b.String()))
		if err != nil {
			t.Fatalf("%q was made of %q: %v", b.String(), text, err)
		}
		if diff := cmp.Diff(lines, again); diff != "" {
			t.Error(diff)
		}
	})
}
