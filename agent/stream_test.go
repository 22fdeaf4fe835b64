package agent_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
)

// overHTTP2 is a client of a ledger without TLS that can carry streams.
func overHTTP2(t *testing.T, through func(http.RoundTripper) http.RoundTripper) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	if through == nil {
		return &http.Client{Transport: tr}
	}
	return &http.Client{Transport: through(tr)}
}

// streamed signs n records of the planner.
func streamed(t *testing.T, a *agent.Agent, n int) []*agent.Signed {
	t.Helper()
	author, err := a.Author(agent.AuthorConfig{})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*agent.Signed, n)
	for i := range all {
		if all[i], err = author.Sign(intent("optimise")); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// channel has all records, and is closed.
func channel(all []*agent.Signed) <-chan *agent.Signed {
	c := make(chan *agent.Signed, len(all))
	for _, s := range all {
		c <- s
	}
	close(c)
	return c
}

// settled collects what Stream says, and holds it to say it once.
type settled struct {
	t        *testing.T
	receipts map[*agent.Signed]*agent.Receipt
	errs     map[*agent.Signed]error
	order    []int64
	each     func() // if not nil, called each time
}

func settle(t *testing.T) *settled {
	return &settled{t: t, receipts: map[*agent.Signed]*agent.Receipt{}, errs: map[*agent.Signed]error{}}
}

func (s *settled) take(of *agent.Signed, r *agent.Receipt, err error) {
	if s.receipts[of] != nil || s.errs[of] != nil || (r == nil) == (err == nil) {
		s.t.Errorf("record %d: %v, %v, after %v, %v", of.Record.Msg.GetSequence(), r, err, s.receipts[of], s.errs[of])
	}
	if err != nil {
		s.errs[of] = err
	} else {
		s.receipts[of] = r
		s.order = append(s.order, r.Index)
		if r.ID != of.Record.ID {
			s.t.Errorf("a receipt for another record")
		}
	}
	if s.each != nil {
		s.each()
	}
}

func (s *settled) inOrder() bool {
	for i := 1; i < len(s.order); i++ {
		if s.order[i] <= s.order[i-1] {
			return false
		}
	}
	return true
}

// With no HTTPClient given, and no TLS.
func TestStream(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, func(c *agent.Config) { c.HTTPClient = nil })
	all := streamed(t, a, 2500)
	got := settle(t)
	if err := a.Stream(t.Context(), channel(all), got.take); err != nil {
		t.Fatal(err)
	}
	if len(got.receipts) != len(all) || !got.inOrder() || got.order[0] != 6 {
		t.Errorf("%d receipts of %d, in order: %t", len(got.receipts), len(all), got.inOrder())
	}
}

// One record alone is answered before there is another.
func TestStreamOneByOne(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, func(c *agent.Config) { c.HTTPClient = overHTTP2(t, nil) })
	all := streamed(t, a, 5)
	records, next := make(chan *agent.Signed), make(chan bool)
	got := settle(t)
	got.each = func() { next <- true }
	done := make(chan error, 1)
	go func() { done <- a.Stream(t.Context(), records, got.take) }()
	for _, s := range all {
		records <- s
		<-next
	}
	close(records)
	if err := <-done; err != nil || len(got.receipts) != len(all) || !got.inOrder() {
		t.Errorf("%v, %d receipts", err, len(got.receipts))
	}
}

// A record that the ledger refuses has its error, and the others are logged.
func TestStreamRefusal(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, func(c *agent.Config) { c.HTTPClient = overHTTP2(t, nil) })
	stranger := l.agent(t, planner, func(c *agent.Config) { c.Signer = newKey() })
	all := streamed(t, a, 20)
	bad := streamed(t, stranger, 1)[0]
	all = append(all[:7:7], append([]*agent.Signed{bad}, all[7:]...)...)
	got := settle(t)
	if err := a.Stream(t.Context(), channel(all), got.take); err != nil {
		t.Fatal(err)
	}
	var no *agent.RefusedError
	if !errors.As(got.errs[bad], &no) || no.Problem.GetReason() != "KEY_NOT_BOUND" || no.ID != bad.Record.ID {
		t.Errorf("the stranger's record: %v", got.errs[bad])
	}
	if len(got.receipts) != 20 || !got.inOrder() {
		t.Errorf("%d receipts, in order: %t", len(got.receipts), got.inOrder())
	}
}

// breaking cuts the answers of the first n streams after some bytes.
type breaking struct {
	http.RoundTripper
	n     atomic.Int64
	after int
}

func (b *breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil && strings.HasSuffix(req.URL.Path, "/SubmitStream") && b.n.Add(-1) >= 0 {
		resp.Body = &cut{resp.Body, b.after}
	}
	return resp, err
}

type cut struct {
	io.ReadCloser
	left int
}

func (c *cut) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errLost
	}
	n, err := c.ReadCloser.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

