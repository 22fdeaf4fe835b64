package agent_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// The same things said by a user in an application, and by the user's own
// device: who signs is what differs.
func TestUser(t *testing.T) {
	w := newWorld(t)
	deviceKey := newKey()
	device, err := party.EnrolDevice(t.Context(), w.client(t, nil), deviceKey, w.token(chat, claims{"nonce": keyID(deviceKey)}))
	if err != nil {
		t.Fatal(err)
	}
	again := must(party.Device(w.client(t, nil), deviceKey, device.Pseudonym(), device.Session()))
	for name, c := range map[string]struct {
		user      *party.User
		assurance int
		author    *onusv1.Author
	}{
		"through a client":       {w.user(t, claims{"sid": "s-2"}), 1, &onusv1.Author{Client: chat, KeyId: keyID(w.chatKey)}},
		"by a device":            {device, 0, &onusv1.Author{User: device.Pseudonym(), KeyId: keyID(deviceKey)}},
		"by a device, next time": {again, 0, &onusv1.Author{User: device.Pseudonym(), KeyId: keyID(deviceKey)}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, u := t.Context(), c.user
			check := func(what string, r *agent.Receipt, err error) *onusv1.Record {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				m := w.message(r)
				if a := m.GetAuthor(); a.GetClient() != c.author.Client || a.GetUser() != c.author.User || a.GetKeyId() != c.author.KeyId ||
					m.GetUser() != u.Pseudonym() || m.GetSession() != u.Session() || m.GetSession() == "" {
					t.Errorf("%s: the record is %v", what, m)
				}
				if r.Assurance != c.assurance || (m.GetToken() != nil) != (c.assurance > 0) {
					t.Errorf("%s: assurance is %d, with token %v", what, r.Assurance, m.GetToken())
				}
				return m
			}
			asked, err := u.Ask(ctx, planner, agent.Intent{Text: "optimise", Requested: []agent.Element{{Type: "order", Action: "create"}}})
			m := check("Ask", asked, err)
			if in := m.GetStages().GetIntent(); len(in.GetText().GetCommitment()) == 0 || len(in.GetRequested()) != 1 || m.GetAsks() != planner {
				t.Errorf("the intent is %v", m)
			}
			if l := asked.Link(); l.Agent != "" || !l.Grant.IsZero() {
				t.Errorf("its link is %v", l)
			}
			given, err := u.Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}, Purpose: "the spring order"})
			if m := check("Grant", given, err); m.GetBasis() != agent.Delegated || len(m.GetDelegation().GetPurpose().GetCommitment()) == 0 {
				t.Errorf("the grant is %v", m)
			}
			if l := given.Link(); l.Grant != given.ID {
				t.Errorf("its link is %v", l)
			}
			a := w.agent(t, planner, nil)
			what := order(1).Action.Element
			proposal := must(a.Record(agent.WithLink(ctx, given.Link()), agent.Step{User: u.Pseudonym(), Decision: &agent.Decision{Proposal: &what}}))
			approved, err := u.Approve(ctx, proposal.Link(), time.Now().Add(time.Hour), "go on")
			if m := check("Approve", approved, err); m.GetParent() != proposal.ID.String() || m.GetParentAgent() != planner || m.GetApproval().GetProposal() != proposal.ID.String() {
				t.Errorf("the approval is %v", m)
			}
			denied, err := u.Deny(ctx, proposal.Link(), "stop")
			check("Deny", denied, err)
			over, err := u.RevokeGrant(ctx, given.ID, "over")
			check("RevokeGrant", over, err)
			if g := must(a.Grant(ctx, given.ID)); !g.Revoked() || g.User != u.Pseudonym() || g.Session != u.Session() || g.Status.GetRevoked() != over.Index {
				t.Errorf("the grant is revoked by %d, want %d", g.Status.GetRevoked(), over.Index)
			}
			ended, err := u.EndSession(ctx, "", "logged out")
			if m := check("EndSession", ended, err); m.GetRevocation().GetSession() != u.Session() {
				t.Errorf("the revocation is %v", m)
			}
			// Nobody approves what is no proposal.
			var refused *agent.RefusedError
			if _, err := u.Approve(ctx, asked.Link(), time.Time{}, ""); !errors.As(err, &refused) {
				t.Errorf("Approve of an intent gives %v", err)
			}
		})
	}
	r, err := again.RevokeKey(t.Context(), time.Now().Add(-time.Hour), "lost")
	if err != nil || w.message(r).GetRevocation().GetKey() != keyID(deviceKey) {
		t.Errorf("RevokeKey gives %v", err)
	}
	var gone *agent.RevokedError
	if r, err := device.Ask(t.Context(), planner, agent.Intent{Text: "x"}); !errors.As(err, &gone) || r == nil {
		t.Errorf("after RevokeKey Ask gives %v, %v", r, err)
	}
}

