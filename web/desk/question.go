package desk

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// Query says which cases to find: those that match all that is set.
type Query struct {
	// Words must each occur in something that a case names: an id (a prefix
	// of one of eight characters or more finds its record's case), a party's
	// name or id, a unit, an operation, a resource, a data type, the title or
	// the code of a finding. Without regard to upper and lower case.
	Words []string
	// User, Session and Subject are pseudonyms.
	User, Session, Subject string
	// Agent is a class, Operator a unit's id: whoever took part.
	Agent, Operator string
	Outcome         chain.Outcome
	// Finding is a code; Severity finds that and what is graver.
	Finding  string
	Severity chain.Severity
	// Operation is "type:action", either side may be "*". Resource is a prefix
	// of a location or location#identifier.
	Operation, Resource, DataType string
	// AtLeast and AtMost bound the sum of a case in Unit: decimals, empty for
	// no bound. Unit is needed with them.
	AtLeast, AtMost, Unit string
	// Since and Before bound the time of the newest record, in milliseconds;
	// 0 means no bound.
	Since, Before int64
	// Open finds what still waits for somebody: cases that have an open finding
	// of severity warn or graver, or that are open as a whole and did not come
	// out within authority.
	Open bool
	// Disposition finds cases which, or a finding of which, stand so.
	Disposition onusv1.Disposition
	// Assignee is a pseudonym.
	Assignee string
	// Order is by the newest record unless it says otherwise.
	Order Order
}

// Order is that of what was found.
type Order string

// The orders.
const (
	Newest  Order = ""
	Oldest  Order = "oldest"
	Gravest Order = "gravest"
	Largest Order = "largest" // by number of records
)

// Found is a page of what was found.
type Found struct {
	Cases []*Case
	// Total is how many match, on all pages.
	Total int
	// Counts are the numbers of all that match by outcome, the worst first.
	Counts []chain.Count
	// Next gets the next page; empty on the last. It is bound to its query.
	Next string
	// AsOf is the size of the log that all of it is as of, and Behind how many
	// entries the log has beyond it.
	AsOf, Behind int64
}

// MaxPage is the most cases on a page.
const MaxPage = 200

// Period is a span of log time in milliseconds, the end exclusive. Zero at
// either side means no bound.
type Period struct{ From, To int64 }

// Overview is what a committee reads first.
type Overview struct {
	Period Period
	// AsOf and Behind are as in [Found].
	AsOf, Behind int64
	// Cases and Actions count what is in the period; Outcomes the cases by
	// outcome, the worst first, and Done the actions.
	Cases, Actions int
	Outcomes       []chain.Count
	Done           []chain.Count
	// Unjudged of these cases could not be judged: see [Case].
	Unjudged int
	// Damage is how many entries of the log, of any time, could not be taken
	// in, because they are damaged or could not be read: what they say is in no
	// case. Damaged are the first of them, at most 8.
	Damage  int
	Damaged []Damaged
	// Forged is how many reviews, of any time, were passed over: their signature
	// is not that of whom they name. They close nothing. ForgedAt are the first
	// of them, at most 8, and why.
	Forged   int
	ForgedAt []Damaged
	// Open are the findings and cases that still wait, by severity and age, as
	// of the end of the period: findings before it count too.
	Open []OpenCount
	// Oldest are the gravest and then oldest of the open findings, at most 8.
	Oldest []OpenFinding
	// Bins are the cases by outcome over time, equally wide, at most 60.
	Bins []Bin
	// Findings are the numbers by code, the gravest and most frequent first.
	Findings []CodeCount
	// Agents are those that acted in the period, or fell silent: those with
	// the gravest and most findings first.
	Agents []AgentSummary
}

// OpenCount is how many findings of a severity are open, by age: younger than
// a day, a week, a month (30 days), and older.
type OpenCount struct {
	Severity chain.Severity
	Ages     [4]int
}

// OpenFinding is a finding that waits, and its case.
type OpenFinding struct {
	Finding
	Case record.ID
	// Title is the case's.
	Title string
}

// Damaged is an entry that could not be taken in, and why.
type Damaged struct {
	Index  int64
	Reason string
}

// Bin is the cases whose newest record is in [From, To).
type Bin struct {
	From, To int64
	Counts   []chain.Count
}

// CodeCount is how often something was found.
type CodeCount struct {
	Code     string
	Severity chain.Severity
	Found    int
	// Open of these still wait.
	Open int
}

// AgentSummary is what there is to say of an agent class.
type AgentSummary struct {
	Agent, Name, Operator string
	// Cases and Actions that it had part in, in the period.
	Cases, Actions int
	// Findings that it must answer for, by severity, in the period.
	Findings map[chain.Severity]int
	// FirstSeen and LastSeen are the log times of its oldest and newest record.
	FirstSeen, LastSeen int64
	// Silent: it used to record and has stopped: for more than a day, and for
	// more than five times the longest pause that it had made in the month
	// before.
	Silent bool
	// Recorded of Expected: of the actions by it that the log shows to have
	// happened (its own records, and what target services counter-recorded),
	// how many it recorded itself, with their outcome.
	Recorded, Expected int
}

// Party is what the desk knows of one agent, operator, user or subject.
type Party struct {
	Cases, Actions      int
	FirstSeen, LastSeen int64
	Findings            map[string]int
	Outcomes            []chain.Count
}
