package ledger

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// enrolment is the registration of a key of an instance that the key signs
// itself. It is marshalled here: without a credential, record.Sign would
// refuse it.
func (h *harness) enrolment(s record.Signer, instance string, edit func(*onusv1.Record)) Submission {
	h.t.Helper()
	m := &onusv1.Record{
		Origin: testOrigin, Nonce: NewNonce(), Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Author: &onusv1.Author{Agent: testAgent, Instance: instance, Operator: testOperator, KeyId: s.Public().ID()},
		Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
			PublicKey: s.Public().SPKI(), Agent: testAgent, Instance: instance, Operator: testOperator}}}},
	}
	if edit != nil {
		edit(m)
	}
	payload, err := proto.Marshal(m)
	if err != nil {
		h.t.Fatal(err)
	}
	env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
	if env.Signature, err = s.Sign(env.PAE()); err != nil {
		h.t.Fatal(err)
	}
	return Submission{Envelope: env}
}

// withWorkloadToken gives an enrolment a workload's token for the key.
func withWorkloadToken(is *issuer, s record.Signer, changes obj) func(*onusv1.Record) {
	return func(m *onusv1.Record) {
		c := obj{"sub": "system:serviceaccount:shop:k8s-agent", "aud": credential.EnrolmentAudience(testOrigin, s.Public()), "azp": nil, "sid": nil, "auth_time": nil, "amr": nil}
		for k, v := range changes {
			c[k] = v
		}
		m.GetRegistration().GetKey().Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: is.token(c)}
	}
}

func (h *harness) enrolWorkloads(is *issuer) {
	h.t.Helper()
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: issuerURL, Users: true, Workloads: true}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Kubernetes agent", OauthClients: []*onusv1.OAuthClient{{Issuer: issuerURL, Id: testClient}},
		Workloads: []*onusv1.Workload{{Issuer: issuerURL, Subject: "system:serviceaccount:shop:k8s-agent"}}}}}))
	_, err := h.ledger.say(context.Background(), func(m *onusv1.Record) {
		m.Body = &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{Issuer: issuerURL, Jwks: is.jwks(), Fetched: timestamppb.Now()}}
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// A workload enrols its key by its token, and then signs with it.
func TestEnrol(t *testing.T) {
	h, is := newUserHarness(t, nil)
	h.enrolWorkloads(is)
	key := newSigner(t)
	sub := h.enrolment(key, "pod-7", withWorkloadToken(is, key, nil))
	got := h.must(h.ledger.Enrol(context.Background(), sub))
	if again := h.must(h.ledger.Enrol(context.Background(), sub)); !again.Duplicate || again.Receipt.Index != got.Receipt.Index {
		t.Errorf("again: %v", again)
	}
	e, err := h.ledger.Entry(got.Receipt.Index)
	if err != nil {
		t.Fatal(err)
	}
	if e.Stamp.KeyEntry != e.Index {
		t.Errorf("the enrolment is stamped with key entry %d, want its own index %d", e.Stamp.KeyEntry, e.Index)
	}
	check := func() {
		t.Helper()
		k, proven, size, err := h.ledger.Key(key.Public().ID())
		if err != nil {
			t.Fatal(err)
		}
		want := &onusv1.RegisteredKey{KeyId: key.Public().ID(), Instance: "pod-7", Index: e.Index, Level: "K1"}
		if diff := cmp.Diff(want, k, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
		if proven.GetReceipt().GetIndex() != e.Index || size != h.ledger.Size() {
			t.Errorf("proven by entry %d of %d", proven.GetReceipt().GetIndex(), size)
		}
	}
	check()
	r := h.sign(h.step(func(m *onusv1.Record) { m.Author.Instance = "pod-7" }), key)
	h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}))
	h.checkLog()
	h.reopen()
	check()
	if _, _, _, err := h.ledger.Key("nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Key of nobody: %v", err)
	}
	h.checkRows()
}

