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
func NewAudit() *Audit {
	return &Audit{
		registry: registry.New(),
		frontier: tree.NewFrontier(),
		ids:      map[[16]byte]struct{}{},
		maxIDs:   MaxIDs,
		stride:   1,
		prefixes: []prefix{{0, tree.Empty}},
	}
}

// checked is what the parallel part finds out about one entry.
type checked struct {
	leaf tree.Hash
	e    *entry.Entry // nil if the layout could not be read
	id   record.ID
	rec  *record.Record // nil if the record could not be read
	err  error          // what could not be read
	// newer says that err may come from a version that is not known here.
	newer bool
	// named is the id of the key that a newer record names.
	named string
	// key is what the signature is checked with, once the order is known.
	key *registry.Binding
	sig error
}

// Add checks the next entries.
func (a *Audit) Add(entries [][]byte) {
	cs := make([]checked, len(entries))
	parallel(len(entries), func(i int) {
		cs[i].read(entries[i])
	})
	// What depends on the order: bindings, stamps, time, root.
	for i := range cs {
		a.inOrder(&cs[i])
	}
	first := a.report.Entries - int64(len(entries))
	parallel(len(cs), func(i int) {
		if c := &cs[i]; c.key != nil {
			c.sig = c.verify()
		}
	})
	for i := range cs {
		if cs[i].sig != nil {
			a.fault(first+int64(i), BrokenSignature, record.What(cs[i].sig))
		}
	}
}

// read finds out what an entry says by itself.
func (c *checked) read(raw []byte) {
	c.leaf = tree.LeafHash(raw)
	c.e, c.err = entry.Parse(raw)
	if c.err != nil {
		c.e = nil
		c.newer = errors.Is(c.err, entry.ErrVersion) || errors.Is(c.err, entry.ErrPayloadType)
		return
	}
	c.id = c.e.Envelope.ID()
	if c.rec, c.err = record.Parse(c.e.Envelope); !record.IsNewer(c.err) {
		return
	}
	named, err := record.NamedKey(c.e.Envelope)
	if err != nil {
		return // unknown fields, and broken besides
	}
	c.newer, c.named = true, named
}

// verify checks the signature with c.key.
func (c *checked) verify() error {
	if c.rec != nil {
		return c.rec.VerifySignature(c.key.Key)
	}
	if !c.key.Key.Verify(c.e.Envelope.PAE(), c.e.Envelope.Signature) {
		return errors.New("the signature of a record of a newer version does not verify with the key that it names")
	}
	return nil
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

// notJudged counts an entry of a newer version, and checks what of it this
// version can read. A key that is not known here is no fault: a newer version
// may have bound it in an entry that could not be judged either. The record's
// own rules, and whether the key may speak for the author, stay open.
func (a *Audit) notJudged(c *checked, index int64) {
	a.report.NotJudged++
	if c.e == nil {
		return
	}
	a.stamped(c, index)
	if c.key = a.registry.Key(c.named, index); c.key != nil {
		a.keyEntry(c, index)
	}
}

// stamped checks what the stamp of every entry of this layout says.
func (a *Audit) stamped(c *checked, index int64) {
	s := &c.e.Stamp
	if index == 0 {
		a.report.FirstTime = s.LogTime
	}
	if s.LogTime < a.logTime {
		a.fault(index, LogTimeDisputed, fmt.Sprintf("log time %d is before the previous entry's %d", s.LogTime, a.logTime))
	}
	a.logTime = max(a.logTime, s.LogTime)
	a.report.LastTime = a.logTime

	short := [16]byte(c.id[:16])
	if _, twice := a.ids[short]; twice {
		a.fault(index, RecordTwice, "record "+c.id.String()+" stands in the log before")
	} else if len(a.ids) < a.maxIDs {
		a.ids[short] = struct{}{}
	} else {
		a.forgot = true
	}

	count, root := a.registry.Stamp(index)
	if s.RegistryCount != count || s.RegistryRoot != root {
		// A registry entry that was changed spoils every stamp after it: the
		// first is a fault, the others follow from it.
		if a.report.StampsOff++; a.report.StampsOff == 1 {
			a.fault(index, BrokenStamp, fmt.Sprintf("stamped with %d registry entries and root %s, the log has %d and %s",
				s.RegistryCount, s.RegistryRoot, count, root))
		}
	}
}

func (a *Audit) keyEntry(c *checked, index int64) {
	if s := &c.e.Stamp; s.KeyEntry != c.key.Index {
		a.fault(index, BrokenStamp, fmt.Sprintf("stamped with key entry %d, but entry %d binds the key", s.KeyEntry, c.key.Index))
	}
}

func (a *Audit) judge(c *checked, index int64) {
	a.stamped(c, index)
	// This version's ledger checks no token and knows no grant, so it stamps
	// neither. Until the audit derives such a claim again from the log, one
	// that it cannot check is not let through: a host could make it up.
	if s := &c.e.Stamp; s.Assurance != 0 || s.User != "" || s.KeySetEntry != -1 || len(s.Uses) != 0 {
		a.fault(index, BrokenStamp, fmt.Sprintf("stamped with assurance %d of a user's word and %d uses of grants and approvals, which nothing in the log shows",
			s.Assurance, len(s.Uses)))
	}
	key, err := a.registry.Bound(c.rec, index)
	if err != nil {
		a.fault(index, KeyNotBound, record.What(err))
		return
	}
	c.key = key
	a.keyEntry(c, index)
	if registry.Concerns(c.rec) {
		// A registry entry counts only if its signature holds.
		if err := c.rec.VerifySignature(key.Key); err != nil {
			return // reported by Add
		}
		if err := a.registry.Add(c.rec, index, c.leaf); err != nil {
			a.fault(index, BrokenEntry, record.What(err))
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
