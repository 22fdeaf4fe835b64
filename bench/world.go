package main

import (
	"context"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Who takes part in a log of the real shape.
const (
	worldAgents    = 1000
	worldOperators = 20
	worldUsers     = 2000
	worldSubjects  = 5000
	// worldGranted is how many agents hold a grant of their operator.
	worldGranted = 100
)

// world is a company: who is registered, and whom the agents work for.
type world struct {
	log       *onusLog
	agents    []worldAgent
	operators map[string]record.Signer
	// users and subjects are pseudonyms that the ledger minted.
	users, subjects []string
}

// worldAgent is an agent class with a key of its own.
type worldAgent struct {
	id, operator string
	signer       record.Signer
	grant        string // its operator's grant to it; empty without one
}

var worldRoles = []string{"supply-planner", "k8s-helper", "support-triage", "contract-reader", "buyer",
	"invoice-clerk", "mail-courier", "data-analyst", "release-engineer", "travel-desk"}

func worldOperator(i int) string { return fmt.Sprintf("unit-%02d/platform", i) }

// newWorld has all but the grants and the pseudonyms, which are in the ledger.
func newWorld(o *onusLog) *world {
	w := &world{log: o, operators: map[string]record.Signer{}}
	for i := range worldOperators {
		id := worldOperator(i)
		w.operators[id] = o.seed.signer("operator " + id)
	}
	for i := range worldAgents {
		role := worldRoles[i%len(worldRoles)]
		w.agents = append(w.agents, worldAgent{
			id:       fmt.Sprintf("spiffe://example.com/%s-%03d", role, i),
			operator: worldOperator(i % worldOperators),
			signer:   o.seed.signer(fmt.Sprintf("agent %d", i)),
		})
	}
	return w
}

// setUp registers everybody and issues the grants. It returns their ids, for
// the processes that come after.
func (w *world) setUp(ctx context.Context) (grants []string, err error) {
	var first, keys []*onusv1.Record
	for i := range worldOperators {
		id := worldOperator(i)
		first = append(first, registration(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
			Id: id, Organisation: "Example", Unit: fmt.Sprintf("Unit %d", i), AccountablePost: "Head of Unit"}}}))
		keys = append(keys, registration(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
			PublicKey: w.operators[id].Public().SPKI(), Operator: id}}}))
	}
	if err := w.log.logAll(ctx, first, w.log.admin); err != nil {
		return nil, fmt.Errorf("register operators: %w", err)
	}
	first = first[:0]
	for _, a := range w.agents {
		first = append(first, registration(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
			Id: a.id, Operator: a.operator, DisplayName: "Benchmark", Purpose: "does what its name says"}}}))
		keys = append(keys, registration(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
			PublicKey: a.signer.Public().SPKI(), Agent: a.id, Operator: a.operator}}}))
	}
	if err := w.log.logAll(ctx, first, w.log.admin); err != nil {
		return nil, fmt.Errorf("register agents: %w", err)
	}
	if err := w.log.logAll(ctx, keys, w.log.admin); err != nil {
		return nil, fmt.Errorf("register keys: %w", err)
	}
	for _, a := range w.agents[:worldGranted] {
		r, err := record.Sign(&onusv1.Record{
			Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Operator: a.operator},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: a.id, MaxDepth: 2,
				Expires: timestamppb.New(time.Now().Add(30 * 24 * time.Hour)), Scope: orderScope("1000000000")}},
		}, w.operators[a.operator])
		if err != nil {
			return nil, err
		}
		if _, err := w.log.ledger.Submit(ctx, ledger.Submission{Envelope: r.Envelope}); err != nil {
			return nil, fmt.Errorf("issue grant: %w", err)
		}
		grants = append(grants, r.ID.String())
	}
	return grants, nil
}

// orderScope allows orders up to a limit in total.
func orderScope(total string) []*onusv1.GrantElement {
	return []*onusv1.GrantElement{{
		Element: &onusv1.ScopeElement{Type: "order", Action: "create", Location: "https://shop.example.com"},
		MaxItem: "5000", MaxTotal: total, Unit: "EUR"}}
}

// settle gives the agents their grants, and mints the pseudonyms of users and
// subjects, which are the same each time.
func (w *world) settle(grants []string) (err error) {
	for i, id := range grants {
		w.agents[i].grant = id
	}
	if w.users, err = w.mint(ledger.NameUser, "https://login.example.com user-%d", 0, worldUsers); err != nil {
		return err
	}
	w.subjects, err = w.mint(ledger.NameSubject, "customer %d", 0, worldSubjects)
	return err
}

// mint asks for pseudonyms in calls of 500, as gateways do.
func (w *world) mint(kind ledger.NameKind, format string, first, n int) ([]string, error) {
	all := make([]string, 0, n)
	for len(all) < n {
		var names []string
		for i := len(all); i < min(n, len(all)+500); i++ {
			names = append(names, fmt.Sprintf(format, first+i))
		}
		minted, err := w.log.ledger.Mint(kind, names)
		if err != nil {
			return nil, fmt.Errorf("mint pseudonyms: %w", err)
		}
		all = append(all, minted...)
	}
	return all, nil
}