// The line breaks several times, in the middle of answers: each record is logged
// once, and settled once.
func TestStreamBroken(t *testing.T) {
	l := newTestLog(t)
	broken := &breaking{after: 50_000}
	broken.n.Store(3)
	a := l.agent(t, planner, func(c *agent.Config) {
		c.HTTPClient = overHTTP2(t, func(tr http.RoundTripper) http.RoundTripper { broken.RoundTripper = tr; return broken })
	})
	all := streamed(t, a, 1500)
	got := settle(t)
	if err := a.Stream(t.Context(), channel(all), got.take); err != nil {
		t.Fatal(err)
	}
	if len(got.receipts) != len(all) || !got.inOrder() || broken.n.Load() >= 0 {
		t.Errorf("%d receipts of %d, in order: %t", len(got.receipts), len(all), got.inOrder())
	}
	if n := l.Ledger.Size(); n != int64(6+len(all)) {
		t.Errorf("the log has %d entries, want %d", n, 6+len(all))
	}
}

// The ledger is stopped and comes back while a stream is open.
func TestStreamRestart(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, func(c *agent.Config) { c.HTTPClient = overHTTP2(t, nil) })
	all := streamed(t, a, 1500)
	got := settle(t)
	restarted := make(chan bool)
	got.each = func() {
		if len(got.receipts) == 100 {
			go func() {
				defer close(restarted)
				l.stop()
				l.restart()
			}()
		}
	}
	if err := a.Stream(t.Context(), channel(all), got.take); err != nil {
		t.Fatal(err)
	}
	<-restarted
	if len(got.receipts) != len(all) || !got.inOrder() {
		t.Errorf("%d receipts of %d, in order: %t", len(got.receipts), len(all), got.inOrder())
	}
}

// A ledger whose queue is short refuses most at first; in the end all are logged.
func TestStreamBusy(t *testing.T) {
	l := newTestLog(t)
	l.stop()
	l.cfg.Queue = 16
	l.restart()
	var streams atomic.Int64
	a := l.agent(t, planner, func(c *agent.Config) {
		c.HTTPClient = overHTTP2(t, func(tr http.RoundTripper) http.RoundTripper {
			return tamper(func(req *http.Request, _ http.RoundTripper) (*http.Response, error) {
				streams.Add(1)
				return tr.RoundTrip(req)
			})
		})
	})
	all := streamed(t, a, 100)
	got := settle(t)
	if err := a.Stream(t.Context(), channel(all), got.take); err != nil {
		t.Fatal(err)
	}
	if len(got.receipts) != len(all) || streams.Load() < 2 {
		t.Errorf("%d receipts of %d, over %d streams", len(got.receipts), len(all), streams.Load())
	}
}

// With Fail, an outage ends the stream; what was not settled may be handed in
// again.
func TestStreamOutage(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, func(c *agent.Config) {
		c.HTTPClient = overHTTP2(t, nil)
		c.OnOutage, c.Patience = agent.Fail, 100*time.Millisecond
	})
	all := streamed(t, a, 40)
	got := settle(t)
	l.stop()
	// Nobody is called for nothing.
	if err := a.Stream(t.Context(), channel(nil), got.take); err != nil {
		t.Errorf("no records: %v", err)
	}
	err := a.Stream(t.Context(), channel(all), got.take)
	var outage *agent.OutageError
	if !errors.As(err, &outage) || outage.ID != all[0].Record.ID || outage.Unknown {
		t.Errorf("got %v", err)
	}
	if len(got.receipts)+len(got.errs) != 0 {
		t.Error("something was settled")
	}
	l.restart()
	if err := a.Stream(t.Context(), channel(all), got.take); err != nil || len(got.receipts) != len(all) {
		t.Errorf("again: %v, %d receipts", err, len(got.receipts))
	}
}

// The context's end ends the stream, be there records or not.
func TestStreamContext(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, func(c *agent.Config) { c.HTTPClient = overHTTP2(t, nil) })
	why := errors.New("enough")
	for _, before := range []int{0, 3} {
		ctx, cancel := context.WithCancelCause(t.Context())
		records := make(chan *agent.Signed, before)
		for _, s := range streamed(t, a, before) {
			records <- s
		}
		got := settle(t)
		got.each = func() {
			if len(got.receipts) == before {
				cancel(why)
			}
		}
		if before == 0 {
			cancel(why)
		}
		var outage *agent.OutageError
		if err := a.Stream(ctx, records, got.take); !errors.As(err, &outage) || !errors.Is(err, why) {
			t.Errorf("after %d records: %v", before, err)
		}
	}
}

// What proves nothing ends the stream, and so does a line that cannot carry it.
func TestStreamEnds(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, func(c *agent.Config) {
		c.HTTPClient = overHTTP2(t, nil)
		c.LogKey = startedKey(t)
	})
	got := settle(t)
	var proof *agent.ProofError
	if err := a.Stream(t.Context(), channel(streamed(t, a, 3)), got.take); !errors.As(err, &proof) || len(got.receipts) != 0 {
		t.Errorf("with another log's key: %v", err)
	}
	old := l.agent(t, planner, func(c *agent.Config) { c.HTTPClient = &http.Client{Transport: &http.Transport{}} })
	var no *agent.RefusedError
	if err := old.Stream(t.Context(), channel(streamed(t, old, 3)), got.take); !errors.As(err, &no) || !strings.Contains(err.Error(), "HTTP/2") {
		t.Errorf("over HTTP/1.1: %v", err)
	}
}

// startedKey is the key of another log with the same name.
func startedKey(t *testing.T) string {
	return newTestLog(t).Key.String()
}
