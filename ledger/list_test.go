package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// library is a ledger with records that differ in every property.
type library struct {
	*harness
	clock atomic.Int64
	user, subject,
	session []string
}

// newLibrary's log: entries 0 to 3 set it up; entry 4+i has log time 1000·i
// after start and the properties that i gives it.
func newLibrary(t *testing.T) *library {
	l := &library{}
	l.clock.Store(start)
	l.harness = newHarness(t, nil, func(c *Config) { c.Clock = func() time.Time { return time.UnixMilli(l.clock.Load()) } })
	mint := func(kind NameKind) []string {
		ps, err := l.ledger.Mint(kind, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		return ps
	}
	l.user, l.subject, l.session = mint(NameUser), mint(NameSubject), mint(NameSession)
	for i := range 12 {
		l.clock.Store(start + int64(i)*1000)
		l.submit(func(m *onusv1.Record) {
			m.Author.Instance = fmt.Sprint("pod-", i%2)
			m.User = l.user[i%3%2]
			m.Session = l.session[i/6]
			if m.Subjects = l.subject[:i%3]; i%3 == 0 {
				m.Subjects = nil
			}
			m.GetStages().Action.Element = &onusv1.ScopeElement{
				Type: "order", Action: []string{"read", "write"}[i%2], Location: "https://erp.example.com/orders", Identifier: fmt.Sprint(i % 4)}
			if i == 11 {
				m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Decision: &onusv1.Decision{Chosen: []*onusv1.ScopeElement{{Type: "order", Action: "read"}}}}}
			}
		})
	}
	return l
}

const start = int64(1_800_000_000_000)

