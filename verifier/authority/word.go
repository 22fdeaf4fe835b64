package authority

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// Word says how strong a user's word is, in an intent, a grant, an approval or
// a denial.
type Word struct {
	// User is the pseudonym whose word it is.
	User string
	// Assurance is 0 asserted, 1 the user's token was checked, 2 and it holds
	// the authority, 3 signed with the user's own key.
	Assurance int
	// Counts: it is the user's authority and not only said to be. Otherwise Why
	// completes "it does not count: ".
	Counts bool
	Why    string
}

// Word returns how strong the user's word in r is, which the log has at that
// index with that stamp. It counts if it is inside the token that the issuer
// signed; or signed with the user's key; or signed by a registered user client
// with a token that was issued to it. An OAuth client is registered for one
// party, so such a client is never an agent.
//
// What rests on a token ends with the token's session. What rests on nothing
// but the authority inside a token is no more than the token says: for the
// agent that wrote it down, and its limit in total once ([State.holdsToken]).
func (s *State) Word(r *record.Record, index int64, st *entry.Stamp) Word {
	m := r.Msg
	w := Word{User: m.GetUser()}
	if m.GetAuthor().GetUser() != "" {
		w.Assurance, w.Counts = 3, true
		return w
	}
	if st.User == m.GetUser() {
		w.Assurance = int(st.Assurance)
	}
	if rev, ok := s.reg.RevokedSession(m.GetSession(), m.GetUser(), index); ok && w.Assurance > 0 {
		w.Why = fmt.Sprintf("entry %d had revoked the session of the user's token", rev.Index)
		return w
	}
	switch {
	case w.Assurance == 2 && m.GetAuthor().GetClient() != "" && s.notTheClients(m, index) == "":
		w.Counts = true // as at assurance 1, and the token holds it besides
	case w.Assurance == 2:
		w.Why = s.notTheTokens(m, index)
		w.Counts = w.Why == ""
	case m.GetAuthor().GetClient() == "":
		w.Why = "an agent says so, and no token that was checked holds it"
	case w.Assurance == 0:
		w.Why = "the user's token was not checked"
	default:
		w.Why = s.notTheClients(m, index)
		w.Counts = w.Why == ""
	}
	return w
}

// notTheClients reports what keeps a record's token from showing that the user
// spoke through the client that signed it, or "".
func (s *State) notTheClients(m *onusv1.Record, at int64) string {
	c, _ := s.reg.Client(m.GetAuthor().GetClient(), at)
	oc, t := c.GetOauthClient(), m.GetToken()
	switch {
	case oc.GetId() == "":
		return "the client that signed it has no OAuth client"
	case t.GetIssuer() != oc.GetIssuer() || !issuedTo(t, oc.GetId()):
		return "the user's token was issued to another client than the one that signed it"
	}
	return ""
}

// issuedTo: a token names its client, or has it as its sole audience. OpenID
// Connect Core, section 2, azp.
func issuedTo(t *onusv1.UserToken, client string) bool {
	if t.GetClient() != "" {
		return t.GetClient() == client
	}
	return len(t.GetAudience()) == 1 && t.GetAudience()[0] == client
}
