package evidence

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// State says how well something is known. The four are never blurred.
type State uint8

const (
	// Unchecked: there is nothing to check, or it could not be judged.
	Unchecked State = iota
	// Verified: checked here, by what is in hand.
	Verified
	// Attested: the ledger says that it checked.
	Attested
	// Asserted: somebody says so.
	Asserted
	// Broken: checked here, and it does not hold.
	Broken
)

var stateNames = [...]string{"unchecked", "verified", "attested", "asserted", "broken"}

// String returns the state's name.
func (s State) String() string { return stateNames[s] }

// Aspect is one thing that may be known of an entry.
type Aspect uint8

const (
	// Inclusion: the leaf stands in the checkpoint's tree.
	Inclusion Aspect = iota
	// Layout: the entry and its record can be read and obey the rules.
	Layout
	// RegistryStamp: the registry in hand is the one that the log had before
	// this entry.
	RegistryStamp
	// KeyBinding: the key was bound to the record's author at this index.
	KeyBinding
	// Signature: the author's.
	Signature
	// LogTime is the host's word; it does not run backwards.
	LogTime
	// UserWord: what the ledger checked of the user's token.
	UserWord
	// UseStamps: what was used up of limits and approvals before.
	UseStamps
	// Contents: those in the file open commitments of the record.
	Contents
	// TokenText: the user's token in the file is the one that the record
	// speaks of. Who signed it is not looked at here.
	TokenText
	// RecordID and PartyName are those of a withheld entry.
	RecordID
	PartyName

	aspects = iota
)

var aspectNames = [aspects]string{"inclusion", "layout", "registry stamp", "key binding", "signature", "log time",
	"user's word", "use stamps", "contents", "token", "record id", "party"}

// String names the aspect for people.
func (a Aspect) String() string { return aspectNames[a] }

// The findings of a bundle. Each is critical: the evidence is broken.
const (
	// BrokenCheckpoint: not signed by the log key that the reader gave or, of
	// a reader who gave none, that the genesis names.
	BrokenCheckpoint = "BROKEN_CHECKPOINT"
	// NotIncluded: the leaves do not lead to the checkpoint's root, or a
	// record that was asked for is not in the file.
	NotIncluded     = "NOT_INCLUDED"
	BrokenEntry     = "BROKEN_ENTRY"
	BrokenSignature = "BROKEN_SIGNATURE"
	KeyNotBound     = "KEY_NOT_BOUND"
	BrokenStamp     = "BROKEN_STAMP"
	LogTimeDisputed = "LOG_TIME_DISPUTED"
	RecordTwice     = "RECORD_LOGGED_TWICE"
	// NotAdmissible: a registry entry that an honest ledger refuses.
	NotAdmissible = "NOT_ADMISSIBLE"
	// PayloadMismatch: a content or a token is not what the record commits to.
	PayloadMismatch = "PAYLOAD_MISMATCH"
	// InconsistentLog: two registries that cannot both be the log's.
	InconsistentLog = "INCONSISTENT_LOG"
)

// MaxFaults is how many faults a result keeps; it counts the rest.
const MaxFaults = 100

// Fault is one thing that is wrong with the evidence.
type Fault struct {
	// Index is that of the entry; -1 for the file as a whole.
	Index int64
	// Finding is the name of the finding, such as BROKEN_SIGNATURE.
	Finding string
	Detail  string
}

func (f Fault) String() string {
	if f.Index < 0 {
		return f.Finding + ": " + f.Detail
	}
	return fmt.Sprintf("entry %d: %s: %s", f.Index, f.Finding, f.Detail)
}

// Result is what a bundle shows.
type Result struct {
	Checkpoint tree.Checkpoint
	// Anchored says that the reader's log key signed the checkpoint. Without
	// it the file at best agrees with itself: anybody can make such a file.
	Anchored bool
	// LogKey is what the checkpoint was checked with: the reader's key or, not
	// anchored, the one that the genesis names.
	LogKey tree.LogKey
	// Cosignatures are those by others than the log.
	Cosignatures []Cosignature
	// Scope is asserted by the bundle's maker.
	Scope Scope
	// Leaves are in the order of the bundle's.
	Leaves []Checked
	// Registry is the one in hand.
	Registry *Registry
	// RegistryProven: before this index, the registry in hand is the log's to
	// the last entry, by the stamp of a later one. What was registered or
	// revoked from it on is not known.
	RegistryProven int64
	// Withheld counts the entries that are not shown, NotJudged those that are
	// and whose layout, payload type, record or signing key is not known to
	// this version.
	Withheld, NotJudged int64
	// Faults are the first ones; FaultCount counts all.
	Faults     []Fault
	FaultCount int64

	checkpoint State
}

