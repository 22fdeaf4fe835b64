package web_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	unit   = "it/purchasing"
	buyer  = "spiffe://example.com/buyer"
	helper = "spiffe://example.com/helper"
)

// realLedger is a ledger in memory with a unit, two agents and their keys, whose
// clock a test sets.
type realLedger struct {
	*ledger.Ledger
	t                                testing.TB
	clock                            atomic.Int64
	admin, unitKey, buyerKey, helper record.Signer
	sequence                         map[string]int64
	previous                         map[string]string
}

var _ web.Log = (*realLedger)(nil)

func keyOf(name string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte("onus web test: " + name))
	return ed25519.NewKeyFromSeed(sum[:])
}

func signerOf(t testing.TB, name string) record.Signer {
	t.Helper()
	s, err := record.NewSigner(keyOf(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newLedger makes the ledger at noon of 1 June 2026.
func newLedger(t testing.TB) *realLedger {
	t.Helper()
	l := &realLedger{t: t, admin: signerOf(t, "admin"), unitKey: signerOf(t, "unit"), buyerKey: signerOf(t, "buyer"), helper: signerOf(t, "helper"),
		sequence: map[string]int64{}, previous: map[string]string{}}
	l.set("2026-06-01T12:00:00Z")
	key, err := tree.NewLogKey("example.com/web-test", keyOf("log").Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	policy := ledger.DefaultPolicy()
	policy.PlainText = []string{"revocation.reason"}
	genesis, err := ledger.NewHostedGenesis(key, signerOf(t, "host").Public(), []ledger.Administrator{{Name: "root", Key: l.admin.Public()}}, policy, l.admin, l.now())
	if err != nil {
		t.Fatal(err)
	}
	content := sha256.Sum256([]byte("content"))
	l.Ledger, err = ledger.Create(ledger.Config{Dir: "db", FS: vfs.NewMem(), Signer: keyOf("log"), HostKey: keyOf("host"), ContentKey: content[:],
		Clock: l.now, Fatal: func(err error) { panic(err) }}, genesis)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: unit, Organisation: "Example", Unit: "Purchasing", AccountablePost: "Head of Purchasing"}}})
	l.registerAgent(buyer, "Buyer")
	l.registerAgent(helper, "Helper")
	l.bind(l.unitKey, registry.Party{Kind: registry.KindOperator, ID: unit})
	l.bind(l.buyerKey, registry.Party{Kind: registry.KindAgent, ID: buyer})
	l.bind(l.helper, registry.Party{Kind: registry.KindAgent, ID: helper})
	return l
}

func (l *realLedger) now() time.Time { return time.UnixMilli(l.clock.Load()).UTC() }

// set sets the clock.
func (l *realLedger) set(s string) {
	l.t.Helper()
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		l.t.Fatal(err)
	}
	l.clock.Store(t.UnixMilli())
}

// submit signs and logs a record, and returns its id and index.
func (l *realLedger) submit(m *onusv1.Record, by record.Signer) (record.ID, int64) {
	l.t.Helper()
	m.Origin, m.Nonce, m.Capture, m.ClaimedTime = "example.com/web-test", ledger.NewNonce(), onusv1.Capture_CAPTURE_SELF, timestamppb.New(l.now())
	if a := m.GetAuthor().GetAgent(); a != "" {
		m.Sequence, m.Previous = l.sequence[a], l.previous[a]
	}
	r, err := record.Sign(m, by)
	if err != nil {
		l.t.Fatal(err)
	}
	logged, err := l.Ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope})
	if err != nil {
		l.t.Fatal(err)
	}
	if a := m.GetAuthor().GetAgent(); a != "" {
		l.sequence[a]++
		l.previous[a] = r.ID.String()
	}
	return r.ID, logged.Receipt.GetIndex()
}

func (l *realLedger) register(r *onusv1.Registration) int64 {
	l.t.Helper()
	_, index := l.submit(&onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Registration{Registration: r}}, l.admin)
	return index
}

func (l *realLedger) agentOf(id, name, model string) *onusv1.Registration {
	return &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: id, Operator: unit, DisplayName: name, Model: model}}}
}

func (l *realLedger) registerAgent(id, name string) {
	l.t.Helper()
	l.register(l.agentOf(id, name, ""))
}

func (l *realLedger) bind(s record.Signer, p registry.Party) int64 {
	l.t.Helper()
	k := &onusv1.KeyBinding{PublicKey: s.Public().SPKI(), Operator: unit}
	if p.Kind == registry.KindAgent {
		k.Agent = p.ID
	}
	return l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}})
}

func (l *realLedger) revoke(r *onusv1.Revocation) int64 {
	l.t.Helper()
	_, index := l.submit(&onusv1.Record{Author: &onusv1.Author{Administrator: "root"}, Body: &onusv1.Record_Revocation{Revocation: r}}, l.admin)
	return index
}

func (l *realLedger) revokeKey(id string, since time.Time) int64 {
	l.t.Helper()
	return l.revoke(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: id}, SuspectedSince: timestamppb.New(since),
		Reason: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "stolen"}}})
}

func buyerAuthor() *onusv1.Author {
	return &onusv1.Author{Agent: buyer, Instance: "p-1", Operator: unit}
}

