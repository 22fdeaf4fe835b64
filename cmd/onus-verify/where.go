package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/onus-ledger/onus/cmd/internal/where"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// matching counts the entries of a log that an expression matches. A scan of
// the whole log is what shows that there are no others.
type matching struct {
	text string
	expr where.Expr
	// next is the index of the next entry, and first the first that match.
	next, count int64
	first       []int64
	// unread counts entries that could not be read, or were not known here.
	unread int64
}

// maxListed is how many indices are listed.
const maxListed = 1000

func newMatching(text string) (*matching, error) {
	e, err := where.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("--where: %w", err)
	}
	return &matching{text: text, expr: e}, nil
}

// add takes the next entries. Nil takes none.
func (m *matching) add(entries [][]byte) {
	if m == nil {
		return
	}
	for _, raw := range entries {
		index := m.next
		m.next++
		e, err := entry.Parse(raw)
		if err != nil {
			m.unread++
			continue
		}
		r, err := record.Parse(e.Envelope)
		if err != nil {
			m.unread++
			continue
		}
		if m.expr.Matches(r.Msg, e.Stamp.LogTime) {
			m.count++
			if len(m.first) < maxListed {
				m.first = append(m.first, index)
			}
		}
	}
}

// print says which entries match, and that they are all.
func (m *matching) print(w io.Writer) {
	if m == nil {
		return
	}
	fmt.Fprintf(w, "These %d of %d entries are all that match %s", m.count, m.next, m.text)
	if m.unread > 0 {
		fmt.Fprintf(w, ", save %d that could not be read", m.unread)
	}
	fmt.Fprint(w, ":")
	if m.count == 0 {
		fmt.Fprint(w, " none")
	}
	var b strings.Builder
	for _, i := range m.first {
		fmt.Fprintf(&b, " %d", i)
	}
	if m.count > int64(len(m.first)) {
		fmt.Fprintf(&b, " and %d more", m.count-int64(len(m.first)))
	}
	fmt.Fprintln(w, b.String())
}

func (m *matching) json() any {
	if m == nil {
		return nil
	}
	return map[string]any{"where": m.text, "count": m.count, "of": m.next, "indices": m.first, "unread": m.unread}
}
