package registry

import (
	"cmp"
	"fmt"
	"sort"

	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// CheckAssurance holds what a stamp claims about a user's word to what the log
// itself shows: that the record describes the token which the ledger says it
// checked, for the user whom the stamp names, and that the key set it was
// checked with is in the log before that index, of an issuer whose users count;
// that the session had not been ended by then; and that nobody else acts in it.
// Assurance 2 needs authority that the record claims: what an intent asks for,
// or a grant.
//
// The token itself is off the log: that its signature held is the ledger's
// word, until the token is disclosed. The error is a *record.Error, with the
// field of the record or of the stamp.
func (g *Registry) CheckAssurance(r *record.Record, at int64, s *entry.Stamp) error {
	if s.Assurance == 0 {
		return nil
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.checkAssurance(&candidate{r, r.Msg.GetAuthor(), at, s})
}

func (g *Registry) checkAssurance(c *candidate) error {
	s, m := c.stamp, c.Msg
	if s.Assurance == 0 {
		return nil
	}
	issuer := m.GetToken().GetIssuer()
	reg, _ := latest(g.registered[Party{KindIssuer, issuer}], c.index)
	switch {
	case m.GetToken() == nil:
		return unfounded("token", "is missing, but the stamp says that it was checked")
	case s.User != m.GetUser():
		return unfounded("user", fmt.Sprintf("is %q, but the stamp says that %q was checked", m.GetUser(), s.User))
	case !reg.GetIssuer().GetUsers():
		return unfounded("token.issuer", fmt.Sprintf("is %q, which is not registered as an issuer for users", issuer))
	case s.KeySetEntry >= c.index || !g.isKeySet(issuer, s.KeySetEntry):
		return unfounded("stamp.key_set_entry", fmt.Sprintf("is %d, which is no earlier entry with the keys of %q", s.KeySetEntry, issuer))
	case s.Assurance >= 2 && m.GetDelegation() == nil && len(m.GetStages().GetIntent().GetRequested()) == 0:
		return unfounded("stamp.assurance", fmt.Sprintf("is %d, but the record claims no authority that a token could hold", s.Assurance))
	}
	if err := g.sessionInForce(c); err != nil {
		return err
	}
	return g.checkActors(c)
}

// CheckSession refuses a record beside whose token the user's session was ended
// before that index: such a token may be in other hands, and what it gives is
// over. A record without a token passes. The error is a *record.Error.
func (g *Registry) CheckSession(r *record.Record, at int64) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.sessionInForce(&candidate{Record: r, index: at})
}

func (g *Registry) sessionInForce(c *candidate) error {
	if c.Msg.GetToken() == nil {
		return nil
	}
	if r, ok := g.revokedSession(c.Msg.GetSession(), c.Msg.GetUser(), c.index); ok {
		return &record.Error{Reason: ReasonSessionRevoked, Field: "session",
			Detail: fmt.Sprintf("of the token was revoked by entry %d: its token counts no more", r.Index),
			Next:   "have the user log in again, and use the new token"}
	}
	return nil
}

// isKeySet reports whether the entry at index is a key set of the issuer.
func (g *Registry) isKeySet(issuer string, index int64) bool {
	vs := g.keySets[issuer]
	_, found := sort.Find(len(vs), func(i int) int { return cmp.Compare(index, vs[i].index) })
	return found
}

func unfounded(field, detail string) error {
	return &record.Error{Reason: ReasonUnfounded, Field: field, Detail: detail,
		Next: "leave the user's word asserted: assurance 0"}
}