func TestReviewer(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	r := must(party.NewReviewer(w.client(t, nil), w.benKey, ben))
	given := must(w.operator(t).Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{orders},
		Approvals: []agent.ApprovalRule{{Operations: []string{"*"}, Approvers: []string{ben}}}}))
	a := w.agent(t, planner, nil)
	what := order(1).Action.Element
	proposal := must(a.Record(agent.WithLink(ctx, given.Link()), agent.Step{Decision: &agent.Decision{Proposal: &what}}))
	approved := must(r.Approve(ctx, proposal.Link(), time.Time{}, ""))
	if got := must(a.AwaitAnswer(ctx, proposal.ID)); got.ID != approved.ID || got.By.GetReviewer() != ben || !got.Expires.IsZero() {
		t.Errorf("the answer is %+v", got)
	}
	must(r.Deny(ctx, proposal.Link(), "on second thoughts"))
	if got := must(a.AwaitAnswer(ctx, proposal.ID)); got.Approved {
		t.Errorf("the answer is %+v, want the denial", got)
	}
	must(r.Review(ctx, party.Review{Record: proposal.ID, Disposition: onusv1.Disposition_DISPOSITION_OPEN}))
	reviewed := must(r.Review(ctx, party.Review{Record: proposal.ID, Finding: "GRANT_MISSING", Disposition: onusv1.Disposition_DISPOSITION_ESCALATED,
		Note: "purchasing has to decide", Assignee: w.user(t, nil).Pseudonym()}))
	m := w.message(reviewed)
	if v := m.GetReview(); v.GetRecord() != proposal.ID.String() || !slices.Equal(m.GetCauses(), []string{v.GetRecord()}) || v.GetFinding() != "GRANT_MISSING" ||
		len(v.GetNote().GetCommitment()) == 0 || v.GetAssignee() == "" || m.GetAuthor().GetReviewer() != ben || m.GetUser() != "" {
		t.Errorf("the review is %v", m)
	}
	// What breaks a rule is not sent.
	if _, err := r.Review(ctx, party.Review{Record: proposal.ID, Disposition: onusv1.Disposition_DISPOSITION_INCIDENT}); !isRecordError(err, "review.note") {
		t.Errorf("an incident without a note gives %v", err)
	}
	var refused *agent.RefusedError
	if _, err := r.Review(ctx, party.Review{Record: record.ID{1}, Disposition: onusv1.Disposition_DISPOSITION_OPEN}); !errors.As(err, &refused) || refused.Problem.GetReason() != "UNKNOWN_RECORD" {
		t.Errorf("a review of what is not logged gives %v", err)
	}
	must(r.RevokeKey(ctx, time.Time{}, "lost"))
	if _, err := r.Review(ctx, party.Review{Record: proposal.ID, Disposition: onusv1.Disposition_DISPOSITION_OPEN}); !errors.As(err, &refused) || refused.Problem.GetReason() != "REVOKED" {
		t.Errorf("after RevokeKey Review gives %v", err)
	}
	if _, err := r.Deny(ctx, proposal.Link(), ""); !errors.As(err, new(*agent.RevokedError)) {
		t.Errorf("after RevokeKey Deny gives %v", err)
	}
}

