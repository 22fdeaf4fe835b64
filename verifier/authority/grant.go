package authority

import (
	"fmt"
	"math"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// Grant is a grant as the log has it. It is immutable.
type Grant struct {
	ID record.ID
	// Index is that of its entry: it counts for entries after it. LogTime is
	// in milliseconds since 1970.
	Index, LogTime int64
	// Record is the record that holds it, and Msg the grant in it.
	Record *record.Record
	Msg    *onusv1.Grant
	// Parent is the grant that it was given under; zero in a root.
	Parent record.ID
	// Word is the user's word that it stands on, if a user gave it: then User
	// is set. It was judged when the grant was logged.
	Word Word
	// NotBefore and Expires are log times, -1 if none is stated. What an agent
	// wrote down from a user's token ends with the token.
	NotBefore, Expires int64
}

// Basis is the authority that a root gives: delegated if a user gave it, own
// if an operator did. Of a grant that is no root it says nothing.
func (g *Grant) Basis() onusv1.Basis {
	switch {
	case g.Word.User != "":
		return onusv1.Basis_BASIS_DELEGATED
	case g.Parent.IsZero():
		return onusv1.Basis_BASIS_OWN
	}
	return onusv1.Basis_BASIS_UNSPECIFIED
}

// Issuer names who gave it, for people: "operator acme/it", "agent spiffe://…"
// or "user u-…".
func (g *Grant) Issuer() string {
	a := g.Record.Msg.GetAuthor()
	switch {
	case g.Word.User != "":
		return "user " + g.Word.User
	case a.GetAgent() != "":
		return "agent " + a.GetAgent()
	}
	return "operator " + a.GetOperator()
}

// To names whom it was given to, for people.
func (g *Grant) To() string {
	if g.Msg.GetInstance() != "" {
		return "instance " + g.Msg.GetInstance() + " of " + g.Msg.GetAgent()
	}
	return g.Msg.GetAgent()
}

// String names the grant for people.
func (g *Grant) String() string {
	return fmt.Sprintf("grant %s (entry %d, by %s)", short(g.ID), g.Index, g.Issuer())
}

// HeldBy reports whether it was given to that instance of the agent, or to the
// whole class.
func (g *Grant) HeldBy(agent, instance string) bool {
	return g.Msg.GetAgent() == agent && (g.Msg.GetInstance() == "" || g.Msg.GetInstance() == instance)
}

// issuedByHolder reports whether the agent that issued g holds the grant above
// it.
func (g *Grant) issuedByHolder(parent *Grant) bool {
	a := g.Record.Msg.GetAuthor()
	return parent.HeldBy(a.GetAgent(), a.GetInstance())
}

// selfGranted: an agent passed on to itself what it holds. What it writes down
// from a user's word is the user's.
func (g *Grant) selfGranted() bool {
	a := g.Record.Msg.GetAuthor()
	return !g.Parent.IsZero() && g.HeldBy(a.GetAgent(), a.GetInstance())
}

// grantRow is how a grant is kept: with its entry's index and log time, the
// user's word, and the envelope, from which all the rest follows.
type grantRow struct {
	index, logTime int64
	assurance      uint8
	why            string // empty: the word counts, or no user gave it
	env            record.Envelope
}

func (w grantRow) marshal() []byte {
	b := appendIndex(appendIndex(nil, w.index), w.logTime)
	b = appendText(append(b, w.assurance), w.why)
	b = appendText(append(b, byte(w.env.Type)), string(w.env.Signature))
	return append(b, w.env.Payload...)
}

func parseGrantRow(b []byte) (w grantRow, ok bool) {
	r := reader{b: b}
	w = grantRow{index: r.index(), logTime: r.index(), assurance: r.u8(), why: r.text()}
	w.env = record.Envelope{Type: record.PayloadType(r.u8()), Signature: []byte(r.text()), Payload: r.b}
	return w, !r.short && w.index >= 0 && w.logTime >= 0 && w.assurance <= 3
}

// addGrant keeps a grant.
func (s *State) addGrant(r *record.Record, index int64, st *entry.Stamp) {
	m := r.Msg
	s.store.Put(key(kindGrant, r.ID), s.grantRow(r, index, st).marshal())
	if !givenByUser(m) && m.GetGrant() == "" {
		s.push(kindOwn+m.GetDelegation().GetAgent(), index, r.ID[:])
	}
}

func (s *State) grantRow(r *record.Record, index int64, st *entry.Stamp) grantRow {
	w := grantRow{index: index, logTime: st.LogTime, env: r.Envelope}
	if givenByUser(r.Msg) {
		word := s.Word(r, index, st)
		w.assurance, w.why = uint8(word.Assurance), word.Why
	}
	return w
}

// asGrant returns the grant that r is, whether or not it was added.
func (s *State) asGrant(r *record.Record, index int64, st *entry.Stamp) *Grant {
	return s.grantRow(r, index, st).grant()
}

// givenByUser: by a user's key, through a user client, or, as an agent says
// who names no grant of its own.
func givenByUser(m *onusv1.Record) bool {
	a := m.GetAuthor()
	return a.GetUser() != "" || a.GetClient() != "" || a.GetAgent() != "" && m.GetGrant() == ""
}

// Grant returns the grant with that id, if the log has it before that index.
func (s *State) Grant(id record.ID, at int64) (*Grant, bool) {
	g := s.grants[id]
	if g == nil {
		w, ok := row(s, key(kindGrant, id), parseGrantRow)
		if !ok {
			return nil, false
		}
		g = w.grant()
		if g.ID != id {
			panic("authority: a row is broken: the grant has another id than its key")
		}
		if len(s.grants) >= maxCached {
			clear(s.grants)
		}
		s.grants[id] = g
	}
	return g, g.Index < at
}

func (w grantRow) grant() *Grant {
	r, err := record.Parse(w.env)
	if err != nil || r.Msg.GetDelegation() == nil {
		panic("authority: a row is broken: it holds no grant")
	}
	m := r.Msg.GetDelegation()
	g := &Grant{ID: r.ID, Index: w.index, LogTime: w.logTime, Record: r, Msg: m, NotBefore: -1, Expires: -1}
	if t := m.GetNotBefore(); t != nil {
		g.NotBefore = t.AsTime().UnixMilli()
	}
	if t := m.GetExpires(); t != nil {
		g.Expires = t.AsTime().UnixMilli()
	}
	if s := r.Msg.GetGrant(); s != "" {
		g.Parent = mustID(s)
	}
	if givenByUser(r.Msg) {
		g.Word = Word{User: r.Msg.GetUser(), Assurance: int(w.assurance), Counts: w.why == "", Why: w.why}
		if r.Msg.GetAuthor().GetAgent() != "" {
			g.Expires = earlier(g.Expires, tokenEnd(r.Msg.GetToken()))
		}
	}
	return g
}

// tokenEnd returns when a token ends, or -1.
func tokenEnd(t *onusv1.UserToken) int64 {
	if t.GetExpires() == nil {
		return -1
	}
	return t.GetExpires().AsTime().UnixMilli()
}

// earlier returns the earlier of two ends, where -1 is none.
func earlier(a, b int64) int64 {
	if a < 0 {
		a = math.MaxInt64
	}
	if b < 0 {
		b = math.MaxInt64
	}
	if m := min(a, b); m < math.MaxInt64 {
		return m
	}
	return -1
}

// mustID parses a link of a valid record.
func mustID(s string) record.ID {
	id, err := record.ParseID(s)
	if err != nil {
		panic("authority: a valid record has a link that is no id: " + err.Error())
	}
	return id
}

func short(id record.ID) string { return id.String()[:12] + "…" }
