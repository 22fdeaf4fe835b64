package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
)

// onus serve lets in whom the token file names by issuer and subject: for the
// log's origin, or for whom --oidc-audience says.
func TestServeOIDC(t *testing.T) {
	const origin, k8s = "log.example.com/agents", "spiffe://example.com/k8s-agent"
	op := oidctest.Start(t)
	dir := t.TempDir()
	data, tokens := filepath.Join(dir, "ledger"), filepath.Join(dir, "tokens")
	for _, l := range []identity.Line{
		{Caller: identity.Caller{Name: "alice", Role: identity.Administrator}, Issuer: op.Issuer(), Subject: op.Subject(oidctest.Alice)},
		{Caller: identity.Caller{Name: "k8s", Role: identity.Agent, Scope: k8s}, Issuer: op.Issuer(), Subject: oidctest.K8sAgent},
	} {
		if err := identity.AppendLine(tokens, l); err != nil {
			t.Fatal(err)
		}
	}
	l, err := dataDir(data).create(origin, "root", nil, ledger.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	onus, err := os.Executable() // TestMain makes the test the command, by this name
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "onus")
	if err := os.Symlink(onus, link); err != nil {
		t.Fatal(err)
	}
	alice, _ := op.Login(oidctest.Login{User: oidctest.Alice, Client: oidctest.Ledger})
	bob, _ := op.Login(oidctest.Login{User: oidctest.Bob, Client: oidctest.Ledger})
	workload := op.ClientToken(oidctest.K8sAgent, origin)

	const in, denied, out = connect.Code(0), connect.CodePermissionDenied, connect.CodeUnauthenticated
	for _, c := range []struct {
		flags                []string
		alice, bob, workload connect.Code
	}{
		{nil, out, out, out},
		{[]string{"--oidc-client", oidctest.K8sAgent}, out, out, denied}, // an agent reads its own
		{[]string{"--oidc-audience", oidctest.Ledger}, in, out, out},
	} {
		s := startServe(t, link, data, append([]string{"--tokens", tokens}, c.flags...)...)
		for token, want := range map[string]connect.Code{alice: c.alice, bob: c.bob, workload: c.workload} {
			api, err := (&remote{server: s.url, token: token}).client()
			if err != nil {
				t.Fatal(err)
			}
			_, err = api.GetRecord(context.Background(), &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{}})
			got := in
			if err != nil {
				got = connect.CodeOf(err)
			}
			if got != want {
				t.Errorf("%v: %v, want %v", c.flags, err, want)
			}
		}
		if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := s.cmd.Wait(); err != nil { // the ledger is free for the next
			t.Fatal(err)
		}
	}
}
