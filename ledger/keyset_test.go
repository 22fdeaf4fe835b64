package ledger

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/verifier/credential"
)

// A key that the log does not know is fetched and logged once, however many
// wait for it; one that the issuer does not have is refused.
func TestKeysAreRotated(t *testing.T) {
	h, is := newUserHarness(t, nil)
	old := is.token(nil)
	_, sub := h.intent(old, nil)
	h.must(h.ledger.Submit(context.Background(), sub))
	is.rotate()
	size := h.ledger.Size()
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 20 {
		_, sub := h.intent(is.token(nil), nil)
		wg.Go(func() {
			if got, err := h.ledger.Submit(context.Background(), sub); err != nil || got.Token.GetAssurance() != 1 {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d tokens of the new key were not taken", n)
	}
	if got := h.ledger.Size() - size; got != 21 {
		t.Errorf("the log grew by %d entries, want 20 records and one key set", got)
	}
	if is.asked != 2 {
		t.Errorf("the issuer was asked %d times, want twice", is.asked)
	}
	_, sub = h.intent(old, nil)
	_, err := h.ledger.Submit(context.Background(), sub)
	wantReason(t, err, credential.ReasonUnknownKey)
	h.checkLog()
}

// A key that its issuer withdrew is not taken for ever: keys that are old are
// asked for again, beside the record that finds them old.
func TestOldKeysAreAskedForAgain(t *testing.T) {
	var clock atomic.Int64
	start := time.Now()
	h, is := newUserHarness(t, func(c *Config) {
		c.Clock = func() time.Time { return start.Add(time.Duration(clock.Load())) }
	})
	asked := func() int { is.mu.Lock(); defer is.mu.Unlock(); return is.asked }
	submit := func() error {
		_, sub := h.intent(is.token(obj{"exp": start.Add(time.Hour).Unix()}), nil)
		_, err := h.ledger.Submit(context.Background(), sub)
		return err
	}
	wait := func(n int) {
		t.Helper()
		for asked() < n {
			time.Sleep(time.Millisecond)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(submit())
	clock.Store(int64(maxKeyAge - time.Second))
	must(submit())
	if n := asked(); n != 1 {
		t.Errorf("the issuer was asked %d times for keys that are not old", n)
	}
	clock.Store(int64(maxKeyAge + time.Second))
	must(submit())
	wait(2)
	must(submit())
	h.reopen() // waits for what goes on beside
	if n := asked(); n != 2 {
		t.Errorf("the issuer was asked %d times, want twice", n)
	}
	sets := func() (n int) {
		for i := range h.ledger.Size() {
			e, err := h.ledger.Entry(i)
			must(err)
			if e.Record.Msg.GetKeySet() != nil {
				n++
			}
		}
		return n
	}
	if n := sets(); n != 1 {
		t.Errorf("%d key sets are logged, want one: it is the same", n)
	}
	// It is withdrawn: another stands in its place.
	_, withdrawn := h.intent(is.token(obj{"exp": start.Add(time.Hour).Unix()}), nil)
	is.rotate()
	clock.Store(int64(3 * maxKeyAge))
	before := h.ledger.Size()
	_, sub := h.intent(withdrawn.UserToken, nil) // finds the keys old, and is still taken
	h.must(h.ledger.Submit(context.Background(), sub))
	must(h.ledger.Wait(context.Background(), before+1)) // the record and the new key set
	_, err := h.ledger.Submit(context.Background(), withdrawn)
	wantReason(t, err, credential.ReasonUnknownKey)
	h.checkLog()
}

// fetcher is where a server gets issuers' keys from.
type fetcher struct{ issuers *identity.Issuers }

func (k fetcher) KeySet(ctx context.Context, is *onusv1.Issuer) ([]byte, time.Time, error) {
	keys, err := k.issuers.KeySetAt(ctx, is.GetUrl(), is.GetJwksUri())
	if err != nil {
		return nil, time.Time{}, err
	}
	return keys.Raw, keys.Fetched, nil
}

// Those who wait for an issuer that does not answer wait once, and not each in
// turn: with the ten seconds of a fetch, the twentieth would wait for minutes.
func TestSlowIssuerHoldsUpNobodyTwice(t *testing.T) {
	const slow = 300 * time.Millisecond
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(slow)
		w.WriteHeader(http.StatusGatewayTimeout)
	}))
	defer srv.Close()
	is := newIssuer(t)
	h := newHarness(t, nil, func(c *Config) { c.Keys = fetcher{&identity.Issuers{Pause: slow / 2}} }) // as 5 s to 10 s
	oc := &onusv1.OAuthClient{Issuer: srv.URL, Id: testClient}
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: srv.URL, Users: true}}}))
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Kubernetes agent", OauthClients: []*onusv1.OAuthClient{oc}}}}))
	const n = 6
	begin := time.Now()
	var wg sync.WaitGroup
	for range n {
		_, sub := h.intent(is.token(obj{"iss": srv.URL}), nil)
		wg.Go(func() {
			if got, err := h.ledger.Submit(context.Background(), sub); err != nil || got.Token.GetAssurance() != 0 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > 3*slow {
		t.Errorf("%d records waited %s for an issuer that takes %s to fail", n, took.Round(10*time.Millisecond), slow)
	}
}

// hanging is a source that does not answer until it is let go.
type hanging struct {
	asked atomic.Int64
	let   chan error
}

func (s *hanging) KeySet(ctx context.Context, _ *onusv1.Issuer) ([]byte, time.Time, error) {
	s.asked.Add(1)
	select {
	case err := <-s.let:
		return nil, time.Time{}, err
	case <-ctx.Done():
		return nil, time.Time{}, ctx.Err()
	}
}

// All who wait for one fetch share its failure, whatever the source does. If
// the one who made it goes away, the next one makes another.
func TestWaitersShareOneFailure(t *testing.T) {
	src := &hanging{let: make(chan error)}
	h := newHarness(t, nil, func(c *Config) { c.Keys = src })
	h.enrolUsers()
	ask := func(ctx context.Context) chan error {
		out := make(chan error, 1)
		go func() {
			_, err := h.ledger.newerKeys(ctx, issuerURL, nil)
			out <- err
		}()
		return out
	}
	await := func(n int64) {
		for src.asked.Load() < n {
			time.Sleep(time.Millisecond)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	first := ask(ctx)
	await(1)
	var waiting []chan error
	for range 5 {
		waiting = append(waiting, ask(context.Background()))
	}
	gone, leave := context.WithCancel(context.Background())
	impatient := ask(gone)
	leave()
	if err := <-impatient; !errors.Is(err, context.Canceled) {
		t.Errorf("one who went away: %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v, want that it went away", err)
	}
	await(2) // one of those who waited asks again
	src.let <- errors.New("no route to 10.0.0.7")
	for _, w := range waiting {
		select {
		case err := <-w:
			if away := (*unreachableError)(nil); !errors.As(err, &away) {
				t.Errorf("one who waited: %v, want that the keys cannot be had", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("one who waited for the fetch still waits")
		}
	}
	if n := src.asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times, want twice", n)
	}
}