// isRecordError reports whether a record was refused at that field.
func isRecordError(err error, field string) bool {
	var e *record.Error
	return errors.As(err, &e) && e.Field == field
}

func TestOperator(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	o := w.operator(t)
	begun := must(o.Trigger(ctx, "nightly-reconciliation", planner, "at two"))
	given := must(o.Grant(ctx, agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}}))
	if m := w.message(given); m.GetBasis() != agent.Own {
		t.Errorf("the grant is %v", m)
	}
	a := w.agent(t, planner, nil)
	r := must(a.Record(agent.WithLink(ctx, begun.Link().Under(given.ID)), intent("x")))
	if m := w.message(r); m.GetParent() != begun.ID.String() || m.GetGrant() != given.ID.String() {
		t.Errorf("the record is %v", m)
	}
	key := newKey()
	must(o.BindKey(ctx, buyer, "b-1", must(record.NewPublicKey(key.Public())), time.Now().Add(time.Hour)))
	b := w.agent(t, buyer, func(c *agent.Config) { c.Signer, c.Instance = key, "b-1" })
	must(b.Record(ctx, intent("x")))
	must(o.RevokeGrant(ctx, given.ID, ""))
	for name, revoke := range map[string]func() (*agent.Receipt, error){
		"key":      func() (*agent.Receipt, error) { return o.RevokeAgentKey(ctx, keyID(key), time.Now(), "stolen") },
		"instance": func() (*agent.Receipt, error) { return o.RevokeInstance(ctx, buyer, "b-1", time.Time{}, "") },
		"agent":    func() (*agent.Receipt, error) { return o.RevokeAgent(ctx, buyer, time.Time{}, "") },
	} {
		if _, err := revoke(); err != nil {
			t.Errorf("revoke %s: %v", name, err)
		}
	}
	if r, err := b.Record(ctx, intent("x")); !errors.As(err, new(*agent.RevokedError)) || len(r.Revoked) != 3 {
		t.Errorf("Record gives %v, %v", r, err)
	}
	var refused *agent.RefusedError
	if _, err := o.BindKey(ctx, "spiffe://example.com/nobody", "", must(record.NewPublicKey(newKey().Public())), time.Time{}); !errors.As(err, &refused) {
		t.Errorf("BindKey for an agent that is not registered gives %v", err)
	}
}

func TestPartyRefuses(t *testing.T) {
	w := newWorld(t)
	if _, err := party.NewOperator(nil, w.operatorKey, operator); err == nil || !strings.Contains(err.Error(), "client") {
		t.Errorf("without a client: %v", err)
	}
	if _, err := party.NewOperator(w.client(t, nil), nil, operator); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("without a key: %v", err)
	}
	// A key that is another party's.
	var refused *agent.RefusedError
	posing := must(party.NewOperator(w.client(t, nil), w.chatKey, operator))
	if _, err := posing.Trigger(t.Context(), "x", "", ""); !errors.As(err, &refused) || refused.Problem.GetReason() != "KEY_NOT_BOUND" {
		t.Errorf("with another's key: %v", err)
	}
	// A token of another application.
	c := must(party.NewUserClient(w.client(t, nil), w.chatKey, chat))
	u := must(c.User(t.Context(), w.token("planner", nil)))
	if _, err := u.Ask(t.Context(), planner, agent.Intent{Text: "x"}); !errors.As(err, &refused) {
		t.Errorf("with another's token: %v", err)
	}
	if _, err := w.client(t, nil).Sign(must(record.NewSigner(w.keys[planner])), &onusv1.Record{Author: &onusv1.Author{Agent: planner}}, ""); err == nil {
		t.Error("Client.Sign signs for an agent")
	}
}
