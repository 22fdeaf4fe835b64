package ledger

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The host key must be the one that genesis names, and must be there where the
// policy asks the host to do something.
func TestHostKeyMustFit(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rejecting, recording := DefaultPolicy(), DefaultPolicy()
	rejecting.Revoked = onusv1.RevokedRecords_REVOKED_RECORDS_REJECT
	recording.RecordReads = true
	for _, c := range []struct {
		name   string
		policy *onusv1.Policy
		change func(*Config)
		says   string
	}{
		{"none given", nil, func(c *Config) { c.HostKey = nil }, ""},
		{"another", nil, func(c *Config) { c.HostKey = ed25519.NewKeyFromSeed(seed("other")) }, "not the one that genesis names"},
		{"not Ed25519", nil, func(c *Config) { c.HostKey = p256 }, "must be Ed25519"},
		{"none to reject with", rejecting, func(c *Config) { c.HostKey = nil }, "rejected, which takes the host key"},
		{"none to record reads with", recording, func(c *Config) { c.HostKey = nil }, "reads recorded, which takes the host key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := bareHarness(t, nil, nil)
			h.policy = c.policy
			h.create()
			h.close()
			c.change(&h.cfg)
			l, err := Open(h.cfg)
			if c.says == "" {
				if err != nil {
					t.Fatalf("Open: %v", err)
				}
				h.ledger = l
				h.run()
				if err := l.RecordRead(context.Background(), &onusv1.Read{Caller: "a", Role: "auditor", Procedure: "GetRecord"}); !errors.Is(err, errNoHost) {
					t.Errorf("RecordRead without a host key: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open: %v, want one that says %q", err, c.says)
			}
			fresh := h.on(vfs.NewMem())
			fresh.policy = c.policy
			if _, err := Create(fresh.cfg, fresh.genesis()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Create: %v, want one that says %q", err, c.says)
			}
			if _, err := Open(fresh.cfg); !errors.Is(err, ErrNotExist) {
				t.Errorf("Create left something behind: %v", err)
			}
		})
	}
	t.Run("genesis names none", func(t *testing.T) {
		h := bareHarness(t, nil, nil)
		g, err := NewGenesis(h.key, []Administrator{{"root", h.admin.Public()}}, DefaultPolicy(), h.admin, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Create(h.cfg, g); err == nil || !strings.Contains(err.Error(), "genesis names none") {
			t.Errorf("Create: %v", err)
		}
	})
}

// A read is logged, signed by the host, and durable when RecordRead returns.
func TestRecordRead(t *testing.T) {
	h := bareHarness(t, nil, nil)
	h.policy = DefaultPolicy()
	h.policy.RecordReads = true
	h.create()
	h.enrol()
	if !h.ledger.RecordsReads() {
		t.Fatal("reads are not recorded")
	}
	r, _ := h.submit(nil)
	want := &onusv1.Read{Caller: "m.rossi", Role: "auditor", Procedure: "GetRecord", Record: r.ID.String()}
	if err := h.ledger.RecordRead(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	e, err := h.ledger.Entry(h.ledger.Size() - 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, e.Record.Msg.GetRead(), protocmp.Transform()); diff != "" || !e.Record.Msg.GetAuthor().GetHost() {
		t.Errorf("by %v: %s", e.Record.Msg.GetAuthor(), diff)
	}
	h.stop()
	if err := h.ledger.RecordRead(context.Background(), want); !errors.Is(err, ErrStopped) {
		t.Errorf("RecordRead after the stop: %v, want ErrStopped", err)
	}
	h.stop = func() {}
	h.checkLog()
	if newHarness(t, nil, nil).ledger.RecordsReads() {
		t.Error("reads are recorded where the policy does not ask for it")
	}
}

// trustBundleOf makes the bundle of a domain with a root of its own.
func trustBundleOf(t *testing.T, domain string, sequence int64) []byte {
	t.Helper()
	key := ed25519.NewKeyFromSeed(seed("root of " + domain))
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: domain},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, URIs: []*url.URL{{Scheme: "spiffe", Host: domain}}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	b, err := credential.MarshalBundle(sequence, []*x509.Certificate{root})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The host logs newer trust bundles of a domain that an administrator trusted
// first, each once, and never an older one.
func TestLogTrustBundle(t *testing.T) {
	h := newHarness(t, nil, nil)
	ctx, now := context.Background(), time.Now()
	first, second := trustBundleOf(t, "example.com", 1), trustBundleOf(t, "example.com", 2)
	_, err := h.ledger.LogTrustBundle(ctx, "example.com", first, now)
	wantReason(t, err, registry.ReasonNotPermitted)
	m := h.registration()
	m.Body = &onusv1.Record_TrustBundle{TrustBundle: &onusv1.TrustBundle{Domain: "example.com", Bundle: first, Fetched: timestamppb.New(now)}}
	trusted := h.must(h.ledger.Submit(ctx, Submission{Envelope: h.sign(m, h.admin).Envelope})).Receipt.Index
	size := h.ledger.Size()
	for i, c := range []struct {
		bundle []byte
		want   int64
	}{{first, trusted}, {second, size}, {second, size}} {
		if got, err := h.ledger.LogTrustBundle(ctx, "example.com", c.bundle, now); err != nil || got != c.want {
			t.Errorf("bundle %d: entry %d, %v; want %d", i, got, err, c.want)
		}
	}
	_, err = h.ledger.LogTrustBundle(ctx, "example.com", first, now)
	wantReason(t, err, registry.ReasonOlder)
	_, err = h.ledger.LogTrustBundle(ctx, "example.com", []byte("{}"), now)
	var e *record.Error
	if !errors.As(err, &e) {
		t.Errorf("a bundle that is none: %v", err)
	}
	if b, at := h.ledger.Registry().Bundle("example.com", h.ledger.Size()); b.Sequence() != 2 || at != size || h.ledger.Size() != size+1 {
		t.Errorf("in force is sequence %d of entry %d, of %d entries", b.Sequence(), at, h.ledger.Size())
	}
	h.checkLog()
}
