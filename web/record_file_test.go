package web_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// partLog is a log as a file may have it: without proofs of single entries,
// without a key, and with entries that its maker withheld or left out.
type partLog struct {
	*bundleLog
	withheld, absent int64
}

func (l *partLog) Key() tree.LogKey { return tree.LogKey{} }

func (l *partLog) Entry(index int64) (chain.Entry, error) {
	e, err := l.bundleLog.Entry(index)
	switch index {
	case l.absent:
		return chain.Entry{}, fmt.Errorf("entry %d: %w", index, desk.ErrNotShown)
	case l.withheld:
		e.Opaque, e.Stamp = chain.Withheld, nil
		a := e.Record.Msg.GetAuthor()
		e.Record = &record.Record{ID: e.Record.ID, Msg: &onusv1.Record{Author: &onusv1.Author{Agent: a.GetAgent(), Operator: a.GetOperator()}, Parent: e.Record.Msg.GetParent()}}
	}
	return e, err
}

func (l *partLog) Raw(index int64) ([]byte, error) {
	if index == l.absent || index == l.withheld {
		return nil, desk.ErrNotShown
	}
	return l.bundleLog.Raw(index)
}

func (l *partLog) Receipt(int64) (*onusv1.ProvenRecord, error) { return nil, desk.ErrNotShown }

// What a file does not hold is said, and nothing of it guessed.
func TestRecordOutOfAFile(t *testing.T) {
	whole := openBundle(t, "S4")
	last := whole.Size() - 1
	l := &partLog{whole, last - 2, last - 3}
	s := siteOver(t, l)
	page := func(i int64) string { return "/record/" + whole.entries[i].Record.ID.String() }
	s.get(page(last)).is(http.StatusOK).has("no proof of this one alone", "The signature is that of key").lacks("the path below leads")
	s.get(page(last) + "/receipt.json").is(http.StatusNotFound).has("has no proof of this one alone")
	s.get(page(l.withheld)).is(http.StatusOK).has("withheld", "maker’s word").lacks("The signature", "What it says", "checked by this server")
	s.get(page(l.withheld) + "/payload").is(http.StatusNotFound)
	s.get(page(l.withheld) + "/entry").is(http.StatusNotFound)
	s.get(page(l.absent)).is(http.StatusNotFound).has("not shown here")
	s.get(fmt.Sprintf("/record/@%d", l.absent)).is(http.StatusNotFound)
	for _, path := range []string{"/records", "/agents", "/operators", "/users", "/grants", "/revocations"} {
		s.get(path).is(http.StatusOK)
	}
	for _, id := range whole.Registry().Agents(whole.Size()) {
		s.get("/agents?id=" + id).is(http.StatusOK)
	}
	if s.logged.Len() > 0 {
		t.Errorf("the viewer logged %s", s.logged)
	}
}

// keylessLog has proofs, and a reader who gave no key.
type keylessLog struct{ *bundleLog }

func (keylessLog) Key() tree.LogKey { return tree.LogKey{} }

func TestRecordWithoutAKey(t *testing.T) {
	whole := openBundle(t, "S4")
	s := siteOver(t, keylessLog{whole})
	s.get("/record/" + whole.entries[20].Record.ID.String()).is(http.StatusOK).has("You gave no key of the log").lacks("the path below leads")
}

// What an officer said of a record stands on its page: also what another review
// took the place of. The note is for those who may see contents.
func TestReviewsOfARecord(t *testing.T) {
	for _, may := range []bool{true, false} {
		l := newLedger(t)
		done := l.act("")
		officers, err := l.Mint(ledger.NameUser, []string{"officer Olga"})
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range []onusv1.Disposition{onusv1.Disposition_DISPOSITION_ESCALATED, onusv1.Disposition_DISPOSITION_EXPLAINED} {
			if _, err := l.Review(context.Background(), &onusv1.Review{Record: done.String(), Finding: "GRANT_MISSING", Disposition: d}, fmt.Sprintf("note number %d", i), officers[0]); err != nil {
				t.Fatal(err)
			}
		}
		s := l.site(as(web.Viewer{Role: "x", Contents: may}))
		page := s.get("/record/" + done.String()).is(http.StatusOK)
		page.has("What was done about it", "explained", "escalated", "No permission is on record", officers[0])
		if may {
			page.has("note number 0", "note number 1", "officer Olga")
		} else {
			page.has("not disclosed to your role").lacks("note number", "Olga")
		}
	}
}

// A page with records is told to who keeps a record of reads, before it is
// answered; where that fails, it is not answered.
func TestReadsAreTold(t *testing.T) {
	var pages []string
	var refuse error
	s := newSite(t, "S4", func(c *web.Config) {
		c.Reading = func(_ context.Context, _ web.Viewer, page string, id record.ID) error {
			pages = append(pages, page)
			return refuse
		}
	})
	e := s.log.entries[len(s.log.entries)-1]
	grant, user := "", ""
	for _, g := range s.log.entries {
		if u := g.Record.Msg.GetUser(); u != "" {
			user = u
		}
		if g.Record.Msg.GetDelegation() != nil {
			grant = g.Record.ID.String()
		}
	}
	agent := s.log.Registry().Agents(s.log.Size())[0]
	a, _ := s.log.Registry().Agent(agent, s.log.Size())
	paths := map[string]string{
		"/record/" + e.Record.ID.String():                   "record",
		"/record/" + e.Record.ID.String() + "/receipt.json": "receipt",
		"/record/" + e.Record.ID.String() + "/payload":      "payload",
		"/record/" + e.Record.ID.String() + "/entry":        "entry",
		"/records":                         "records",
		"/agents":                          "agents",
		"/agents?id=" + agent:              "agent",
		"/operators":                       "operators",
		"/operators?id=" + a.GetOperator(): "operator",
		"/users":                           "users",
		"/users?id=" + user:                "user",
		"/grants":                          "grants",
		"/grants/" + grant:                 "grant",
		"/revocations":                     "revocations",
	}
	for path, want := range paths {
		pages = nil
		s.get(path).is(http.StatusOK)
		if len(pages) != 1 || pages[0] != want {
			t.Errorf("%s: reads told are %v, want %s", path, pages, want)
		}
	}
	refuse = fmt.Errorf("the log is full")
	for path := range paths {
		s.get(path).is(http.StatusInternalServerError)
	}
}
