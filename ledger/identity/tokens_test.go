package identity_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger/identity"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newFile makes a token file with one auditor and returns its token.
func newFile(t *testing.T) (path, token string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tokens")
	return path, add(t, path, identity.Caller{Name: "audit", Role: identity.Auditor})
}

func add(t *testing.T, path string, c identity.Caller) string {
	t.Helper()
	token, hash := identity.NewToken()
	must(t, identity.AppendLine(path, identity.Line{Caller: c, Hash: hash}))
	return token
}

func authenticate(a identity.Authenticator, token string) (identity.Caller, error) {
	return a.Authenticate(context.Background(), identity.Request{Bearer: token})
}

func TestTokens(t *testing.T) {
	path, audit := newFile(t)
	k8sCaller := identity.Caller{Name: "k8s", Role: identity.Agent, Scope: k8s}
	agent, replaced := add(t, path, k8sCaller), add(t, path, k8sCaller)
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	if tokens.Len() != 3 {
		t.Errorf("%d lines, want 3", tokens.Len())
	}
	for token, want := range map[string]identity.Caller{
		audit: {Name: "audit", Role: identity.Auditor},
		agent: k8sCaller, replaced: k8sCaller,
	} {
		if got, err := authenticate(tokens, token); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	stranger, _ := identity.NewToken()
	var refused *identity.RefusedError
	if c, err := authenticate(tokens, stranger); !errors.As(err, &refused) || strings.Contains(err.Error(), stranger) || c.Role != 0 {
		t.Errorf("an unknown token: %+v, %v", c, err)
	}
	// What is no token of ours is for another authenticator.
	for _, other := range []string{"", "hello", "eyJhbGciOiJub25lIn0.e30.", audit + "A", audit[:len(audit)-1], strings.ToUpper(audit), "onus_" + strings.Repeat("=", 43)} {
		if _, err := authenticate(tokens, other); !errors.Is(err, identity.ErrNone) {
			t.Errorf("%q: %v, want ErrNone", other, err)
		}
	}
	// A zero hash in a line, as that of a workload is in memory, lets nobody in.
	must(t, identity.AppendLine(path, identity.Line{Caller: identity.Caller{Name: "w", Role: identity.Administrator}, SPIFFEID: k8s}))
	if _, err := authenticate(tokens, stranger); !errors.As(err, &refused) {
		t.Errorf("beside a workload's line: %v", err)
	}
}

// A line that is deleted is revoked at the next call, also when time and size
// of the file do not show the change; a file that is not in order lets nobody
// in until it is again.
func TestTokensFollowTheFile(t *testing.T) {
	path, first := newFile(t)
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	good := func(token string, want bool) {
		t.Helper()
		if _, err := authenticate(tokens, token); (err == nil) != want {
			t.Errorf("good = %t (%v), want %t", err == nil, err, want)
		}
	}
	good(first, true)
	second := add(t, path, identity.Caller{Name: "two", Role: identity.Auditor})
	good(second, true)
	text, err := os.ReadFile(path)
	must(t, err)
	kept := strings.SplitAfter(string(text), "\n")
	must(t, os.WriteFile(path, []byte(kept[0]+kept[2]), 0o600))
	good(first, false)
	good(second, true)

	var unavailable *identity.UnavailableError
	broken := func(why string) {
		t.Helper()
		_, err := authenticate(tokens, second)
		if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want unavailable: %s", err, why)
		}
		if strings.Contains(unavailable.What, path) {
			t.Errorf("callers are told about the server's files: %s", unavailable.What)
		}
	}
	must(t, os.WriteFile(path, append(text, "what?\n"...), 0o600))
	broken("line 4: has 1 fields")
	must(t, os.WriteFile(path, text, 0o600))
	good(second, true)
	must(t, os.Chmod(path, 0o666))
	broken("can be written by others (mode 0666), who could let themselves in: chmod 600 " + path)
	must(t, os.Chmod(path, 0o640))
	good(second, true)
	must(t, os.Rename(path, path+".old"))
	broken("file does not exist: make it with onus token new")
	must(t, os.Mkdir(path, 0o700))
	broken("is not a file")
	must(t, os.Remove(path))
	must(t, os.Rename(path+".old", path))
	good(second, true)

	// Same name, inode, size and time.
	tokens.Recheck = 50 * time.Millisecond
	good(first, true)
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(kept[0]+strings.Repeat("#", len(kept[1])-1)+"\n"+kept[2]), 0o600))
	must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
	time.Sleep(60 * time.Millisecond)
	good(first, false)
	good(second, true)
}

