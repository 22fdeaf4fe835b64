package verifier

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

const (
	// MaxJudgedBytes is how many bytes of entries an audit keeps, to judge
	// their chains at the end. Beside them it keeps about 400 bytes for each.
	MaxJudgedBytes = 1 << 30
	// MaxWorst is how many chains a judgement of a log lists.
	MaxWorst = 10
)

// ErrTooLarge: the log is larger than what is judged as a whole.
var ErrTooLarge = errors.New("the log is too large to be judged as a whole: judge its chains by evidence bundles")

// logChains keeps what an audit judges once it has seen everything: a parent
// may come after its child, and a revocation after what it makes suspect.
type logChains struct {
	joins
	// links and linked belong to Chain: the links of the first entries.
	links  *links
	linked int

	entries  []kept
	at       map[record.ID]int32
	faults   map[int64][]chain.Fault
	log      *chain.WholeLog
	bytes    int64
	maxBytes int64
	over     bool
}

// kept is an entry that will be judged. It is parsed again then: its bytes are
// a quarter of what it is in memory.
type kept struct {
	index int64
	raw   []byte
	id    record.ID
	// up are the records that it names as parent and causes.
	up []record.ID
	// other: it is an entry that begins no chain: of the registry.
	other bool
	// revokes: it revokes something, or cannot be read and may.
	revokes bool
}

// KeepChains has the audit keep the entries that are added from now on, so that
// [Audit.Judge] can judge their chains; they must not be changed. It is called
// before the first is added.
func (a *Audit) KeepChains() {
	a.chains = &logChains{joins: newJoins(), at: map[record.ID]int32{}, faults: map[int64][]chain.Fault{}, log: chain.NewWholeLog(), maxBytes: MaxJudgedBytes}
}

func (l *logChains) fault(index int64, f chain.Fault) {
	if len(l.faults) < MaxFaults || l.faults[index] != nil {
		l.faults[index] = append(l.faults[index], f)
	}
}

func (l *logChains) keep(c *checked, index int64, raw []byte) {
	if l.over || c.e == nil {
		return
	}
	if _, twice := l.at[c.id]; twice {
		return
	}
	if l.bytes += int64(len(raw)); l.bytes > l.maxBytes {
		*l = logChains{over: true, faults: l.faults}
		return
	}
	k := kept{index: index, raw: raw, id: c.id, revokes: c.rec == nil || c.rec.Msg.GetRevocation() != nil}
	if c.rec != nil {
		for _, s := range append([]string{c.rec.Msg.GetParent()}, c.rec.Msg.GetCauses()...) {
			if up, err := record.ParseID(s); err == nil {
				k.up = append(k.up, up)
			}
		}
		k.other = c.rec.Msg.GetAuthor().GetAgent() == "" && c.rec.Msg.GetStages() == nil && c.rec.Msg.GetTrigger() == nil
	}
	l.join(int32(len(l.entries)), &k, l.at)
	l.at[c.id] = int32(len(l.entries))
	l.entries = append(l.entries, k)
	l.log.Add(k.entry(c.e, c.rec))
}

// entry makes of it what a chain needs.
func (k *kept) entry(e *entry.Entry, r *record.Record) chain.Entry {
	out := chain.Entry{Index: k.index, LogTime: e.Stamp.LogTime, Record: r, Stamp: &e.Stamp}
	if r == nil {
		out.Record, out.Opaque = &record.Record{ID: k.id, Msg: &onusv1.Record{}}, chain.Newer
	}
	return out
}

func (k *kept) parse() (chain.Entry, bool) {
	e, err := entry.Parse(k.raw)
	if err != nil {
		return chain.Entry{}, false
	}
	r, err := record.Parse(e.Envelope)
	if err != nil {
		r = nil
	}
	return k.entry(e, r), true
}

// LogJudgement is what there is to say of all chains of a log.
type LogJudgement struct {
	// Chains counts those judged. What is joined by parents or causes is judged
	// together, so that every action gets one verdict.
	Chains int
	// Counts are the numbers of actions by outcome, the worst first.
	Counts []chain.Count
	// Findings counts what was found by severity, without coverage.
	Findings map[chain.Severity]int
	// Worst are the chains that are not within authority: the worst first, then
	// by log order, at most [MaxWorst].
	Worst []ChainJudgement
}

