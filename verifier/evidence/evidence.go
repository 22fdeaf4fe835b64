// Package evidence is the file that is handed to an auditor: what is needed to
// judge one or several chains of a log without the log.
//
// A bundle holds, under one checkpoint of the log,
//
//   - entries, as the exact bytes of their leaves, and of a withheld entry the
//     leaf hash alone;
//   - one proof that all these leaves stand in the tree, without a hash that
//     the reader could compute: see [ProveLeaves];
//   - the registry: all entries that bind identities, up to the highest entry
//     of the file, or a [Reference] to a registry that the reader holds;
//   - contents of records, and users' tokens, as far as they are disclosed;
//   - the [Scope]: what the bundle's maker says that it is about.
//
// [Read] is strict: every file that it accepts is, byte for byte, what
// [Bundle.WriteTo] writes. That a file can be read says nothing of its truth;
// [Bundle.Verify] does, with a log key that the reader has from elsewhere. A
// bundle never brings its own trust root.
//
// Everything in a file is held by something:
//
//   - the checkpoint by the log's signature;
//   - leaves, withheld ones too, and the hashes of the proof by the root in the
//     checkpoint;
//   - what is in an entry by its author's signature, and by the log for the
//     stamp;
//   - the registry by the stamp that each entry carries over the registry
//     before it: a registry with one revocation left out fits no later entry;
//   - contents and tokens by commitments and digests in signed records.
//
// What is left is the word of the bundle's maker, and named so: the scope, and
// the record id and party of a withheld entry. Cosignatures are checked if the
// reader names the witnesses.
//
// The layout is specified byte by byte in docs/evidence.md. Nothing here reads
// a clock, opens a file or a connection.
package evidence

import (
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Bundle is a parsed evidence file. It is read-only once made, and then safe
// for use by several goroutines.
type Bundle struct {
	// Checkpoint is the signed note, with all its signatures, as the log and
	// its witnesses made it.
	Checkpoint []byte
	// Scope is asserted by the bundle's maker.
	Scope Scope
	// Reference stands in place of the registry's entries. Without it, they
	// are all among the leaves, up to the highest leaf that is shown.
	Reference *Reference
	// Leaves by ascending index: at least one.
	Leaves []Leaf
	// Proof joins the leaves to the checkpoint's root: see [ProveLeaves].
	Proof []tree.Hash
	// Contents by ascending index, then by ascending commitment.
	Contents []Content
	// Tokens by ascending index.
	Tokens []Token
}

// Scope is what a bundle is about, in the words of its maker. Nothing proves
// it: that the records asked for are in the file is checked, that no others
// match an expression is not.
type Scope struct {
	// Asked are the records that were asked for, by ascending id.
	Asked []record.ID
	// Where is the expression by which records were chosen, if they were.
	Where string
	// Claim is what the maker says of completeness, such as "these 3 of
	// 1,204 entries are all that match".
	Claim string
}

// Reference says which registry a bundle stands on: the first Count entries
// of the log's registry, whose leaf hashes have this RFC 6962 root.
type Reference struct {
	Count int64
	Root  tree.Hash
}

// Leaf is one leaf of the tree.
type Leaf struct {
	Index int64
	// Raw is the entry; nil if it is withheld.
	Raw []byte
	// Registry says that the entry is part of the registry. Entries of a newer
	// version do not show it by themselves; the stamps of later entries do.
	Registry bool
	// Withheld is set where the reader may not see the entry.
	Withheld *Withheld
}

// Hash returns the leaf hash.
func (l *Leaf) Hash() tree.Hash {
	if l.Withheld != nil {
		return l.Withheld.Hash
	}
	return tree.LeafHash(l.Raw)
}

// Withheld is what a bundle has of an entry that it does not show. The hash is
// proven to stand in the tree. The rest serves to link and to display, and is
// asserted: a bundle whose maker names a wrong record here makes a reader
// leave more unjudged, and never less.
type Withheld struct {
	Hash tree.Hash
	// AssertedID is the id of the record.
	AssertedID record.ID
	// AssertedParty is the id of the operator whose record it is; empty if it
	// is nobody's or not told.
	AssertedParty string
}

// Content opens one commitment of the record at Index.
type Content struct {
	Index int64
	Salt  [record.SaltSize]byte
	Data  []byte
}

// Commitment returns what the content opens.
func (c *Content) Commitment() [record.CommitmentSize]byte { return record.Commit(c.Salt[:], c.Data) }

// Token is the user's token that travelled beside the record at Index, in its
// compact form.
type Token struct {
	Index int64
	Text  string
}

// Shown returns the leaf of an entry that is shown.
func Shown(index int64, raw []byte) Leaf {
	l := Leaf{Index: index, Raw: raw}
	if e, err := entry.Parse(raw); err == nil {
		if r, err := record.Parse(e.Envelope); err == nil {
			l.Registry = registry.Concerns(r)
		}
	}
	return l
}

// Prove computes the bundle's proof, for the tree of its checkpoint.
func (b *Bundle) Prove(read tree.NodeReader) error {
	cp, _, err := openCheckpoint(b.Checkpoint)
	if err != nil {
		return err
	}
	b.Proof, err = ProveLeaves(cp.Size, indices(b.Leaves), read)
	return err
}

func indices(leaves []Leaf) []int64 {
	is := make([]int64, len(leaves))
	for i := range leaves {
		is[i] = leaves[i].Index
	}
	return is
}
