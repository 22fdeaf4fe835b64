package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
)

func (l *testLog) revoke(v *onusv1.Revocation) int64 {
	return l.decree(&onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: v}})
}

// The agent hears of its revocation with the next record, does not do what it
// was about to do, and stops.
func TestRevokedStops(t *testing.T) {
	for name, target := range map[string]func(*agent.Agent) *onusv1.Revocation{
		"key": func(a *agent.Agent) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: a.KeyID()}}
		},
		"instance": func(a *agent.Agent) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: planner, Instance: a.Instance()}}}
		},
		"class": func(*agent.Agent) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: planner}}
		},
		"operator": func(*agent.Agent) *onusv1.Revocation {
			return &onusv1.Revocation{Target: &onusv1.Revocation_Operator{Operator: operator}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestLog(t)
			a := w.agent(t, planner, nil)
			must(a.Record(t.Context(), intent("before")))
			index := w.revoke(target(a))
			ran := false
			done, err := a.Do(t.Context(), order(1), func(context.Context) (agent.Outcome, error) {
				ran = true
				return agent.Outcome{}, nil
			})
			var gone *agent.RevokedError
			if !errors.As(err, &gone) || gone.Index != index || gone.Target == "" || !gone.Logged || gone.ID != done.Action.ID {
				t.Fatalf("Do gives %v, want it revoked by entry %d", err, index)
			}
			if ran {
				t.Error("the effect ran")
			}
			out, texts, parents := w.outcomes(t)
			if len(out) != 1 || out[0].GetStatus() != agent.Failed || texts[0] != "not carried out: revoked" || parents[0] != done.Action.ID.String() || done.Outcome == nil {
				t.Errorf("the outcomes are %v, %q", out, texts)
			}
			if a.Revoked() == nil || a.Revoked().Index != index {
				t.Errorf("Revoked is %v", a.Revoked())
			}
			n := w.count(t, a)
			calls := map[string]func() error{
				"Record":   func() error { _, err := a.Record(t.Context(), intent("x")); return err },
				"Do":       func() error { _, err := a.Do(t.Context(), order(1), nil); return err },
				"Lost":     func() error { _, err := a.Lost(t.Context(), 0, 0, "x"); return err },
				"Delegate": func() error { _, err := a.Delegate(t.Context(), buyer, orders); return err },
				"Rotate":   func() error { _, err := a.Rotate(t.Context(), newKey(), 0); return err },
				"Submit":   func() error { _, err := a.Submit(t.Context()); return err },
				"Proof":    func() error { _, err := a.Proof(t.Context(), credential.Request{}); return err },
			}
			for name, call := range calls {
				if err := call(); !errors.As(err, &gone) || gone.Index != index {
					t.Errorf("%s gives %v", name, err)
				}
			}
			if err := a.Flush(t.Context()); err != nil {
				t.Errorf("Flush gives %v", err)
			}
			if got := w.count(t, a); got != n {
				t.Errorf("%d records came after the agent was told", got-n)
			}
		})
	}
}

// A plain record: it is logged, flagged, and the call says so.
func TestRevokedRecord(t *testing.T) {
	w := newTestLog(t)
	a := w.agent(t, planner, nil)
	index := w.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: planner}})
	r, err := a.Record(t.Context(), intent("x"))
	var gone *agent.RevokedError
	if !errors.As(err, &gone) || r == nil || len(r.Revoked) != 1 || r.Revoked[0].GetIndex() != index {
		t.Errorf("Record gives %+v, %v", r, err)
	}
	// In a batch too.
	b := w.agent(t, planner, nil)
	signed := must(must(b.Author(agent.AuthorConfig{})).Sign(intent("x")))
	receipts, err := b.Submit(t.Context(), signed)
	if !errors.As(err, &gone) || receipts[0] == nil || b.Revoked() == nil {
		t.Errorf("Submit gives %v, %v", receipts, err)
	}
}

// An effect that had begun is not forgotten: its outcome is recorded.
func TestRevokedMeanwhile(t *testing.T) {
	w := newTestLog(t)
	a := w.agent(t, planner, nil)
	done, err := a.Do(t.Context(), order(1), func(context.Context) (agent.Outcome, error) {
		w.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: planner}})
		if _, err := a.Record(t.Context(), intent("hears of it")); err == nil {
			t.Error("Record says nothing")
		}
		return agent.Outcome{Result: "ordered"}, nil
	})
	if !errors.As(err, new(*agent.RevokedError)) || done.Outcome == nil || done.Result.Status != agent.Succeeded {
		t.Errorf("Do gives %+v, %v", done, err)
	}
	if _, texts, _ := w.outcomes(t); len(texts) != 1 || texts[0] != "ordered" {
		t.Errorf("the outcomes are %q", texts)
	}
}

// A log may refuse what revoked parties say.
func TestRevokedRefused(t *testing.T) {
	l := startLogWith(func(p *onusv1.Policy) { p.Revoked = onusv1.RevokedRecords_REVOKED_RECORDS_REJECT }).forTest(t)
	a := l.agent(t, planner, nil)
	must(a.Record(t.Context(), intent("before")))
	l.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: planner}})
	ran := false
	done, err := a.Do(t.Context(), order(1), func(context.Context) (agent.Outcome, error) {
		ran = true
		return agent.Outcome{}, nil
	})
	var gone *agent.RevokedError
	var refused *agent.RefusedError
	if !errors.As(err, &gone) || gone.Logged || !errors.As(err, &refused) || done.Action != nil || ran {
		t.Errorf("Do gives %+v, %v, ran %t", done, err, ran)
	}
	if refused.Problem.Entry == nil {
		t.Error("the refusal does not name the rejection's entry")
	}
	if _, err := a.Record(t.Context(), intent("x")); !errors.As(err, &gone) {
		t.Errorf("Record gives %v", err)
	}
	if got := l.count(t, a); got != 1 {
		t.Errorf("%d records are in the log, want 1", got)
	}
}

// What an agent revokes itself.
func TestAgentRevokes(t *testing.T) {
	w := newWorld(t)
	a := w.agent(t, planner, nil)
	given := must(w.operator(t).Grant(t.Context(), agent.Delegation{Agent: planner, Scope: []agent.Scope{orders}, MaxDepth: 1}))
	ctx := agent.WithLink(t.Context(), given.Link())
	passed := must(a.Delegate(ctx, buyer, orders))
	must(a.RevokeGrant(ctx, passed.Grant, "done"))
	if g := must(a.Grant(ctx, passed.Grant)); !g.Revoked() || g.Grant.GetAgent() != buyer || g.Author.GetAgent() != planner ||
		len(g.Above) != 1 || g.Above[0].Revoked != nil {
		t.Errorf("the grant is %+v, want it revoked and the one above it not", g)
	}
	var refused *agent.RefusedError
	if _, err := w.agent(t, buyer, nil).RevokeGrant(ctx, given.ID, "not mine"); !errors.As(err, &refused) {
		t.Errorf("RevokeGrant of another's grant gives %v", err)
	}
	r, err := a.RevokeKey(ctx, "stolen")
	if err != nil {
		t.Fatal(err)
	}
	if v := w.message(r).GetRevocation(); v.GetKey() != keyID(w.keys[planner]) || len(v.GetReason().GetCommitment()) == 0 {
		t.Errorf("the revocation is %v", v)
	}
	var gone *agent.RevokedError
	if _, err := a.Record(ctx, intent("x")); !errors.As(err, &gone) || gone.Index != r.Index || !strings.Contains(err.Error(), "is revoked") {
		t.Errorf("Record gives %v", err)
	}
}
