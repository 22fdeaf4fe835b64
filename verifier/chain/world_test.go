package chain_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
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
)

// nine is the log time of every first entry here.
var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// world is a log of real signed records, with the stamps that a ledger gives
// them, and the names by which a test calls them.
type world struct {
	t       testing.TB
	reg     *registry.Registry
	s       *authority.State
	now     time.Time
	entries []chain.Entry
	raw     [][]byte // the leaves
	names   map[string]*record.Record
	called  map[record.ID]string
	faults  map[int64][]chain.Fault
	heads   map[string]*record.Record // the newest record of each instance
	keySet  int64
	n       int
}

// units are the operators here, and whose the agents are.
var units = []*onusv1.Operator{
	{Id: "it/platform", Organisation: "Acme", Unit: "Platform", AccountablePost: "Head of Platform"},
	{Id: "legal/privacy", Organisation: "Acme", Unit: "Privacy", AccountablePost: "Data Protection Officer"},
	{Id: "procurement", Organisation: "Acme", Unit: "Procurement", AccountablePost: "Head of Procurement"},
	{Id: "pricing", Organisation: "Acme", Unit: "Pricing", AccountablePost: "Head of Pricing"},
	{Id: "legal/contracts", Organisation: "Acme", Unit: "Contracts", AccountablePost: "General Counsel"},
	{Id: "globex", Organisation: "Globex", Unit: "Messaging", AccountablePost: "Head of Messaging"},
}

var operatorOf = map[string]string{
	"k8s-agent": "it/platform", "gdpr-compliance-agent": "legal/privacy",
	"supply-chain-planner": "procurement", "supply-chain-optimizer": "procurement",
	"planner": "pricing", "market-analyst": "pricing", "vendor-manager": "pricing",
	"contract-reader": "legal/contracts", "mail-courier": "globex", "probe": "it/platform",
}

// newWorld is a log with these operators and agents, each with a key; a user
// client, a reviewer, two services, an issuer of users' tokens, and a device's
// key for each of three users.
func newWorld(t testing.TB) *world {
	t.Helper()
	if base == nil {
		base = firstWorld(t)
	}
	w := emptyWorld(t)
	w.entries, w.raw, w.keySet, w.n = slices.Clone(base.entries), slices.Clone(base.raw), base.keySet, base.n
	for i, e := range w.entries {
		if err := w.reg.Add(e.Record, e.Index, tree.LeafHash(w.raw[i]), e.Stamp); err != nil {
			t.Fatal(err)
		}
		w.s.Add(e.Record, e.Index, e.Stamp)
	}
	return w
}

// base is the world that every test begins with; it is signed once.
var base *world

func emptyWorld(t testing.TB) *world {
	reg := registry.New()
	return &world{t: t, reg: reg, s: authority.New(reg, authority.NewMemory()), now: nine, names: map[string]*record.Record{},
		called: map[record.ID]string{}, faults: map[int64][]chain.Fault{}, heads: map[string]*record.Record{}}
}

