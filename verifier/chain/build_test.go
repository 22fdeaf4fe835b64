package chain_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// logTime is when every entry here is logged, unless a test says otherwise.
var logTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var policy = &onusv1.Policy{
	ClockSkew:     durationpb.New(time.Minute),
	LateAfter:     durationpb.New(2 * time.Minute),
	OutcomeWindow: durationpb.New(15 * time.Minute),
}

// maker makes records and puts them at indices.
type maker struct {
	t      testing.TB
	signer record.Signer
	n      int
}

func newMaker(t testing.TB) *maker {
	t.Helper()
	sum := sha256.Sum256([]byte("chain"))
	s, err := record.NewSigner(ed25519.NewKeyFromSeed(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	return &maker{t: t, signer: s}
}

func (m *maker) record(edit func(*onusv1.Record)) *record.Record {
	m.t.Helper()
	m.n++
	nonce := sha256.Sum256(fmt.Append(nil, m.n))
	msg := &onusv1.Record{
		Origin: "example.com/log", Nonce: nonce[:record.NonceSize],
		Author:  &onusv1.Author{Agent: "spiffe://example.com/agent", Instance: "pod-1", Operator: "it/platform"},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.New(logTime),
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
			Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get"}}}},
	}
	if edit != nil {
		edit(msg)
	}
	r, err := record.Sign(msg, m.signer)
	if err != nil {
		m.t.Fatalf("Sign: %v", err)
	}
	return r
}

// linked returns a record with that parent (or nil) and those causes.
func (m *maker) linked(parent *record.Record, causes ...*record.Record) *record.Record {
	m.t.Helper()
	return m.record(func(msg *onusv1.Record) {
		if parent != nil {
			msg.Parent = parent.ID.String()
		}
		for _, c := range causes {
			msg.Causes = append(msg.Causes, c.ID.String())
		}
	})
}

// logged puts records at the indices from first on.
func logged(first int64, rs ...*record.Record) []chain.Entry {
	var es []chain.Entry
	for i, r := range rs {
		es = append(es, chain.Entry{Index: first + int64(i), LogTime: logTime.UnixMilli(), Record: r})
	}
	return es
}

// picture draws a chain as text: what Build says, in full.
func picture(c *chain.Chain) string {
	s := ""
	indices := func(what string, ns []*chain.Node) {
		if len(ns) > 0 {
			s += " " + what
			for _, n := range ns {
				s += fmt.Sprint(" ", n.Index)
			}
		}
	}
	for _, n := range c.Nodes {
		s += fmt.Sprint(n.Index)
		if n.Parent != nil {
			s += fmt.Sprint(" under ", n.Parent.Index)
		}
		indices("children", n.Children)
		indices("causes", n.Causes)
		indices("effects", n.Effects)
		for _, f := range n.Findings {
			s += " " + f.Code
		}
		s += "\n"
	}
	s += "roots"
	for _, n := range c.Roots {
		s += fmt.Sprint(" ", n.Index)
	}
	for _, m := range c.Missing {
		s += fmt.Sprintf("\nmissing by %d, parent %t", m.By.Index, m.AsParent)
	}
	return s + "\n"
}
