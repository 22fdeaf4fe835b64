package verifier

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/onus-ledger/onus/verifier/entry"
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
	NotJudged       = "NOT_JUDGED"
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
// the root over all. Entries are added in order, in chunks; each chunk is
// spread over all processors. Memory does not grow with the log, save for the
// ids up to [MaxIDs] and the registry.
//
// An Audit is used by one goroutine.
type Audit struct {
	registry *registry.Registry
	frontier *tree.Frontier
	logTime  int64
	ids      map[[16]byte]struct{}
	report   Report
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
	// Faults are the first ones; FaultCount counts all.
	Faults     []Fault
	FaultCount int64
	// NotJudged counts entries of a layout or a record version that is not
	// known here. Their hashes were checked.
	NotJudged int64
	// IDsChecked is how many entries, from the first, were compared for
	// records that are logged twice.
	IDsChecked int64
	// Root is the root over the entries' bytes.
	Root tree.Hash
	// FirstTime and LastTime are the log times of the first and last entry.
	FirstTime, LastTime int64
}

// NewAudit begins an audit.
func NewAudit() *Audit {
	return &Audit{
		registry: registry.New(),
		frontier: tree.NewFrontier(),
		ids:      map[[16]byte]struct{}{},
		stride:   1,
		prefixes: []prefix{{0, tree.Empty}},
	}
}

// checked is what the parallel part finds out about one entry.
type checked struct {
	leaf tree.Hash
	e    *entry.Entry
	rec  *record.Record
	key  *registry.Binding
	err  error // layout or record
	sig  error
}

// Add checks the next entries.
func (a *Audit) Add(entries [][]byte) {
	cs := make([]checked, len(entries))
	parallel(len(entries), func(i int) {
		c := &cs[i]
		c.leaf = tree.LeafHash(entries[i])
		if c.e, c.err = entry.Parse(entries[i]); c.err == nil {
			c.rec, c.err = record.Parse(c.e.Envelope)
		}
	})
	// What depends on the order: bindings, stamps, time, root.
	for i := range cs {
		a.inOrder(&cs[i])
	}
	first := a.report.Entries - int64(len(entries))
	parallel(len(cs), func(i int) {
		if c := &cs[i]; c.key != nil {
			c.sig = c.rec.VerifySignature(c.key.Key)
		}
	})
	for i := range cs {
		if cs[i].sig != nil {
			a.fault(first+int64(i), BrokenSignature, cs[i].sig.Error())
		}
	}
}

func (a *Audit) inOrder(c *checked) {
	index := a.report.Entries
	a.report.Entries++
	switch {
	case errors.Is(c.err, entry.ErrVersion) && index > 0:
		a.report.NotJudged++
	case c.err != nil:
		a.fault(index, BrokenEntry, c.err.Error())
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

func (a *Audit) judge(c *checked, index int64) {
	s := &c.e.Stamp
	if index == 0 {
		a.report.FirstTime = s.LogTime
	}
	if s.LogTime < a.logTime {
		a.fault(index, LogTimeDisputed, fmt.Sprintf("log time %d is before the previous entry's %d", s.LogTime, a.logTime))
	}
	a.logTime = max(a.logTime, s.LogTime)
	a.report.LastTime = a.logTime

	if a.report.IDsChecked < MaxIDs && a.report.IDsChecked+a.report.NotJudged == index {
		short := [16]byte(c.rec.ID[:16])
		if _, twice := a.ids[short]; twice {
			a.fault(index, RecordTwice, "record "+c.rec.ID.String()+" stands in the log before")
		}
		a.ids[short] = struct{}{}
		a.report.IDsChecked++
	}

	count, root := a.registry.Stamp(index)
	if s.RegistryCount != count || s.RegistryRoot != root {
		a.fault(index, BrokenStamp, fmt.Sprintf("stamped with %d registry entries and root %s, the log has %d and %s",
			s.RegistryCount, s.RegistryRoot, count, root))
	}
	key, err := a.registry.Bound(c.rec, index)
	if err != nil {
		a.fault(index, KeyNotBound, err.Error())
		return
	}
	c.key = key
	if s.KeyEntry != key.Index {
		a.fault(index, BrokenStamp, fmt.Sprintf("stamped with key entry %d, but entry %d binds the key", s.KeyEntry, key.Index))
	}
	if registry.Concerns(c.rec) {
		// A registry entry counts only if its signature holds.
		if err := c.rec.VerifySignature(key.Key); err != nil {
			return // reported by Add
		}
		if err := a.registry.Add(c.rec, index, c.leaf); err != nil {
			a.fault(index, BrokenEntry, err.Error())
			return
		}
		a.report.RegistryEntries++
	}
}

func (a *Audit) fault(index int64, finding, detail string) {
	a.report.FaultCount++
	if len(a.report.Faults) < MaxFaults {
		a.report.Faults = append(a.report.Faults, Fault{index, finding, detail})
	}
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
	workers := min(runtime.GOMAXPROCS(0), n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}
