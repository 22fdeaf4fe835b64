package web

import (
	"slices"
	"strings"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// revocationList is what the template "revocations" shows.
type revocationList struct {
	Q     string
	Rows  []revocationRow
	Pager pager
	// Names is set where reasons may be shown.
	Contents bool
}

// revocations lists all that was revoked, the newest first.
func (v *visit) revocations() error {
	page, err := v.pageOf()
	if err != nil {
		return err
	}
	l := revocationList{Contents: v.Contents}
	if l.Q, err = v.searched(); err != nil {
		return err
	}
	if err := v.reading("revocations", record.ID{}); err != nil {
		return err
	}
	if err := v.costly(); err != nil {
		return err
	}
	size := v.Log.Size()
	all := v.Log.Registry().AllRevocations(size)
	slices.Reverse(all)
	if l.Q != "" {
		all = slices.DeleteFunc(all, func(r registry.Revocation) bool {
			return !holds(l.Q, r.Target(), r.Key, r.Agent, r.Instance, r.Operator, r.Grant, r.Session)
		})
	}
	shown, pg, err := cutPage(all, page, "/revocations", "q", l.Q)
	if err != nil {
		return err
	}
	l.Pager = pg
	for _, r := range shown {
		row, err := v.revocationWithEffect(r, size)
		if err != nil {
			return err
		}
		l.Rows = append(l.Rows, row)
	}
	return v.render("revocations", "Revocations", "revocations", l)
}

// revocationWithEffect says why something was revoked, and how many records it
// has hit since.
func (v *visit) revocationWithEffect(r registry.Revocation, at int64) (revocationRow, error) {
	row := v.revocationRowOf(r, at)
	if e, err := v.Log.Entry(r.Index); err == nil && e.Record != nil && e.Record.Msg.GetRevocation().GetReason() != nil {
		f := &fieldReader{log: v.Log, at: at, disclosed: v.Contents}
		if v.Contents {
			if contents, err := v.Log.Contents(r.Index); err == nil {
				f.contents, _ = e.Record.OpenContents(contents) // one that opens nothing shows nothing
			}
		}
		reason := recordField{Label: "Reason"}
		f.prose(&reason, e.Record.Msg.GetRevocation().GetReason())
		reason.Fields = nil
		row.Reason = &reason
	}
	f, ok := v.hitBy(r, at)
	if !ok {
		return row, nil
	}
	var err error
	row.After, row.AfterMore, err = v.countAfter(f)
	row.AfterKnown = err == nil
	return row, err
}

// hitBy lists what a revocation hits: records of its target after it.
func (v *visit) hitBy(r registry.Revocation, at int64) (recordFilter, bool) {
	f := recordFilter{After: r.Index}
	if e, err := v.Log.Entry(r.Index); err == nil {
		f.Since = e.LogTime
	}
	switch {
	case r.Key != "":
		b := v.Log.Registry().Key(r.Key, at)
		if b == nil {
			return f, false
		}
		f.Key, f.Agent, f.User = r.Key, b.Agent, b.User
		if f.Agent == "" {
			f.Operator = b.Operator
		}
	case r.Instance != "":
		f.Agent, f.Instance = r.Agent, r.Instance
	case r.Agent != "":
		f.Agent = r.Agent
	case r.Operator != "":
		f.Operator = r.Operator
	case r.Grant != "":
		if f.Agent = v.holderOf(r.Grant); f.Agent == "" {
			return f, false
		}
		f.Grant = r.Grant
	case r.Session != "":
		f.Session, f.User = r.Session, r.User
	default:
		return f, false
	}
	return f, strings.Trim(f.Agent+f.Operator+f.User+f.Session, " ") != ""
}
