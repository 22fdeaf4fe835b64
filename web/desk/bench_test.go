package desk

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// synthetic is a long log whose entries are made when they are asked for: of
// each twenty, three cases of 5, 7 and 8 records. A case is an intent, a
// decision, and then actions with their outcomes. One in eight has findings.
// Nothing is signed, and Judge gives verdicts without judging: what is measured
// is the desk.
type synthetic struct {
	reg  *registry.Registry
	size int64
}

const syntheticStart = 1_770_000_000_000

// place returns where in its case an entry stands: the case's first entry, the
// case's length and number.
func (synthetic) place(i int64) (first, length, n int64) {
	block, at := i/20, i%20
	switch {
	case at < 5:
		return block * 20, 5, block * 3
	case at < 12:
		return block*20 + 5, 7, block*3 + 1
	}
	return block*20 + 12, 8, block*3 + 2
}

func mix(i int64) uint64 {
	x := uint64(i) * 0x9e3779b97f4a7c15
	x ^= x >> 31
	x *= 0xbf58476d1ce4e5b9
	return x ^ x>>29
}

func (synthetic) id(i int64) (id record.ID) {
	binary.BigEndian.PutUint64(id[:], mix(i))
	binary.BigEndian.PutUint64(id[24:], uint64(i)+1)
	return id
}

func (s *synthetic) Origin() string               { return "log.example.com/synthetic" }
func (s *synthetic) Size() int64                  { return s.size }
func (s *synthetic) Registry() *registry.Registry { return s.reg }
func (s *synthetic) Wait(ctx context.Context, size int64) error {
	if size < s.size {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *synthetic) Index(id record.ID) (int64, error) {
	i := int64(binary.BigEndian.Uint64(id[24:])) - 1
	if i < 0 || i >= s.size || s.id(i) != id {
		return 0, ErrNotFound
	}
	return i, nil
}

func base32of(prefix string, n uint64) string {
	return prefix + strings.NewReplacer("0", "a", "1", "b", "8", "c", "9", "d").Replace(fmt.Sprintf("%026x", n))
}

func (s *synthetic) Entry(i int64) (chain.Entry, error) {
	if i < 0 || i >= s.size {
		return chain.Entry{}, ErrNotFound
	}
	first, _, n := s.place(i)
	h := mix(n)
	agent := fmt.Sprintf("spiffe://example.com/agent-%d", h%40)
	m := &onusv1.Record{Author: &onusv1.Author{Agent: agent, Instance: fmt.Sprint("pod-", h%97), Operator: fmt.Sprintf("unit/%d", h%40%8)},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.New(time.UnixMilli(syntheticStart + i*1000)), User: base32of("u-", h%5000), Session: base32of("x-", h)}
	if h%3 == 0 {
		m.Subjects = []string{base32of("s-", h%30_000)}
	}
	switch at := i - first; {
	case at == 0:
		stages(m).Intent = &onusv1.Intent{Text: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "do"}}}
	case at == 1:
		decides(m)
		m.Parent = s.id(first).String()
	case at%2 == 0:
		m.Parent = s.id(first + 1).String()
		does([]string{"order:create", "prices:read", "k8s.pod:get", "mail:send"}[h%4], fmt.Sprintf("https://service-%d.example.com/items", h%50), costs("12.50", "EUR"),
			func(a *onusv1.Action) { a.Element.Identifier = fmt.Sprint("item-", i) })(m)
	default:
		m.Parent = s.id(i - 1).String()
		outcome(onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED)(m)
	}
	return chain.Entry{Index: i, LogTime: syntheticStart + i*1000, Record: &record.Record{ID: s.id(i), Msg: m}}, nil
}

