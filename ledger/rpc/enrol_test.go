package rpc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func rootKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("onus test: root of example.com"))
	return ed25519.NewKeyFromSeed(seed[:])
}

// root is the certificate of the trust domain example.com.
func (s *server) root() *x509.Certificate {
	s.t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, URIs: []*url.URL{{Scheme: "spiffe", Host: "example.com"}}}
	return s.certificate(tmpl, tmpl, rootKey().Public())
}

func (s *server) certificate(tmpl, parent *x509.Certificate, pub crypto.PublicKey) *x509.Certificate {
	s.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, rootKey())
	must(s.t, err)
	c, err := x509.ParseCertificate(der)
	must(s.t, err)
	return c
}

// trust has an administrator log the trust bundle of example.com.
func (s *server) trust() {
	s.t.Helper()
	b, err := credential.MarshalBundle(1, []*x509.Certificate{s.root()})
	must(s.t, err)
	s.log1(s.admin, &onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_TrustBundle{TrustBundle: &onusv1.TrustBundle{
		Domain: "example.com", Bundle: b, Fetched: timestamppb.Now()}}})
}

// svid is an X.509-SVID for a key.
func (s *server) svid(id string, key record.Signer) *onusv1.X509SVID {
	s.t.Helper()
	u, err := url.Parse(id)
	must(s.t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, URIs: []*url.URL{u}}
	return &onusv1.X509SVID{Chain: [][]byte{s.certificate(tmpl, s.root(), key.Public().Crypto()).Raw}}
}

// enrolment is the registration of a key that it signs itself. It is
// marshalled here: without a credential, record.Sign would refuse it.
func (s *server) enrolment(key record.Signer, edit func(*onusv1.KeyBinding)) *onusv1.Envelope {
	s.t.Helper()
	instance := "pod-" + strings.ToLower(key.Public().ID()[:6])
	instance = strings.Map(func(r rune) rune {
		if r == '_' {
			return 'x'
		}
		return r
	}, instance)
	k := &onusv1.KeyBinding{PublicKey: key.Public().SPKI(), Agent: agentID, Instance: instance, Operator: operator}
	if edit != nil {
		edit(k)
	}
	m := &onusv1.Record{
		Origin: origin, Nonce: ledger.NewNonce(), Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Author: &onusv1.Author{Agent: k.Agent, Instance: k.Instance, Operator: k.Operator, KeyId: key.Public().ID()},
		Body:   &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}}},
	}
	payload, err := proto.Marshal(m)
	must(s.t, err)
	env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
	env.Signature, err = key.Sign(env.PAE())
	must(s.t, err)
	return env.Proto()
}

// A workload enrols with its SVID and without any credential of the caller's,
// and everybody can look its key up, proven.
func TestEnrolBySVID(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	key := newSigner(t)
	env := w.enrolment(key, func(k *onusv1.KeyBinding) { k.Credential = &onusv1.KeyBinding_Svid{Svid: w.svid(agentID, key)} })
	resp, err := w.as("nobody").Enrol(ctx, &onusv1.EnrolRequest{Envelope: env})
	must(t, err)
	again, err := w.as("nobody").Enrol(ctx, &onusv1.EnrolRequest{Envelope: env})
	must(t, err)
	if !again.GetDuplicate() || again.GetReceipt().GetIndex() != resp.GetReceipt().GetIndex() {
		t.Errorf("again: %v", again)
	}
	got, err := w.as("agent").GetKey(ctx, &onusv1.GetKeyRequest{KeyId: key.Public().ID()})
	must(t, err)
	if k := got.GetKey(); k.GetLevel() != "K2" || k.GetIndex() != resp.GetReceipt().GetIndex() || k.Revoked != nil {
		t.Errorf("key: %v", k)
	}
	if got.GetProven().GetReceipt().GetIndex() != resp.GetReceipt().GetIndex() || got.GetSize() != w.ledger.Size() {
		t.Errorf("proven by entry %d as of %d", got.GetProven().GetReceipt().GetIndex(), got.GetSize())
	}
	_, err = w.as("agent").GetKey(ctx, &onusv1.GetKeyRequest{KeyId: "nobody"})
	if code, p := problem(t, err); code != connect.CodeNotFound || p.GetReason() != "NOT_FOUND" {
		t.Errorf("an unknown key: %v", err)
	}
	// Another's SVID enrols nothing.
	other := newSigner(t)
	_, err = w.as("nobody").Enrol(ctx, &onusv1.EnrolRequest{Envelope: w.enrolment(other, func(k *onusv1.KeyBinding) {
		k.Credential = &onusv1.KeyBinding_Svid{Svid: w.svid(hrAgentID, other)}
	})})
	if code, p := problem(t, err); code != connect.CodePermissionDenied || p.GetReason() != "OTHER_WORKLOAD" {
		t.Errorf("by another workload's SVID: %v", err)
	}
}

