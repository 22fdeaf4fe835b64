package authority

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Revocation goes down along grant links and nowhere else. A grant is ended by
// its own revocation, by that of a grant above it, of whoever gave one of them
// or was given one (a key counts as who signed with it), and, if it ends with a
// session, by the session's. What was done before stays valid.

// revoked says which revocations end the path, from that place up. Of a
// revocation that hit the author already nothing more is said.
func (j *judge) revoked(p Path, from int) {
	for i := from; i < len(p); i++ {
		g := p[i]
		if rev, ok := j.s.reg.RevokedGrant(g.ID, j.index); ok && j.first(rev) {
			code := AncestorRevoked
			if i == 0 {
				code = GrantRevoked
			}
			j.find(code, g, "was logged after entry %d revoked %s", rev.Index, g)
		}
		if rev, ok := j.s.endedSession(p, g, j.index); ok && j.first(rev) {
			j.find(SessionRevoked, g, "was logged after entry %d revoked the user's session, with which %s ended", rev.Index, g)
		}
		for _, a := range j.s.parties(g, j.index) {
			for _, rev := range j.s.reg.Revocations(a, j.index) {
				if j.first(rev) {
					j.find(AncestorRevoked, g, "was logged after entry %d revoked %s, which %s was given by or to", rev.Index, rev.Target(), g)
				}
			}
		}
	}
}

// parties are who gave a grant, and who was given it.
func (s *State) parties(g *Grant, at int64) [2]*onusv1.Author {
	c, _ := s.reg.Agent(g.Msg.GetAgent(), at)
	return [...]*onusv1.Author{g.Record.Msg.GetAuthor(),
		{Agent: g.Msg.GetAgent(), Instance: g.Msg.GetInstance(), Operator: c.GetOperator()}}
}

// endedSession returns the revocation of the session that a grant ends with:
// as it says, or because it is a token of that session, written down by an
// agent. A session is a user's: the record's, or else the principal of the
// path.
func (s *State) endedSession(p Path, g *Grant, at int64) (registry.Revocation, bool) {
	writtenDown := g.Word.User != "" && g.Record.Msg.GetAuthor().GetAgent() != "" && g.Record.Msg.GetSession() != ""
	if !g.Msg.GetEndsWithSession() && !writtenDown {
		return registry.Revocation{}, false
	}
	user := g.Record.Msg.GetUser()
	if user == "" {
		user = p.User()
	}
	return s.reg.RevokedSession(g.Record.Msg.GetSession(), user, at)
}

// isRevoked reports whether a root no longer holds.
func (s *State) isRevoked(g *Grant, at int64) bool {
	if _, ok := s.reg.RevokedGrant(g.ID, at); ok {
		return true
	}
	for _, a := range s.parties(g, at) {
		if len(s.reg.Revocations(a, at)) > 0 {
			return true
		}
	}
	return false
}

// RevokedAt returns the index of the first entry before that index that
// revoked a grant, one above it, or a session that one of them ends with.
// Revocations of the parties are asked of the registry.
func (s *State) RevokedAt(id record.ID, at int64) (index int64, ok bool) {
	p, _ := s.Path(id, at)
	note := func(rev registry.Revocation, found bool) {
		if found && (!ok || rev.Index < index) {
			index, ok = rev.Index, true
		}
	}
	for _, g := range p {
		note(s.reg.RevokedGrant(g.ID, at))
		note(s.endedSession(p, g, at))
	}
	return index, ok
}

// Suspicions returns what a later revocation, before the index asked, says of
// r, which the log has at that index with that stamp: its target is suspected
// since a time that the record's log time is not before. It answers for the
// author, and for an action for all grants of its path. A suspicion is no part
// of [State.Judge], because it is the one thing that later entries change.
func (s *State) Suspicions(r *record.Record, index, asked int64, st *entry.Stamp) []Finding {
	j := &judge{s: s, r: r, m: r.Msg, index: index, st: st, hit: map[record.ID]bool{}}
	suspect := func(g *Grant, rev registry.Revocation) {
		later := rev.Index > index && rev.SuspectedSince >= 0 && st.LogTime >= rev.SuspectedSince
		if later && j.first(rev) {
			j.find(SuspectWindow, g, "was logged before entry %d revoked %s, but is suspected since %s", rev.Index, rev.Target(), clock(rev.SuspectedSince))
		}
	}
	suspectParty := func(g *Grant, a *onusv1.Author, index, logTime int64) {
		for _, rev := range s.reg.Suspicions(a, index, logTime, asked) {
			switch {
			case rev.Index > j.index:
				suspect(g, rev)
			case j.first(rev): // of who bound the key
				j.find(SuspectWindow, g, "rests on a key that was bound on the word of %s, which entry %d revoked: it is suspected since %s, before that", rev.Target(), rev.Index, clock(rev.SuspectedSince))
			}
		}
	}
	suspectParty(nil, r.Msg.GetAuthor(), index, st.LogTime)
	if r.Msg.GetGrant() == "" {
		return j.findings
	}
	p, _ := s.Path(mustID(r.Msg.GetGrant()), index)
	for _, g := range p {
		if rev, ok := s.reg.RevokedGrant(g.ID, asked); ok {
			suspect(g, rev)
		}
		if rev, ok := s.endedSession(p, g, asked); ok {
			suspect(g, rev)
		}
		for _, a := range s.parties(g, index) {
			suspectParty(g, a, index, st.LogTime)
		}
	}
	return j.findings
}
