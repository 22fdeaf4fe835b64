package authority

import (
	"encoding/binary"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// What an issuer puts into a user's token (assurance 2) is one authority,
// however often it is written down. The token is off the log, so that the log
// shows what was taken out of it, and not what is left.

// tokenRow notes where a token's limit in total was written down first.
type tokenRow struct{ index int64 }

func (w tokenRow) marshal() []byte { return binary.BigEndian.AppendUint64(nil, uint64(w.index)) }

func parseTokenRow(b []byte) (w tokenRow, ok bool) {
	r := reader{b: b}
	w.index = r.index()
	return w, r.end() && w.index >= 0
}

func tokenKey(t *onusv1.UserToken) string {
	digest := sumOf(t.GetIssuer(), t.GetDigest())
	return kindToken + string(digest[:])
}

// notTheTokens reports what keeps a token that holds the scope of a record from
// being the user's word for it, or "".
//
// The token says what may be done, and not that it may be handed on: an agent
// writes it down for its own class, and nobody follows below. A total that was
// written down before is not given out anew.
func (s *State) notTheTokens(m *onusv1.Record, index int64) string {
	if d, agent := m.GetDelegation(), m.GetAuthor().GetAgent(); d != nil && agent != "" {
		switch {
		case d.GetAgent() != agent:
			return "an agent wrote down what the user's token holds, for another agent than itself"
		case d.GetMaxDepth() != 0:
			return "an agent wrote down what the user's token holds, to be passed on, which the token does not say"
		}
	}
	if w, ok := row(s, tokenKey(m.GetToken()), parseTokenRow); ok && w.index < index && namesTotal(m) {
		return fmt.Sprintf("entry %d wrote down the total in the same token of the user already", w.index)
	}
	return ""
}

// holdsToken notes that a record gives out a token's total, if it does so and
// is the first.
func (s *State) holdsToken(r *record.Record, index int64, st *entry.Stamp) {
	m := r.Msg
	if m.GetToken() == nil || m.GetAuthor().GetUser() != "" || st.Assurance < 2 || !namesTotal(m) {
		return
	}
	if m.GetAuthor().GetClient() != "" && s.notTheClients(m, index) == "" {
		return // it is the client's word that counts
	}
	k := tokenKey(m.GetToken())
	if _, ok := s.store.Get(k); !ok && s.Word(r, index, st).Counts {
		s.store.Put(k, tokenRow{index}.marshal())
	}
}

// namesTotal reports whether what a record claims of a user has a limit in
// total, which the token must then have, or leave open.
func namesTotal(m *onusv1.Record) bool {
	for _, e := range m.GetDelegation().GetScope() {
		if e.GetMaxTotal() != "" {
			return true
		}
	}
	for _, e := range m.GetStages().GetIntent().GetRequested() {
		if e.GetAmount() != "" {
			return true
		}
	}
	return false
}
