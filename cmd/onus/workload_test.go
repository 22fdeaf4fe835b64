package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent/workload"
	"github.com/onus-ledger/onus/agent/workload/workloadtest"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// onus serve with --workload-api is known by its SVID, knows agents by theirs,
// and goes on without a restart when all of them, and the root, are replaced.
func TestServeWorkloadAPI(t *testing.T) {
	const ledgerID, agentID = "spiffe://example.com/ledger", "spiffe://example.com/k8s-agent"
	td, stranger := workloadtest.New(t, "example.com"), workloadtest.New(t, "stranger.example")
	dir := t.TempDir()
	l, err := dataDir(filepath.Join(dir, "ledger")).create("log.example.com/agents", "root", nil, ledger.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	// The domain's first bundle is an administrator's to log; newer ones are the
	// host's.
	first := logFirstBundle(t, l, dataDir(filepath.Join(dir, "ledger")), td.Bundle())
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
	s := startServe(t, link, filepath.Join(dir, "ledger"), "--workload-api", td.Serve(ledgerID))

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	src, err := workload.Open(ctx, workload.Config{Socket: td.Serve(agentID), ServerID: ledgerID})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	// An agent may have the checkpoint, and not other people's records.
	api := onusv1connect.NewLedgerServiceClient(src.HTTPClient(), s.url)
	check := func(when string) {
		t.Helper()
		if _, err := api.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{}); err != nil {
			t.Errorf("%s: checkpoint: %v", when, err)
		}
		_, err := api.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{}})
		if connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%s: a record of another: %v, want %v", when, err, connect.CodePermissionDenied)
		}
	}
	check("at first")

	// with calls with any certificate, and returns the server's.
	with := func(svid *workloadtest.SVID) (server *x509.Certificate, err error) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
			VerifyConnection: func(state tls.ConnectionState) error { server = state.PeerCertificates[0]; return nil }}}
		defer tr.CloseIdleConnections()
		if svid != nil {
			cert := svid.TLS()
			tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}
		_, err = onusv1connect.NewLedgerServiceClient(&http.Client{Transport: tr}, s.url).GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{})
		return server, err
	}
	before, err := with(nil)
	if got := connect.CodeOf(err); got != connect.CodeUnauthenticated {
		t.Errorf("without a certificate: %v, want %v", err, connect.CodeUnauthenticated)
	}
	if before.URIs[0].String() != ledgerID {
		t.Errorf("the server is %s, want %s", before.URIs[0], ledgerID)
	}
	old := td.Issue(agentID)
	if _, err := with(old); err != nil {
		t.Errorf("with an SVID: %v", err)
	}
	for name, svid := range map[string]*workloadtest.SVID{
		"foreign": stranger.Issue("spiffe://stranger.example/k8s-agent"),
		"expired": td.Issue(agentID, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }),
	} {
		if _, err := with(svid); err == nil || connect.IsWireError(err) {
			t.Errorf("%s: %v, want no answer", name, err)
		}
	}

	td.AddRoot()
	td.Rotate()
	for after := before; after.Equal(before); time.Sleep(5 * time.Millisecond) {
		if after, err = with(nil); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Fatalf("the server's SVID is not renewed: %v", err)
		}
	}
	check("after the SVIDs were replaced")
	td.DropRoots()
	for err = nil; err == nil; time.Sleep(5 * time.Millisecond) {
		_, err = with(old)
	}
	if connect.IsWireError(err) || ctx.Err() != nil {
		t.Errorf("an SVID of the old root: %v, want no answer", err)
	}
	check("after the root was replaced")
	for index := first; index == first; time.Sleep(5 * time.Millisecond) {
		resp, err := api.ListRegistrations(ctx, &onusv1.ListRegistrationsRequest{})
		if err != nil {
			t.Fatalf("the new root is not in the ledger: %v", err)
		}
		for _, r := range resp.GetRegistrations() {
			if r.GetTrustBundle().GetDomain() == "example.com" {
				index = r.GetIndex()
			}
		}
	}
}

// logFirstBundle logs a trust bundle of example.com as the administrator, and
// returns its index.
func logFirstBundle(t *testing.T, l *ledger.Ledger, d dataDir, bundle []byte) int64 {
	t.Helper()
	admin, err := keyfile.LoadRecordSigner(d.adminKey())
	if err != nil {
		t.Fatal(err)
	}
	m := &onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_TrustBundle{
		TrustBundle: &onusv1.TrustBundle{Domain: "example.com", Bundle: bundle, Fetched: timestamppb.Now()}}}
	complete(m, l.LogKey().Origin())
	r, err := record.Sign(m, admin)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	logged, err := l.Submit(ctx, ledger.Submission{Envelope: r.Envelope})
	stop()
	if err := errors.Join(err, <-ran); err != nil {
		t.Fatal(err)
	}
	return logged.Receipt.GetIndex()
}
