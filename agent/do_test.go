package agent_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

var errEffect = errors.New("supplier is closed")

// outcomes returns the outcomes in the log, each with its text.
func (l *testLog) outcomes(t testing.TB) (out []*onusv1.Outcome, texts, parents []string) {
	t.Helper()
	for _, e := range l.audit(t) {
		o := e.Record.Msg.GetOutcome()
		if o == nil {
			continue
		}
		text := ""
		for _, c := range must(l.Ledger.Contents(must(l.Ledger.Entry(e.Index)))) {
			text = string(c.GetData())
		}
		out, texts, parents = append(out, o), append(texts, text), append(parents, e.Record.Msg.GetParent())
	}
	return out, texts, parents
}

func TestDo(t *testing.T) {
	for name, c := range map[string]struct {
		effect  func(ctx context.Context, cancel func()) (agent.Outcome, error)
		status  onusv1.OutcomeStatus
		text    string
		failure error
	}{
		"succeeds": {func(context.Context, func()) (agent.Outcome, error) {
			return agent.Outcome{Result: "ordered", Target: agent.Allowed, RequestID: "v-1"}, nil
		}, agent.Succeeded, "ordered", nil},
		"says nothing": {func(context.Context, func()) (agent.Outcome, error) { return agent.Outcome{}, nil }, agent.Succeeded, "", nil},
		"fails":        {func(context.Context, func()) (agent.Outcome, error) { return agent.Outcome{}, errEffect }, agent.Failed, errEffect.Error(), errEffect},
		"fails with a text": {func(context.Context, func()) (agent.Outcome, error) {
			return agent.Outcome{Result: "closed until May"}, errEffect
		}, agent.Failed, "closed until May", errEffect},
		"cannot tell": {func(context.Context, func()) (agent.Outcome, error) {
			return agent.Outcome{Status: agent.Unknown}, errEffect
		}, agent.Unknown, errEffect.Error(), errEffect},
		"context ends": {func(ctx context.Context, cancel func()) (agent.Outcome, error) {
			cancel()
			return agent.Outcome{}, ctx.Err()
		}, agent.Unknown, "context canceled", context.Canceled},
		"context ends after success": {func(_ context.Context, cancel func()) (agent.Outcome, error) {
			cancel()
			return agent.Outcome{Result: "in time"}, nil
		}, agent.Succeeded, "in time", nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLog(t)
			a := l.agent(t, planner, nil)
			user := must(a.User(t.Context(), "lead@example.com"))
			step := order(1)
			step.User = user
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done, err := a.Do(ctx, step, func(ctx context.Context) (agent.Outcome, error) {
				// The proof is there before the effect.
				link, ok := agent.LinkFrom(ctx)
				if _, err := l.Ledger.Index(link.Record); !ok || err != nil {
					t.Errorf("the effect runs with link %v, %t: %v", link, ok, err)
				}
				return c.effect(ctx, cancel)
			})
			if !errors.Is(err, c.failure) || (err == nil) != (c.failure == nil) {
				t.Errorf("Do gives %v, want %v", err, c.failure)
			}
			if done.Action == nil || done.Outcome == nil || done.Outcome.Index != done.Action.Index+1 {
				t.Fatalf("Do recorded %+v", done)
			}
			out, texts, parents := l.outcomes(t)
			if len(out) != 1 || out[0].GetStatus() != c.status || texts[0] != c.text || parents[0] != done.Action.ID.String() {
				t.Errorf("outcomes are %v, %q, of %v", out, texts, parents)
			}
			if m := must(l.Ledger.Entry(done.Outcome.Index)).Record.Msg; m.GetUser() != user || m.GetParentAgent() != "" {
				t.Errorf("the outcome's record is %v", m)
			}
		})
	}
}

func TestDoWithoutAction(t *testing.T) {
	l := newTestLog(t)
	if _, err := l.agent(t, planner, nil).Do(t.Context(), intent("x"), nil); err == nil {
		t.Error("Do takes a step without an action")
	}
}

func TestDoPanics(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	func() {
		defer func() {
			if r := recover(); r != "boom" {
				t.Errorf("recovered %v, want the effect's own panic", r)
			}
		}()
		a.Do(t.Context(), order(1), func(context.Context) (agent.Outcome, error) { panic("boom") })
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Do(t.Context(), order(2), func(context.Context) (agent.Outcome, error) { runtime.Goexit(); return agent.Outcome{}, nil })
	}()
	<-ended
	out, texts, _ := l.outcomes(t)
	if len(out) != 2 || out[0].GetStatus() != agent.Unknown || out[1].GetStatus() != agent.Unknown || texts[0] != "the effect did not return" {
		t.Errorf("outcomes are %v, %q", out, texts)
	}
}

// Records made within an effect hang on the action.
func TestDoNested(t *testing.T) {
	l := newTestLog(t)
	a, b := l.agent(t, planner, nil), l.agent(t, buyer, nil)
	done, err := a.Do(t.Context(), order(1), func(ctx context.Context) (agent.Outcome, error) {
		if _, err := a.Record(ctx, intent("own")); err != nil {
			return agent.Outcome{}, err
		}
		if _, err := b.Do(ctx, order(2), func(context.Context) (agent.Outcome, error) { return agent.Outcome{}, nil }); err != nil {
			return agent.Outcome{}, err
		}
		alone := intent("nobody asked")
		alone.Root = true
		_, err := a.Record(ctx, alone)
		return agent.Outcome{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := must(l.Ledger.Chain(done.Action.ID, 0))
	if len(c.Entries) != 5 { // action, own, the buyer's action and outcome, outcome
		t.Errorf("the chain has %d records, want 5", len(c.Entries))
	}
	if got := c.Entries[2].Record.Msg; got.GetParent() != done.Action.ID.String() || got.GetParentAgent() != planner {
		t.Errorf("the buyer's action is %v", got)
	}
}

// If the action's record may be logged but the effect did not run, the log must
// say that it did not.
func TestDoNotCarriedOut(t *testing.T) {
	l := newTestLog(t)
	var lose atomic.Int64
	a := l.agent(t, planner, func(c *agent.Config) {
		through(loseAnswers(&lose))(c)
		c.OnOutage, c.Patience = agent.Fail, 100*time.Millisecond
	})
	lose.Store(1 << 30)
	var outage *agent.OutageError
	_, err := a.Do(t.Context(), order(1), func(context.Context) (agent.Outcome, error) {
		t.Error("the effect ran without a proof")
		return agent.Outcome{}, nil
	})
	if !errors.As(err, &outage) || !outage.Kept {
		t.Fatalf("Do gives %v", err)
	}
	lose.Store(0)
	must(a.Record(t.Context(), intent("next")))
	out, texts, parents := l.outcomes(t)
	if len(out) != 1 || out[0].GetStatus() != agent.Failed || !strings.HasPrefix(texts[0], "not carried out") || parents[0] != outage.ID.String() {
		t.Errorf("outcomes are %v, %q of %v, want one of %s", out, texts, parents, outage.ID)
	}
}
