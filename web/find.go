package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// findPageSize is how many chains stand on a page.
const findPageSize = 50

// orders are those of what was found.
var orders = []struct {
	name, word string
	is         desk.Order
}{
	{"", "Newest first", desk.Newest}, {"oldest", "Oldest first", desk.Oldest},
	{"gravest", "Gravest first", desk.Gravest}, {"largest", "Largest first", desk.Largest},
}

// asked is a search as it came in an address.
type asked struct {
	search
	field, order, cursor string
	// given are the filters as they were given, for the form.
	given map[string]string
}

// parseAsked reads the address of a search: the field q, filters by their names,
// sort and cursor.
func parseAsked(in url.Values) (*asked, error) {
	a := &asked{given: map[string]string{}, field: strings.TrimSpace(in.Get("q")), order: in.Get("sort"), cursor: in.Get("cursor")}
	for _, f := range filters {
		a.given[f.name] = strings.TrimSpace(in.Get(f.name))
	}
	for name, values := range in {
		if len(values) > 1 {
			return a, fmt.Errorf("%s is given %d times: leave the others out", say(name), len(values))
		}
	}
	s, err := parseSearch(a.field)
	if err != nil {
		return a, err
	}
	a.search = *s
	for _, f := range filters {
		if value := a.given[f.name]; value != "" {
			if err := a.set(f.name, value); err != nil {
				return a, err
			}
		}
	}
	for _, o := range orders {
		if o.name == a.order {
			return a, nil
		}
	}
	return a, errors.New("sort is none of oldest, gravest, largest")
}

// address is that of the same search with one thing changed: name set to
// value, or left out where that is empty; and from its first page.
func (a *asked) address(path, name, value string) string {
	pairs := []string{"q", a.field}
	for _, f := range filters {
		pairs = append(pairs, f.name, a.given[f.name])
	}
	pairs = append(pairs, "sort", a.order)
	if name == "cursor" {
		pairs = append(pairs, name, value)
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == name {
			pairs[i+1] = value
		}
	}
	q, _ := query(pairs...) // pairs are pairs
	if q == "" {
		return path
	}
	return path + "?" + q
}

// pseudonyms puts pseudonyms in the place of names of people, which are not in
// the log.
func (v *visit) pseudonyms(s *search) error {
	for name, kind := range map[string]string{"user": "user", "subject": "subject", "for": "user"} {
		value := s.by[name]
		if value == "" || record.IsPseudonym(value, record.UserPrefix, record.SubjectPrefix) {
			continue
		}
		if !v.Contents {
			return fmt.Errorf("%s: names of people are not in the log, and your role may not look up whose pseudonym is whose: give the pseudonym", name)
		}
		if name == "for" {
			value = assigneeName(value)
		}
		p, err := v.Log.Pseudonym(kind, value)
		switch {
		case errors.Is(err, desk.ErrNotFound):
			return fmt.Errorf("%s: nobody of that name is in the log", name)
		case err != nil:
			return fmt.Errorf("%s: the name cannot be looked up", name)
		}
		s.by[name] = p
	}
	if len(s.Words) == 0 || s.by["user"] != "" || s.by["subject"] != "" || !v.Contents {
		return nil
	}
	// Words that are as a whole the name of a person mean that person.
	whole := strings.Join(s.Words, " ")
	for _, kind := range []string{"user", "subject"} {
		if p, err := v.Log.Pseudonym(kind, whole); err == nil {
			if s.by == nil {
				s.by = map[string]string{}
			}
			s.by[kind], s.Words = p, nil
			return nil
		}
	}
	return nil
}

// officerMark goes before an officer's name where its pseudonym is minted (see
// [Officer]): what somebody does as an officer is not joined to what the same
// person asked an agent for.
const officerMark = "officer "

func assigneeName(name string) string { return officerMark + name }

// find shows the chains that match.
func (v *visit) find() error {
	in := v.r.URL.Query()
	if clean, changed := withoutEmpty(in); changed {
		if len(clean) == 0 {
			return v.redirect("/find")
		}
		return v.redirect("/find?" + clean.Encode())
	}
	if err := v.reading("find", record.ID{}); err != nil {
		return err
	}
	if id, err := record.ParseID(strings.TrimSpace(in.Get("q"))); err == nil {
		if _, err := v.Log.Index(id); err == nil {
			return v.redirect("/record/" + id.String())
		}
	}
	a, err := parseAsked(in)
	var q desk.Query
	if err == nil {
		q, err = v.question(a)
	}
	if err != nil {
		return v.findAgain(a, sentence(err.Error())+".")
	}
	if v.Desk == nil {
		return errors.New("find: no desk")
	}
	if err := v.costly(); err != nil { // many words, and a large log
		return err
	}
	found, err := v.Desk.Find(q, findPageSize, a.cursor)
	switch {
	case errors.Is(err, desk.ErrCursor):
		return err
	case err != nil:
		return v.findAgain(a, sentence(say(err.Error()))+".")
	}
	return v.render("find", "Find", "find", v.findPage(a, q, found))
}

// question is what the desk is asked.
func (v *visit) question(a *asked) (desk.Query, error) {
	if err := v.pseudonyms(&a.search); err != nil {
		return desk.Query{}, err
	}
	q, err := a.query()
	for _, o := range orders {
		if o.name == a.order {
			q.Order = o.is
		}
	}
	return q, err
}

// withoutEmpty drops what a form sent that nobody filled in, so that the
// address of a search says what is searched for and can be passed on.
func withoutEmpty(in url.Values) (url.Values, bool) {
	out, changed := url.Values{}, false
	for name, values := range in {
		for _, s := range values {
			if strings.TrimSpace(s) == "" {
				changed = true
				continue
			}
			out.Add(name, s)
		}
	}
	return out, changed
}

// findAgain shows the form with what was typed, and what is wrong with it.
func (v *visit) findAgain(a *asked, wrong string) error {
	d := v.findForm(a)
	d.Wrong, d.Applied = wrong, nil
	return v.send(http.StatusBadRequest, "find", v.frame("Find", "find", d))
}

// catchUp gives the desk a moment to take in what the log has up to size.
func (v *visit) catchUp(size int64) {
	ctx, cancel := context.WithTimeout(v.r.Context(), time.Second)
	defer cancel()
	v.Desk.CatchUp(ctx, size) // late is no error: the page says as of what it is
}
