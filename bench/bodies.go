package main

import (
	"fmt"
	"math"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// Sizes of entries: a logarithmic normal distribution around a median, cut off
// at both ends. What a record of its kind needs at least is more than the lower
// end for most.
const (
	medianEntry   = 900
	spreadEntry   = 0.75 // of the natural logarithm
	smallestEntry = 300
	largestEntry  = 8 << 10
	// stampAndSignature is what an entry has around its payload.
	stampAndSignature = 137
)

// withContents is the share of records that are sent with the contents of their
// texts.
const withContents = 0.1

var operations = []onusv1.ScopeElement{
	{Type: "k8s.pods", Action: "get", Location: "https://k8s.example.com/api/v1/namespaces/shop/pods"},
	{Type: "k8s.deployments", Action: "patch", Location: "https://k8s.example.com/apis/apps/v1/namespaces/shop/deployments"},
	{Type: "k8s.logs", Action: "read", Location: "https://k8s.example.com/api/v1/namespaces/shop/log"},
	{Type: "crm.customer", Action: "read", Location: "https://crm.example.com/customers", Datatypes: []string{"contact data"}},
	{Type: "crm.customer", Action: "update", Location: "https://crm.example.com/customers", Datatypes: []string{"contact data"}},
	{Type: "ticket", Action: "create", Location: "https://tickets.example.com/queue/support"},
	{Type: "ticket", Action: "update", Location: "https://tickets.example.com/queue/support"},
	{Type: "mail", Action: "send", Location: "https://mail.example.com/outbox"},
	{Type: "mail", Action: "read", Location: "https://mail.example.com/inbox", Datatypes: []string{"correspondence"}},
	{Type: "calendar", Action: "write", Location: "https://calendar.example.com/events"},
	{Type: "finance", Action: "read", Location: "https://erp.example.com/budget", Datatypes: []string{"financial data"}},
	{Type: "invoice", Action: "approve", Location: "https://erp.example.com/invoices", Datatypes: []string{"financial data"}},
	{Type: "contract", Action: "read", Location: "https://contracts.example.com/archive", Datatypes: []string{"confidential terms"}},
	{Type: "db.table", Action: "query", Location: "https://warehouse.example.com/sales/orders"},
	{Type: "document", Action: "read", Location: "https://wiki.example.com/pages"},
	{Type: "document", Action: "write", Location: "https://wiki.example.com/pages"},
	{Type: "git.branch", Action: "push", Location: "https://git.example.com/shop/frontend"},
	{Type: "git.pull-request", Action: "merge", Location: "https://git.example.com/shop/frontend"},
	{Type: "price", Action: "read", Location: "https://market.example.com/prices"},
	{Type: "web.page", Action: "fetch", Location: "https://suppliers.example.com/catalogue"},
}

// body is what a record says, with the contents of its texts where they are
// sent along.
type body struct {
	stages     *onusv1.DecisionRecord
	outcomes   *onusv1.Outcome
	delegation *onusv1.Grant
	contents   []*onusv1.Content
}

func (b *body) into(m *onusv1.Record) {
	switch {
	case b.outcomes != nil:
		m.Body = &onusv1.Record_Outcome{Outcome: b.outcomes}
	case b.delegation != nil:
		m.Body = &onusv1.Record_Delegation{Delegation: b.delegation}
	default:
		m.Body = &onusv1.Record_Stages{Stages: b.stages}
	}
}

func (c *chain) intent() body {
	b := body{}
	t := c.texts(&b)
	b.stages = &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: t(), Requested: []*onusv1.ScopeElement{c.element()}}}
	return b
}

func (c *chain) decision() body {
	b := body{}
	t := c.texts(&b)
	b.stages = &onusv1.DecisionRecord{
		Interpretation: &onusv1.Interpretation{Text: t(), Model: "example-large", ModelVersion: "2026-05"},
		Decision:       &onusv1.Decision{Text: t(), Rationale: t(), Confidence: "0.85"},
	}
	return b
}

