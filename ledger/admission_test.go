package ledger

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A record that breaks a rule is refused with its reason, and leaves no trace.
func TestRefusals(t *testing.T) {
	h := newHarness(t, nil, nil)
	stranger := newSigner(t)
	users, err := h.ledger.Mint(NameUser, []string{"ann", "bob"})
	if err != nil {
		t.Fatal(err)
	}
	text, content := record.NewText([]byte("find the pods"))
	_, other := record.NewText([]byte("find the pods"))
	withText := func(m *onusv1.Record) { m.GetStages().Intent = &onusv1.Intent{Text: text} }
	plain := &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "find the pods"}}
	unminted := strings.Repeat("a", 26)
	good := h.sign(h.step(withText), h.agent).Envelope

	edit := func(f func(m *onusv1.Record)) record.Envelope { return h.sign(h.step(f), h.agent).Envelope }
	signedBy := func(s record.Signer, f func(m *onusv1.Record)) record.Envelope { return h.sign(h.step(f), s).Envelope }
	bent := func(f func(e *record.Envelope)) record.Envelope {
		e := record.Envelope{Type: good.Type, Payload: bytes.Clone(good.Payload), Signature: bytes.Clone(good.Signature)}
		f(&e)
		return e
	}
	many := func(n int) (cs []*onusv1.Content) {
		for range n {
			cs = append(cs, content)
		}
		return cs
	}
	for _, c := range []struct {
		name, reason string
		env          record.Envelope
		contents     []*onusv1.Content
	}{
		{"key that is not registered", registry.ReasonKeyNotBound, signedBy(stranger, nil), nil},
		{"administrator's key for an agent", registry.ReasonKeyNotBound, signedBy(h.admin, nil), nil},
		{"another agent's name", registry.ReasonKeyNotBound, edit(func(m *onusv1.Record) { m.Author.Agent = "spiffe://example.com/other" }), nil},
		{"another operator's name", registry.ReasonKeyNotBound, edit(func(m *onusv1.Record) { m.Author.Operator = "it/other" }), nil},
		{"another log's origin", registry.ReasonWrongOrigin, edit(func(m *onusv1.Record) { m.Origin = "staging.example.com/log" }), nil},
		{"wrong signature", record.ReasonBadSignature, bent(func(e *record.Envelope) { e.Signature[5] ^= 1 }), nil},
		{"no signature", record.ReasonBadSignature, bent(func(e *record.Envelope) { e.Signature = nil }), nil},
		{"signature too long", record.ReasonBadSignature, bent(func(e *record.Envelope) { e.Signature = make([]byte, record.MaxSignature+1) }), nil},
		{"other payload type", record.ReasonUnknownPayloadType, bent(func(e *record.Envelope) { e.Type = 3 }), nil},
		{"no payload", record.ReasonMalformed, bent(func(e *record.Envelope) { e.Payload = nil }), nil},
		{"oversize", record.ReasonTooLarge, bent(func(e *record.Envelope) { e.Payload = make([]byte, record.MaxPayload+1) }), nil},
		{"plain text", "PLAIN_TEXT_FORBIDDEN", edit(func(m *onusv1.Record) { m.GetStages().Intent = &onusv1.Intent{Text: plain} }), nil},
		{"unknown user", "UNKNOWN_PSEUDONYM", edit(func(m *onusv1.Record) { m.User = "u-" + unminted }), nil},
		{"unknown session", "UNKNOWN_PSEUDONYM", edit(func(m *onusv1.Record) { m.Session = "x-" + unminted }), nil},
		{"unknown subject", "UNKNOWN_PSEUDONYM", edit(func(m *onusv1.Record) { m.Subjects = []string{"s-" + unminted} }), nil},
		{"unknown recipient", "UNKNOWN_PSEUDONYM", edit(func(m *onusv1.Record) { m.GetStages().Action.Element.Recipient = "u-" + unminted }), nil},
		{"unknown token subject", "UNKNOWN_PSEUDONYM", edit(func(m *onusv1.Record) { m.GetStages().Action.Token = &onusv1.TokenFacts{Sub: "u-" + unminted} }), nil},
		{"content without commitment", "PAYLOAD_MISMATCH", edit(nil), many(1)},
		{"content under another salt", "PAYLOAD_MISMATCH", good, []*onusv1.Content{other}},
		{"other content", "PAYLOAD_MISMATCH", good, []*onusv1.Content{{Salt: content.Salt, Data: []byte("find the pods.")}}},
		{"content twice", record.ReasonInvalid, good, many(2)},
		{"short salt", record.ReasonInvalid, good, []*onusv1.Content{{Salt: content.Salt[:31], Data: content.Data}}},
		{"content for a stranger", record.ReasonInvalid, good, []*onusv1.Content{{Salt: content.Salt, Data: content.Data, Subject: users[1]}}},
		{"too many contents", record.ReasonTooLarge, good, many(MaxContents + 1)},
		{"contents too large", record.ReasonTooLarge, good, []*onusv1.Content{{Salt: content.Salt, Data: make([]byte, MaxContentBytes+1)}}},
		{"second genesis", registry.ReasonGenesisMisplace, h.genesis().Envelope, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			size, checkpoint := h.ledger.Size(), string(h.ledger.Checkpoint())
			sub := Submission{Envelope: c.env, Contents: c.contents}
			_, err := h.ledger.Submit(context.Background(), sub)
			wantReason(t, err, c.reason)
			ok := h.sign(h.step(nil), h.agent).Envelope
			got := h.ledger.SubmitBatch(context.Background(), []Submission{sub, {Envelope: ok}, sub})
			wantReason(t, got[0].Err, c.reason)
			wantReason(t, got[2].Err, c.reason)
			if got[1].Err != nil || got[1].Logged.Receipt.Index != size {
				t.Errorf("good record between: %v, %v, want index %d", got[1].Logged, got[1].Err, size)
			}
			if h.ledger.Size() != size+1 || string(h.ledger.Checkpoint()) == checkpoint {
				t.Errorf("the log grew from %d to %d entries, want one more", size, h.ledger.Size())
			}
			if _, err := h.ledger.Index(c.env.ID()); err == nil {
				t.Errorf("the refused record is in the log")
			}
		})
	}
	h.checkLog()
	h.checkRows()
}

