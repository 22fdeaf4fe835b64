package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin   = "bench.example.com/log"
	operator = "it/platform"
	agentID  = "spiffe://example.com/bench-agent"
)

// onusSystem is the ledger in process, through its public API: a record is
// parsed, its signature checked against the registry, logged with one sync a
// batch, and its receipt checked by the verifier before Submit returns. With
// twice, the submitter checks the receipt once more as an agent in another
// process would: proof, log's signature and its own.
func onusSystem(name, title string, twice bool) system {
	proof := "signed checkpoint, inclusion proof verified (in Submit); the record's signature checked against the registry"
	if twice {
		proof = "the same, and the submitter calls verifier.OpenReceipt: proof, log's signature, own signature"
	}
	return system{name: name, title: title, proof: proof, open: func(ctx context.Context, c cell, dir string) (*running, error) {
		return openOnus(ctx, c, dir, twice)
	}}
}

type onusLog struct {
	key    tree.LogKey
	ledger *ledger.Ledger
	admin  record.Signer
	agent  record.Signer
	close  func() error
}

// newOnusLog makes a ledger with a registered agent and runs it.
func newOnusLog(ctx context.Context, dir string) (*onusLog, error) {
	o := &onusLog{}
	cfg, genesis, err := o.configure(dir)
	if err != nil {
		return nil, err
	}
	if o.ledger, err = ledger.Create(cfg, genesis); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- o.ledger.Run(run) }()
	o.close = func() error {
		stop()
		return errors.Join(<-done, o.ledger.Close())
	}
	if err := o.register(ctx); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func openOnus(ctx context.Context, c cell, dir string, twice bool) (*running, error) {
	o, err := newOnusLog(ctx, dir)
	if err != nil {
		return nil, err
	}
	records, err := o.sign(supply(c))
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	before := o.ledger.Size()
	var next atomic.Int64
	submit := func(ctx context.Context) error {
		i := next.Add(1) - 1
		if i >= int64(len(records)) {
			return errSpent
		}
		env := records[i]
		got, err := o.ledger.Submit(ctx, ledger.Submission{Envelope: env})
		if err != nil {
			return err
		}
		if got.Duplicate {
			return fmt.Errorf("record %d was in the log before", i)
		}
		if twice {
			_, err = verifier.OpenReceipt(got.Receipt, env.Type, env.Payload, o.key, o.agent.Public())
		}
		return err
	}
	return &running{
		settings: "defaults, with a rollback guard in a file",
		worker:   func() func(context.Context) error { return submit },
		check: func(ctx context.Context, n int64) error {
			if got := o.ledger.Size() - before; got != n {
				return fmt.Errorf("the log grew by %d entries, and %d were acknowledged", got, n)
			}
			return o.audit(ctx)
		},
		close: o.close,
	}, nil
}

func (o *onusLog) configure(dir string) (cfg ledger.Config, genesis *record.Record, err error) {
	if o.admin, err = newSigner(); err != nil {
		return cfg, nil, err
	}
	if o.agent, err = newSigner(); err != nil {
		return cfg, nil, err
	}
	host, err := newSigner()
	if err != nil {
		return cfg, nil, err
	}
	pub, logKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return cfg, nil, err
	}
	if o.key, err = tree.NewLogKey(origin, pub); err != nil {
		return cfg, nil, err
	}
	content := make([]byte, 32)
	rand.Read(content)
	genesis, err = ledger.NewHostedGenesis(o.key, host.Public(), []ledger.Administrator{{Name: "root", Key: o.admin.Public()}},
		ledger.DefaultPolicy(), o.admin, time.Now())
	cfg = ledger.Config{Dir: dir, Signer: logKey, ContentKey: content,
		Guard: ledger.FileGuard(filepath.Join(filepath.Dir(dir), "guard"))}
	return cfg, genesis, err
}

// register enters operator, agent and key, which admission then looks up.
func (o *onusLog) register(ctx context.Context) error {
	for _, reg := range []*onusv1.Registration{
		{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: operator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}},
		{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: agentID, Operator: operator, DisplayName: "Benchmark"}}},
		{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: o.agent.Public().SPKI(), Agent: agentID, Operator: operator}}},
	} {
		r, err := record.Sign(&onusv1.Record{
			Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Administrator: "root"},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Registration{Registration: reg},
		}, o.admin)
		if err != nil {
			return err
		}
		if _, err := o.ledger.Submit(ctx, ledger.Submission{Envelope: r.Envelope}); err != nil {
			return err
		}
	}
	return nil
}

// supply is how many records are signed before the clock starts: enough for
// any rate seen so far. If they run out the window ends there.
func supply(c cell) int {
	perSecond := 50_000
	if c.Submitters == 1 {
		perSecond = 8_000
	}
	return min(int((c.Warm+c.Measured).Seconds()*float64(perSecond))+c.Submitters, 600_000)
}

// sign makes n records whose entries have about EntrySize bytes. Most of a
// record are commitments, which are hashes, so that nothing in it compresses
// well. Signing is the agent's work, on the agent's machine.
func (o *onusLog) sign(n int) ([]record.Envelope, error) {
	records := make([]record.Envelope, n)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				records[i], errs[w] = o.record(i)
			}
		})
	}
	wg.Wait()
	return records, errors.Join(errs...)
}

func (o *onusLog) record(i int) (record.Envelope, error) {
	d := &onusv1.Decision{Text: commitment(), Rationale: commitment()}
	for range 16 {
		d.Alternatives = append(d.Alternatives, commitment())
	}
	payload, err := proto.Marshal(&onusv1.Record{
		Origin: origin, Nonce: ledger.NewNonce(),
		Author:  &onusv1.Author{Agent: agentID, Instance: "bench-1", Operator: operator, KeyId: o.agent.Public().ID()},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
			Decision: d,
			Action: &onusv1.Action{
				Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get", Location: "https://k8s.example.com/shop", Identifier: fmt.Sprintf("web-%018d", i)},
			}}},
	})
	if err != nil {
		return record.Envelope{}, err
	}
	env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
	env.Signature, err = o.agent.Sign(env.PAE())
	return env, err
}

func commitment() *onusv1.Text {
	sum := make([]byte, record.CommitmentSize)
	rand.Read(sum)
	return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: sum}}
}

// audit reads the whole log as an auditor does.
func (o *onusLog) audit(ctx context.Context) error {
	cp, err := o.key.Open(o.ledger.Checkpoint())
	if err != nil {
		return err
	}
	a := verifier.NewAudit()
	if err := o.ledger.Follow(ctx, 0, cp.Size, func(_ int64, entries [][]byte) error {
		a.Add(entries)
		return nil
	}); err != nil {
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

func newSigner() (record.Signer, error) {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return record.Signer{}, err
	}
	return record.NewSigner(priv)
}
