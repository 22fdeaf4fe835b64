package agent_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/ledger"
)

// line is a connection to the ledger that can be broken in several ways.
type line struct {
	unreachable atomic.Bool  // no connection comes about
	cut         atomic.Bool  // requests get lost
	lose        atomic.Int64 // so many answers to submissions get lost
	refuse      atomic.Bool  // submissions are refused
	lost        atomic.Int64 // counts the requests that got lost
}

func (w *line) config(c *agent.Config) {
	through(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		switch {
		case w.unreachable.Load():
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errLost}
		case w.cut.Load():
			w.lost.Add(1)
			return nil, errLost
		case w.refuse.Load() && isSubmit(req):
			return answer(http.StatusForbidden, `{"code":"permission_denied","message":"no"}`), nil
		}
		return loseAnswers(&w.lose)(req, next)
	})(c)
}

func (w *line) failing(c *agent.Config) {
	w.config(c)
	c.OnOutage, c.Patience = agent.Fail, 60*time.Millisecond
}

func (w *line) mend() {
	w.unreachable.Store(false)
	w.cut.Store(false)
	w.refuse.Store(false)
	w.lose.Store(0)
}

// An outcome that cannot be delivered is kept, whatever the reason, with the
// time at which the effect ended.
func TestOutcomeKept(t *testing.T) {
	for name, fail := range map[string]func(*line){
		"unreachable":   func(w *line) { w.unreachable.Store(true) },
		"requests lost": func(w *line) { w.cut.Store(true) },
		"answers lost":  func(w *line) { w.lose.Store(1 << 30) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLog(t)
			var w line
			a := l.agent(t, planner, w.failing)
			var ended time.Time
			var outage *agent.OutageError
			// Two effects end while the ledger is away, one within the other.
			outer, err := a.Do(t.Context(), order(1), func(ctx context.Context) (agent.Outcome, error) {
				inner, err := a.Do(ctx, order(2), func(context.Context) (agent.Outcome, error) {
					fail(&w)
					ended = time.Now()
					return agent.Outcome{Result: "inner"}, nil
				})
				if !errors.As(err, &outage) || !outage.Kept || inner.Action == nil || inner.Outcome != nil || inner.Result.Status != agent.Succeeded {
					t.Errorf("the inner Do gives %+v, %v", inner, err)
				}
				return agent.Outcome{Result: "outer"}, nil
			})
			if !errors.As(err, &outage) || !outage.Kept || outer.Action == nil || outer.Outcome != nil {
				t.Fatalf("the outer Do gives %+v, %v", outer, err)
			}
			if _, err := a.Record(t.Context(), intent("not yet")); !errors.As(err, &outage) || outage.Kept {
				t.Errorf("Record gives %v", err)
			}
			mended := time.Now()
			w.mend()
			if err := a.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			out, texts, parents := l.outcomes(t)
			if len(out) != 2 || texts[0] != "inner" || texts[1] != "outer" || parents[1] != outer.Action.ID.String() {
				t.Fatalf("outcomes are %v, %q of %v", out, texts, parents)
			}
			page := must(l.Ledger.List(ledger.Query{Instance: a.Instance(), NewestFirst: true}, 2, ""))
			for _, e := range page.Entries {
				if at := e.Record.Msg.GetClaimedTime().AsTime(); at.Before(ended) || at.After(mended) {
					t.Errorf("an outcome claims %v, but the effects ended between %v and %v", at, ended, mended)
				}
			}
		})
	}
}

// An outcome does not wait for ever behind a record that does.
func TestOutcomeBehindAnother(t *testing.T) {
	l := newTestLog(t)
	var w line
	a := l.agent(t, planner, func(c *agent.Config) {
		w.config(c) // with Wait
		c.Timeout = 100 * time.Millisecond
	})
	ctx, cancel := context.WithCancel(t.Context())
	blocked := make(chan error, 1)
	done, err := a.Do(ctx, order(1), func(context.Context) (agent.Outcome, error) {
		w.cut.Store(true)
		go func() {
			_, err := a.Record(t.Context(), intent("waits for the ledger"))
			blocked <- err
		}()
		for w.lost.Load() == 0 { // until it has its turn
			time.Sleep(time.Millisecond)
		}
		cancel()
		return agent.Outcome{Result: "ordered"}, nil
	})
	var outage *agent.OutageError
	if !errors.As(err, &outage) || !outage.Kept || outage.Unknown || done.Outcome != nil {
		t.Errorf("Do gives %+v, %v", done, err)
	}
	w.mend()
	if err := errors.Join(<-blocked, a.Flush(t.Context())); err != nil {
		t.Error(err)
	}
	if _, texts, _ := l.outcomes(t); len(texts) != 1 || texts[0] != "ordered" {
		t.Errorf("outcomes are %q", texts)
	}
}

// A kept record that is refused in the end takes with it the outcome that says
// that it was not carried out; its number is spent.
func TestKeptThenRefused(t *testing.T) {
	l := newTestLog(t)
	var w line
	a := l.agent(t, planner, w.failing)
	w.cut.Store(true)
	var outage *agent.OutageError
	_, err := a.Do(t.Context(), order(1), nil)
	if !errors.As(err, &outage) || !outage.Kept {
		t.Fatalf("Do gives %v", err)
	}
	w.mend()
	w.refuse.Store(true)
	_, err = a.Record(t.Context(), intent("not recorded"))
	var refused *agent.RefusedError
	if !errors.As(err, &refused) || refused.ID != outage.ID || !refused.Spent || refused.Sequence != 0 {
		t.Fatalf("Record gives %v, want the earlier record %s refused", err, outage.ID)
	}
	w.mend()
	must(a.Lost(t.Context(), 0, 0, "refused"))
	must(a.Record(t.Context(), intent("goes on")))
	if got := l.count(t, a); got != 2 {
		t.Errorf("%d records are in the log, want 2", got)
	}
}

// An outcome that the ledger refuses is not kept: it would be refused again.
func TestOutcomeRefused(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	step := order(1)
	step.Plain = []agent.Field{agent.OutcomeResult} // against the log's policy
	done, err := a.Do(t.Context(), step, func(context.Context) (agent.Outcome, error) {
		return agent.Outcome{Result: "in the open"}, nil
	})
	var refused *agent.RefusedError
	if !errors.As(err, &refused) || done.Action == nil || done.Outcome != nil {
		t.Fatalf("Do gives %+v, %v", done, err)
	}
	must(a.Record(t.Context(), agent.Step{Parent: done.Action.Link(), Outcome: &done.Result}))
	if out, _, _ := l.outcomes(t); len(out) != 1 {
		t.Errorf("outcomes are %v", out)
	}
}