// What only looks odd is accepted: links to records that are not there, and a
// claimed time far off, which the chain then shows.
func TestOddButAccepted(t *testing.T) {
	h := newHarness(t, nil, nil)
	nowhere := strings.Repeat("ab", 32)
	for _, c := range []struct {
		name string
		edit func(m *onusv1.Record)
		find string
	}{
		{"unknown parent", func(m *onusv1.Record) { m.Parent = nowhere }, "PARENT_NOT_IN_LOG"},
		{"unknown cause", func(m *onusv1.Record) { m.Causes = []string{nowhere} }, "CAUSE_NOT_IN_LOG"},
		{"claims the past", func(m *onusv1.Record) { m.ClaimedTime = timestamppb.New(time.Unix(0, 0)) }, "LATE_RECORDED"},
		{"claims the future", func(m *onusv1.Record) { m.ClaimedTime = timestamppb.New(time.Unix(250_000_000_000, 0)) }, "CLOCK_SKEW"},
	} {
		r, got := h.submit(c.edit)
		e, err := h.ledger.Entry(got.Receipt.Index)
		if err != nil {
			t.Fatal(err)
		}
		built := chain.Build([]chain.Entry{{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record}}, nil, h.ledger.Registry().Genesis().GetPolicy())
		fs := built.Nodes[0].Findings
		if !slices.ContainsFunc(fs, func(f chain.Finding) bool { return f.Code == c.find }) {
			t.Errorf("%s: record %s has findings %v, want %s", c.name, r.ID, fs, c.find)
		}
	}
	h.checkLog()
}

// Plain text is taken where the log's policy allows that field, and only there.
func TestPlainTextWhereAllowed(t *testing.T) {
	h := bareHarness(t, nil, nil)
	h.policy = DefaultPolicy()
	h.policy.PlainText = []string{"stages.intent.text"}
	h.create()
	h.enrol()
	plain := &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "find the pods"}}
	h.submit(func(m *onusv1.Record) { m.GetStages().Intent = &onusv1.Intent{Text: plain} })
	bad := h.sign(h.step(func(m *onusv1.Record) { m.GetStages().Decision = &onusv1.Decision{Text: plain} }), h.agent)
	_, err := h.ledger.Submit(context.Background(), Submission{Envelope: bad.Envelope})
	wantReason(t, err, "PLAIN_TEXT_FORBIDDEN")
	h.checkLog()
}

// The largest payload with the largest allowed parts around it fits an entry.
func TestLargestRecord(t *testing.T) {
	h := newHarness(t, nil, nil)
	pad := func(n int) record.Envelope {
		m := h.step(func(m *onusv1.Record) {
			as := make([]*onusv1.ScopeElement, 62)
			for i := range as {
				as[i] = &onusv1.ScopeElement{Type: "t", Action: "a", Location: "https://example.com/" + strings.Repeat("x", 900)}
			}
			for i := range 24 { // n more, evenly
				as[i].Location = "https://example.com/" + strings.Repeat("y", 300+n/24+max(0, min(1, n%24-i)))
			}
			m.GetStages().Intent = &onusv1.Intent{Requested: as}
		})
		return h.sign(m, h.agent).Envelope
	}
	env := pad(record.MaxPayload - len(pad(0).Payload))
	if len(env.Payload) != record.MaxPayload {
		t.Fatalf("made %d bytes, want %d", len(env.Payload), record.MaxPayload)
	}
	got := h.must(h.ledger.Submit(context.Background(), Submission{Envelope: env}))
	if _, err := verifier.OpenReceipt(got.Receipt, env.Type, env.Payload, h.key, h.agent.Public()); err != nil {
		t.Error(err)
	}
	h.checkLog()
}
