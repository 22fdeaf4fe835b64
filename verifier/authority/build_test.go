package authority_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin = "log.example.com/prod"
	issuer = "https://login.example.com"
	acme   = "acme/it"
	globex = "globex"
)

// start is the log time of every first entry here.
var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func agentID(name string) string { return "spiffe://example.com/" + name }

// pseudonym makes one out of a name, padded, for people who read a test.
func pseudonym(prefix, name string) string { return prefix + (name + strings.Repeat("a", 26))[:26] }

func user(name string) string    { return pseudonym(record.UserPrefix, name) }
func session(name string) string { return pseudonym(record.SessionPrefix, name) }

// A key is the same in every run, and known by a name.
func signer(t testing.TB, name string) record.Signer {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	s, err := record.NewSigner(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logged is an entry.
type logged struct {
	r        *record.Record
	st       *entry.Stamp
	index    int64
	findings []authority.Finding // as of its index
}

// testLog is a log of real signed records, whose stamps and findings are made
// as a ledger makes them.
type testLog struct {
	t       testing.TB
	reg     *registry.Registry
	rows    authority.Memory
	s       *authority.State
	now     time.Time
	entries []logged
	n       int
}

// newLog has two operators; agents with a key for every instance; a user client
// "chat", a reviewer "boss", a service "erp", and a device's key for each user.
// edit may change the policy.
func newLog(t testing.TB, edit func(*onusv1.Policy)) *testLog {
	t.Helper()
	rows := authority.Memory{}
	reg := registry.New()
	l := &testLog{t: t, reg: reg, rows: rows, s: authority.New(reg, rows), now: start}
	vkey, err := note.NewEd25519VerifierKey(origin, signer(t, "log").Public().Crypto().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	p := &onusv1.Policy{ClockSkew: durationpb.New(time.Minute), LateAfter: durationpb.New(time.Minute), OutcomeWindow: durationpb.New(time.Minute)}
	if edit != nil {
		edit(p)
	}
	l.add(admin(), &onusv1.Record{Body: &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{LogKey: vkey, Policy: p,
		Administrators: []*onusv1.Administrator{{Name: "root", PublicKey: signer(t, "root").Public().SPKI()}}}}})
	for _, id := range []string{acme, globex} {
		l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
			Id: id, Organisation: "Org", Unit: "Unit", AccountablePost: "Head"}}})
		l.bind(&onusv1.KeyBinding{Operator: id}, id)
	}
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: issuer, Users: true}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
		Id: "chat", Operator: acme, DisplayName: "Chat", OauthClient: &onusv1.OAuthClient{Issuer: issuer, Id: "chat-web"}}}})
	l.bind(&onusv1.KeyBinding{Client: "chat"}, "chat")
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "boss", Operator: acme, Post: "Head"}}})
	l.bind(&onusv1.KeyBinding{Reviewer: "boss"}, "boss")
	l.service("erp", "https://erp.example.com")
	for _, u := range []string{"lead", "other"} {
		l.bind(&onusv1.KeyBinding{User: user(u)}, user(u))
	}
	for _, a := range []string{"planner", "optimizer", "clerk", "analyst"} {
		l.agent(a, acme, nil)
	}
	l.agent("courier", globex, nil)
	return l
}

func admin() *onusv1.Author             { return &onusv1.Author{Administrator: "root"} }
func operator(id string) *onusv1.Author { return &onusv1.Author{Operator: id} }
func device(name string) *onusv1.Author { return &onusv1.Author{User: user(name)} }
func chat() *onusv1.Author              { return &onusv1.Author{Client: "chat"} }
func boss() *onusv1.Author              { return &onusv1.Author{Reviewer: "boss"} }
func agentAs(name, instance, operator string) *onusv1.Author {
	return &onusv1.Author{Agent: agentID(name), Instance: instance, Operator: operator}
}
func agent(name string) *onusv1.Author {
	if name == "courier" {
		return agentAs(name, name+"-1", globex)
	}
	return agentAs(name, name+"-1", acme)
}

// keyOf names the key that an author signs with here.
func keyOf(a *onusv1.Author) string {
	for _, s := range []string{a.GetAgent(), a.GetAdministrator(), a.GetService(), a.GetClient(), a.GetUser(), a.GetReviewer()} {
		if s != "" {
			return s
		}
	}
	return a.GetOperator()
}

func (l *testLog) register(r *onusv1.Registration) *record.Record {
	l.t.Helper()
	return l.add(admin(), &onusv1.Record{Body: &onusv1.Record_Registration{Registration: r}})
}

func (l *testLog) bind(k *onusv1.KeyBinding, keyName string) {
	l.t.Helper()
	k.PublicKey = signer(l.t, keyName).Public().SPKI()
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}})
}

func (l *testLog) service(name string, locations ...string) {
	l.t.Helper()
	id := agentID(name)
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Service{Service: &onusv1.Service{
		Id: id, Operator: acme, DisplayName: name, Locations: locations}}})
	l.bind(&onusv1.KeyBinding{Service: id}, id)
}

func (l *testLog) agent(name, operator string, edit func(*onusv1.AgentClass)) {
	l.t.Helper()
	a := &onusv1.AgentClass{Id: agentID(name), Operator: operator, DisplayName: name}
	if edit != nil {
		edit(a)
	}
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: a}})
	if l.reg.Key(signer(l.t, a.Id).Public().ID(), int64(len(l.entries))) == nil {
		l.bind(&onusv1.KeyBinding{Agent: a.Id, Operator: operator}, a.Id)
	}
}