func (s *synthetic) Judge(id record.ID) (*Judged, error) {
	i, err := s.Index(id)
	if err != nil {
		return nil, err
	}
	first, length, n := s.place(i)
	var all []chain.Entry
	for i := first; i < first+length; i++ {
		e, err := s.Entry(i)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	j := &Judged{Chain: chain.Build(all, nil, s.reg.Genesis().GetPolicy()), Size: s.size, Time: syntheticStart + s.size*1000, Judgement: &chain.Judgement{Outcome: chain.WithinAuthority}}
	bad := mix(n)>>20%8 == 0
	for _, node := range j.Chain.Nodes {
		a := node.Record.Msg.GetStages().GetAction()
		if a == nil {
			continue
		}
		who := chain.Party{Kind: registry.KindAgent, ID: node.Record.Msg.GetAuthor().GetAgent(), Name: "An agent", Unit: &chain.Unit{ID: "unit", Organisation: "Acme", Unit: node.Record.Msg.GetAuthor().GetOperator(), Post: "Head"}}
		v := chain.Verdict{Index: node.Index, Record: node.Record.ID, Outcome: chain.WithinAuthority, Element: a.GetElement(), Answers: []chain.Answer{{Party: who, First: true}}}
		if bad {
			v.Outcome = chain.OutsideAuthority
			for _, code := range []string{"LIMIT_EXCEEDED", "ACTION_WITHOUT_DECISION"} {
				v.Findings = append(v.Findings, chain.Finding{Code: code, Severity: []chain.Severity{chain.High, chain.Warn}[len(v.Findings)], Kind: chain.Conduct, Index: node.Index, Parties: []chain.Party{who}})
			}
		}
		j.Judgement.Actions = append(j.Judgement.Actions, v)
	}
	return j, nil
}

const million = 1_000_000

// million cases' desk: 1,000,000 entries, 150,000 cases, in a directory.
func filled(b *testing.B, dir string) *Desk {
	b.Helper()
	d, err := Open(dir, &synthetic{newWorld(b).reg, million})
	if err != nil {
		b.Fatal(err)
	}
	if d.AsOf() == 0 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		if err := d.CatchUp(ctx, million); err != nil {
			b.Fatal(err)
		}
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return d
}

// cpu reports the processor time of an operation: what the clock says depends on
// what else the machine does.
func cpu(b *testing.B, f func()) {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	runtime.GC()
	n, before := 0, used()
	for b.Loop() {
		f()
		n++
	}
	b.ReportMetric(float64((used()-before).Microseconds())/1000/float64(n), "cpu-ms/op")
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMillion measures a desk over a million entries.
func BenchmarkMillion(b *testing.B) {
	dir := b.TempDir()
	began := time.Now()
	d := filled(b, dir)
	b.Logf("made in %s, without judging", time.Since(began))
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		cpu(b, func() {
			if err := filled(b, dir).Close(); err != nil {
				b.Fatal(err)
			}
		})
	})
	d = nil
	before := inUse()
	d = filled(b, dir)
	defer d.Close()
	used := inUse() - before
	entries := uint64(8 * million)
	var inTerms uint64
	for _, t := range [][][]byte{d.state.terms.text.all, d.state.terms.folded.all} {
		for _, block := range t {
			inTerms += uint64(cap(block))
		}
	}
	n := uint64(len(d.state.cases) - 1)
	b.Logf("%d cases, %d terms (%d MB of text), %d MB in all: %d bytes a case beside 8 bytes an entry, of which %d are the dictionary's text",
		n, d.state.terms.len(), inTerms>>20, used>>20, (used-entries)/n, inTerms/n)
	period := Period{From: syntheticStart + 100_000*1000, To: syntheticStart + 900_000*1000}
	b.Run("overview", func(b *testing.B) {
		cpu(b, func() { d.Overview(Period{}) })
	})
	b.Run("overview of a period", func(b *testing.B) {
		cpu(b, func() { d.Overview(period) })
	})
	agent := "spiffe://example.com/agent-7"
	for name, q := range map[string]Query{
		"all": {}, "common": {Operation: "order:create"}, "rare": {User: base32of("u-", 77)}, "open": {Open: true}, "gravest": {Order: Gravest},
		"amount": {Unit: "EUR", AtLeast: "20"}, "resource": {Resource: "https://service-7"}, "one word": {Words: []string{"service-42"}},
		"one word in many": {Words: []string{"item"}}, "four words": {Words: []string{"service", "order", "unit/", "agent-1"}},
		"id":           {Words: []string{(&synthetic{}).id(777_777).String()[:12]}},
		"many filters": {Agent: agent, Severity: chain.High, Since: period.From, Before: period.To, Words: []string{"order"}},
	} {
		b.Run("find "+name, func(b *testing.B) {
			cpu(b, func() {
				if _, err := d.Find(q, 50, ""); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	b.Run("agent", func(b *testing.B) {
		cpu(b, func() { d.Agent(agent, period) })
	})
	b.Run("users", func(b *testing.B) {
		cpu(b, func() { d.Users(0, 100) })
	})
}
