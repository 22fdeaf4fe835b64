package evidence

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Registry is the registry of a log as a bundle had it: who is bound to which
// key, and the hashes by which the stamps of entries are compared with it. It
// comes from [Bundle.Verify]; kept, it serves bundles that only refer to it.
type Registry struct {
	history *registry.Registry
	// rows are the registry entries in log order, frontier is over them.
	rows     []registryRow
	frontier *tree.Frontier
	// unjudged are the indices of entries whose binding is not known here: of
	// a newer version, or broken.
	unjudged []int64
	// key is the log key of the reader under which all this stands; zero where
	// the bundle was not anchored.
	key tree.LogKey
	// sound says that no fault was found in the bundle.
	sound bool
}

type registryRow struct {
	index      int64
	leaf, root tree.Hash // root is that of the rows to this one
}

func newRegistry() *Registry {
	return &Registry{history: registry.New(), frontier: tree.NewFrontier()}
}

// History answers who was bound to which key, and what was revoked.
func (g *Registry) History() *registry.Registry { return g.history }

// Count returns the number of registry entries.
func (g *Registry) Count() int64 { return int64(len(g.rows)) }

// Root returns the RFC 6962 root over the first entries of that count, which
// is at most [Registry.Count]: what a [Reference] holds.
func (g *Registry) Root(count int64) tree.Hash {
	if count == 0 {
		return tree.Empty
	}
	return g.rows[count-1].root
}

// NotJudgedBefore reports whether the registry holds, before that index, an
// entry that this version cannot judge. What was in force may then have been
// changed by it.
func (g *Registry) NotJudgedBefore(index int64) bool {
	return len(g.unjudged) > 0 && g.unjudged[0] < index
}

func (g *Registry) before(index int64) (int64, bool) {
	n, found := slices.BinarySearchFunc(g.rows, index, func(r registryRow, i int64) int { return cmp.Compare(r.index, i) })
	return int64(n), found
}

// addRow appends the entry to what the stamps are over.
func (g *Registry) addRow(index int64, leaf tree.Hash) {
	g.frontier.Append(leaf, nil)
	g.rows = append(g.rows, registryRow{index, leaf, g.frontier.Root()})
}

// has reports whether that leaf is the registry's entry at that index.
func (g *Registry) has(index int64, leaf tree.Hash) bool {
	n, found := g.before(index)
	return found && g.rows[n].leaf == leaf
}

// checkStamp holds the stamp of the entry at that index to the registry; it
// returns what is wrong, or "".
func (g *Registry) checkStamp(index int64, s *entry.Stamp) string {
	count, _ := g.before(index)
	switch root := g.Root(count); {
	case s.RegistryCount > count:
		return fmt.Sprintf("the log stamped it with %d registry entries before it, and %d are in hand: what is missing may be a revocation",
			s.RegistryCount, count)
	case s.RegistryCount < count:
		return fmt.Sprintf("the log stamped it with %d registry entries before it, and %d are in hand", s.RegistryCount, count)
	case s.RegistryRoot != root:
		return fmt.Sprintf("the log stamped it with the registry root %s, and the %d entries in hand give %s", s.RegistryRoot, count, root)
	}
	return ""
}

// add folds in what a registry entry binds, after its signature held.
func (g *Registry) add(r *record.Record, index int64, leaf tree.Hash, s *entry.Stamp) error {
	return g.history.Add(r, index, leaf, s)
}

// RegistryNeededError says that a bundle refers to a registry that the reader
// did not give. Nothing was judged.
type RegistryNeededError struct {
	Reference Reference
	// Why says what is wrong with the registry that was given, if one was.
	Why string
}

func (e *RegistryNeededError) Error() string {
	why := "none was given"
	if e.Why != "" {
		why = e.Why
	}
	return fmt.Sprintf("the evidence refers to the log's registry of %d entries with root %s, and %s: give that registry, or ask for a bundle that holds it",
		e.Reference.Count, e.Reference.Root, why)
}

// serves reports what keeps a registry that the reader holds from being the
// one that is referred to, or "". That it is another registry than the log's
// is for the stamps to show.
func (g *Registry) serves(ref *Reference, key tree.LogKey) string {
	switch {
	case !g.sound:
		return "the one that was given is broken"
	case !key.IsZero() && g.key.String() != key.String():
		return "the one that was given was not checked with the log key that is given now"
	case g.Count() < ref.Count:
		return fmt.Sprintf("the one that was given has %d", g.Count())
	}
	return ""
}
