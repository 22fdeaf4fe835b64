package desk

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// searched is a log with three cases, the oldest first.
func searched(t *testing.T) (d *Desk, w *world, cases []*record.Record) {
	t.Helper()
	w = newWorld(t)
	d, _ = running(t, "", w)
	a := w.log(byAgent("buyer", "1"), does("order:create", "https://shop.example.com/Orders", costs("12.50", "EUR"), func(a *onusv1.Action) {
		a.Element.Identifier, a.Element.Datatypes = "o-77", []string{"customer names"}
	}), func(m *onusv1.Record) { m.User, m.Session, m.Subjects = aUser, aSession, []string{aSubject} })
	w.log(byAgent("buyer", "1"), under(a), does("order:create", "https://shop.example.com/Orders", costs("0.50", "EUR")))
	w.log(byAgent("buyer", "1"), under(a), outcome(onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED))
	w.later(time.Hour)
	b := w.log(byAgent("reader", "1"), does("prices:read", "https://erp.example.com/prices"))
	w.later(time.Hour)
	c := w.log(byAgent("planner", "1"), decides)
	w.log(boss, func(m *onusv1.Record) {
		reviews(b, "", onusv1.Disposition_DISPOSITION_ESCALATED)(m)
		m.GetReview().Assignee = aUser
	})
	caughtUp(t, d)
	return d, w, []*record.Record{a, b, c}
}