// ChainJudgement is the judgement of one chain, by its first record.
type ChainJudgement struct {
	Index     int64
	Record    record.ID
	Judgement *chain.Judgement
}

// Judge judges every chain of the entries that were added, on all processors.
// It returns [ErrTooLarge] if they are more than [MaxJudgedBytes].
func (a *Audit) Judge() (*LogJudgement, error) {
	if a.chains == nil {
		return nil, errors.New("the audit was not told to keep the chains")
	}
	if a.chains.over {
		return nil, ErrTooLarge
	}
	groups := a.chains.groups(0)
	t := tally{out: LogJudgement{Chains: len(groups), Findings: map[chain.Severity]int{}}, counts: map[chain.Outcome]int{}}
	a.judgeGroups(groups, t.add)
	for _, o := range chain.Outcomes() {
		if t.counts[o] > 0 {
			t.out.Counts = append(t.out.Counts, chain.Count{Outcome: o, Actions: t.counts[o]})
		}
	}
	return &t.out, nil
}

// tally adds judgements up as they come, in any order, and keeps the worst.
type tally struct {
	mu     sync.Mutex // of all below
	out    LogJudgement
	counts map[chain.Outcome]int
}

func (t *tally) add(c ChainJudgement) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range c.Judgement.Counts {
		t.counts[n.Outcome] += n.Actions
	}
	for _, f := range c.Judgement.All() {
		if f.Kind != chain.Coverage {
			t.out.Findings[f.Severity]++
		}
	}
	if c.Judgement.Outcome == chain.WithinAuthority || c.Judgement.Outcome == chain.NothingDone {
		return
	}
	rank := func(c ChainJudgement) int { return slices.Index(chain.Outcomes(), c.Judgement.Outcome) }
	t.out.Worst = append(t.out.Worst, c)
	slices.SortFunc(t.out.Worst, func(a, b ChainJudgement) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Index, b.Index))
	})
	if len(t.out.Worst) > MaxWorst {
		t.out.Worst = t.out.Worst[:MaxWorst:MaxWorst]
	}
}

// JudgeChain judges the chain of one record, as a server or a bundle of it
// does: the verdict part is the same, byte for byte.
func (a *Audit) JudgeChain(id record.ID) (*chain.Judgement, error) {
	_, j, err := a.Chain(id)
	return j, err
}

// Chain returns the chain of one record, and its judgement.
func (a *Audit) Chain(id record.ID) (*chain.Chain, *chain.Judgement, error) {
	l := a.chains
	if l == nil || l.over {
		return nil, nil, ErrTooLarge
	}
	if l.links == nil {
		l.links = newLinks()
	}
	for ; l.linked < len(l.entries); l.linked++ {
		k := &l.entries[l.linked]
		e, ok := k.parse()
		if ok && e.Opaque == chain.Readable {
			l.links.add(k.id, e.Record.Msg)
		} else {
			l.links.add(k.id, nil)
		}
	}
	in := l.links.chain([]record.ID{id})
	if len(in) == 0 {
		return nil, nil, fmt.Errorf("record %s is not in the log", id)
	}
	group := make([]int32, 0, len(in))
	for id := range in {
		group = append(group, l.at[id])
	}
	slices.Sort(group)
	c, j := a.judgeGroup(authority.New(a.registry, a.store), group)
	return c, j, nil
}

func (a *Audit) judgeGroup(s *authority.State, group []int32) (*chain.Chain, *chain.Judgement) {
	var entries []chain.Entry
	elsewhere := map[record.ID]int64{}
	faults := a.chains.faults
	for _, i := range group {
		k := &a.chains.entries[i]
		e, ok := k.parse()
		if !ok {
			continue // the audit has read it
		}
		entries = append(entries, e)
		for _, up := range k.up {
			if at, here := a.chains.at[up]; here {
				elsewhere[up] = a.chains.entries[at].index
			}
		}
	}
	hand := chain.Hand{Source: chain.FromLog, Log: a.chains.log, Uses: a.report.FaultCount == 0}
	c := chain.Build(entries, elsewhere, a.registry.Genesis().GetPolicy())
	return c, chain.Judge(c, chain.Basis{
		Registry: a.registry, Authority: s, Size: a.report.Entries, Time: a.report.LastTime, Faults: faults, Hand: hand})
}