// sign makes a record.
func (l *testLog) sign(by *onusv1.Author, m *onusv1.Record) *record.Record {
	l.t.Helper()
	l.n++
	nonce := sha256.Sum256(fmt.Append(nil, l.n))
	m.Origin, m.Nonce, m.Author = origin, nonce[:record.NonceSize], by
	m.Capture, m.ClaimedTime = onusv1.Capture_CAPTURE_SELF, timestamppb.New(l.now)
	if by.GetUser() != "" {
		m.User = by.GetUser()
	}
	r, err := record.Sign(m, signer(l.t, keyOf(by)))
	if err != nil {
		l.t.Fatalf("sign: %v", err)
	}
	return r
}

// add logs a record that nobody's token stands beside.
func (l *testLog) add(by *onusv1.Author, m *onusv1.Record) *record.Record {
	l.t.Helper()
	return l.addWith(by, m, 0)
}

// addWith logs a record whose token was checked, if the assurance is not 0.
func (l *testLog) addWith(by *onusv1.Author, m *onusv1.Record, assurance uint8) *record.Record {
	l.t.Helper()
	r := l.sign(by, m)
	if err := l.submit(r, assurance); err != nil {
		l.t.Fatalf("entry %d: %v", len(l.entries), err)
	}
	return r
}

// submit does what a ledger does with a record, and takes it only if nothing
// is refused.
func (l *testLog) submit(r *record.Record, assurance uint8) error {
	l.t.Helper()
	at := int64(len(l.entries))
	st := &entry.Stamp{LogTime: l.now.UnixMilli(), KeySetEntry: -1}
	if assurance > 0 {
		// Which key set it was checked with is for package registry.
		st.Assurance, st.User, st.KeySetEntry = assurance, r.Msg.GetUser(), 1
	}
	if _, err := l.reg.Authenticate(r, at); err != nil {
		return err
	}
	if err := l.reg.Check(r, at, st); err != nil {
		return err
	}
	if err := l.s.Check(r, at, st.LogTime); err != nil {
		return err
	}
	if err := authority.CheckWord(r, st); err != nil {
		return err
	}
	st.Uses = l.s.Uses(r, at, st.LogTime)
	if _, err := st.Marshal(); err != nil {
		return err
	}
	before := l.s.Judge(r, at, st)
	if err := l.reg.Add(r, at, tree.LeafHash(r.ID[:]), st); err != nil {
		return err
	}
	l.s.Add(r, at, st)
	if diff := cmp.Diff(before, l.s.Judge(r, at, st)); diff != "" {
		l.t.Errorf("entry %d is judged otherwise once it is added (-before +after):\n%s", at, diff)
	}
	l.entries = append(l.entries, logged{r, st, at, before})
	return nil
}

// check holds the whole log to what must always be so: who reads it again, or
// reads an older size out of newer rows, gets the same stamps and findings; and
// the totals are those that a plain recount gives.
func (l *testLog) check() {
	l.t.Helper()
	again := authority.New(l.reg, authority.NewMemory())
	late := authority.New(l.reg, l.rows) // all rows, from the start
	for _, e := range l.entries {
		for name, s := range map[string]*authority.State{"a reader of the log": again, "a reader of newer rows": late} {
			if diff := cmp.Diff(e.st.Uses, s.Uses(e.r, e.index, e.st.LogTime)); diff != "" {
				l.t.Errorf("entry %d, %s: other use stamps (-want +got):\n%s", e.index, name, diff)
			}
			if diff := cmp.Diff(e.findings, s.Judge(e.r, e.index, e.st)); diff != "" {
				l.t.Errorf("entry %d, %s: other findings (-want +got):\n%s", e.index, name, diff)
			}
		}
		again.Add(e.r, e.index, e.st)
	}
	l.recount()
}

// findings of a record, as of its index.
func (l *testLog) findings(r *record.Record) []authority.Finding {
	l.t.Helper()
	for _, e := range l.entries {
		if e.r.ID == r.ID {
			return e.findings
		}
	}
	l.t.Fatal("the record is not in the log")
	return nil
}

// codes are the findings of a record by name, and the grants that they are
// about by the names given.
func codes(fs []authority.Finding, names map[record.ID]string) []string {
	all := []string{}
	for _, f := range fs {
		s := f.Code
		if n := names[f.Record]; n != "" {
			s += " " + n
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func (l *testLog) want(r *record.Record, names map[record.ID]string, want ...string) {
	l.t.Helper()
	fs := l.findings(r)
	slices.Sort(want)
	if got := codes(fs, names); !slices.Equal(got, want) {
		l.t.Errorf("findings %q, want %q\n%s", got, want, texts(fs))
	}
}

func texts(fs []authority.Finding) string {
	s := ""
	for _, f := range fs {
		s += "  " + f.Code + ": " + f.Text + "\n"
	}
	return s
}

func wantRefusal(t testing.TB, err error, reason, field string) {
	t.Helper()
	var e *record.Error
	switch {
	case err == nil:
		t.Errorf("accepted; want %s at %q", reason, field)
	case !errors.As(err, &e):
		t.Errorf("error is %T (%v), want *record.Error", err, err)
	case e.Reason != reason || e.Field != field:
		t.Errorf("got %s at %q (%v)\nwant %s at %q", e.Reason, e.Field, err, reason, field)
	case e.Next == "" || e.Detail == "":
		t.Errorf("error %+v does not say what is wrong and what to do", e)
	}
}
