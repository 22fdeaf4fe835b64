package verifier

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Fault is one thing that is wrong with an entry. It is a critical finding:
// the evidence is broken there.
type Fault struct {
	Index int64
	// Finding is the name of the finding, such as BROKEN_SIGNATURE.
	Finding string
	Detail  string
}

func (f Fault) String() string { return fmt.Sprintf("entry %d: %s: %s", f.Index, f.Finding, f.Detail) }

// The findings of an audit.
const (
	BrokenEntry     = "BROKEN_ENTRY"
	BrokenSignature = "BROKEN_SIGNATURE"
	KeyNotBound     = "KEY_NOT_BOUND"
	BrokenStamp     = "BROKEN_STAMP"
	LogTimeDisputed = "LOG_TIME_DISPUTED"
	RecordTwice     = "RECORD_LOGGED_TWICE"
	// NotAdmissible: a record that an honest ledger refuses for what the log
	// before it says, such as a revocation by who has not the right.
	NotAdmissible = "NOT_ADMISSIBLE"
	// UnpinnedKey is not a fault: see [Report.Unpinned].
	UnpinnedKey = "UNPINNED_KEY"
)

const (
	// MaxFaults is how many faults an audit keeps; it counts the rest.
	MaxFaults = 100
	// MaxIDs is how many record ids an audit remembers, to see one that is
	// logged twice. Each takes about 24 bytes.
	MaxIDs = 4 << 20
	// marks is how many prefix roots an audit keeps, to find a changed entry.
	marks = 4096
)

// Audit checks a log from its first entry to a checkpoint: every entry's
// layout, record, id, signature and key binding, its stamps, its time, and
// the root over all. Bindings, credentials, grants, revocations and what was
// used up of limits are derived again from the entries, as of each index.
// Entries are added in order, in chunks; each chunk is spread over all
// processors. Memory does not grow with the log, save for the ids up to
// [MaxIDs], the registry, and the grants with their uses.
//
// An Audit is used by one goroutine.
type Audit struct {
	registry  *registry.Registry
	authority *authority.State
	store     authority.Store
	// chains holds what is judged at the end; nil if nothing is.
	chains *logChains
	roots  *Roots
	// unpinned holds the trust domains and issuers' URLs whose newest entry in
	// the log has a key that the auditor did not pin.
	unpinned map[string]bool
	frontier *tree.Frontier
	logTime  int64
	ids      map[[16]byte]struct{}
	maxIDs   int
	// forgot says that a record's id found no place: what comes later is
	// compared with the ids that have one, no longer with all.
	forgot bool
	report Report
	// prefixes are the roots at multiples of stride, which doubles when they
	// are too many.
	prefixes []prefix
	stride   int64
}

type prefix struct {
	size int64
	root tree.Hash
}

// Report is what an audit saw.
type Report struct {
	Entries         int64
	RegistryEntries int64
	// Bindings counts the keys that were bound, by level: K0, K1, K2.
	// PinnedBindings counts those of them whose credential was checked against
	// roots that the auditor pinned; K0 has none.
	Bindings, PinnedBindings [3]int64
	// UserKeys counts those of K1 that rest on a user's token. The token is off
	// the log, so they are never among the pinned.
	UserKeys int64
	// Unpinned lists key sets and trust bundles that hold keys which the
	// auditor, who pinned that issuer or trust domain, did not pin: at most
	// [MaxFaults]. They are no faults: issuers rotate their keys. But what
	// rests on them rests on the host's word.
	Unpinned []Fault
	// Grants, Revocations and Uses count grants, revocations and use stamps.
	Grants, Revocations, Uses int64
	// UserTokens counts records with a user's token by the assurance that the
	// stamp claims: asserted, token checked, authority checked. The last two
	// are attested: the tokens are off the log.
	UserTokens [3]int64
	// Faults are the first ones; FaultCount counts all.
	Faults     []Fault
	FaultCount int64
	// NotJudged counts entries of a layout, a payload type or a record version
	// that is not known here. Their hashes were checked and, as far as they
	// could be read, their stamps, ids and signatures.
	NotJudged int64
	// StampsOff counts the entries whose stamp is not over the registry that
	// the log has before them. Only the first of them is a fault: a registry
	// entry that was changed spoils all stamps after it.
	StampsOff int64
	// ComparedTo is the index before which every record that could be read was
	// compared with every other, to see one that is logged twice. It is below
	// Entries only in a log of more than [MaxIDs] records.
	ComparedTo int64
	// Root is the root over the entries' bytes.
	Root tree.Hash
	// FirstTime and LastTime are the log times of the first and last entry.
	FirstTime, LastTime int64
}

