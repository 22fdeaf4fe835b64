package evidence

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

// Magic begins every file of every version. The byte after it is the version.
const Magic = "ONUS-EV"

// Version is the format that this package reads and writes.
const Version = 1

// Bounds of the format.
const (
	// MaxAsked is the most records that a scope may name.
	MaxAsked = 65_536
	// MaxWords is the most bytes of each text of a scope.
	MaxWords = 4096
	// MaxToken is the most bytes of a token, as in package credential.
	MaxToken = 16 << 10
)

// The sections, in the order of the file.
const (
	secCheckpoint = 1 + iota
	secScope
	secRegistry
	secLeaves
	secProof
	secContents
	secTokens
)

var sectionNames = map[byte]string{
	secCheckpoint: "checkpoint", secScope: "scope", secRegistry: "registry", secLeaves: "entries",
	secProof: "proof", secContents: "contents", secTokens: "tokens",
}

// Where the registry is.
const (
	registryHere     = 1
	registryReferred = 2
)

// The kinds of leaves.
const (
	leafShown    = 1
	leafRegistry = 2
	leafWithheld = 3
)

// maxScope is the most bytes that a scope takes.
const maxScope = 4 + MaxAsked*len(record.ID{}) + 2*(2+MaxWords)

// ErrVersion is for a whole file of a version that is not known here. It is
// wrapped. Nothing of the file was judged.
var ErrVersion = errors.New("evidence file has a version that is not known here")

// FormatError says that a file is not an evidence file, or no longer the one
// that was made: the evidence is broken.
type FormatError struct {
	// Offset is where in the file reading stopped; -1 for a bundle that is not
	// in a file yet.
	Offset int64
	// Section is what the file has there, such as "entries"; empty at its
	// begin and end.
	Section string
	Detail  string
}

func (e *FormatError) Error() string {
	where := "the evidence"
	if e.Section != "" {
		where += "'s section of " + e.Section
	}
	if e.Offset < 0 {
		return where + ": " + e.Detail
	}
	return fmt.Sprintf("%s, byte %d: %s: get the file again from who made it", where, e.Offset, e.Detail)
}

// LimitError says that a whole file is larger than the reader allowed. Nothing
// of it was judged.
type LimitError struct {
	// What is the section that is too large, Size its size in bytes or, for
	// the number of entries, at least its count.
	What        string
	Size, Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the evidence has %s of size %d, and the limit is %d: raise the limit, or ask for fewer records", e.What, e.Size, e.Limit)
}

// What follows are the rules of the format. The reader holds each item to
// them as it comes, the writer before it begins.

// openCheckpoint reads a signed note, without a key.
func openCheckpoint(signed []byte) (tree.Checkpoint, []note.Signature, error) {
	if len(signed) > tree.MaxCheckpoint {
		return tree.Checkpoint{}, nil, fmt.Errorf("a signed checkpoint has at most %d bytes, this has %d", tree.MaxCheckpoint, len(signed))
	}
	_, err := note.Open(signed, note.VerifierList())
	var n *note.UnverifiedNoteError
	if !errors.As(err, &n) {
		return tree.Checkpoint{}, nil, errors.New("the checkpoint is not a signed note")
	}
	cp, err := tree.ParseCheckpoint(n.Note.Text)
	if err != nil {
		return tree.Checkpoint{}, nil, err
	}
	return cp, n.Note.UnverifiedSigs, nil
}

func checkScope(s *Scope) error {
	if len(s.Asked) > MaxAsked {
		return fmt.Errorf("%d records are asked for, at most %d are allowed", len(s.Asked), MaxAsked)
	}
	for i := range s.Asked {
		if i > 0 && bytes.Compare(s.Asked[i-1][:], s.Asked[i][:]) >= 0 {
			return fmt.Errorf("record %s does not come after %s", s.Asked[i], s.Asked[i-1])
		}
	}
	for _, text := range []string{s.Where, s.Claim} {
		if why := checkWords(text); why != "" {
			return errors.New("a text " + why)
		}
	}
	return nil
}

// checkWords: the maker's words are shown in terminals and pages, so nothing
// in them may move a cursor or turn the direction of writing.
func checkWords(s string) string {
	if len(s) > MaxWords {
		return fmt.Sprintf("has %d bytes, at most %d are allowed", len(s), MaxWords)
	}
	if !utf8.ValidString(s) {
		return "is not UTF-8"
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("holds %U, which does not print", r)
		}
	}
	return ""
}

