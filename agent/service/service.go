// Package service is for the targets of agents' actions: a service that says
// what it saw. For each request it logs a counter-record, signed with its own
// key: who called, what was asked for and how much of it, whether it was
// allowed, how it ended. An auditor holds that against what the agent says it
// did.
//
// It is one line around a handler:
//
//	rec, err := service.New(service.Config{Ledger: client, Signer: key, ID: "spiffe://example.com/erp", Describe: describe})
//	…
//	http.ListenAndServe(addr, gate.Middleware(rec.Middleware(mux)))
//	…
//	err = rec.Close(ctx)
//
// Behind a gate of package callee the caller is proven; without one the
// counter-record has the caller's word, from its link. The record's parent is
// the action that the link names. Put it inside of what keeps strangers out:
// everything that comes through is recorded.
//
// # Nothing is lost silently
//
// The answer waits for the record: when the caller sees it, the counter-record
// is on the ledger's disk. Otherwise a crash in between would leave an effect
// that only the agent speaks of, and the caller could cause it.
//
// What is seen of a request is held to the rules of records before it is carried
// out. One that is worded so that no record can hold it, with a zero-width space
// in an id, say, is refused and does nothing.
//
// While the ledger is away, an answer waits for Config.Patience and then goes
// out, since the effect has happened; the record stays in a bounded queue and is
// delivered later. A request takes its place in the queue before the handler
// runs. When there is none left, requests get 503 Service Unavailable: then
// nothing happens unrecorded. The queue is in memory; [Recorder.Close] delivers
// it and says how much it could not. What the ledger refuses is counted and
// reported: [Recorder.Lost], Config.Failed.
package service

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Config says which service it is, and which log it records in.
type Config struct {
	// Ledger is the line to the log. It must be set.
	Ledger *agent.Client
	// Signer is the service's key. It must be set, and be registered: see
	// [Enrol].
	Signer crypto.Signer
	// ID is the service's registered SPIFFE ID. It must be set.
	ID string
	// Describe says what a request asks for, before it is handled. A handler
	// that knows better says so with [Saw]. It must be set for Middleware.
	Describe func(*http.Request) Seen
	// DescribeCall is the same for a unary Connect call, with its message; nil
	// means that the service's name is the type and the method's the action.
	DescribeCall func(connect.AnyRequest) Seen
	// Queue is how many requests may be under way or wait for the ledger; 0
	// means 1,024.
	Queue int
	// Patience is how long an answer waits for its record; 0 means 2 seconds,
	// less than 0 that it does not wait: then a crash may lose records of
	// requests that were answered.
	Patience time.Duration
	// Failed hears of each counter-record that is lost for good; nil means
	// that Logger does.
	Failed func(error)
	// Logger hears of answers that went out before their record was logged;
	// nil means silence.
	Logger *slog.Logger
}

// Seen is what the service saw of a request.
type Seen struct {
	// Element is what was asked for, with the amount and the quantity that the
	// service counts. It stands in the log as plain text.
	Element agent.Element
	// RequestID is the id under which the service knows the request.
	RequestID string
	// Status is how it ended, where that differs from what the answer's status
	// says.
	Status onusv1.OutcomeStatus
}

// Recorder logs counter-records.
type Recorder struct {
	cfg    Config
	signer record.Signer
	slots  chan struct{} // a place of the queue each
	lost   atomic.Int64

	life context.Context // of the deliveries
	end  context.CancelFunc

	mu     sync.Mutex
	closed bool           // under mu: nothing is added to wait any more
	wait   sync.WaitGroup // for requests that hold a slot
}

// New checks the configuration and returns the recorder.
func New(cfg Config) (*Recorder, error) {
	switch {
	case cfg.Ledger == nil:
		return nil, errors.New("config: Ledger is missing: make a client with agent.NewClient")
	case cfg.Signer == nil:
		return nil, errors.New("config: Signer is missing: set it to the service's registered key")
	case cfg.Queue < 0:
		return nil, errors.New("config: Queue is negative")
	}
	if why := record.CheckSPIFFE(cfg.ID); why != "" {
		return nil, fmt.Errorf("config: ID is no SPIFFE ID: it %s", why)
	}
	signer, err := record.NewSigner(cfg.Signer)
	if err != nil {
		return nil, fmt.Errorf("config: Signer: %w", err)
	}
	if cfg.Queue == 0 {
		cfg.Queue = 1024
	}
	if cfg.Patience == 0 {
		cfg.Patience = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Failed == nil {
		log := cfg.Logger
		cfg.Failed = func(err error) { log.Error("counter-record lost", "err", err) }
	}
	r := &Recorder{cfg: cfg, signer: signer, slots: make(chan struct{}, cfg.Queue)}
	r.life, r.end = context.WithCancel(context.Background())
	return r, nil
}

// Enrol registers the service's key, by its SVID or by a workload token. It is
// no error if it is registered already, so a service may do it at each start.
func Enrol(ctx context.Context, ledger *agent.Client, id string, key crypto.Signer, cred agent.Credential) error {
	_, err := ledger.EnrolKey(ctx, &onusv1.Author{Service: id}, key, cred)
	return err
}

// Lost returns how many counter-records are lost for good.
func (r *Recorder) Lost() int64 { return r.lost.Load() }

// Close takes no more requests (they get 503) and waits until all records are
// delivered, or the context ends: then it says how many are not.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		r.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		n := len(r.slots)
		r.end()
		return fmt.Errorf("%d requests have no counter-record yet, or are still under way: %w", n, context.Cause(ctx))
	}
	r.end()
	if n := r.lost.Load(); n > 0 {
		return fmt.Errorf("%d counter-records were lost: see Config.Failed", n)
	}
	return nil
}

// begin takes a place in the queue for a request.
func (r *Recorder) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	select {
	case r.slots <- struct{}{}:
		r.wait.Add(1)
		return true
	default:
		return false
	}
}

// finish gives the place back.
func (r *Recorder) finish() {
	<-r.slots
	r.wait.Done()
}
