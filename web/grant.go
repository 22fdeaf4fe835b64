package web

import (
	"fmt"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

func (s *site) grantRoutes() {
	s.page("GET /grants", (*visit).grants)
	s.page("GET /grants/{id}", (*visit).grant)
}

// grantRow is a grant as a line of a list.
type grantRow struct {
	ID          record.ID
	Index, Time int64
	Issuer, To  partyName
	// May is what it allows, an element a line.
	May []string
	// Basis says whose authority stands at the root.
	Basis string
	// NotBefore and Ends are log times; the Has fields tell zero from none.
	NotBefore, Ends       int64
	HasNotBefore, HasEnds bool
	EndsWithSession       bool
	Session               string
	// Revoked is the entry that ended it; RevokedAt its log time.
	Revoked   bool
	RevokedBy int64
	RevokedAt int64
	// State is what it is now: see the constants.
	State string
	// Path is what it stands on, from the root down, and it was in force from
	// Begin to End: set where a time was asked about. Throughout: all of it.
	Path       []grantStep
	Begin, End int64
	Throughout bool
}

// grantStep is a grant above another one.
type grantStep struct {
	ID     record.ID
	Index  int64
	Issuer partyName
	To     partyName
}

// The states of a grant.
const (
	grantInForce = "in-force"
	grantEnded   = "ended"
	grantRevoked = "revoked"
	grantPending = "not-begun"
)

var grantStates = map[string]string{grantInForce: "in force", grantEnded: "ended", grantRevoked: "revoked", grantPending: "not begun"}

// StateWord is the state for people.
func (g grantRow) StateWord() string { return grantStates[g.State] }

// grantRowOf says what a grant gives, and what became of it at the log time
// now.
func (v *visit) grantRowOf(g *Grant, now int64) grantRow {
	m := g.Record.Msg
	d := m.GetDelegation()
	row := grantRow{ID: g.Record.ID, Index: g.Index, Time: g.Time, May: grantScope(d), EndsWithSession: d.GetEndsWithSession()}
	row.Issuer = v.nameOf(partyOfIssuer(g.Status.GetIssuer()), g.Index+1)
	row.To = v.nameOf(registry.Party{Kind: registry.KindAgent, ID: d.GetAgent()}, g.Index+1)
	row.To.Instance = report.Clean(d.GetInstance())
	row.Basis = basisWords(g.Status)
	if t := d.GetNotBefore(); t != nil {
		row.NotBefore, row.HasNotBefore = t.AsTime().UnixMilli(), true
	}
	if t := g.Status.GetEnds(); t != nil {
		row.Ends, row.HasEnds = t.AsTime().UnixMilli(), true
	}
	if d.GetEndsWithSession() {
		row.Session = m.GetSession()
	}
	if g.Status.Revoked != nil {
		row.Revoked, row.RevokedBy = true, g.Status.GetRevoked()
		if e, err := v.Log.Entry(row.RevokedBy); err == nil {
			row.RevokedAt = e.LogTime
		}
	}
	row.State = row.stateAt(max(now, g.Time))
	return row
}

func basisWords(s *onusv1.GrantStatus) string {
	switch s.GetBasis() {
	case "own":
		return "the operator’s own"
	case "delegated":
		return "a user’s"
	}
	return "not shown: its root is not in the log"
}

// stateAt is what a grant was at a log time, of what it says itself, of what
// those above it say about its end, and of revocations.
func (g *grantRow) stateAt(t int64) string {
	switch {
	case g.Revoked && g.RevokedAt <= t:
		return grantRevoked
	case g.HasEnds && g.Ends <= t:
		return grantEnded
	case g.HasNotBefore && t < g.NotBefore:
		return grantPending
	}
	return grantInForce
}

// grantList is what the template "grants" shows.
type grantList struct {
	Agent, User, State string
	Agents             []listChoice
	States             []listChoice
	// On is the day or the moment asked about, as it was typed; empty for now.
	// From and To, exclusive, are that in milliseconds; Day tells a day.
	On       string
	From, To int64
	Day      bool
	Rows     []grantRow
	Next     string
	// Looked is how many grants were read for this page.
	Looked int
}

// grants lists grants, or those that were in force on a day.
func (v *visit) grants() error {
	l, err := v.grantListOf()
	if err != nil {
		return err
	}
	if err := v.reading("grants", record.ID{}); err != nil {
		return err
	}
	token, now := v.r.FormValue("page"), v.newest()
	for len(l.Rows) < listRows && l.Looked < maxLooked {
		page, next, err := v.Log.Grants(GrantQuery{Agent: l.Agent, User: l.User, Before: l.To}, listRows, token)
		if err != nil {
			return err
		}
		for _, g := range page {
			l.Looked++
			row := v.grantRowOf(g, now)
			if l.On == "" {
				if l.State == "" || row.State == l.State {
					l.Rows = append(l.Rows, row)
				}
				continue
			}
			ok, err := v.inForce(&row, l.From, l.To, now)
			if err != nil {
				return err
			}
			if ok {
				l.Rows = append(l.Rows, row)
			}
		}
		if token = next; token == "" {
			break
		}
	}
	if token != "" {
		l.Next = listPath("/grants", "agent", l.Agent, "user", l.User, "state", l.State, "on", l.On, "page", token)
	}
	return v.render("grants", "Grants", "grants", l)
}

// inForce reports whether a grant gave something at some time from one log time
// to another, exclusive; it sets when, and the path that it stands on. All
// grants of the path must have begun by then; the status of the grant has the
// first end and the first revocation of them all.
//
// At one and the same millisecond the order of the log decides, which a time
// cannot name: a grant counts as given, and a revocation as made.
func (v *visit) inForce(row *grantRow, from, to, now int64) (bool, error) {
	begin, end := max(row.Time, from), to
	if row.HasEnds {
		end = min(end, row.Ends)
	}
	if row.Revoked {
		end = min(end, row.RevokedAt)
	}
	if begin >= end {
		return false, nil
	}
	path, err := v.Log.GrantPath(row.ID)
	if err != nil {
		return false, err
	}
	for i := len(path) - 1; i >= 0; i-- {
		above := v.grantRowOf(path[i], now)
		if begin = max(begin, above.Time); above.HasNotBefore {
			begin = max(begin, above.NotBefore)
		}
		row.Path = append(row.Path, grantStep{above.ID, above.Index, above.Issuer, above.To})
	}
	if begin >= end {
		return false, nil
	}
	row.Begin, row.End, row.Throughout = begin, end, begin == from && end == to
	return true, nil
}

func (v *visit) grantListOf() (grantList, error) {
	q := v.r.FormValue
	l := grantList{Agent: q("agent"), User: q("user"), State: q("state"), On: strings.TrimSpace(q("on"))}
	l.States = choices(l.State, "", "any", grantInForce, "in force", grantPending, "not begun", grantEnded, "ended", grantRevoked, "revoked")
	const next = "Choose from the list above the grants."
	if l.State != "" && grantStates[l.State] == "" {
		return l, badRequest(next, "There is no such state of a grant: %s.", say(l.State))
	}
	if l.Agent != "" {
		if err := checkID(registry.Party{Kind: registry.KindAgent, ID: l.Agent}); err != nil {
			return l, err
		}
	}
	if l.User != "" {
		if err := checkID(registry.Party{Kind: registry.KindUser, ID: l.User}); err != nil {
			return l, err
		}
	}
	if l.On != "" {
		var err error
		if l.From, l.To, err = parseSpan(l.On); err != nil {
			return l, badRequest("Write a day as 2026-11-25, or a minute as 2026-11-25T12:00: both are in UTC.", "That is no time: %s.", say(l.On))
		}
		l.Day = l.To-l.From > 1
		if newest := v.newest(); l.From > newest {
			return l, badRequest("Ask for a time at which the log had entries already.", "The log ends at %s; nobody can say what was in force after that.", clock(newest).Format("2006-01-02 15:04:05 UTC"))
		}
		if l.State != "" {
			return l, badRequest("Leave one of the two out.", "A day lists what was in force on it: a state besides says nothing more.")
		}
	}
	size := v.Log.Size()
	pairs := []string{"", "any agent"}
	for _, id := range v.Log.Registry().Agents(size) {
		if len(pairs)/2 > 200 {
			break // a list to choose from has its bounds: an agent's own page leads here
		}
		a, _ := v.Log.Registry().Agent(id, size)
		word := report.Clean(a.GetDisplayName())
		if word == "" {
			word = report.Clean(lastPart(id))
		}
		pairs = append(pairs, id, word)
	}
	l.Agents = choices(l.Agent, pairs...)
	return l, nil
}

// parseSpan reads a time in UTC, as a span in milliseconds: a whole day, or a
// minute or a second as the moment at which it begins. What a browser's own
// fields for these send is among them.
func parseSpan(s string) (from, to int64, err error) {
	long := time.Millisecond
	t, err := time.Parse("2006-01-02", s)
	if err == nil {
		long = 24 * time.Hour
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if err != nil {
			t, err = time.Parse(layout, s)
		}
	}
	if err == nil && (t.Year() < 1970 || t.Year() > 9999) {
		err = fmt.Errorf("the year %d is not between 1970 and 9999", t.Year())
	}
	return t.UnixMilli(), t.Add(long).UnixMilli(), err
}