// Checked is what is known of one entry.
type Checked struct {
	Index int64
	// ID is the record's: computed from what was signed, or of a withheld
	// entry asserted. It is zero where the entry cannot be read.
	ID record.ID
	// Withheld entries have an index, an asserted id and maybe an asserted
	// Party, and nothing else. What depends on them is not judged.
	Withheld bool
	Party    string
	// NotJudged says why a shown entry was not judged; empty if it was.
	NotJudged string
	// Entry and Record are nil where they could not be read.
	Entry  *entry.Entry
	Record *record.Record
	// Key is the signing key's binding, if it was found.
	Key *registry.Binding
	// Contents that open a commitment, by commitment; nil if one does not.
	Contents map[[record.CommitmentSize]byte]*onusv1.Content
	// Token is the user's, if the record speaks of it.
	Token string

	states [aspects]State
}

// State returns how well that aspect is known.
func (c *Checked) State(a Aspect) State { return c.states[a] }

// Sound reports whether the entry was shown and judged, and nothing of it is
// broken. It says nothing of the file as a whole.
func (c *Checked) Sound() bool {
	if c.Withheld || c.NotJudged != "" {
		return false
	}
	for _, s := range c.states {
		if s == Broken {
			return false
		}
	}
	return true
}

// Cosignature is a line under the checkpoint by another than the log.
type Cosignature struct {
	Name    string
	KeyHash uint32
	// Signature is what follows the key hash. Of a cosignature/v1 it begins
	// with the time, in seconds since 1970. c2sp.org/tlog-cosignature.
	Signature []byte
	// Verified says that a witness whom the reader named made it; what others
	// signed is asserted.
	Verified bool
}

// BrokenError says that the evidence is broken.
type BrokenError struct {
	Faults []Fault // the first ones: at least one
	Count  int64   // of all
}

func (e *BrokenError) Error() string {
	s := "the evidence is broken: " + e.Faults[0].String()
	if e.Count > 1 {
		s += fmt.Sprintf(" (and %d more)", e.Count-1)
	}
	return s
}

// NotAnchoredError says that a file agrees with itself, and that no log key of
// the reader's shows whose it is.
type NotAnchoredError struct {
	// Named is the key that the file's own genesis names.
	Named tree.LogKey
}

func (e *NotAnchoredError) Error() string {
	return fmt.Sprintf("the evidence agrees with itself, but nothing shows that it is of the log %s: get the log's key from who runs it, and give it", e.Named.Origin())
}

// Err returns nil for genuine evidence, a *[BrokenError] for what is broken,
// and a *[NotAnchoredError] for what agrees with itself and is not anchored.
func (r *Result) Err() error {
	switch {
	case r.FaultCount > 0:
		return &BrokenError{r.Faults, r.FaultCount}
	case !r.Anchored:
		return &NotAnchoredError{r.LogKey}
	}
	return nil
}

// Statement is one line of what a bundle shows.
type Statement struct {
	State State
	// Index is that of the entry; -1 for the file as a whole.
	Index int64
	// What is said, such as "signature".
	What string
}

// Statements lists all that the result says, the file's own first, then by
// index. What was not checked is left out.
func (r *Result) Statements() []Statement {
	var all []Statement
	add := func(s State, index int64, what string) {
		if s != Unchecked {
			all = append(all, Statement{s, index, what})
		}
	}
	add(r.checkpoint, -1, "checkpoint")
	for _, c := range r.Cosignatures {
		s := Asserted
		if c.Verified {
			s = Verified
		}
		add(s, -1, "cosignature of "+c.Name)
	}
	if r.RegistryProven > 0 {
		add(Verified, -1, fmt.Sprintf("registry before entry %d", r.RegistryProven))
	}
	if len(r.Scope.Asked) > 0 || r.Scope.Where != "" || r.Scope.Claim != "" {
		add(Asserted, -1, "scope")
	}
	for i := range r.Leaves {
		for a := range Aspect(aspects) {
			add(r.Leaves[i].states[a], r.Leaves[i].Index, a.String())
		}
	}
	return all
}
