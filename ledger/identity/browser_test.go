package identity_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/onus-ledger/onus/ledger/identity"
)

// What a browser's session keeps of a credential is asked again at every
// request, and ends with its line.
func TestSessionsOfCredentials(t *testing.T) {
	path, token := newFile(t)
	rossi := identity.Caller{Name: "m.rossi", Role: identity.Compliance}
	must(t, identity.AppendLine(path, identity.Line{Caller: rossi, Issuer: "https://login.example.com", Subject: "user-1"}))
	tokens, err := identity.OpenTokens(path)
	must(t, err)
	hash, ok := identity.HashToken(token)
	if !ok {
		t.Fatal("a token is none")
	}
	if c, err := tokens.ByHash(hash); err != nil || c.Name != "audit" {
		t.Errorf("by its hash: %+v, %v", c, err)
	}
	if c, err := tokens.BySubject("https://login.example.com", "user-1"); err != nil || c != rossi {
		t.Errorf("by its subject: %+v, %v", c, err)
	}
	var refused *identity.RefusedError
	for name, ask := range map[string]func() (identity.Caller, error){
		"another hash":   func() (identity.Caller, error) { return tokens.ByHash([32]byte{1}) },
		"no hash":        func() (identity.Caller, error) { return tokens.ByHash([32]byte{}) },
		"another sub":    func() (identity.Caller, error) { return tokens.BySubject("https://login.example.com", "user-2") },
		"another issuer": func() (identity.Caller, error) { return tokens.BySubject("https://login.example.org", "user-1") },
		"no issuer":      func() (identity.Caller, error) { return tokens.BySubject("", "") },
	} {
		if c, err := ask(); !errors.As(err, &refused) || c != (identity.Caller{}) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, ok := identity.HashToken("a word that people chose"); ok {
		t.Error("a word is a token")
	}
	must(t, os.WriteFile(path, nil, 0o600))
	if _, err := tokens.ByHash(hash); !errors.As(err, &refused) {
		t.Errorf("after its line was deleted: %v", err)
	}
	if _, err := tokens.BySubject("https://login.example.com", "user-1"); !errors.As(err, &refused) {
		t.Errorf("after its line was deleted: %v", err)
	}
	must(t, os.Rename(path, filepath.Join(filepath.Dir(path), "elsewhere")))
	var unavailable *identity.UnavailableError
	if _, err := tokens.BySubject("https://login.example.com", "user-1"); !errors.As(err, &unavailable) {
		t.Errorf("without a file: %v", err)
	}
}