func firstWorld(t testing.TB) *world {
	t.Helper()
	w := emptyWorld(t)
	vkey, err := note.NewEd25519VerifierKey(origin, signer(t, "log").Public().Crypto().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	p := &onusv1.Policy{ClockSkew: durationpb.New(time.Minute), LateAfter: durationpb.New(2 * time.Minute), OutcomeWindow: durationpb.New(15 * time.Minute), PlainText: []string{"*"}}
	w.log("genesis", admin(), func(d *draft) {
		d.Body = &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{LogKey: vkey, Policy: p, Administrators: []*onusv1.Administrator{
			{Name: "root", PublicKey: signer(t, "root").Public().SPKI()}, {Name: "security", PublicKey: signer(t, "security").Public().SPKI()}}}}
	})
	for _, u := range units {
		w.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: u}})
		w.bind(&onusv1.KeyBinding{Operator: u.GetId()}, u.GetId())
	}
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: issuer, Users: true}}})
	x := base64.RawURLEncoding.EncodeToString(signer(t, "issuer").Public().Crypto().(ed25519.PublicKey))
	w.keySet = int64(len(w.entries))
	w.log("", admin(), func(d *draft) {
		d.Body = &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{Issuer: issuer, Fetched: timestamppb.New(w.now),
			Jwks: []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"1","x":"` + x + `"}]}`)}}
	})
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
		Id: "chat", Operator: "it/platform", DisplayName: "Chat", OauthClient: &onusv1.OAuthClient{Issuer: issuer, Id: "chat-web"}}}})
	w.bind(&onusv1.KeyBinding{Client: "chat"}, "chat")
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "boss", Operator: "procurement", Post: "Head of Procurement"}}})
	w.bind(&onusv1.KeyBinding{Reviewer: "boss"}, "boss")
	w.service("erp", false)
	w.service("billing", true)
	for _, u := range []string{"hardware-lead", "strategist", "other"} {
		w.bind(&onusv1.KeyBinding{User: user(u)}, user(u))
	}
	w.agent("k8s-agent", func(a *onusv1.AgentClass) {
		a.Catalogue = k8sCatalogue()
		a.OauthClients = []*onusv1.OAuthClient{{Issuer: issuer, Id: "k8s-agent"}}
	})
	for _, name := range []string{"gdpr-compliance-agent", "supply-chain-planner", "supply-chain-optimizer", "planner",
		"market-analyst", "vendor-manager", "contract-reader", "mail-courier"} {
		w.agent(name, nil)
	}
	w.agent("probe", func(a *onusv1.AgentClass) { a.Observed = true })
	return w
}

func k8sCatalogue() []*onusv1.ScopeElement {
	return []*onusv1.ScopeElement{el("k8s.pod", "get"), el("k8s.event", "get"), el("k8s.log", "get")}
}

func (w *world) register(r *onusv1.Registration) {
	w.t.Helper()
	w.log("", admin(), func(d *draft) { d.Body = &onusv1.Record_Registration{Registration: r} })
}

func (w *world) bind(k *onusv1.KeyBinding, keyName string) {
	w.t.Helper()
	k.PublicKey = signer(w.t, keyName).Public().SPKI()
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}})
}

func (w *world) service(name string, records bool) {
	w.t.Helper()
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Service{Service: &onusv1.Service{
		Id: agentID(name), Operator: "it/platform", DisplayName: name, Locations: []string{"https://" + name + ".example.com"}, Records: records}}})
	w.bind(&onusv1.KeyBinding{Service: agentID(name)}, agentID(name))
}

func (w *world) agent(name string, edit func(*onusv1.AgentClass)) {
	w.t.Helper()
	a := &onusv1.AgentClass{Id: agentID(name), Operator: operatorOf[name], DisplayName: strings.ReplaceAll(name, "-", " ")}
	if edit != nil {
		edit(a)
	}
	w.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: a}})
	if w.reg.Key(signer(w.t, a.Id).Public().ID(), int64(len(w.entries))) == nil {
		w.bind(&onusv1.KeyBinding{Agent: a.Id, Operator: operatorOf[name]}, a.Id)
	}
}

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

func keyOf(a *onusv1.Author) string {
	for _, s := range []string{a.GetAgent(), a.GetAdministrator(), a.GetService(), a.GetClient(), a.GetUser(), a.GetReviewer()} {
		if s != "" {
			return s
		}
	}
	return a.GetOperator()
}

// draft is a record before it is signed, and what its stamp says of the user's
// token beside it.
type draft struct {
	*onusv1.Record
	w         *world
	assurance uint8
	claimed   time.Time
	key       string
}

// log signs a record and logs it, by a name for the test.
func (w *world) log(name string, by *onusv1.Author, edit ...func(*draft)) *record.Record {
	w.t.Helper()
	r, assurance := w.sign(name, by, edit...)
	w.admit(name, r, assurance)
	return r
}

// sign makes a record that is logged later, or never.
func (w *world) sign(name string, by *onusv1.Author, edit ...func(*draft)) (r *record.Record, assurance uint8) {
	w.t.Helper()
	w.n++
	nonce := sha256.Sum256(fmt.Append(nil, w.n))
	d := &draft{Record: &onusv1.Record{Origin: origin, Nonce: nonce[:record.NonceSize], Author: by, Capture: onusv1.Capture_CAPTURE_SELF}, w: w, claimed: w.now, key: keyOf(by)}
	if by.GetUser() != "" {
		d.User = by.GetUser()
	}
	instance := by.GetAgent() + " " + by.GetInstance()
	if head := w.heads[instance]; head != nil && by.GetAgent() != "" {
		d.Sequence, d.Previous = head.Msg.GetSequence()+1, head.ID.String()
	}
	for _, f := range edit {
		f(d)
	}
	// Whoever works for a user does so in the session that the user signed in to.
	if d.User != "" && d.Session == "" {
		d.Session = session("login")
	}
	d.ClaimedTime = timestamppb.New(d.claimed)
	r, err := record.Sign(d.Record, signer(w.t, d.key))
	if err != nil {
		w.t.Fatalf("%s: sign: %v", name, err)
	}
	if by.GetAgent() != "" {
		w.heads[instance] = r
	}
	if name != "" {
		w.names[name], w.called[r.ID] = r, name
	}
	return r, d.assurance
}

// admit does what a ledger does with a record.
func (w *world) admit(name string, r *record.Record, assurance uint8) {
	w.t.Helper()
	at := int64(len(w.entries))
	st := &entry.Stamp{LogTime: w.now.UnixMilli(), KeySetEntry: -1}
	if assurance > 0 {
		st.Assurance, st.User, st.KeySetEntry = assurance, r.Msg.GetUser(), w.keySet
	}
	b, err := w.reg.Authenticate(r, at)
	for _, check := range []func() error{
		func() error { return w.reg.Check(r, at, st) },
		func() error { return w.reg.CheckAssurance(r, at, st) },
		func() error { return w.s.Check(r, at, st.LogTime) },
		func() error { return authority.CheckWord(r, st) },
	} {
		if err == nil {
			err = check()
		}
	}
	if err != nil {
		w.t.Fatalf("%s, entry %d: %v", name, at, err)
	}
	st.KeyEntry, st.Uses = b.Index, w.s.Uses(r, at, st.LogTime)
	st.RegistryCount, st.RegistryRoot = w.reg.Stamp(at)
	raw, err := (&entry.Entry{Stamp: *st, Envelope: r.Envelope}).Marshal()
	if err != nil {
		w.t.Fatalf("%s, entry %d: %v", name, at, err)
	}
	if err := w.reg.Add(r, at, tree.LeafHash(raw), st); err != nil {
		w.t.Fatalf("%s, entry %d: %v", name, at, err)
	}
	w.s.Add(r, at, st)
	w.entries = append(w.entries, chain.Entry{Index: at, LogTime: st.LogTime, Record: r, Stamp: st})
	w.raw = append(w.raw, raw)
}

// index returns where a named record stands.
func (w *world) index(name string) int64 {
	w.t.Helper()
	i := slices.IndexFunc(w.entries, func(e chain.Entry) bool { return e.Record.ID == w.named(name).ID })
	return w.entries[i].Index
}

func (w *world) named(name string) *record.Record {
	w.t.Helper()
	r := w.names[name]
	if r == nil {
		w.t.Fatalf("nothing here is called %s", name)
	}
	return r
}

// later lets time pass.
func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

// chainOf returns the entries of the chain that a record is part of, as a
// ledger does.
func chainOf(entries []chain.Entry, of record.ID) []chain.Entry {
	byID := map[string]chain.Entry{}
	next := map[string][]chain.Entry{}
	for _, e := range entries {
		byID[e.Record.ID.String()] = e
		next[e.Record.Msg.GetParent()] = append(next[e.Record.Msg.GetParent()], e)
		for _, c := range e.Record.Msg.GetCauses() {
			next[c] = append(next[c], e)
		}
	}
	top := byID[of.String()]
	for {
		up, ok := byID[top.Record.Msg.GetParent()]
		if !ok {
			break
		}
		top = up
	}
	var all []chain.Entry
	seen := map[string]bool{top.Record.ID.String(): true}
	for todo := []chain.Entry{top}; len(todo) > 0; {
		e := todo[0]
		todo, all = todo[1:], append(all, e)
		for _, c := range next[e.Record.ID.String()] {
			if id := c.Record.ID.String(); !seen[id] {
				seen[id] = true
				todo = append(todo, c)
			}
		}
	}
	return all
}

// judge judges the chain of a named record, as of now.
func (w *world) judge(name string) *chain.Judgement {
	w.t.Helper()
	return w.judgeEntries(chainOf(w.entries, w.named(name).ID), chain.Hand{Source: chain.FromLog})
}

func (w *world) judgeEntries(es []chain.Entry, hand chain.Hand) *chain.Judgement {
	w.t.Helper()
	return chain.Judge(chain.Build(es, elsewhere(w.entries), w.reg.Genesis().GetPolicy()), w.basis(hand))
}

// elsewhere says where the log has records: what a ledger knows besides the
// chain's entries.
func elsewhere(entries []chain.Entry) map[record.ID]int64 {
	m := map[record.ID]int64{}
	for _, e := range entries {
		m[e.Record.ID] = e.Index
	}
	return m
}

func (w *world) basis(hand chain.Hand) chain.Basis {
	return chain.Basis{Registry: w.reg, Authority: w.s, Size: int64(len(w.entries)), Time: w.now.UnixMilli(), Faults: w.faults, Hand: hand}
}