// NewAudit begins an audit.
func NewAudit() *Audit { return NewPinnedAudit(&Roots{}) }

// NewPinnedAudit begins an audit that compares the issuers' keys and trust
// bundles in the log with those that the auditor has from elsewhere.
func NewPinnedAudit(roots *Roots) *Audit {
	reg, store := registry.New(), authority.NewMemory()
	return &Audit{
		registry:  reg,
		authority: authority.New(reg, store),
		store:     store,
		roots:     roots,
		unpinned:  map[string]bool{},
		frontier:  tree.NewFrontier(),
		ids:       map[[16]byte]struct{}{},
		maxIDs:    MaxIDs,
		stride:    1,
		prefixes:  []prefix{{0, tree.Empty}},
	}
}

// Add checks the next entries.
func (a *Audit) Add(entries [][]byte) {
	cs := make([]checked, len(entries))
	parallel(len(entries), func(i int) {
		cs[i].read(entries[i])
		// Nearly every key was bound before this chunk: its signatures are
		// checked here, on all processors. Which key it must be is decided in
		// order.
		cs[i].try(a.registry)
	})
	// What depends on the order: bindings, stamps, time, root.
	for i := range cs {
		a.inOrder(&cs[i])
		if a.chains != nil {
			a.chains.keep(&cs[i], a.report.Entries-1, entries[i])
		}
	}
}

func (a *Audit) inOrder(c *checked) {
	index := a.report.Entries
	a.report.Entries++
	if !a.forgot {
		a.report.ComparedTo = a.report.Entries
	}
	switch {
	case c.newer && index > 0:
		a.notJudged(c, index)
	case c.err != nil:
		a.fault(index, BrokenEntry, record.What(c.err))
	default:
		a.judge(c, index)
	}
	a.frontier.Append(c.leaf, nil)
	if size := a.frontier.Size(); size%a.stride == 0 {
		a.prefixes = append(a.prefixes, prefix{size, a.frontier.Root()})
		if len(a.prefixes) > marks {
			a.thin()
		}
	}
}

// thin keeps every second prefix.
func (a *Audit) thin() {
	kept := a.prefixes[:0]
	for _, p := range a.prefixes {
		if p.size%(2*a.stride) == 0 {
			kept = append(kept, p)
		}
	}
	a.prefixes, a.stride = kept, 2*a.stride
}

// Registry returns the registry as the log has it so far.
func (a *Audit) Registry() *registry.Registry { return a.registry }

// Report returns what was seen so far.
func (a *Audit) Report() Report {
	r := a.report
	r.Root = a.frontier.Root()
	return r
}

// Matches reports whether the entries are exactly those that the checkpoint
// commits to, by the log key that the auditor gave and that genesis names.
func (a *Audit) Matches(cp tree.Checkpoint, key tree.LogKey) error {
	if a.frontier.Size() != cp.Size {
		return fmt.Errorf("the checkpoint has %d entries, %d were read", cp.Size, a.frontier.Size())
	}
	if root := a.frontier.Root(); root != cp.Root {
		return fmt.Errorf("the entries give root %s, the signed checkpoint has %s", root, cp.Root)
	}
	if named := a.registry.LogKey(); !named.IsZero() && named.String() != key.String() {
		return fmt.Errorf("genesis names the log key %s, not the one given, %s", named, key)
	}
	return nil
}

// Locate narrows down where entries differ from a signed root, after
// [Audit.Matches] said that they do. consistent(size, root) says whether the
// log proves the prefix of that size and root to be its own; it is asked
// about log₂ 4,096 times. The first entry that differs is in [low, high).
func (a *Audit) Locate(consistent func(size int64, root tree.Hash) (bool, error)) (low, high int64, err error) {
	lo, hi := 0, len(a.prefixes) // prefixes[lo] is consistent, [hi] is not
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		ok, err := consistent(a.prefixes[mid].size, a.prefixes[mid].root)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			lo = mid
		} else {
			hi = mid
		}
	}
	high = a.frontier.Size()
	if hi < len(a.prefixes) {
		high = a.prefixes[hi].size
	}
	return a.prefixes[lo].size, high, nil
}

// parallel calls f(0) to f(n-1) on all processors.
func parallel(n int, f func(i int)) {
	parallelWith(n, func() struct{} { return struct{}{} }, func(_ struct{}, i int) { f(i) })
}

// parallelWith does the same, where each goroutine has something of its own.
func parallelWith[T any](n int, own func() T, f func(T, int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			mine := own()
			for i := w; i < n; i += workers {
				f(mine, i)
			}
		})
	}
	wg.Wait()
}
