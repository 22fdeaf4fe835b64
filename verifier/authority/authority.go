// Package authority says who may do what: which grant an action stands on,
// whether that grant covers it, what was used up of its limits, and whether a
// person approved.
//
// The log holds everything that decides this. A grant is a record; it names
// the grant that it was given under, and so on up to a root, which an operator
// or a user gave. This line is the grant path of whoever acts under the grant.
// Authority only shrinks along it: an action is covered when every grant on
// its path covers it, and the ceiling of every agent on the path too. A grant
// counts from its own index on, by the order of the log; whether it has
// expired is asked of the log time.
//
// The words:
//
//   - a limit is the number of an element in a grant's scope that has a total:
//     the element covers an action, or does not, by its fields alone;
//   - a use is an action that a limit or an approval counts. The entry of an
//     action carries a use stamp for each: the use before it, and the total
//     before it, so that a reader who holds the uses can add them up;
//   - a proposal is a decision that waits for a person; an approval or a
//     denial answers it;
//   - a finding is one thing to know about a record, by a stable name.
//
// A [State] is folded from the log, entry by entry, in log order, by the
// ledger when it gives stamps and by the auditor who checks them: both call
// this package, so both get the same. What it keeps are rows of a [Store]. A
// row that later entries change keeps its older versions, so that every question
// takes an index and is answered as the entries before it have it, also over
// rows of a newer log.
//
// Readings that are fixed here, where more than one was possible:
//
//   - The elements of a grant are alternatives. What one of them allows is
//     allowed, also where another covers it and has run out.
//   - A grant counts for the agent that it was given to. One that names
//     another's grant has none (GRANT_MISSING), and does not use it up. In the
//     same way a path ends, for counting, at a grant whose issuer does not
//     hold the one above it.
//   - Of several answers to equal proposals of one instance the latest tells
//     whether the thing itself is denied.
//   - A total counts what an element of a grant covers as it is written, what
//     it leaves out being open: whether the whole path covers it is another
//     question.
//   - A ceiling binds each agent on the path, not only the one that acts: what
//     an agent does not have it cannot pass on.
//   - An approval by a party that is revoked later stays valid, unless that party
//     is suspected since before it gave it.
//   - The revocation of a key ends the grants that were signed with it, as that
//     of any other party does: they are given anew with another key.
//   - The issuer's approval lets an action go beyond scope and limits. It does
//     not revive a grant that has expired or was revoked.
//
// Nothing here reads a clock, a file or the network.
package authority

import (
	"maps"
	"slices"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Store keeps the rows of a [State]. Keys are binary. A value that was put is
// found again, byte for byte, until another is put at its key.
type Store interface {
	Get(key string) ([]byte, bool)
	// Put may keep value; its caller does not change it.
	Put(key string, value []byte)
}

// Memory is a Store in memory.
type Memory map[string][]byte

// NewMemory returns an empty Store in memory, for an auditor.
func NewMemory() Store { return Memory{} }

// Get returns the value at key.
func (m Memory) Get(key string) ([]byte, bool) {
	v, ok := m[key]
	return v, ok
}

// Put sets the value at key.
func (m Memory) Put(key string, value []byte) { m[key] = value }

// Keys returns the keys in order.
func (m Memory) Keys() []string { return slices.Sorted(maps.Keys(m)) }

// State is what the log says about authority. One goroutine uses it; readers
// make their own over the same rows.
type State struct {
	reg   *registry.Registry
	store Store
	// grants holds grants that were read: a row of a grant never changes.
	grants map[record.ID]*Grant
}

// maxCached bounds the grants that are kept read.
const maxCached = 1024

// New returns the state that the rows of store hold. The registry must hold
// the entries of the same log, at least those before any index that is asked
// for; it may hold more.
func New(reg *registry.Registry, store Store) *State {
	return &State{reg: reg, store: store, grants: map[record.ID]*Grant{}}
}
