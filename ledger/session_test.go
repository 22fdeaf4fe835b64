package ledger

import (
	"context"
	"errors"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// endSession signs, as the administrator, the revocation of a token's session.
func (h *harness) endSession(token string) *record.Record {
	h.t.Helper()
	of := &onusv1.Record{}
	h.describe(of, token)
	return h.adminRevokes(&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: of.Session}})
}

func (h *harness) adminRevokes(r *onusv1.Revocation) *record.Record {
	h.t.Helper()
	return h.sign(&onusv1.Record{Origin: testOrigin, Nonce: NewNonce(), Author: &onusv1.Author{Administrator: "root"}, Capture: onusv1.Capture_CAPTURE_SELF,
		ClaimedTime: timestamppb.Now(), Body: &onusv1.Record_Revocation{Revocation: r}}, h.admin)
}

// A user who ends a session ends what its token can do. To leave the session
// out does not help: a record that describes a token names its session.
func TestTokenOfARevokedSession(t *testing.T) {
	h, is := newUserHarness(t, nil)
	ctx := context.Background()
	token := is.token(obj{"authorization_details": []obj{{"type": "order", "actions": []string{"place"}}}})
	give := func(token string, edit func(*onusv1.Record)) Submission {
		m := h.step(func(m *onusv1.Record) {
			h.describe(m, token)
			m.Author.KeyId = h.agent.Public().ID()
			m.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: testAgent,
				Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}}}}}
			edit(m)
		})
		// Signed by hand: record.Sign refuses what the rules do.
		sub := h.enrolment(h.agent, "", func(e *onusv1.Record) { proto.Reset(e); proto.Merge(e, m) })
		sub.UserToken = token
		return sub
	}
	as := func(*onusv1.Record) {}
	leftOut := func(m *onusv1.Record) { m.Session = "" }
	_, err := h.ledger.Submit(ctx, give(token, leftOut))
	wantReason(t, err, record.ReasonInvalid)

	// In one batch, what comes before is taken, and what comes after is not.
	before, after := give(token, as), give(token, as)
	res := h.ledger.SubmitBatch(ctx, []Submission{before, {Envelope: h.endSession(token).Envelope}, after})
	if got := h.must(res[0].Logged, res[0].Err); got.Token.GetAssurance() != 2 {
		t.Errorf("before the revocation: %v", got.Token)
	}
	h.must(res[1].Logged, res[1].Err)
	wantReason(t, res[2].Err, registry.ReasonSessionRevoked)

	size := h.ledger.Size()
	_, err = h.ledger.Submit(ctx, give(token, as))
	wantReason(t, err, registry.ReasonSessionRevoked)
	_, err = h.ledger.Submit(ctx, give(token, leftOut))
	wantReason(t, err, record.ReasonInvalid)
	is.rotate()
	is.down = errors.New("away")
	_, err = h.ledger.Submit(ctx, give(is.token(nil), as)) // also if it cannot be checked
	wantReason(t, err, registry.ReasonSessionRevoked)
	is.down = nil
	if got := h.ledger.Size(); got != size {
		t.Errorf("the log grew by %d entries", got-size)
	}
	// The user logs in again.
	if got := h.must(h.ledger.Submit(ctx, give(is.token(obj{"sid": "s2"}), as))); got.Token.GetAssurance() != 1 {
		t.Errorf("in a new session: %v", got.Token)
	}
	h.checkLog()
	h.checkRows()
}