// The keys of a workload's issuer are asked for when a token needs newer ones
// than the log has, and only of an issuer that is registered for workloads.
func TestEnrolWithFreshKeys(t *testing.T) {
	h, is := newUserHarness(t, nil)
	h.enrolWorkloads(is)
	is.rotate()
	key := newSigner(t)
	is.mu.Lock()
	is.down = errors.New("no route to host")
	is.mu.Unlock()
	sub := h.enrolment(key, "pod-7", withWorkloadToken(is, key, nil))
	_, err := h.ledger.Enrol(context.Background(), sub)
	wantReason(t, err, credential.ReasonUnknownKey)
	is.mu.Lock()
	is.down = nil
	is.mu.Unlock()
	got := h.must(h.ledger.Enrol(context.Background(), sub))
	if v := h.ledger.Registry().KeySet(issuerURL, got.Receipt.Index); v == nil || v.Index != got.Receipt.Index-1 {
		t.Errorf("the key set before entry %d is %+v, want the entry before it", got.Receipt.Index, v)
	}
	asked := is.asked
	stranger := h.enrolment(newSigner(t), "pod-8", withWorkloadToken(is, key, obj{"iss": "https://elsewhere.example.com"}))
	if _, err := h.ledger.Enrol(context.Background(), stranger); err == nil || is.asked != asked {
		t.Errorf("of an issuer that is not registered: %v, asked %d times", err, is.asked-asked)
	}
	h.checkLog()
}

// What does not show that the party may have the key is refused, and leaves no
// trace.
func TestBadEnrolments(t *testing.T) {
	h, is := newUserHarness(t, nil)
	h.enrolWorkloads(is)
	key, other := newSigner(t), newSigner(t)
	taken := newSigner(t)
	h.must(h.ledger.Enrol(context.Background(), h.enrolment(taken, "pod-1", withWorkloadToken(is, taken, nil))))
	bent := h.enrolment(key, "pod-2", withWorkloadToken(is, key, nil))
	bent.Envelope.Signature = bytes.Clone(bent.Envelope.Signature)
	bent.Envelope.Signature[3] ^= 1
	bentKnock := h.enrolment(key, "pod-2", nil)
	bentKnock.Envelope.Signature = bent.Envelope.Signature
	staging := func(m *onusv1.Record) { m.Origin = "staging.example.com/log" }
	keyID := bent
	keyID.KeyID = "another"
	for _, c := range []struct {
		name, reason string
		sub          Submission
	}{
		{"token for another key", credential.ReasonAudience, h.enrolment(key, "pod-2", withWorkloadToken(is, other, nil))},
		{"token of another workload", registry.ReasonOtherWorkload, h.enrolment(key, "pod-2", withWorkloadToken(is, key, obj{"sub": "system:serviceaccount:shop:web"}))},
		{"expired token", credential.ReasonExpired, h.enrolment(key, "pod-2", withWorkloadToken(is, key, obj{"iat": 1000, "exp": 2000}))},
		{"wrong signature", record.ReasonBadSignature, bent},
		{"another keyid", record.ReasonInvalid, keyID},
		{"not an enrolment", record.ReasonInvalid, Submission{Envelope: h.record(nil).Envelope}},
		{"an administrator's registration", record.ReasonInvalid, h.adminRecord(operatorReg("it/new"))},
		{"no record", record.ReasonMalformed, Submission{Envelope: record.Envelope{Type: record.TypeProtobuf, Payload: []byte("hello"), Signature: []byte("x")}}},
		{"no credential", ReasonPending, h.enrolment(key, "pod-2", nil)},
		{"no credential, wrong signature", record.ReasonBadSignature, bentKnock},
		{"no credential, another log", registry.ReasonWrongOrigin, h.enrolment(key, "pod-2", staging)},
		{"no credential, no instance", record.ReasonInvalid, h.enrolment(key, "", nil)},
		{"no credential, registered key", registry.ReasonConflict, h.enrolment(taken, "pod-1", nil)},
		{"user's key without a token", record.ReasonInvalid, h.enrolment(key, "", func(m *onusv1.Record) {
			u := h.mint(NameUser, "ann")[0]
			m.User, m.Author = u, &onusv1.Author{User: u, KeyId: key.Public().ID()}
			m.GetRegistration().Subject = &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: key.Public().SPKI(), User: u}}
		})},
	} {
		size := h.ledger.Size()
		_, err := h.ledger.Enrol(context.Background(), c.sub)
		t.Run(c.name, func(t *testing.T) { wantReason(t, err, c.reason) })
		if h.ledger.Size() != size {
			t.Errorf("%s: left a trace", c.name)
		}
	}
	h.checkLog()
}