func checkReference(r *Reference) error {
	if r != nil && r.Count < 1 {
		return fmt.Errorf("the registry has %d entries; it has at least the genesis", r.Count)
	}
	return nil
}

// checkLeaf holds a leaf to its place: after the index last (-1: it is the
// first), in a tree of that size.
func checkLeaf(l *Leaf, last, size int64, ref *Reference) error {
	switch {
	case l.Index <= last:
		return fmt.Errorf("index %d does not come after %d", l.Index, last)
	case l.Index >= size:
		return fmt.Errorf("index %d is not in the checkpoint's tree of %d entries", l.Index, size)
	case last < 0 && ref == nil && !(l.Index == 0 && l.Registry):
		return errors.New("the registry is in this file and does not begin with the genesis")
	}
	if w := l.Withheld; w != nil {
		switch {
		case l.Registry:
			return fmt.Errorf("entry %d is withheld and of the registry, which is shown whole", l.Index)
		case len(l.Raw) > 0:
			return fmt.Errorf("entry %d is withheld and shown", l.Index)
		case w.AssertedID.IsZero():
			return fmt.Errorf("entry %d is withheld without a record id", l.Index)
		case w.AssertedParty != "" && !record.IsOperatorID(w.AssertedParty):
			return fmt.Errorf("entry %d is withheld for what is not an operator", l.Index)
		}
		return nil
	}
	if n := len(l.Raw); n == 0 || n > entry.MaxSize {
		return fmt.Errorf("entry %d has %d bytes", l.Index, n)
	}
	return nil
}

// checkContent holds a content to its place, after the one before it. sum is
// its commitment.
func checkContent(leaves []Leaf, index, last int64, sum, lastSum [record.CommitmentSize]byte) error {
	if index < last || index == last && bytes.Compare(lastSum[:], sum[:]) >= 0 {
		return fmt.Errorf("a content of entry %d is out of order", index)
	}
	if !isShown(leaves, index) {
		return fmt.Errorf("a content is of entry %d, which the file does not show", index)
	}
	return nil
}

func checkToken(leaves []Leaf, t *Token, last int64) error {
	switch {
	case t.Index <= last:
		return fmt.Errorf("the token of entry %d does not come after that of %d", t.Index, last)
	case !isShown(leaves, t.Index):
		return fmt.Errorf("a token is of entry %d, which the file does not show", t.Index)
	case len(t.Text) == 0 || len(t.Text) > MaxToken:
		return fmt.Errorf("the token of entry %d has %d bytes", t.Index, len(t.Text))
	}
	return nil
}

func find(leaves []Leaf, index int64) (int, bool) {
	return slices.BinarySearchFunc(leaves, index, func(l Leaf, i int64) int { return cmp.Compare(l.Index, i) })
}

func isShown(leaves []Leaf, index int64) bool {
	i, ok := find(leaves, index)
	return ok && leaves[i].Withheld == nil
}

// check holds a bundle that was made in memory to all rules of the format.
func (b *Bundle) check() error {
	bad := func(section byte, err error) error {
		return &FormatError{Offset: -1, Section: sectionNames[section], Detail: err.Error()}
	}
	cp, _, err := openCheckpoint(b.Checkpoint)
	if err != nil {
		return bad(secCheckpoint, err)
	}
	if err := checkScope(&b.Scope); err != nil {
		return bad(secScope, err)
	}
	if err := checkReference(b.Reference); err != nil {
		return bad(secRegistry, err)
	}
	last := int64(-1)
	for i := range b.Leaves {
		if err := checkLeaf(&b.Leaves[i], last, cp.Size, b.Reference); err != nil {
			return bad(secLeaves, err)
		}
		last = b.Leaves[i].Index
	}
	n, err := ProofLen(cp.Size, indices(b.Leaves))
	if err != nil {
		return bad(secLeaves, err)
	}
	if n != len(b.Proof) {
		return bad(secProof, fmt.Errorf("the proof for these entries has %d hashes, this has %d", n, len(b.Proof)))
	}
	last = -1
	var lastSum [record.CommitmentSize]byte
	for i := range b.Contents {
		c := &b.Contents[i]
		sum := c.Commitment()
		if err := checkContent(b.Leaves, c.Index, last, sum, lastSum); err != nil {
			return bad(secContents, err)
		}
		last, lastSum = c.Index, sum
	}
	last = -1
	for i := range b.Tokens {
		if err := checkToken(b.Leaves, &b.Tokens[i], last); err != nil {
			return bad(secTokens, err)
		}
		last = b.Tokens[i].Index
	}
	return nil
}
