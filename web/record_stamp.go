package web

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
)

// assuranceWords say how strong a user's word is.
func assuranceWords(level int) string {
	switch level {
	case 0:
		return "L0, asserted: the author says so, and nothing else shows it"
	case 1:
		return "L1: a token of the user’s was checked. It shows a session, not that the user said these words"
	case 2:
		return "L2: a token of the user’s was checked, and its issuer put this authority into it"
	case 3:
		return "L3: the user’s own key signed it"
	}
	return fmt.Sprintf("L%d, which is not known here", level)
}

// stampFields say what the ledger put beside a record, in words.
func (v *visit) stampFields(e chain.Entry, s *entry.Stamp) []recordField {
	if s == nil {
		return nil
	}
	out := []recordField{
		{Label: "Logged at", Time: s.LogTime, HasTime: true, Note: "the host’s clock, never before the entry before"},
		{Label: "Registry before it", Code: thousands(s.RegistryCount), Note: "entries that bind identities; their root shows that none was kept back",
			Fields: []recordField{{Label: "Root", ID: s.RegistryRoot.String()}}},
		{Label: "Key bound by", Code: fmt.Sprintf("entry %d", s.KeyEntry), Href: recordIndexPath(s.KeyEntry)},
	}
	if e.Record.Msg.GetToken() != nil || s.Assurance > 0 {
		f := recordField{Label: "The user’s word", Words: assuranceWords(int(s.Assurance))}
		if s.Assurance > 0 {
			f.Note = "as this ledger checked it when the record came"
			user := recordField{Label: "For user"}
			(&fieldReader{log: v.Log, disclosed: v.Contents}).pseudonym(&user, s.User, isUser)
			f.Fields = []recordField{user, {Label: "With the keys in", Code: fmt.Sprintf("entry %d", s.KeySetEntry), Href: recordIndexPath(s.KeySetEntry)}}
		}
		out = append(out, f)
	}
	for _, u := range s.Uses {
		out = append(out, v.useField(u))
	}
	return out
}

// useField says what an entry draws on.
func (v *visit) useField(u entry.Use) recordField {
	id := u.ID.String()
	before := recordField{Label: "Last use before", Words: "none"}
	if u.Previous >= 0 {
		before = recordField{Label: "Last use before", Code: fmt.Sprintf("entry %d", u.Previous), Href: recordIndexPath(u.Previous)}
	}
	if u.Approval {
		f := recordField{Label: "Uses the approval", ID: id, Href: "/record/" + id, Fields: []recordField{before}}
		if u.Denial >= 0 {
			f.Fields = append(f.Fields, recordField{Label: "Denied by", Code: fmt.Sprintf("entry %d", u.Denial), Href: recordIndexPath(u.Denial)})
		}
		return f
	}
	return recordField{Label: "Draws on the grant", ID: id, Href: "/grants/" + id, Note: fmt.Sprintf("its limit number %d", u.Limit+1),
		Fields: []recordField{{Label: "Used before it", Code: u.Total}, before}}
}