// Without a credential a key is noted, for those who may let it in.
func TestKnocking(t *testing.T) {
	w := newWorld(t, nil)
	ctx := context.Background()
	key := newSigner(t)
	before := w.ledger.Size()
	for range 2 {
		_, err := w.as("nobody").Enrol(ctx, &onusv1.EnrolRequest{Envelope: w.enrolment(key, nil)})
		if code, p := problem(t, err); code != connect.CodeFailedPrecondition || p.GetReason() != ledger.ReasonPending || !strings.Contains(p.GetNext(), "onus agent admit") {
			t.Errorf("%v: %v", err, p)
		}
	}
	if w.ledger.Size() != before {
		t.Error("left a trace in the log")
	}
	for caller, want := range map[string]int{"operator": 1, "hr": 0, "administrator": 1} {
		resp, err := w.as(caller).ListPending(ctx, &onusv1.ListPendingRequest{})
		must(t, err)
		if len(resp.GetKeys()) != want {
			t.Errorf("%s sees %d keys, want %d", caller, len(resp.GetKeys()), want)
		}
		for _, k := range resp.GetKeys() {
			if k.GetCount() != 2 || !bytes.Equal(k.GetPublicKey(), key.Public().SPKI()) || k.GetAuthor().GetAgent() != agentID {
				t.Errorf("%s sees %v", caller, k)
			}
		}
	}
	resp, err := w.as("administrator").ListPending(ctx, &onusv1.ListPendingRequest{})
	must(t, err)
	k := resp.GetKeys()[0]
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: k.GetPublicKey(), Agent: k.GetAuthor().GetAgent(), Instance: k.GetAuthor().GetInstance(), Operator: k.GetAuthor().GetOperator()}}})
	if resp, err = w.as("administrator").ListPending(ctx, &onusv1.ListPendingRequest{}); err != nil || len(resp.GetKeys()) != 0 {
		t.Errorf("when it was let in: %v, %v", resp, err)
	}
}

// Nobody makes the server read a large message without a credential.
func TestEnrolReadsLittle(t *testing.T) {
	w := newWorld(t, nil)
	c := onusv1connect.NewLedgerServiceClient(http.DefaultClient, w.url)
	env := w.enrolment(newSigner(t), nil)
	_, err := c.Enrol(context.Background(), &onusv1.EnrolRequest{Envelope: env, UserToken: strings.Repeat("x", rpc.MaxEnrol)})
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("Enrol with %d bytes: %v", rpc.MaxEnrol, err)
	}
}

// Everything that is registered is listed in the order of registration, with
// its keys and what ended it.
func TestListRegistrations(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	service, key := "spiffe://example.com/erp", newSigner(t)
	at := s.register(&onusv1.Registration{Subject: &onusv1.Registration_Service{Service: &onusv1.Service{Id: service, Operator: operator, DisplayName: "ERP"}}})
	bound := s.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: key.Public().SPKI(), Service: service,
		NotAfter: timestamppb.New(time.UnixMilli(4_000_000_000_000))}}})
	s.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "m.rossi", Operator: operator, Post: "Controller"}}})
	rev := s.log1(s.admin, &onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: agentID}}}})
	var got []*onusv1.Registered
	for token := ""; ; {
		page, err := s.client.ListRegistrations(ctx, &onusv1.ListRegistrationsRequest{PageSize: 1, PageToken: token})
		must(t, err)
		got = append(got, page.GetRegistrations()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(got) != 4 || got[0].GetRegistration().GetOperator().GetId() != operator || got[1].GetRegistration().GetAgent().GetId() != agentID || got[3].GetRegistration().GetReviewer().GetName() != "m.rossi" {
		t.Fatalf("got %v", got)
	}
	if got[1].Revoked == nil || got[1].GetRevoked() != rev.index || got[0].Revoked != nil || got[2].Revoked != nil {
		t.Errorf("revoked: %v, %v, %v", got[0].Revoked, got[1].Revoked, got[2].Revoked)
	}
	want := &onusv1.Registered{Registration: got[2].GetRegistration(), Index: at.index, Keys: []*onusv1.RegisteredKey{
		{KeyId: key.Public().ID(), Index: bound.index, Level: "K0", NotAfter: timestamppb.New(time.UnixMilli(4_000_000_000_000))}}}
	if diff := cmp.Diff(want, got[2], protocmp.Transform()); diff != "" || got[2].GetRegistration().GetService().GetId() != service {
		t.Error(diff)
	}
	for name, req := range map[string]*onusv1.ListRegistrationsRequest{"PAGE_TOKEN": {PageToken: "!"}, "OUT_OF_RANGE": {PageSize: 1001}} {
		_, err := s.client.ListRegistrations(ctx, req)
		if _, p := problem(t, err); p.GetReason() != name {
			t.Errorf("%v: %v", req, err)
		}
	}
}
