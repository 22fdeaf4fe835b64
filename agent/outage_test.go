package agent_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

func isSubmit(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/Submit") }

// loseAnswers lets n submissions through and loses their answers.
func loseAnswers(n *atomic.Int64) tamper {
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil && isSubmit(req) && n.Add(-1) >= 0 {
			io.Copy(io.Discard, resp.Body) // it is committed now
			resp.Body.Close()
			return nil, errLost
		}
		return resp, err
	}
}

func TestLostAnswerWait(t *testing.T) {
	l := newTestLog(t)
	var n atomic.Int64
	a := l.agent(t, planner, through(loseAnswers(&n)))
	for i := range 4 {
		n.Store(int64(i))
		r, err := a.Record(t.Context(), intent("x"))
		if err != nil {
			t.Fatal(err)
		}
		if r.Duplicate != (i > 0) || r.Index != int64(6+i) {
			t.Errorf("after %d lost answers: index %d, duplicate %t", i, r.Index, r.Duplicate)
		}
	}
	if got := l.count(t, a); got != 4 {
		t.Errorf("%d records are in the log, want 4", got)
	}
}

// With Fail, a record whose answer is lost is kept: it goes before the next.
func TestLostAnswerFail(t *testing.T) {
	l := newTestLog(t)
	var n atomic.Int64
	a := l.agent(t, planner, func(c *agent.Config) {
		through(loseAnswers(&n))(c)
		c.OnOutage, c.Patience = agent.Fail, 100*time.Millisecond
	})
	n.Store(1 << 30)
	_, err := a.Record(t.Context(), intent("first"))
	var outage *agent.OutageError
	if !errors.As(err, &outage) || !outage.Unknown || !outage.Kept || outage.ID.IsZero() {
		t.Fatalf("Record gives %v, want an outage with a record kept", err)
	}
	first := outage.ID
	// As long as it lasts, the second is not made.
	if _, err := a.Record(t.Context(), intent("second")); !errors.As(err, &outage) || outage.Unknown || outage.Kept || !outage.ID.IsZero() ||
		!strings.Contains(err.Error(), first.String()) {
		t.Fatalf("the second Record gives %v, want nothing recorded because of %s", err, first)
	}
	n.Store(0)
	r, err := a.Record(t.Context(), intent("third"))
	if err != nil {
		t.Fatal(err)
	}
	m := must(l.Ledger.Entry(r.Index)).Record.Msg
	if m.GetSequence() != 1 || m.GetPrevious() != first.String() || r.Duplicate {
		t.Errorf("the third has sequence %d and previous %s, want 1 and %s", m.GetSequence(), m.GetPrevious(), first)
	}
	if got := l.count(t, a); got != 2 {
		t.Errorf("%d records are in the log, want 2", got)
	}
}

// Requests that never arrive: unknown to the agent, and logged once in the end.
func TestLostRequests(t *testing.T) {
	l := newTestLog(t)
	var down atomic.Bool
	a := l.agent(t, planner, func(c *agent.Config) {
		through(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if down.Load() {
				return nil, errLost
			}
			return next.RoundTrip(req)
		})(c)
		c.OnOutage, c.Patience = agent.Fail, 50*time.Millisecond
	})
	down.Store(true)
	_, err := a.Record(t.Context(), intent("x"))
	var outage *agent.OutageError
	if !errors.As(err, &outage) || !outage.Kept {
		t.Fatalf("Record gives %v", err)
	}
	if !errors.Is(err, errLost) {
		t.Errorf("the error %v does not show what happened", err)
	}
	if err := a.Flush(t.Context()); !errors.As(err, &outage) {
		t.Errorf("Flush gives %v", err)
	}
	down.Store(false)
	if err := a.Flush(t.Context()); err != nil {
		t.Errorf("Flush gives %v", err)
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Errorf("Flush of nothing gives %v", err)
	}
	if got := l.count(t, a); got != 1 {
		t.Errorf("%d records are in the log, want 1", got)
	}
}