// A user's device enrols its key with a login whose nonce is the key's
// thumbprint, and then speaks for the user.
func TestEnrolDevice(t *testing.T) {
	h, is := newUserHarness(t, nil)
	device := newSigner(t)
	enrol := func(s record.Signer, token string) error { t.Helper(); return h.device(s, token, nil) }
	bound := obj{"aud": chatClient, "azp": chatClient, "nonce": device.Public().ID()}
	is.down = errors.New("away")
	wantReason(t, enrol(device, is.token(bound)), registry.ReasonNoCredential) // an asserted token enrols nobody
	is.down = nil
	wantReason(t, enrol(newSigner(t), is.token(bound)), record.ReasonInvalid) // another key
	wantReason(t, enrol(device, is.token(obj{"aud": "wiki", "azp": "wiki", "nonce": device.Public().ID()})), credential.ReasonAudience)
	if err := enrol(device, is.token(bound)); err != nil {
		t.Fatal(err)
	}
	u := h.mint(NameUser, issuerURL+" ann")[0]
	say := func(user string) error {
		m := &onusv1.Record{Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{User: user}, User: user, Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Requested: []*onusv1.ScopeElement{{Type: "t", Action: "a"}}}}}}
		_, err := h.ledger.Submit(context.Background(), Submission{Envelope: h.sign(m, device).Envelope})
		return err
	}
	if err := say(u); err != nil {
		t.Error(err)
	}
	wantReason(t, say(h.mint(NameUser, issuerURL+" bob")[0]), registry.ReasonKeyNotBound)
	h.checkLog()
	h.checkRows()
}

// Who knocks is noted with its key, if it showed that it has it, and its count;
// who is let in is not pending any more.
func TestPending(t *testing.T) {
	h := newHarness(t, nil, nil)
	shown, hearsay := newSigner(t), newSigner(t)
	ctx := context.Background()
	for range 3 {
		_, err := h.ledger.Enrol(ctx, h.enrolment(shown, "pod-9", nil))
		wantReason(t, err, ReasonPending)
	}
	r := h.sign(h.step(func(m *onusv1.Record) { m.Author.Operator = "it/other" }), hearsay)
	_, err := h.ledger.Submit(ctx, Submission{Envelope: r.Envelope})
	wantReason(t, err, registry.ReasonKeyNotBound)
	// A record that anybody can make does not replace what the holder said.
	liar := h.sign(h.step(nil), h.agent)
	m := proto.Clone(liar.Msg).(*onusv1.Record)
	m.Author.Instance, m.Author.KeyId = "evil", shown.Public().ID()
	payload, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.ledger.Submit(ctx, Submission{Envelope: record.Envelope{Type: record.TypeProtobuf, Payload: payload, Signature: liar.Envelope.Signature}})
	wantReason(t, err, registry.ReasonKeyNotBound)
	// A bound key that signs for another is no stranger.
	other := h.sign(h.step(func(m *onusv1.Record) { m.Author.Agent = "spiffe://example.com/other" }), h.agent)
	_, err = h.ledger.Submit(ctx, Submission{Envelope: other.Envelope})
	wantReason(t, err, registry.ReasonKeyNotBound)

	want := []*onusv1.PendingKey{
		{KeyId: shown.Public().ID(), PublicKey: shown.Public().SPKI(), Count: 4,
			Author: &onusv1.Author{Agent: testAgent, Instance: "pod-9", Operator: testOperator, KeyId: shown.Public().ID()}},
		{KeyId: hearsay.Public().ID(), Count: 1, Author: r.Msg.GetAuthor()},
	}
	check := func(operator string, want ...*onusv1.PendingKey) {
		t.Helper()
		got := h.ledger.Pending(operator)
		if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(&onusv1.PendingKey{}, "first", "last")); diff != "" {
			t.Errorf("of %q: %s", operator, diff)
		}
		for _, k := range got {
			if k.GetFirst().AsTime().After(k.GetLast().AsTime()) || time.Since(k.GetLast().AsTime()) > time.Minute {
				t.Errorf("%s knocked from %v to %v", k.GetKeyId(), k.GetFirst().AsTime(), k.GetLast().AsTime())
			}
		}
	}
	check("", want...)
	check("it/other", want[1])
	check(testOperator, want[0])
	h.reopen()
	check("", want...)
	h.must(h.register(keyReg(shown, testAgent, "pod-9", testOperator)))
	check("", want[1])
	h.reopen()
	check("", want[1])
	h.checkRows()
}

// Knocking needs no disk that syncs: it is answered while a commit hangs.
func TestKnockingDoesNotWaitForTheDisk(t *testing.T) {
	g, fs := newGate(vfs.NewMem())
	t.Cleanup(g.open)
	h := newHarness(t, fs, nil)
	t.Cleanup(g.open)
	g.shut()
	var wg sync.WaitGroup
	waiting(h, &wg)
	g.await()
	_, err := h.ledger.Enrol(context.Background(), h.enrolment(newSigner(t), "pod-9", nil))
	wantReason(t, err, ReasonPending)
	if n := len(h.ledger.Pending("")); n != 1 {
		t.Errorf("%d keys are noted, want 1", n)
	}
	g.open()
	wg.Wait()
}
