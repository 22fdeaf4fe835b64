package web

import (
	"errors"
	"strconv"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// listRows is the most lines of one list on a page.
const listRows = 50

// maxLooked is the most entries that a list reads for one page of it, where
// not all that it reads is shown.
const maxLooked = 2000

// recordRow is a record as a line of a list.
type recordRow struct {
	ID    record.ID
	Index int64
	Time  int64
	// Kind and What are as on the record's own page.
	Kind, What string
	Author     partyName
	User       string
}

// recordList is what the template "records" shows.
type recordList struct {
	// Filters are what was asked for.
	Filters []recordField
	Rows    []recordRow
	// Next is the address of the next page. Looked is set where entries were
	// read and not shown.
	Next   string
	Looked int
	After  int64
}

// recordFilter is what a list of records is asked for: the log's own query, and
// what is looked for among its answers.
type recordFilter struct {
	RecordQuery
	// Key is the signing key, Grant the grant that records name.
	Key, Grant string
	// After leaves out entries up to an index; -1 for none.
	After int64
	// noGrants leaves out grants.
	noGrants bool
}

func (f *recordFilter) narrow() bool { return f.Key != "" || f.Grant != "" || f.noGrants }

func (f *recordFilter) keeps(m *onusv1.Record) bool {
	return (f.Key == "" || m.GetAuthor().GetKeyId() == f.Key) && (f.Grant == "" || m.GetGrant() == f.Grant) &&
		(!f.noGrants || m.GetDelegation() == nil)
}

// pairs are the filter as an address has it.
func (f *recordFilter) pairs() []string {
	after := ""
	if f.After >= 0 {
		after = strconv.FormatInt(f.After, 10)
	}
	return []string{"agent", f.Agent, "instance", f.Instance, "operator", f.Operator, "user", f.User, "session", f.Session,
		"subject", f.Subject, "operation", f.Operation, "resource", f.Resource, "key", f.Key, "grant", f.Grant, "after", after}
}

// listRecords returns the next records that match, at most limit, the newest
// first. It reads at most maxLooked entries; next then goes on from there.
func (v *visit) listRecords(f recordFilter, limit int, token string) (rows []recordRow, next string, looked int, err error) {
	page := limit
	if f.narrow() {
		page = 200
	}
	for {
		// A page of the log is shown as a whole, so that its token goes on where
		// it ends.
		indices, more, err := v.Log.Records(f.RecordQuery, page, token)
		if err != nil {
			return nil, "", looked, err
		}
		for _, index := range indices {
			if index <= f.After {
				return rows, "", looked, nil // all that come are older
			}
			looked++
			e, err := v.Log.Entry(index)
			if errors.Is(err, desk.ErrNotShown) {
				continue
			}
			if err != nil {
				return nil, "", looked, err
			}
			if e.Record != nil && f.keeps(e.Record.Msg) {
				rows = append(rows, v.recordRowOf(e))
			}
		}
		if token = more; token == "" || len(rows) >= limit || looked >= maxLooked {
			return rows, token, looked, nil
		}
	}
}

func (v *visit) recordRowOf(e chain.Entry) recordRow {
	m := e.Record.Msg
	r := recordRow{ID: e.Record.ID, Index: e.Index, Time: e.LogTime, Kind: report.KindOf(m), What: whatOf(m),
		Author: v.authorName(m.GetAuthor(), e.Index), User: m.GetUser()}
	switch e.Opaque {
	case chain.Withheld:
		r.Kind, r.What = "withheld", ""
	case chain.Newer:
		r.Kind, r.What = "of a newer format", ""
	}
	return r
}

// countAfter says how many records match after an index, up to a bound.
func (v *visit) countAfter(f recordFilter) (n int, more bool, err error) {
	const most = 100
	token := ""
	for looked := 0; ; {
		indices, next, err := v.Log.Records(f.RecordQuery, most, token)
		if err != nil {
			return 0, false, err
		}
		for _, index := range indices {
			if index <= f.After {
				return n, false, nil
			}
			looked++
			if f.narrow() {
				e, err := v.Log.Entry(index)
				if errors.Is(err, desk.ErrNotShown) {
					continue
				}
				if err != nil {
					return 0, false, err
				}
				if e.Record == nil || !f.keeps(e.Record.Msg) {
					continue
				}
			}
			n++
		}
		if token = next; token == "" {
			return n, false, nil
		}
		if n >= most || looked >= maxLooked {
			return n, true, nil
		}
	}
}

// records lists records that match an address.
func (v *visit) records() error {
	f, err := v.recordFilter()
	if err != nil {
		return err
	}
	if err := v.reading("records", record.ID{}); err != nil {
		return err
	}
	rows, next, looked, err := v.listRecords(f, listRows, v.r.FormValue("page"))
	if err != nil {
		return err
	}
	l := recordList{Rows: rows, Filters: v.filterFields(f), After: f.After}
	if next != "" {
		l.Next = recordsPath(append(f.pairs(), "page", next)...)
	}
	if f.narrow() {
		l.Looked = looked
	}
	return v.render("records", "Records", "", l)
}

func (v *visit) recordFilter() (recordFilter, error) {
	q := v.r.FormValue
	f := recordFilter{RecordQuery: RecordQuery{Agent: q("agent"), Instance: q("instance"), Operator: q("operator"), User: q("user"),
		Session: q("session"), Subject: q("subject"), Operation: q("operation"), Resource: q("resource")},
		Key: q("key"), Grant: q("grant"), After: -1}
	const next = "Follow a link of a page to a list, or look for it with Find."
	if s := q("after"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
			return f, badRequest(next, "“after” is no index of an entry: %s.", say(s))
		}
		f.After = n
	}
	for _, p := range []struct{ name, value, prefix string }{{"user", f.User, record.UserPrefix}, {"session", f.Session, record.SessionPrefix},
		{"subject", f.Subject, record.SubjectPrefix}} {
		if p.value != "" && !record.IsPseudonym(p.value, p.prefix) {
			return f, badRequest(next, "“%s” is no pseudonym: %s.", p.name, say(p.value))
		}
	}
	if f.Agent != "" {
		if why := record.CheckSPIFFE(f.Agent); why != "" {
			return f, badRequest(next, "“agent” is no agent’s id, which %s: %s.", why, say(f.Agent))
		}
	}
	if f.Operator != "" && !record.IsOperatorID(f.Operator) {
		return f, badRequest(next, "“operator” is no operator’s id: %s.", say(f.Operator))
	}
	if f.Grant != "" {
		if _, err := parseID(f.Grant); err != nil {
			return f, err
		}
	}
	for _, p := range []string{f.Instance, f.Operation, f.Resource, f.Key} {
		if len(p) > 4096 {
			return f, badRequest(next, "A filter is longer than anything that a record holds.")
		}
	}
	if f.Instance != "" && f.Agent == "" {
		return f, badRequest(next, "A process is of an agent: the address names none.")
	}
	return f, nil
}

// filterFields say what was asked for.
func (v *visit) filterFields(f recordFilter) []recordField {
	r := &fieldReader{log: v.Log, at: v.Log.Size(), disclosed: v.Contents}
	var out []recordField
	add := func(label, value string, s shape) {
		if value != "" {
			field := recordField{Label: label}
			r.text(&field, value, s)
			out = append(out, field)
		}
	}
	add("Agent", f.Agent, isAgent)
	add("Process", f.Instance, isName)
	add("Operator", f.Operator, isOperator)
	add("User", f.User, isUser)
	add("Session", f.Session, isName)
	add("Touched", f.Subject, isSubject)
	add("Operation", f.Operation, isName)
	add("Resource", f.Resource, isName)
	add("Signed with key", f.Key, isKey)
	add("Under the grant", f.Grant, isGrant)
	return out
}