func TestTokensAreSafeForConcurrentUse(t *testing.T) {
	path, token := newFile(t)
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, err := authenticate(tokens, token); err != nil {
					t.Errorf("while lines are added: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		add(t, path, identity.Caller{Name: "more", Role: identity.Auditor})
	}
	wg.Wait()
}

func TestOpenTokensRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if _, err := identity.OpenTokens(path); err == nil || !strings.Contains(err.Error(), "make it with onus token new") {
		t.Errorf("no file: %v", err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o644: true, 0o660: false, 0o602: false, 0o666: false} {
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Chmod(path, mode))
		if _, err := identity.OpenTokens(path); (err == nil) != ok {
			t.Errorf("mode %04o: %v, want ok = %t", mode, err, ok)
		}
		must(t, os.Chmod(path, 0o600))
	}
	// A link is followed, and what it leads to is looked at.
	link := path + ".link"
	must(t, os.Symlink(path, link))
	if _, err := identity.OpenTokens(link); err != nil {
		t.Errorf("link: %v", err)
	}
	must(t, os.Chmod(path, 0o666))
	if _, err := identity.OpenTokens(link); err == nil {
		t.Error("a link to a file that others can write was taken")
	}
}

func TestAppendLine(t *testing.T) {
	path, _ := newFile(t)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("a new file has mode %04o", info.Mode().Perm())
	}
	// To a last line without its end.
	must(t, os.WriteFile(path, []byte("x auditor "+hashA), 0o600))
	add(t, path, identity.Caller{Name: "y", Role: identity.Compliance})
	text, err := os.ReadFile(path)
	must(t, err)
	if lines, err := identity.ParseLines(text); err != nil || len(lines) != 2 {
		t.Errorf("%q: %v", text, err)
	}
	// What would break the file is not written.
	_, hash := identity.NewToken()
	for _, l := range []identity.Line{
		{Caller: identity.Caller{Name: "x", Role: identity.Compliance}, Hash: hash},
		{Caller: identity.Caller{Name: "x y", Role: identity.Auditor}, Hash: hash},
		{Caller: identity.Caller{Name: "z"}, Hash: hash},
		{Caller: identity.Caller{Name: "z", Role: identity.Agent, Scope: "it"}, Hash: hash},
	} {
		if err := identity.AppendLine(path, l); err == nil {
			t.Errorf("%q was added", l)
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(text) {
		t.Errorf("the file changed to %q (%v)", after, err)
	}
}

func TestInOrder(t *testing.T) {
	path, token := newFile(t)
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	both := identity.InOrder{tokens, identity.Certificates{Tokens: tokens}}
	if c, err := authenticate(both, token); err != nil || c.Name != "audit" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := authenticate(both, ""); !errors.Is(err, identity.ErrNone) {
		t.Errorf("nothing: %v", err)
	}
	var refused *identity.RefusedError
	if _, err := authenticate(both, "eyJ.e30."); !errors.As(err, &refused) {
		t.Errorf("a token of no known kind: %v", err)
	}
	if c, err := authenticate(identity.Open{}, ""); err != nil || c.Role != identity.Administrator {
		t.Errorf("open: %+v, %v", c, err)
	}
}

func TestParseAuthorization(t *testing.T) {
	for _, c := range []struct {
		headers []string
		token   string
		ok      bool
	}{
		{nil, "", true},
		{[]string{"Bearer abc"}, "abc", true},
		{[]string{"bearer abc"}, "abc", true},
		{[]string{"Bearer"}, "", false},
		{[]string{"Bearer "}, "", false},
		{[]string{"Bearer a b"}, "", false},
		{[]string{"Bearer  a"}, "", false},
		{[]string{"Basic abc"}, "", false},
		{[]string{""}, "", false},
		{[]string{"Bearer a", "Bearer a"}, "", false},
		{[]string{"Bearer " + strings.Repeat("a", 1<<20)}, "", false},
	} {
		got, err := identity.ParseAuthorization(c.headers)
		if got != c.token || (err == nil) != c.ok {
			t.Errorf("%.40q: %q, %v", c.headers, got, err)
		}
	}
}

func TestOwns(t *testing.T) {
	a := &onusv1.Author{Agent: k8s, Operator: "it/platform"}
	for _, c := range []struct {
		caller identity.Caller
		author *onusv1.Author
		want   bool
	}{
		{identity.Caller{Role: identity.Agent, Scope: k8s}, a, true},
		{identity.Caller{Role: identity.Agent, Scope: k8s + "2"}, a, false},
		{identity.Caller{Role: identity.Operator, Scope: "it/platform"}, a, true},
		{identity.Caller{Role: identity.Operator, Scope: "it"}, a, false}, // a unit above is another operator
		{identity.Caller{Role: identity.Operator, Scope: "it/platform"}, &onusv1.Author{Operator: "it/platform"}, true},
		{identity.Caller{Role: identity.Agent}, &onusv1.Author{Administrator: "root"}, false},
		{identity.Caller{Role: identity.Operator}, &onusv1.Author{Administrator: "root"}, false},
		{identity.Caller{Role: identity.Auditor}, a, false},
		{identity.Caller{}, a, false},
		{identity.Caller{}, nil, false},
	} {
		if got := c.caller.Owns(c.author); got != c.want {
			t.Errorf("%+v owns %v: %t", c.caller, c.author, got)
		}
	}
}
