package web

import (
	"errors"
	"strconv"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// userRow is a user as a line of the list: by a pseudonym.
type userRow struct {
	partyName
	Facts partyFacts
	Keys  int
}

// userList is what the template "users" shows.
type userList struct {
	Rows []userRow
	// Q is a name that is looked for: as a whole, by those who may see names.
	Q          string
	Contents   bool
	Next, Prev string
}

// users lists the pseudonyms of all users, or shows one user.
func (v *visit) users() error {
	if id := v.r.FormValue("id"); id != "" || v.r.URL.Query().Has("id") {
		return v.user(id)
	}
	l := userList{Contents: v.Contents}
	var err error
	if l.Q, err = v.searched(); err != nil {
		return err
	}
	if l.Q != "" {
		return v.userByName(l.Q)
	}
	from := 0
	if s := v.r.FormValue("from"); s != "" {
		if from, err = strconv.Atoi(s); err != nil || from < 0 || strconv.Itoa(from) != s {
			return badRequest("Begin at the first page of the list.", "That is no place in the list of users: %s.", say(s))
		}
	}
	if err := v.reading("users", record.ID{}); err != nil {
		return err
	}
	if v.Desk != nil {
		ids, next := v.Desk.Users(from, listRows)
		for _, id := range ids {
			l.Rows = append(l.Rows, v.userRowOf(id))
		}
		if next > 0 {
			l.Next = listPath("/users", "from", strconv.Itoa(next))
		}
	}
	if from > 0 {
		l.Prev = "/users"
	}
	return v.render("users", "Users", "users", l)
}

// userByName leads from a name or a pseudonym to the user.
func (v *visit) userByName(q string) error {
	if record.IsPseudonym(q, record.UserPrefix) {
		return v.redirect(partyPath("/users", q))
	}
	if !v.Contents {
		return forbidden("Look for the pseudonym, as records have it.", "Names are not disclosed to your role.")
	}
	if err := v.reading("users", record.ID{}); err != nil {
		return err
	}
	id, err := v.Log.Pseudonym("user", q)
	if errors.Is(err, desk.ErrNotFound) {
		return notFound("A name is looked for as a whole, as the agents gave it: an address or an account.", "No user with this name is known here: %s.", say(q))
	}
	if err != nil {
		return err
	}
	return v.redirect(partyPath("/users", id))
}

func (v *visit) userRowOf(id string) userRow {
	size := v.Log.Size()
	p := registry.Party{Kind: registry.KindUser, ID: id}
	row := userRow{partyName: v.nameOf(p, size), Keys: len(v.Log.Registry().KeysOf(p, size))}
	if v.Desk != nil {
		row.Facts = v.partyFacts(v.Desk.User(id, desk.Period{}), "user", id)
		row.Facts.Note = "In chains for this user: who must answer for each is said there."
	}
	return row
}

// userPage is what the template "user" shows.
type userPage struct {
	userRow
	// Contents: the viewer may see names.
	Contents   bool
	KeyRows    []keyRow
	Grants     []grantRow
	MoreGrants bool
	Sessions   []sessionRow
	Activity   activity
	HitBy      []revocationRow
}

// sessionRow is a session that a user's newest records name.
type sessionRow struct {
	ID, Href    string
	Records     int
	First, Last int64
	Ended       *revocationRow
}

func (v *visit) user(id string) error {
	p := registry.Party{Kind: registry.KindUser, ID: id}
	if err := checkID(p); err != nil {
		return err
	}
	size := v.Log.Size()
	page := userPage{userRow: v.userRowOf(id), Contents: v.Contents}
	var err error
	if page.Activity, err = v.activityOf(RecordQuery{User: id}); err != nil {
		return err
	}
	if len(page.Activity.Rows) == 0 && page.Keys == 0 {
		return notFound("Compare it with where you have it from.", "No record names this user: %s.", say(id))
	}
	if err := v.reading("user", record.ID{}); err != nil {
		return err
	}
	page.KeyRows, page.HitBy = v.keyRows(p, size, v.newest()), v.revocationsOf(p, size)
	grants, more, err := v.Log.Grants(GrantQuery{User: id}, shownGrants, "")
	if err != nil {
		return err
	}
	now := v.newest()
	page.MoreGrants = more != ""
	for _, g := range grants {
		page.Grants = append(page.Grants, v.grantRowOf(g, now))
	}
	if page.Sessions, err = v.sessions(id); err != nil {
		return err
	}
	title := page.Name
	if page.Real != "" {
		title = page.Real
	}
	return v.render("user", title, "users", page)
}

// sessions are those that the user's newest records name.
func (v *visit) sessions(user string) ([]sessionRow, error) {
	indices, _, err := v.Log.Records(RecordQuery{User: user}, lookedInstances, "")
	if err != nil {
		return nil, err
	}
	var out []sessionRow
	at := map[string]int{}
	for _, index := range indices {
		e, err := v.Log.Entry(index)
		if errors.Is(err, desk.ErrNotShown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if e.Record == nil || e.Record.Msg.GetSession() == "" {
			continue
		}
		s := e.Record.Msg.GetSession()
		i, ok := at[s]
		if !ok {
			i = len(out)
			at[s] = i
			row := sessionRow{ID: report.Clean(s), Href: recordsPath("session", s), Last: e.LogTime}
			if r, ended := v.Log.Registry().RevokedSession(s, user, v.Log.Size()); ended {
				hit := v.revocationRowOf(r, v.Log.Size())
				row.Ended = &hit
			}
			out = append(out, row)
		}
		out[i].Records++
		out[i].First = e.LogTime
	}
	return out[:min(len(out), listRows)], nil
}

// subjectPage is what the template "subject" shows.
type subjectPage struct {
	ID       string
	Real     string
	Contents bool
	Facts    partyFacts
	Activity activity
}

// subject shows whose customer, account or case was touched, by a pseudonym.
func (v *visit) subject() error {
	id := v.r.FormValue("id")
	if !record.IsPseudonym(id, record.SubjectPrefix) {
		return badRequest("Follow a link of a record: an address looks like /subjects?id=s-…", "That is no pseudonym of who was touched: %s.", say(id))
	}
	real, _ := personName(v.realName(id))
	page := subjectPage{ID: id, Real: report.Clean(real), Contents: v.Contents}
	var err error
	if page.Activity, err = v.activityOf(RecordQuery{Subject: id}); err != nil {
		return err
	}
	if len(page.Activity.Rows) == 0 {
		return notFound("Compare it with where you have it from.", "No record names this: %s.", say(id))
	}
	if err := v.reading("subject", record.ID{}); err != nil {
		return err
	}
	if v.Desk != nil {
		page.Facts = v.partyFacts(v.Desk.Subject(id, desk.Period{}), "subject", id)
		page.Facts.Note = "In chains that touch it: who must answer for each is said there."
	}
	return v.render("subject", "Who was touched", "", page)
}
