package chain

import (
	"encoding/hex"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Quote points to what somebody said: the user's words, which are quoted beside
// every verdict, or what an agent claims.
type Quote struct {
	// Field is where it stands in the record, such as
	// "stages.decision.rationale".
	Field  string
	Index  int64
	Record record.ID
	By     Party
	// State says how strongly it is the words of whom it is said to be.
	State State
	// User is whose words it is, where that is a user.
	User string
	// Plain, or else Commitment: SHA-256 over a salt and the content, in
	// hexadecimal.
	Plain, Commitment string
}

// words says which intents are only asserted.
func (j *judge) words(n *Node, p *place) {
	if n.Record.Msg.GetStages().GetIntent() == nil {
		return
	}
	if w := j.wordOf(n); w.Assurance == 0 {
		p.find("INTENT_NOT_BOUND_TO_TOKEN", "says what the user asked for, and no token of the user stands beside it that was checked")
	}
}

// stateOf says what an intent is worth as the user's word.
func (j *judge) stateOf(n *Node) State {
	switch j.wordOf(n).Assurance {
	case 0:
		return Asserted
	case 3:
		return Verified
	}
	return Attested
}

// said returns the user's words above an action: at most [maxIntents].
func (j *judge) said(p *place) []Quote {
	var qs []Quote
	in := p.intents
	for range maxIntents {
		if in == nil {
			break
		}
		m := in.node.Record.Msg
		qs = append(qs, j.quote("stages.intent.text", in.node, m.GetStages().GetIntent().GetText(), j.stateOf(in.node), m.GetUser()))
		in = in.rest
	}
	return qs
}

// claims returns what agents say about an action without any proof of it.
func (j *judge) claims(n *Node, p *place) []Quote {
	var qs []Quote
	add := func(field string, at *Node, t *onusv1.Text) {
		if t != nil {
			qs = append(qs, j.quote(field, at, t, Asserted, ""))
		}
	}
	if at := p.interpretation; at != nil {
		add("stages.interpretation.text", at, at.Record.Msg.GetStages().GetInterpretation().GetText())
	}
	if at := p.decision; at != nil {
		d := at.Record.Msg.GetStages().GetDecision()
		add("stages.decision.text", at, d.GetText())
		add("stages.decision.rationale", at, d.GetRationale())
	}
	a := n.Record.Msg.GetStages().GetAction()
	add("stages.action.arguments", n, a.GetArguments())
	add("stages.action.result", n, a.GetResult())
	return qs
}

func (j *judge) quote(field string, at *Node, t *onusv1.Text, s State, user string) Quote {
	q := Quote{Field: field, Index: at.Index, Record: at.Record.ID, By: j.signerOf(at), State: s, User: user, Plain: t.GetPlain()}
	if c := t.GetCommitment(); c != nil {
		q.Commitment = hex.EncodeToString(c)
	}
	return q
}

// principal: work for another user than the one who asked, without a grant of
// that user.
func (j *judge) principal(n *Node, p *place) {
	user := n.Record.Msg.GetUser()
	if user == "" || p.intents == nil || p.stands.path.User() == user || p.has("PRINCIPAL_CHANGED") {
		return
	}
	if above := p.intents.node.Record.Msg.GetUser(); above != "" && above != user {
		p.find("PRINCIPAL_CHANGED", "is for user %s, but user %s asked for it, in entry %s, and no grant is from the former", user, above, number(p.intents.node.Index))
	}
}

// token says where a user's token no longer justifies that an action is passed
// through as the user's: that of the action's own record, or, without a grant,
// that of the intent which it leans on.
func (j *judge) token(n *Node, p *place) {
	m := n.Record.Msg
	lean := p.stands.leaned
	if lean == nil && m.GetGrant() == "" && p.intents != nil {
		lean = p.intents.node
	}
	t, whose := m.GetToken(), "beside it"
	if t == nil && lean != nil {
		t, whose = lean.Record.Msg.GetToken(), "of entry "+number(lean.Index)
	}
	if ends := t.GetExpires(); ends != nil && n.LogTime >= ends.AsTime().UnixMilli() {
		p.find("USER_TOKEN_EXPIRED_BEFORE_ACTION", "was logged at %s, and the user's token %s had expired at %s", clock(n.LogTime), whose, clock(ends.AsTime().UnixMilli()))
	}
	outside := func(session string, index int64, what string) bool {
		if session == "" || session == m.GetSession() {
			return false
		}
		did := "names no session"
		if m.GetSession() != "" {
			did = "is in session " + m.GetSession()
		}
		p.find("ACTED_OUTSIDE_SESSION", "%s, but %s in entry %s is in session %s", did, what, number(index), session)
		return true
	}
	if lean != nil && outside(lean.Record.Msg.GetSession(), lean.Index, "the user asked for it") {
		return
	}
	for _, g := range p.stands.path {
		if g.Msg.GetEndsWithSession() && outside(g.Record.Msg.GetSession(), g.Index, "the grant") {
			return
		}
	}
}