func TestFind(t *testing.T) {
	d, w, cases := searched(t)
	names := map[record.ID]string{cases[0].ID: "a", cases[1].ID: "b", cases[2].ID: "c"}
	hours := func(n int) int64 { return nine.Add(time.Duration(n) * time.Hour).UnixMilli() }
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{}, "c b a"},
		{Query{Order: Oldest}, "a b c"},
		{Query{Order: Largest}, "a c b"},
		{Query{Order: Gravest}, "b a c"},
		{Query{User: aUser}, "a"},
		{Query{Session: aSession}, "a"},
		{Query{Subject: aSubject}, "a"},
		{Query{User: aSubject}, ""},
		{Query{Agent: agentID("reader")}, "b"},
		{Query{Agent: agentID("nobody")}, ""},
		{Query{Operator: "it/platform"}, "c b"},
		{Query{Operator: "procurement"}, "a"},
		{Query{Outcome: chain.OutsideAuthority}, "b a"},
		{Query{Outcome: chain.NothingDone}, "c"},
		{Query{Finding: "GRANT_MISSING"}, "b a"},
		{Query{Finding: "NONE"}, ""},
		{Query{Severity: chain.High}, "b a"},
		{Query{Severity: chain.Critical}, ""},
		{Query{Operation: "order:create"}, "a"},
		{Query{Operation: "*:read"}, "b"},
		{Query{Operation: "order:*"}, "a"},
		{Query{Operation: "*"}, "b a"},
		{Query{Operation: "ord:*"}, ""},
		{Query{Resource: "https://shop.example.com/Or"}, "a"},
		{Query{Resource: "https://shop.example.com/Orders#o-77"}, "a"},
		{Query{Resource: "shop"}, ""},
		{Query{DataType: "customer names"}, "a"},
		{Query{DataType: "customer"}, ""},
		{Query{Unit: "EUR"}, "a"},
		{Query{Unit: "USD"}, ""},
		{Query{Unit: "EUR", AtLeast: "13"}, "a"},
		{Query{Unit: "EUR", AtLeast: "13.000000000000001"}, ""},
		{Query{Unit: "EUR", AtMost: "13.00"}, "a"},
		{Query{Unit: "EUR", AtMost: "12.9"}, ""},
		{Query{Since: hours(1)}, "c b"},
		{Query{Before: hours(1)}, "a"},
		{Query{Since: hours(1), Before: hours(2)}, "b"},
		{Query{Open: true}, "b a"},
		{Query{Disposition: onusv1.Disposition_DISPOSITION_ESCALATED}, "b"},
		{Query{Disposition: onusv1.Disposition_DISPOSITION_OPEN}, ""},
		{Query{Assignee: aUser}, "b"},
		{Query{Words: []string{"ORDERS"}}, "a"},
		{Query{Words: []string{"orders", "procurement"}}, "a"},
		{Query{Words: []string{"orders", "prices"}}, ""},
		{Query{Words: []string{"the reader"}}, "b"},            // a name
		{Query{Words: []string{"head of PLATFORM"}}, "c b"},    // a post
		{Query{Words: []string{"grant_missing"}}, "b a"},       // a code
		{Query{Words: []string{"no permission is on"}}, "b a"}, // its title
		{Query{Words: []string{"customer"}}, "a"},
		{Query{Words: []string{aUser}}, "a"},
		{Query{Words: []string{"orders#O-7"}}, "a"}, // across the two parts of a resource
		{Query{Words: []string{"#o-77"}}, "a"},
		{Query{Words: []string{"shop#o-77"}}, ""},
		{Query{Resource: "https://shop.example.com/Orders#o-7"}, "a"},
		{Query{Resource: "https://shop.example.com/Orders#o-8"}, ""},
		{Query{Words: []string{"nothing like it"}}, ""},
		{Query{Words: []string{""}}, "c b a"},
		{Query{Words: []string{cases[1].ID.String()[:8]}}, "b"},
		{Query{Words: []string{strings.ToUpper(cases[1].ID.String()[:13])}}, "b"},
		{Query{Words: []string{cases[1].ID.String()}}, "b"},
		{Query{Words: []string{cases[1].ID.String()[:7]}}, ""},
		{Query{Words: []string{w.entries[len(w.entries)-1].Record.ID.String()}}, "b"}, // the review
		{Query{Words: []string{w.entries[0].Record.ID.String()}}, ""},                 // the genesis
		{Query{User: aUser, Agent: agentID("buyer"), Words: []string{"order"}, Severity: chain.Warn, Operation: "order:*"}, "a"},
	} {
		f, err := d.Find(c.q, 10, "")
		if err != nil {
			t.Errorf("%+v: %v", c.q, err)
			continue
		}
		var got []string
		for _, c := range f.Cases {
			got = append(got, names[c.Root])
		}
		if s := strings.Join(got, " "); s != c.want || f.Total != len(got) || f.Next != "" || f.AsOf != w.Size() || f.Behind != 0 {
			t.Errorf("%+v: %q (%d), want %q", c.q, s, f.Total, c.want)
		}
	}
	f, err := d.Find(Query{}, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]chain.Count{{Outcome: chain.OutsideAuthority, Actions: 2}, {Outcome: chain.NothingDone, Actions: 1}}, f.Counts); diff != "" {
		t.Errorf("counts of all pages (-want +got):\n%s", diff)
	}
}

