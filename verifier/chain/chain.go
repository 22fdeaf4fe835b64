// Package chain says how records hang together: who asked for what, what came
// of it, and what is missing.
//
// A chain goes from a record up its parent links to the root, or to the last
// record found; it holds all that descends from that root by parent links,
// and the records that name one of these as a cause, each with its own
// descendants. Parent links are the chain of responsibility and form a tree;
// causes explain, and form a graph beside it. Both are ids, hashes over the
// record that they name, so neither can form a cycle.
//
// [Judge] then says of every action in it which parties answer for it, in what
// role, and what is wrong with the evidence: docs/attribution.md is its
// specification. The rules have a version, [RuleVersion].
//
// The words:
//
//   - the path of a record is the line of parent links above it, as far as
//     they count; it leads to an intent or to a trigger, or ends before;
//   - the deciding agent of an action is who signed the nearest decision on its
//     path, its own record included;
//   - what a user asked for, in terms that can be compared and in words that
//     count as the user's, is an implicit grant;
//   - a finding is one thing to know about a record, by a stable name; a
//     verdict is the first line of the table that an action's findings and its
//     path match.
//
// Both are pure: the same entries give the same chain and the same verdicts, in
// whatever order they come.
package chain

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Entry is one entry of the log, as a chain needs it.
type Entry struct {
	Index int64
	// LogTime is in milliseconds since 1970.
	LogTime int64
	Record  *record.Record
	// Stamp is the ledger's part of the entry. [Judge] needs it; nil stands for
	// a stamp in which the ledger says nothing.
	Stamp *entry.Stamp
	// Opaque says why the record cannot be read here. Of an opaque record only
	// the id, the author and the links are used, for the shape of the chain.
	Opaque Opaque
}

// Opaque says why a record cannot be read.
type Opaque int

// The reasons.
const (
	// Readable: it can be read.
	Readable Opaque = iota
	// Withheld: its maker did not show it. Author and links are the maker's
	// word.
	Withheld
	// Newer: it has a format that this version does not know.
	Newer
)

// Chain is a chain's structure.
type Chain struct {
	// Roots are the topmost records: one, unless the entries come from
	// several chains. Records that are reached by a cause alone are roots too.
	Roots []*Node
	// Nodes are all records in log order.
	Nodes []*Node
	// Missing are the records that these name as parent or cause and that
	// nobody has, in log order of the first that names each.
	Missing []Reference
	// Elsewhere are those that the log has outside these entries, in the same
	// order.
	Elsewhere []Reference
}

// Node is one record in its chain.
type Node struct {
	Entry
	Parent *Node
	// Children name this record as their parent, in log order.
	Children []*Node
	// Causes are those that are here; Effects is the other direction.
	Causes, Effects []*Node
	Findings        []Finding
}

// Reference is a record that is named and not among the entries.
type Reference struct {
	ID record.ID
	// By is the first record that names it; AsParent says how.
	By       *Node
	AsParent bool
	// Index is where the log has it; -1 if it is missing.
	Index int64
}

// Build makes the chain of the entries. Findings are those that an entry
// alone decides, and links to records that are not there: a parent or cause
// may still come, as records can arrive out of order, so that a missing one
// is as of these entries. Named records that elsewhere has stand in the log
// outside the entries, at that index: its maker's word. Of a record that comes
// more than once, the entry with the lowest index counts.
func Build(entries []Entry, elsewhere map[record.ID]int64, policy *onusv1.Policy) *Chain {
	c := &Chain{}
	byID := make(map[record.ID]*Node, len(entries))
	// Sorted before a record that comes twice is dropped, so that the lowest
	// index stays, whatever the order given. No honest log has a record twice,
	// nor two at one index: the rest of the order is for those.
	entries = slices.SortedFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.LogTime, b.LogTime), bytes.Compare(a.Record.ID[:], b.Record.ID[:]))
	})
	for _, e := range entries {
		if byID[e.Record.ID] != nil {
			continue
		}
		n := &Node{Entry: e}
		byID[e.Record.ID] = n
		c.Nodes = append(c.Nodes, n)
	}
	l := linker{chain: c, byID: byID, elsewhere: elsewhere, named: map[record.ID]bool{}}
	for _, n := range c.Nodes {
		if n.Opaque == Readable {
			n.Findings = entryFindings(n, policy)
		}
		l.link(n)
		if n.Parent == nil {
			c.Roots = append(c.Roots, n)
		}
	}
	return c
}

// linker joins records to those that they name.
type linker struct {
	chain     *Chain
	byID      map[record.ID]*Node
	elsewhere map[record.ID]int64
	named     map[record.ID]bool // that are not among the entries
}

