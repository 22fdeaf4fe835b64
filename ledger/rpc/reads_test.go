package rpc_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Where the policy asks for it, what auditors, compliance and administrators
// read is in the log, once for each call, before it is answered; agents' and
// operators' own reads are not, nor is what was denied.
func TestReadsAreRecorded(t *testing.T) {
	w := newWorldWith(t, func(p *onusv1.Policy) { p.RecordReads = true }, nil, nil)
	ctx := context.Background()
	reads := map[string]string{ // procedure: the record that it asks for
		"GetRecord": w.intent.id, "GetReceipt": w.intent.id, "GetChain": w.foreign.id,
		"ListRecords": "", "Follow": "", "ListGrants": "", "GetGrant": w.grant.id,
		"GetBundle": w.foreign.id,
	}
	for _, caller := range []string{"agent", "operator", "auditor", "compliance", "administrator", "strange agent"} {
		for method, call := range w.calls() {
			before := w.ledger.Size()
			err := call(ctx, w.as(caller))
			var got []string
			for i := before; i < w.ledger.Size(); i++ {
				e, err := w.ledger.Entry(i)
				must(t, err)
				if r := e.Record.Msg.GetRead(); r != nil {
					got = append(got, fmt.Sprintf("%s %s %s %s", r.GetCaller(), r.GetRole(), r.GetProcedure(), r.GetRecord()))
				}
			}
			var want []string
			c := callers[caller]
			if id, ok := reads[method]; ok && !c.Scoped() {
				want = []string{fmt.Sprintf("%s %s %s %s", c.Name, c.Role, method, id)}
				must(t, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s by %s: %s", method, caller, diff)
			}
		}
	}
}

// A read that cannot be recorded is not answered, and the caller is told to try
// again. Here the ledger does not run, so that its queue of one place is full.
func TestReadThatCannotBeRecorded(t *testing.T) {
	_, logKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	host, err := record.NewSigner(hostKey)
	must(t, err)
	key, err := tree.NewLogKey(origin, logKey.Public().(ed25519.PublicKey))
	must(t, err)
	admin, policy := newSigner(t), ledger.DefaultPolicy()
	policy.RecordReads = true
	genesis, err := ledger.NewHostedGenesis(key, host.Public(), []ledger.Administrator{{Name: "root", Key: admin.Public()}}, policy, admin, time.Now())
	must(t, err)
	l, err := ledger.Create(ledger.Config{Dir: "db", FS: vfs.NewMem(), Signer: logKey, HostKey: hostKey, ContentKey: make([]byte, 32), Queue: 1}, genesis)
	must(t, err)
	defer l.Close()
	hs := httptest.NewServer((&rpc.Server{Ledger: l}).Handler(context.Background()))
	defer hs.Close()
	c := onusv1connect.NewLedgerServiceClient(http.DefaultClient, hs.URL)
	get := func(ctx context.Context) (*onusv1.GetRecordResponse, error) {
		return c.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: 0}})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if resp, err := get(ctx); err == nil {
		t.Fatalf("answered before the read was durable: %v", resp)
	}
	resp, err := get(context.Background())
	code, p := problem(t, err)
	if resp != nil || code != connect.CodeResourceExhausted || p.GetReason() != "QUEUE_FULL" || p.GetRetryAfter() == nil || !strings.Contains(err.Error(), "this read was not recorded") {
		t.Errorf("with a full queue: %v, %v", err, p)
	}
	file, err := bundleFile(context.Background(), c, &onusv1.GetBundleRequest{Ids: []string{genesis.ID.String()}})
	if code, p := problem(t, err); len(file) > 0 || code != connect.CodeResourceExhausted || p.GetReason() != "QUEUE_FULL" {
		t.Errorf("evidence with a full queue: %d bytes, %v", len(file), err)
	}
}