// act logs an action of the buyer under a grant, or under none.
func (l *realLedger) act(grant string) record.ID {
	l.t.Helper()
	id, _ := l.submit(&onusv1.Record{Author: buyerAuthor(), Grant: grant, Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
		Action: &onusv1.Action{Element: &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "12000", Unit: "EUR"}}}}}, l.buyerKey)
	return id
}

// give logs the unit's grant to the buyer.
func (l *realLedger) give(g *onusv1.Grant) record.ID {
	l.t.Helper()
	g.Agent = buyer
	id, _ := l.submit(&onusv1.Record{Author: &onusv1.Author{Operator: unit}, Body: &onusv1.Record_Delegation{Delegation: g}}, l.unitKey)
	return id
}

// pass logs the buyer's grant to the helper, under one that it holds.
func (l *realLedger) pass(under record.ID, g *onusv1.Grant) record.ID {
	l.t.Helper()
	g.Agent = helper
	id, _ := l.submit(&onusv1.Record{Author: buyerAuthor(), Grant: under.String(), Body: &onusv1.Record_Delegation{Delegation: g}}, l.buyerKey)
	return id
}

// orders is a scope of orders up to a total.
func orders(total string) []*onusv1.GrantElement {
	return []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "place"}, MaxTotal: total, Unit: "EUR"}}
}

// site returns a viewer over the ledger as it is.
func (l *realLedger) site(settings ...func(*web.Config)) *site {
	l.t.Helper()
	return siteOver(l.t, l, settings...)
}

func entryOf(e *ledger.Entry) chain.Entry {
	return chain.Entry{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record, Stamp: &e.Stamp}
}

func lost(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return fmt.Errorf("%w: %w", desk.ErrNotFound, err)
	}
	return err
}

func (l *realLedger) Origin() string   { return l.LogKey().Origin() }
func (l *realLedger) Key() tree.LogKey { return l.LogKey() }

func (l *realLedger) Entry(index int64) (chain.Entry, error) {
	e, err := l.Ledger.Entry(index)
	if err != nil {
		return chain.Entry{}, lost(err)
	}
	return entryOf(e), nil
}

func (l *realLedger) Index(id record.ID) (int64, error) {
	i, err := l.Ledger.Index(id)
	return i, lost(err)
}

func (l *realLedger) Judge(id record.ID) (*desk.Judged, error) {
	c, err := l.Ledger.Chain(id, ledger.MaxChain)
	if err != nil {
		return nil, lost(err)
	}
	var entries []chain.Entry
	for _, e := range c.Entries {
		entries = append(entries, entryOf(e))
	}
	j := &desk.Judged{Chain: chain.Build(entries, c.Elsewhere, l.Registry().Genesis().GetPolicy()), Size: c.Size, Time: l.clock.Load(), Cut: c.Cut}
	j.Judgement, err = l.Ledger.Judge(c)
	return j, err
}

func (l *realLedger) Contents(index int64) ([]*onusv1.Content, error) {
	e, err := l.Ledger.Entry(index)
	if err != nil {
		return nil, lost(err)
	}
	return l.Ledger.Contents(e)
}

func (l *realLedger) Name(p string) (string, error) {
	name, err := l.Ledger.Name(p)
	return name, lost(err)
}

func (l *realLedger) Pseudonym(string, string) (string, error) {
	return "", fmt.Errorf("name: %w", desk.ErrNotFound)
}

func (l *realLedger) Records(q web.RecordQuery, limit int, token string) ([]int64, string, error) {
	p, err := l.List(ledger.Query{Agent: q.Agent, Instance: q.Instance, Operator: q.Operator, User: q.User, Session: q.Session, Subject: q.Subject,
		Operation: q.Operation, Resource: q.Resource, Since: q.Since, Before: q.Before, NewestFirst: true}, limit, token)
	if err != nil {
		return nil, "", err
	}
	var all []int64
	for _, e := range p.Entries {
		all = append(all, e.Index)
	}
	return all, p.Next, nil
}

func shown(gs []*ledger.Grant) []*web.Grant {
	var all []*web.Grant
	for _, g := range gs {
		all = append(all, &web.Grant{Index: g.Entry.Index, Time: g.Entry.Stamp.LogTime, Record: g.Entry.Record, Status: g.Status})
	}
	return all
}

func (l *realLedger) Grants(q web.GrantQuery, limit int, token string) ([]*web.Grant, string, error) {
	gs, next, err := l.Ledger.Grants(ledger.GrantQuery{Agent: q.Agent, User: q.User, Parent: q.Parent, Before: q.Before}, limit, token, func(*ledger.Entry) bool { return true })
	return shown(gs), next, err
}

func (l *realLedger) GrantPath(id record.ID) ([]*web.Grant, error) {
	gs, err := l.Ledger.GrantPath(id)
	return shown(gs), lost(err)
}

func (l *realLedger) MakesBundles() bool { return true }

func (l *realLedger) Bundle(ctx context.Context, ids []record.ID, where string, contents bool) (*evidence.Bundle, error) {
	return nil, errors.New("no test asks for it")
}