func (l *linker) link(n *Node) {
	if s := n.Record.Msg.GetParent(); s != "" {
		id := mustID(s)
		if p := l.byID[id]; p != nil {
			n.Parent = p
			p.Children = append(p.Children, n)
		} else if !l.outside(n, id, true) {
			n.find("PARENT_NOT_IN_LOG", High, "names %s as its parent, which is not in the log", short(id))
		}
	}
	for _, s := range n.Record.Msg.GetCauses() {
		id := mustID(s)
		p := l.byID[id]
		if p == nil {
			if !l.outside(n, id, false) {
				n.find("CAUSE_NOT_IN_LOG", Warn, "names %s as a cause, which is not in the log", short(id))
			}
			continue
		}
		if p.Index > n.Index {
			n.find("CAUSE_LOGGED_LATER", Warn, "names entry %d as a cause, which was logged after it", p.Index)
		}
		n.Causes = append(n.Causes, p)
		p.Effects = append(p.Effects, n)
	}
}

// outside notes a record that is not among the entries, and reports whether
// the log has it elsewhere.
func (l *linker) outside(n *Node, id record.ID, asParent bool) bool {
	index, ok := l.elsewhere[id]
	if !ok {
		index = -1
	}
	if !l.named[id] {
		l.named[id] = true
		ref := Reference{ID: id, By: n, AsParent: asParent, Index: index}
		if ok {
			l.chain.Elsewhere = append(l.chain.Elsewhere, ref)
		} else {
			l.chain.Missing = append(l.chain.Missing, ref)
		}
	}
	return ok
}

// entryFindings are those that need nothing but the entry.
func entryFindings(n *Node, policy *onusv1.Policy) []Finding {
	m := n.Record.Msg
	claimed, logged := m.GetClaimedTime().AsTime(), time.UnixMilli(n.LogTime).UTC()
	switch {
	case claimed.After(later(logged, policy.GetClockSkew())):
		n.find("CLOCK_SKEW", Warn, "claims %s, %s later than its log time %s", stamp(claimed), apart(logged, claimed), stamp(logged))
	case logged.After(later(claimed, policy.GetLateAfter())):
		n.find("LATE_RECORDED", Warn, "claims %s, but was logged at %s, %s later; nothing proves the earlier time", stamp(claimed), stamp(logged), apart(claimed, logged))
	}
	if m.GetCapture() != onusv1.Capture_CAPTURE_SELF {
		n.find("NOT_SELF_RECORDED", Info, "was not recorded by the agent itself (%s): its author is asserted", CaptureWord(m.GetCapture()))
	}
	if l := m.GetLoss(); l != nil {
		n.find("LOSS_DECLARED", Warn, "says that the records %d to %d of this instance are lost", l.GetFirstSequence(), l.GetLastSequence())
	}
	return n.Findings
}

// later returns t + d. Times are compared, never their distance: a
// time.Duration ends at 292 years, a claimed time at the year 9999, and a
// distance that was cut off would hide the largest differences.
func later(t time.Time, d *durationpb.Duration) time.Time {
	return time.Unix(t.Unix()+d.GetSeconds(), int64(t.Nanosecond())+int64(d.GetNanos()))
}

// apart words how much b is after a, for people.
func apart(a, b time.Time) string {
	d := b.Sub(a)
	if d == math.MaxInt64 { // Sub's answer to all that does not fit
		return "more than 292 years"
	}
	return d.Round(time.Second).String()
}

func (n *Node) find(code string, s Severity, format string, args ...any) {
	n.Findings = append(n.Findings, Finding{Code: code, Severity: s, Text: fmt.Sprintf(format, args...)})
}

// CaptureWord names a capture for people.
func CaptureWord(c onusv1.Capture) string {
	switch c {
	case onusv1.Capture_CAPTURE_SELF:
		return "self"
	case onusv1.Capture_CAPTURE_RECORDER:
		return "recorder"
	case onusv1.Capture_CAPTURE_TELEMETRY:
		return "telemetry"
	case onusv1.Capture_CAPTURE_IMPORT:
		return "import"
	}
	return "unknown"
}

// mustID parses a link of a valid record.
func mustID(s string) record.ID {
	id, err := record.ParseID(s)
	if err != nil {
		panic("chain: a valid record has a link that is no id: " + err.Error())
	}
	return id
}

func short(id record.ID) string { return id.String()[:12] + "…" }
func stamp(t time.Time) string  { return t.Format("2006-01-02 15:04:05 UTC") }
