package report

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

// Review is what an officer said of a chain, or of one finding in it. It is no
// finding, and changes none: it stands beside.
type Review struct {
	// Entry is where it stands, and Of the entry that it is about; -1 if that
	// is not among the records at hand.
	Entry, Of int64
	// Root is the entry at the head of the chain that it is about, as far as
	// that is at hand; -1 as with Of. Records of a chain may have caused other
	// chains, whose reviews are at hand then, and say nothing of this one:
	// Beside.
	Root   int64
	Beside bool
	// Code is the finding, Title what people read; both empty for the chain as
	// a whole.
	Code, Title string
	// Disposition is what became of the matter, in words.
	Disposition string
	Is          onusv1.Disposition
	// By is who says so, When the log's time, Assignee who is to see to it.
	By, When, Assignee string
	Note               Quote
	// Latest: none after it is about the same.
	Latest bool
}

// ReviewsIn returns what officers said in the records of a chain, in log order.
// What anybody but a reviewer or the host signed is none.
func ReviewsIn(entries []chain.Entry, said Said) []Review {
	at := heads{map[string]chain.Entry{}, map[string]chain.Entry{}}
	for _, e := range entries {
		at.entries[e.Record.ID.String()] = e
	}
	entries = slices.SortedFunc(slices.Values(entries), func(a, b chain.Entry) int { return cmp.Compare(a.Index, b.Index) })
	var all []Review
	last := map[string]int{}
	for _, e := range entries {
		m := e.Record.Msg
		v := m.GetReview()
		if v == nil || e.Opaque != chain.Readable || m.GetAuthor().GetReviewer() == "" && !m.GetAuthor().GetHost() {
			continue
		}
		r := Review{Entry: e.Index, Of: -1, Root: -1, Code: Clean(v.GetFinding()), Disposition: chain.DispositionWord(v.GetDisposition()), Is: v.GetDisposition(),
			By: reviewedBy(m), When: clock(e.LogTime), Assignee: Clean(v.GetAssignee()), Latest: true}
		what := v.GetRecord() + " " + v.GetFinding()
		if about, ok := at.entries[v.GetRecord()]; ok {
			head := at.of(about)
			r.Of, r.Root = about.Index, head.Index
			r.Beside = slices.ContainsFunc(head.Record.Msg.GetCauses(), func(s string) bool { _, here := at.entries[s]; return here })
			if r.Code == "" {
				// Whichever record of the chain it names, it is about all of it.
				what = fmt.Sprint(head.Index)
			}
		}
		if r.Code != "" {
			r.Title = Clean(chain.TitleOf(v.GetFinding()))
		}
		if t := v.GetNote(); t != nil {
			q := chain.Quote{Field: "review.note", Index: e.Index, Record: e.Record.ID, Plain: t.GetPlain()}
			if c := t.GetCommitment(); c != nil {
				q.Commitment = hex.EncodeToString(c)
			}
			r.Note = quoteOf("Why:", q, said)
		}
		if i, ok := last[what]; ok {
			all[i].Latest = false
		}
		last[what] = len(all)
		all = append(all, r)
	}
	return all
}

// heads are the heads of chains: of entries by the ids of their records. Those
// that were found are known.
type heads struct{ entries, known map[string]chain.Entry }

// of returns the head of the chain that an entry is part of: the topmost above
// it that is at hand. A review is part of the chain that it is about.
func (h heads) of(e chain.Entry) chain.Entry {
	var way []string
	for range len(h.entries) { // withheld links can form a circle
		id := e.Record.ID.String()
		if known, ok := h.known[id]; ok {
			e = known
			break
		}
		way = append(way, id)
		up := e.Record.Msg.GetParent()
		if v := e.Record.Msg.GetReview(); v != nil {
			up = v.GetRecord()
		}
		above, ok := h.entries[up]
		if !ok {
			break
		}
		e = above
	}
	for _, id := range way {
		h.known[id] = e
	}
	return e
}

// reviewedBy names an officer: by an own key, or on the host's word.
func reviewedBy(m *onusv1.Record) string {
	if name := m.GetAuthor().GetReviewer(); name != "" {
		return "reviewer " + Clean(name)
	}
	if m.GetUser() != "" {
		return "officer " + Clean(m.GetUser()) + ", on the word of the log's host"
	}
	return "the log's host"
}

// About says what a review is of.
func (r Review) About() string {
	switch {
	case r.Code == "" && r.Beside:
		return fmt.Sprintf("The chain of entry %d, which this one caused", r.Root)
	case r.Code == "":
		return "The chain as a whole"
	case r.Of < 0:
		return r.Title
	}
	return fmt.Sprintf("%s (entry %d)", r.Title, r.Of)
}

// String says all but the note.
func (r Review) String() string {
	s := r.About() + ": " + r.Disposition
	if !r.Latest {
		s += ", since changed"
	}
	s += ", by " + r.By + ", logged " + r.When
	if r.Assignee != "" {
		s += ", given to " + r.Assignee
	}
	return s + fmt.Sprintf(" (entry %d)", r.Entry)
}
