package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin   = "bench.example.com/log"
	operator = "it/platform"
	agentID  = "spiffe://example.com/bench-agent"
)

// seed is what all keys of a ledger are made from, so that each process of a
// run has them.
type seed []byte

func newSeed() seed {
	s := make(seed, 32)
	rand.Read(s) // never fails, see crypto/rand
	return s
}

func (s seed) secret(name string) []byte {
	sum := sha256.Sum256(append(s[:len(s):len(s)], name...))
	return sum[:]
}

func (s seed) key(name string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(s.secret(name)) }

func (s seed) signer(name string) record.Signer {
	signer, err := record.NewSigner(s.key(name))
	if err != nil {
		panic("bench: an Ed25519 key is refused: " + err.Error())
	}
	return signer
}

// onusLog is a ledger that runs, and the keys of those who write into it.
type onusLog struct {
	seed   seed
	key    tree.LogKey
	ledger *ledger.Ledger
	admin  record.Signer
	agent  record.Signer
	// opened is when Create or Open was called, and opening how long that took.
	opened  time.Time
	opening time.Duration

	stop context.CancelFunc
	done chan error
}

// createOnusLog makes a ledger in an empty directory, with an agent registered.
func createOnusLog(ctx context.Context, dir string) (*onusLog, error) {
	o, cfg, err := configure(newSeed(), dir)
	if err != nil {
		return nil, err
	}
	genesis, err := ledger.NewHostedGenesis(o.key, o.seed.signer("host").Public(),
		[]ledger.Administrator{{Name: "root", Key: o.admin.Public()}}, ledger.DefaultPolicy(), o.admin, time.Now())
	if err != nil {
		return nil, err
	}
	o.opened = time.Now()
	if o.ledger, err = ledger.Create(cfg, genesis); err != nil {
		return nil, err
	}
	o.run(ctx)
	if err := o.register(ctx); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

// openOnusLog opens and runs the ledger that another process made with that seed.
func openOnusLog(ctx context.Context, s seed, dir string) (*onusLog, error) {
	o, err := openIdle(s, dir)
	if err == nil {
		o.run(ctx)
	}
	return o, err
}

// openIdle opens a ledger that somebody else will run.
func openIdle(s seed, dir string) (*onusLog, error) {
	o, cfg, err := configure(s, dir)
	if err != nil {
		return nil, err
	}
	o.opened = time.Now()
	if o.ledger, err = ledger.Open(cfg); err != nil {
		return nil, err
	}
	o.opening = time.Since(o.opened)
	return o, nil
}

func configure(s seed, dir string) (*onusLog, ledger.Config, error) {
	logKey := s.key("log")
	key, err := tree.NewLogKey(origin, logKey.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, ledger.Config{}, err
	}
	return &onusLog{seed: s, key: key, admin: s.signer("admin"), agent: s.signer("agent")},
		ledger.Config{Dir: dir, Signer: logKey, HostKey: s.key("host"), ContentKey: s.secret("content"),
			Guard: ledger.FileGuard(filepath.Join(filepath.Dir(dir), "guard"))}, nil
}

func (o *onusLog) run(ctx context.Context) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop, o.done = stop, make(chan error, 1)
	go func() { o.done <- o.ledger.Run(run) }()
}

func (o *onusLog) close() error {
	o.stop()
	return errors.Join(<-o.done, o.ledger.Close())
}

// register enters operator, agent and key, which admission then looks up.
func (o *onusLog) register(ctx context.Context) error {
	for _, reg := range []*onusv1.Registration{
		{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: operator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}},
		{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: agentID, Operator: operator, DisplayName: "Benchmark"}}},
		{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: o.agent.Public().SPKI(), Agent: agentID, Operator: operator}}},
	} {
		if err := o.logAll(ctx, []*onusv1.Record{registration(reg)}, o.admin); err != nil {
			return err
		}
	}
	return nil
}

func registration(reg *onusv1.Registration) *onusv1.Record {
	return &onusv1.Record{
		Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Administrator: "root"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Registration{Registration: reg},
	}
}

// logAll signs records with one key and logs them in batches.
func (o *onusLog) logAll(ctx context.Context, records []*onusv1.Record, signer record.Signer) error {
	subs := make([]ledger.Submission, len(records))
	for i, m := range records {
		r, err := record.Sign(m, signer)
		if err != nil {
			return err
		}
		subs[i].Envelope = r.Envelope
	}
	for len(subs) > 0 {
		n := min(len(subs), 256)
		for _, res := range o.ledger.SubmitBatch(ctx, subs[:n]) {
			if res.Err != nil {
				return res.Err
			}
		}
		subs = subs[n:]
	}
	return nil
}

// audit reads the whole log as an auditor does.
func (o *onusLog) audit(ctx context.Context) error {
	cp, err := o.key.Open(o.ledger.Checkpoint())
	if err != nil {
		return err
	}
	a := verifier.NewAudit()
	if err := o.eachChunk(ctx, cp.Size, a.Add); err != nil {
		return err
	}
	if err := a.Matches(cp, o.key); err != nil {
		return err
	}
	if rep := a.Report(); rep.FaultCount != 0 {
		return fmt.Errorf("the audit finds %d faults, first: %v", rep.FaultCount, rep.Faults[0])
	}
	return nil
}

// eachChunk calls use with all entries in order. The next ones are read while
// use has the ones before.
func (o *onusLog) eachChunk(ctx context.Context, size int64, use func([][]byte)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	chunks := make(chan [][]byte, 4)
	read := make(chan error, 1)
	go func() {
		defer close(chunks)
		read <- o.ledger.Follow(ctx, 0, size, func(_ int64, entries [][]byte) error {
			select {
			case chunks <- entries:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	for entries := range chunks {
		use(entries)
	}
	return <-read
}

// entryBytes is the size of the entry that a receipt is of: see the layout in
// package entry.
func entryBytes(r *onusv1.Receipt, payload []byte) int {
	return len(r.GetStamp()) + 1 + 2 + len(r.GetSignature()) + 2 + len(payload)
}
