// Package desk keeps what a compliance team asks of a whole log: which chains
// there are, how they came out, what was found, who answers, what is still
// open, and which agents have fallen silent.
//
// A case is what came of one root: a record without a parent, or whose parent
// is not in the log, and all that descends from it by parent links. Package
// verifier/chain judges; the desk asks it for each case, keeps a summary, and
// asks again when the log has something new about the case. What it says is as
// of a size of the log: [Desk.AsOf].
//
// Everything here is derived. It lies in a database of its own beside the
// ledger's, without syncs, and is made again from the log where it is missing,
// of another version of the rules, or of another log.
//
// Questions are answered by a scan over all cases in memory, a few hundred
// bytes each. That was measured against posting lists: with a hundred thousand
// cases a scan takes a few milliseconds, whatever is asked, and it cannot be
// out of step with the cases.
package desk

import (
	"context"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Log is the log that a desk reads: that of a running ledger, or one out of a
// file. All methods are safe for concurrent use.
type Log interface {
	// Origin is the log's name.
	Origin() string
	// Size returns how many entries there are, all of them durable.
	Size() int64
	// Wait returns nil when the log has more than size entries, or ctx's error.
	Wait(ctx context.Context, size int64) error
	// Entry returns one entry. Where the log does not show it (a file may
	// withhold or leave out entries) the error wraps [ErrNotShown].
	Entry(index int64) (chain.Entry, error)
	// Index returns where a record stands, or an error that wraps
	// [ErrNotFound].
	Index(id record.ID) (int64, error)
	// Judge gathers the chain of a record and judges it, as of a size of the
	// log that is at least the one that Size returned before the call.
	Judge(id record.ID) (*Judged, error)
	// Registry is the history of bindings, to be asked about indices up to
	// Size only.
	Registry() *registry.Registry
}

// Judged is a chain, and who answers for its actions.
type Judged struct {
	Chain *chain.Chain
	// Judgement is nil for a chain that is too large to be judged.
	Judgement *chain.Judgement
	// Cut: the chain goes on beyond what is in Chain.
	Cut bool
	// Size is that of the log judged as of, Time the log time of its last
	// entry.
	Size, Time int64
}

// Case is one case, in summary. All times are log times in milliseconds since
// 1970.
type Case struct {
	Root      record.ID
	RootIndex int64
	// First and Last are the times of the oldest and the newest record.
	First, Last      int64
	Records, Actions int
	// Title says in a few words what it is about, from what can be compared:
	// operations and resources, never free text. It is foreign text all the
	// same.
	Title   string
	Outcome chain.Outcome
	// TooLarge: it is not judged, and has no outcome.
	TooLarge bool
	// Unjudged says why it could not be judged; empty if it was. Its outcome is
	// "evidence broken" then if the log is damaged there, with a finding
	// BROKEN_ENTRY, and else "not judged here". It has no counts, and its other
	// findings are those of the last time that it could be judged.
	Unjudged string
	// Counts are the numbers of actions by outcome, the worst first.
	Counts []chain.Count
	// Findings are what was found, without coverage: the gravest first.
	Findings []Finding
	// First to answer for what is worst in it, for people: unit and post.
	Answers string
	// User and Session are pseudonyms; empty if no user asked.
	User, Session string
	// Agents, Operators and Subjects are who took part and who was touched:
	// classes, units, pseudonyms. Operations are "type:action", Resources
	// locations or location#identifier, as the ledger lists them.
	Agents, Operators, Subjects, Operations, Resources, DataTypes []string
	// Amounts are the sums per unit over what was done, decimals.
	Amounts []Amount
	// Review is the newest of the case as a whole; nil if there is none.
	Review *Review
	// AsOf is the size of the log that it was judged as of.
	AsOf int64
}

// Amount is a sum: a decimal, and its unit.
type Amount struct{ Sum, Unit string }

// Finding is one finding of a case.
type Finding struct {
	Code     string
	Severity chain.Severity
	Kind     chain.Kind
	// Index is the entry that it is about, Record its id, Time its log time.
	Index  int64
	Record record.ID
	Time   int64
	// Who must answer for it: the party, and its unit and post, for people.
	// Agent is set where that party is an agent class.
	Who, Agent string
	// Review is the newest of this finding, else of its case; nil if there is
	// none.
	Review *Review
}

// Review is what an officer said of a case or a finding.
type Review struct {
	Index       int64
	Record      record.ID
	Time        int64
	Disposition onusv1.Disposition
	// By is the officer's pseudonym, or the reviewer's name; Assignee a
	// pseudonym. Either may be empty.
	By, Assignee string
}

// Open reports whether a matter still waits for somebody: never reviewed, open,
// or escalated.
func (r *Review) Open() bool {
	return r == nil || r.Disposition == onusv1.Disposition_DISPOSITION_OPEN || r.Disposition == onusv1.Disposition_DISPOSITION_ESCALATED
}