// A server that is down: with Fail nothing is kept, as nothing can have
// arrived; with Wait the call goes on until the server is back.
func TestServerDown(t *testing.T) {
	l := newTestLog(t)
	failing := l.agent(t, planner, func(c *agent.Config) {
		// On a connection that is kept, it would be unknown what arrived.
		c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		c.OnOutage, c.Patience = agent.Fail, 200*time.Millisecond
	})
	waiting := l.agent(t, buyer, nil)
	must(failing.Record(t.Context(), intent("before")))
	must(waiting.Record(t.Context(), intent("before")))
	l.Close()

	start := time.Now()
	_, err := failing.Record(t.Context(), intent("never"))
	var outage *agent.OutageError
	if !errors.As(err, &outage) || outage.Unknown || outage.Kept || outage.ID.IsZero() {
		t.Errorf("Record gives %v, want an outage with nothing kept", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("Fail took %v", d)
	}
	if _, err := failing.User(t.Context(), "someone"); !errors.As(err, &outage) {
		t.Errorf("User gives %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if _, err := waiting.Record(short, intent("no time")); !errors.As(err, &outage) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Record gives %v, want an outage at the context's end", err)
	}

	done := make(chan error, 1)
	go func() {
		_, err := waiting.Record(t.Context(), intent("patient"))
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("Record came back with %v while the server was down", err)
	case <-time.After(200 * time.Millisecond):
	}
	l.restart()
	if err := <-done; err != nil {
		t.Errorf("Record gives %v after the server is back", err)
	}
	must(failing.Record(t.Context(), intent("after")))
	if got := l.count(t, failing) + l.count(t, waiting); got != 4 {
		t.Errorf("%d records are in the log, want 4", got)
	}
}

// A ledger that is busy says when to come back, and is obeyed.
func TestRetryAfter(t *testing.T) {
	l := newTestLog(t)
	var calls atomic.Int64
	problem := must(proto.Marshal(&onusv1.Problem{Reason: "QUEUE_FULL", RetryAfter: durationpb.New(100 * time.Millisecond)}))
	busy := `{"code":"resource_exhausted","message":"the queue is full","details":[{"type":"onus.v1.Problem","value":"` +
		base64.RawStdEncoding.EncodeToString(problem) + `"}]}`
	a := l.agent(t, planner, through(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if calls.Add(1) > 1 {
			return next.RoundTrip(req)
		}
		return answer(http.StatusTooManyRequests, busy), nil
	}))
	start := time.Now()
	r, err := a.Record(t.Context(), intent("x"))
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Errorf("the agent came back after %v, but was asked to wait for 100ms", d)
	}
	if r.Duplicate {
		t.Error("a record that was not taken came back as a duplicate")
	}
	// With Fail, a pause that is longer than the patience is not waited for.
	calls.Store(0)
	a = l.agent(t, planner, func(c *agent.Config) {
		c.HTTPClient, c.OnOutage, c.Patience = &http.Client{Transport: tamper(func(*http.Request, http.RoundTripper) (*http.Response, error) {
			return answer(http.StatusTooManyRequests, busy), nil
		})}, agent.Fail, 90*time.Millisecond
	})
	var outage *agent.OutageError
	if _, err := a.Record(t.Context(), intent("x")); !errors.As(err, &outage) || outage.Kept {
		t.Errorf("Record gives %v, want an outage with nothing kept", err)
	}
}

func answer(status int, json string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(json)), ContentLength: int64(len(json))}
}

// A record that was sent with an unknown fate and is then refused leaves a gap
// that the author declares.
func TestRefusedAfterUnknown(t *testing.T) {
	l := newTestLog(t)
	var calls atomic.Int64
	no := `{"code":"permission_denied","message":"no"}`
	a := l.agent(t, planner, through(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		switch calls.Add(1) {
		case 2:
			return nil, errLost
		case 3:
			return answer(http.StatusForbidden, no), nil
		}
		return next.RoundTrip(req)
	}))
	must(a.Record(t.Context(), intent("fine")))
	_, err := a.Record(t.Context(), intent("spent"))
	var refused *agent.RefusedError
	if !errors.As(err, &refused) || !refused.Spent || refused.Sequence != 1 {
		t.Fatalf("Record gives %v, want it refused and number 1 spent", err)
	}
	must(a.Lost(t.Context(), refused.Sequence, refused.Sequence, "refused after a lost answer"))
	must(a.Record(t.Context(), intent("goes on")))
}

// What lies in the way may be no ledger at all.
func TestLimitOnTheWay(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	_, err := a.Record(t.Context(), intent(strings.Repeat("x", 17<<20)))
	var refused *agent.RefusedError
	if !errors.As(err, &refused) || refused.Code != "resource_exhausted" {
		t.Errorf("a text above all limits gives %v", err)
	}
}