// action is what a member does: under a grant, an order of what it allows.
func (c *chain) action(m *member) body {
	b := body{}
	t := c.texts(&b)
	e := c.element()
	if m.grant != "" {
		e = &onusv1.ScopeElement{Type: "order", Action: "create", Location: "https://shop.example.com/orders",
			Identifier: "order-" + c.random.hex(10), Amount: fmt.Sprintf("%d.00", 1+c.random.IntN(500)), Unit: "EUR", Quantity: "1"}
	}
	b.stages = &onusv1.DecisionRecord{Action: &onusv1.Action{Element: e, Arguments: t()}}
	if c.random.chance(0.3) {
		b.stages.Decision = &onusv1.Decision{Text: t(), Rationale: t()}
	}
	return b
}

func (c *chain) outcome() body {
	b := body{}
	t := c.texts(&b)
	b.outcomes = &onusv1.Outcome{Status: onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED, Result: t(),
		TargetDecision: onusv1.TargetDecision_TARGET_DECISION_ALLOWED, ExternalRequestId: "req-" + c.random.hex(16)}
	if c.random.chance(0.05) {
		b.outcomes.Status = onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	}
	return b
}

// element is an operation on one of 50,000 things of its kind, a few of which
// are touched often.
func (c *chain) element() *onusv1.ScopeElement {
	e := proto.CloneOf(&operations[c.random.IntN(len(operations))])
	e.Identifier = fmt.Sprintf("%s-%05d", e.GetType(), int(50_000*math.Pow(c.random.Float64(), 3)))
	return e
}

// texts returns what makes the texts of one record: commitments, whose contents
// are sent along with one record in ten.
func (c *chain) texts(b *body) func() *onusv1.Text {
	if !c.random.chance(withContents) {
		return c.random.commitment
	}
	return func() *onusv1.Text {
		t, content := record.NewText(c.words(int(math.Exp(c.random.NormFloat64()+6)) + 20)) // a median of 420 bytes
		b.contents = append(b.contents, content)
		return t
	}
}

var vocabulary = []string{"the", "of", "and", "order", "supplier", "pod", "restarts", "because", "memory", "limit", "is", "reached",
	"customer", "asked", "for", "an", "invoice", "from", "March", "cheaper", "offer", "with", "delivery", "in", "two", "weeks",
	"read", "logs", "then", "scale", "deployment", "to", "four", "replicas", "budget", "allows", "it", "no", "answer", "yet"}

// words returns about n bytes of prose, and 10,000 at most.
func (c *chain) words(n int) []byte {
	n = min(n, 10_000)
	text := make([]byte, 0, n+16)
	for len(text) < n {
		text = append(append(text, vocabulary[c.random.IntN(len(vocabulary))]...), ' ')
	}
	return text
}

// grow adds to a decision or an intent until the entry has the size that was
// drawn for it: what else was considered, and what was chosen or asked for.
// Outcomes and grants stay as small as they are.
func (c *chain) grow(m *onusv1.Record) {
	want := medianEntry * math.Exp(spreadEntry*c.random.NormFloat64())
	payload := int(min(max(want, smallestEntry), largestEntry)) - stampAndSignature - 50 // the key's id comes yet
	room := payload - proto.Size(m)
	var list *[]*onusv1.ScopeElement
	switch s := m.GetStages(); {
	case s == nil:
		return
	case s.GetIntent() != nil:
		list = &s.Intent.Requested
	default:
		if s.GetDecision() == nil {
			if room < 200 {
				return
			}
			s.Decision = &onusv1.Decision{Text: c.random.commitment()}
			room -= 40
		}
		for n := c.random.IntN(record.MaxAlternatives); n > 0 && room > 40; n-- {
			s.Decision.Alternatives = append(s.Decision.Alternatives, c.random.commitment())
			room -= 38
		}
		list = &s.Decision.Chosen
	}
	for room > 60 && len(*list) < record.MaxElements {
		e := c.element()
		*list = append(*list, e)
		room -= proto.Size(e) + 3
	}
}