func TestListFilters(t *testing.T) {
	l := newLibrary(t)
	const url = "https://erp.example.com/orders"
	all := []int64{4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for _, c := range []struct {
		name string
		q    Query
		want []int64
	}{
		{"everything", Query{}, append([]int64{0, 1, 2, 3}, all...)},
		{"agent", Query{Agent: testAgent}, all},
		{"operator", Query{Operator: testOperator}, all},
		{"instance", Query{Instance: "pod-1"}, []int64{5, 7, 9, 11, 13, 15}},
		{"user", Query{User: l.user[1]}, []int64{5, 8, 11, 14}},
		{"session", Query{Session: l.session[0]}, []int64{4, 5, 6, 7, 8, 9}},
		{"subject of one", Query{Subject: l.subject[0]}, []int64{5, 6, 8, 9, 11, 12, 14, 15}},
		{"subject of two", Query{Subject: l.subject[1]}, []int64{6, 9, 12, 15}},
		{"operation", Query{Operation: "order:write"}, []int64{5, 7, 9, 11, 13}},
		{"location", Query{Resource: url}, all[:11]},
		{"location and identifier", Query{Resource: url + "#3"}, []int64{7, 11}},
		{"nobody", Query{Agent: "spiffe://example.com/nobody"}, nil},
		{"two filters", Query{Instance: "pod-1", Session: l.session[1]}, []int64{11, 13, 15}},
		{"three filters", Query{User: l.user[0], Subject: l.subject[1], Operation: "order:read"}, []int64{6, 12}},
		{"filters without a common entry", Query{Operation: "order:write", Instance: "pod-0"}, nil},
		{"a user's pseudonym as subject", Query{Subject: l.user[0]}, nil},
		{"since", Query{Since: start + 9000}, []int64{13, 14, 15}},
		{"since between two", Query{Since: start + 8999}, []int64{13, 14, 15}},
		{"before", Query{Agent: testAgent, Before: start + 2000}, []int64{4, 5}},
		{"range and filter", Query{Instance: "pod-0", Since: start + 2000, Before: start + 8000}, []int64{6, 8, 10}},
		{"range of one moment", Query{Since: start + 3000, Before: start + 3001}, []int64{7}},
		{"empty range", Query{Since: start + 3001, Before: start + 4000}, nil},
		{"range the wrong way round", Query{Since: start + 4000, Before: start + 3000}, nil},
		{"before all", Query{Before: 1}, nil},
		{"since after all", Query{Since: start + 1<<40}, nil},
	} {
		for size := 1; size <= 20; size += 3 {
			if got := listAll(t, l.ledger, c.q, size); !slices.Equal(got, c.want) {
				t.Errorf("%s, pages of %d: %v, want %v", c.name, size, got, c.want)
			}
			back := slices.Clone(c.want)
			slices.Reverse(back)
			c.q.NewestFirst = true
			if got := listAll(t, l.ledger, c.q, size); !slices.Equal(got, back) {
				t.Errorf("%s, newest first, pages of %d: %v, want %v", c.name, size, got, back)
			}
			c.q.NewestFirst = false
		}
	}
}

// All pages of one listing are as of the size at its first, however the log
// grows between them.
func TestListPagesAreStable(t *testing.T) {
	l := newLibrary(t)
	for _, newest := range []bool{false, true} {
		q := Query{Agent: testAgent, NewestFirst: newest}
		want := listAll(t, l.ledger, q, MaxPage)
		size := l.ledger.Size()
		var got []int64
		for token := ""; ; {
			p, err := l.ledger.List(q, 5, token)
			if err != nil {
				t.Fatal(err)
			}
			if p.Size != size {
				t.Errorf("a page is as of %d, the first was as of %d", p.Size, size)
			}
			for _, e := range p.Entries {
				got = append(got, e.Index)
			}
			if token = p.Next; token == "" {
				break
			}
			l.grow(3)
			l.reopen()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("newest first %t (-at once +in pages):\n%s", newest, diff)
		}
	}
}

func TestListRefusesTokens(t *testing.T) {
	l := newLibrary(t)
	q := Query{Agent: testAgent}
	p, err := l.ledger.List(q, 5, "")
	if err != nil {
		t.Fatal(err)
	}
	longer := newHarness(t, nil, nil)
	longer.grow(100)
	other, err := longer.ledger.List(q, 50, "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Next)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(b []byte)) string {
		b := slices.Clone(raw)
		f(b)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	for name, c := range map[string]struct {
		q     Query
		token string
	}{
		"another agent":           {Query{Agent: "spiffe://example.com/other"}, p.Next},
		"one more filter":         {Query{Agent: testAgent, Instance: "pod-1"}, p.Next},
		"the value moved":         {Query{Instance: testAgent}, p.Next},
		"another range":           {Query{Agent: testAgent, Since: 1}, p.Next},
		"the other direction":     {Query{Agent: testAgent, NewestFirst: true}, p.Next},
		"a longer log's":          {q, other.Next},
		"no base64":               {q, "!" + p.Next[1:]},
		"padded":                  {q, p.Next + "="},
		"line break":              {q, p.Next + "\n"},
		"cut":                     {q, p.Next[:len(p.Next)-2]},
		"longer":                  {q, p.Next + "AA"},
		"huge":                    {q, strings.Repeat("A", 1<<20)},
		"another version":         {q, edit(func(b []byte) { b[0]++ })},
		"another digest":          {q, edit(func(b []byte) { b[4] ^= 1 })},
		"negative index":          {q, edit(func(b []byte) { b[9] = 0x80 })},
		"negative size":           {q, edit(func(b []byte) { b[17] = 0x80 })},
		"index beyond its size":   {q, edit(func(b []byte) { copy(b[9:], b[17:25]) })},
		"size beyond the durable": {q, edit(func(b []byte) { b[22] = 1 })},
	} {
		if got, err := l.ledger.List(c.q, 5, c.token); !errors.Is(err, ErrPageToken) {
			t.Errorf("token of %s: %+v, %v, want ErrPageToken", name, got, err)
		}
	}
}

func TestPageSizes(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(1100)
	for _, size := range []int{-1, MaxPage + 1, -1 << 40, 1 << 40} {
		var re *RangeError
		if _, err := h.ledger.List(Query{}, size, ""); !errors.As(err, &re) || re.Field != "page_size" {
			t.Errorf("List of %d: %v, want a RangeError of page_size", size, err)
		}
		if _, _, err := h.ledger.Agents(0, size); !errors.As(err, &re) || re.Field != "page_size" {
			t.Errorf("Agents of %d: %v, want a RangeError of page_size", size, err)
		}
	}
	for size, want := range map[int]int{0: DefaultPage, 1: 1, MaxPage: MaxPage} {
		p, err := h.ledger.List(Query{}, size, "")
		if err != nil || len(p.Entries) != want {
			t.Errorf("List of %d: %d entries, %v, want %d", size, len(p.Entries), err, want)
		}
	}
	// A page that ends with the last entry has no next.
	n := int(h.ledger.Size())
	p, err := h.ledger.List(Query{Since: 1}, MaxPage, "")
	if err != nil {
		t.Fatal(err)
	}
	if p, err = h.ledger.List(Query{Since: 1}, n-MaxPage, p.Next); err != nil || p.Next != "" || len(p.Entries) != n-MaxPage {
		t.Errorf("last page: %d entries, next %q, %v", len(p.Entries), p.Next, err)
	}
}

func TestAgents(t *testing.T) {
	h := newHarness(t, nil, nil)
	for i := range 5 {
		h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
			Id: fmt.Sprintf("spiffe://example.com/a%d", i), Operator: testOperator, DisplayName: "x"}}}))
	}
	key := newSigner(t)
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: key.Public().SPKI(), Agent: testAgent, Instance: "pod-9", Operator: testOperator}}}))
	// A later registration describes the agent anew, at its old place.
	h.must(h.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Renamed"}}}))
	_, last := h.submit(nil)
	var ids []string
	for from := 0; ; {
		as, next, err := h.ledger.Agents(from, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range as {
			ids = append(ids, a.Agent.Id)
			if got, want := a.LastIndex >= 0, a.Agent.Id == testAgent; got != want {
				t.Errorf("%s has last index %d", a.Agent.Id, a.LastIndex)
			}
			if a.Operator.GetId() != testOperator {
				t.Errorf("%s has operator %q", a.Agent.Id, a.Operator.GetId())
			}
		}
		if from == 0 {
			a := as[0]
			if a.Agent.DisplayName != "Renamed" || a.LastIndex != last.Receipt.Index || a.Index != last.Receipt.Index-1 {
				t.Errorf("first agent is %v", a)
			}
			if len(a.Keys) != 2 || a.Keys[0].KeyId != h.agent.Public().ID() || a.Keys[1].Instance != "pod-9" {
				t.Errorf("its keys are %v", a.Keys)
			}
		}
		if from = next; from == 0 {
			break
		}
	}
	want := []string{testAgent, "spiffe://example.com/a0", "spiffe://example.com/a1", "spiffe://example.com/a2", "spiffe://example.com/a3", "spiffe://example.com/a4"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	for _, from := range []int{-1, 7} {
		if _, _, err := h.ledger.Agents(from, 1); !errors.Is(err, ErrPageToken) {
			t.Errorf("Agents from %d: %v, want ErrPageToken", from, err)
		}
	}
}

// Log time never falls, whatever the clock does, so that a search by time is
// a binary search.
func TestClockGoesBack(t *testing.T) {
	var clock atomic.Int64
	clock.Store(start)
	h := newHarness(t, nil, func(c *Config) { c.Clock = func() time.Time { return time.UnixMilli(clock.Load()) } })
	var times []int64
	for _, now := range []int64{start + 10, start - 1000, start + 5, 0, -5, start + 11} {
		clock.Store(now)
		_, got := h.submit(nil)
		e, err := h.ledger.Entry(got.Receipt.Index)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, e.Stamp.LogTime-start)
		h.reopen() // which must not forget the newest time
	}
	if diff := cmp.Diff([]int64{10, 10, 10, 10, 10, 11}, times); diff != "" {
		t.Errorf("log times after start (-want +got):\n%s", diff)
	}
	if got := listAll(t, h.ledger, Query{Since: start + 11}, 10); len(got) != 1 {
		t.Errorf("since the last: %v", got)
	}
	h.checkLog()
}