func TestQueriesThatAreNotGood(t *testing.T) {
	d, _, _ := searched(t)
	for field, q := range map[string]Query{
		"words":       {Words: slices.Repeat([]string{"a"}, 17)},
		"user":        {User: strings.Repeat("a", 5000)},
		"outcome":     {Outcome: "fine"},
		"severity":    {Severity: "bad"},
		"operation":   {Operation: "order"},
		"atleast":     {AtLeast: "1e9", Unit: "EUR"},
		"atmost":      {AtMost: "-1", Unit: "EUR"},
		"unit":        {AtMost: "1"},
		"time":        {Since: -1},
		"disposition": {Disposition: 77},
		"order":       {Order: "random"},
	} {
		var bad *QueryError
		if _, err := d.Find(q, 10, ""); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, q := range []Query{{Words: []string{strings.Repeat("a", 1001)}}, {Words: []string{"a\x00b"}}, {AtLeast: strings.Repeat("9", 10_000), Unit: "EUR"}} {
		var bad *QueryError
		if _, err := d.Find(q, 10, ""); !errors.As(err, &bad) || len(err.Error()) > 300 {
			t.Errorf("%v", err)
		}
	}
	for _, limit := range []int{-1, 0, MaxPage + 1} {
		if _, err := d.Find(Query{}, limit, ""); err == nil {
			t.Errorf("a page of %d", limit)
		}
	}
	if _, err := d.Find(Query{Words: []string{"\xff\xfe", "\u202e"}}, 10, ""); err != nil {
		t.Errorf("odd bytes: %v", err)
	}
}

// Pages of one search hold each case once, whatever is logged meanwhile.
func TestPagesWhileTheLogGrows(t *testing.T) {
	for _, order := range []Order{Newest, Oldest, Largest, Gravest} {
		w := newWorld(t)
		d, _ := running(t, "", w)
		var tops []*record.Record
		for range 20 {
			tops = append(tops, w.log(byAgent("planner", "1"), decides))
			w.later(time.Second)
		}
		caughtUp(t, d)
		seen := map[record.ID]bool{}
		for cursor := ""; ; {
			f, err := d.Find(Query{Order: order}, 3, cursor)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range f.Cases {
				if seen[c.Root] {
					t.Errorf("order %q: case %d twice", order, c.RootIndex)
				}
				seen[c.Root] = true
			}
			if cursor = f.Next; cursor == "" {
				break
			}
			// One that was shown, and one that is new.
			for id := range seen {
				w.log(byAgent("planner", "1"), func(m *onusv1.Record) { m.Parent = id.String() }, decides)
				break
			}
			w.log(byAgent("planner", "1"), decides)
			w.later(time.Second)
			caughtUp(t, d)
		}
		for i, r := range tops {
			if !seen[r.ID] {
				t.Errorf("order %q: case %d of the first is on no page", order, i)
			}
		}
	}
}

func TestCursors(t *testing.T) {
	d, w, _ := searched(t)
	f, err := d.Find(Query{}, 1, "")
	if err != nil || f.Next == "" {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, err := d.Find(Query{}, 2, f.Next); err != nil {
		t.Errorf("another size of page: %v", err)
	}
	for name, q := range map[string]Query{"another order": {Order: Oldest}, "another filter": {Open: true}, "a word": {Words: []string{"x"}}} {
		if _, err := d.Find(q, 1, f.Next); !errors.Is(err, ErrCursor) {
			t.Errorf("%s: %v, want ErrCursor", name, err)
		}
	}
	other, _ := running(t, "", w)
	caughtUp(t, other)
	if _, err := other.Find(Query{}, 1, f.Next); !errors.Is(err, ErrCursor) {
		t.Errorf("another desk: %v, want ErrCursor", err)
	}
	for i := range len(f.Next) {
		for _, c := range "A9_=\n" {
			s := f.Next[:i] + string(c) + f.Next[i+1:]
			if _, err := d.Find(Query{}, 1, s); s != f.Next && !errors.Is(err, ErrCursor) {
				t.Errorf("%q: %v, want ErrCursor", s, err)
			}
		}
	}
}

func FuzzCursor(f *testing.F) {
	d := &Desk{}
	d.empty()
	q := &Query{Words: []string{"order"}}
	f.Add(d.cursorOf(q, cursor{place{1, 2, 3}, 4}))
	f.Add("")
	f.Add(strings.Repeat("A", 59))
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, 44)))
	f.Fuzz(func(t *testing.T, s string) {
		c, err := d.parseCursor(q, s)
		if err != nil {
			if !errors.Is(err, ErrCursor) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if d.cursorOf(q, c) != s {
			t.Errorf("%q is another spelling of %q", s, d.cursorOf(q, c))
		}
		if _, err := d.parseCursor(&Query{Words: []string{"orders"}}, s); !errors.Is(err, ErrCursor) {
			t.Errorf("%q is good for another query", s)
		}
	})
}
