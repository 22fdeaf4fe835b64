package desk

import (
	"math"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Which cases a revocation makes suspect. By authority.State.Suspicions, which
// is the one part of a judgement that looks at later entries, a record is
// suspect if it was logged at or after the time since when the target is
// suspected, and the target is
//
//   - what its author stands on: its key, its instance, its class, its operator;
//   - what bound its key stood on, up to the genesis, if the binding was logged
//     since then;
//   - a grant on the path of the grant that the record names, or the session
//     that one of these ends with, or what the issuer or the holder of one
//     stands on, as above.
//
// So only cases with a record since then can be hit, and of these only those
// that name such a party or grant. What is asked here is a little wider: a class
// stands for its instances, a party for its keys, and a session for grants that
// do not end with it. A case too many is judged for nothing; one too few would
// be wrong.
type suspicion struct {
	*round
	by     registry.Revocation // of which the target is set
	asked  int64
	terms  map[term]bool
	grants map[int64]bool
}

// suspected has the cases judged again that a revocation may make suspect.
func (r *round) suspected(e chain.Entry) {
	v := e.Record.Msg.GetRevocation()
	if e.Opaque != chain.Readable || v.GetSuspectedSince() == nil {
		return
	}
	since := v.GetSuspectedSince().AsTime().UnixMilli()
	s := suspicion{round: r, asked: e.Index + 1, terms: map[term]bool{}, grants: map[int64]bool{},
		by: registry.Revocation{Key: v.GetKey(), Agent: v.GetAgent() + v.GetInstance().GetAgent(), Instance: v.GetInstance().GetInstance(),
			Operator: v.GetOperator(), Grant: v.GetGrant(), Session: v.GetSession()}}
	for n, k := range r.state.cases {
		c := uint32(n)
		// One that is dirty is judged anyway, and may have been summarised without
		// the record that is hit.
		if k != nil && k.made && r.find(c) == c && !r.dirty[c] && r.get(c).tookLast >= since && s.hits(r.get(c)) {
			r.dirty[c] = true
		}
	}
}

func (s *suspicion) hits(k *kase) bool {
	grants, known := k.grants()
	if !known || k.more != nil && k.more.unjudged != "" {
		return true // not all is known of it
	}
	for p := range k.parts() {
		if s.party(p.term) {
			return true
		}
	}
	return slices.ContainsFunc(k.terms(), s.party) || slices.ContainsFunc(grants, func(g uint32) bool { return s.grant(int64(g), 0) })
}

// party reports whether a term is a party that stands on the target.
func (s *suspicion) party(t term) bool {
	var authors []*onusv1.Author
	kind := s.state.terms.kinds[t]
	switch kind {
	case kindAgent, kindOperator, kindUser, kindParty:
	default:
		return false
	}
	if hit, known := s.terms[t]; known {
		return hit
	}
	id := s.state.terms.str(t)
	switch kind {
	case kindAgent:
		authors = []*onusv1.Author{{Agent: id}}
	case kindOperator:
		authors = []*onusv1.Author{{Operator: id}}
	case kindUser:
		authors = []*onusv1.Author{{User: id}}
	case kindParty:
		authors = []*onusv1.Author{{Service: id}, {Client: id}, {Reviewer: id}, {Administrator: id}}
	}
	s.terms[t] = slices.ContainsFunc(authors, s.author)
	return s.terms[t]
}

// author reports whether a party, with any of its keys, stands on the target.
func (s *suspicion) author(a *onusv1.Author) bool {
	if s.by.Agent != "" && s.by.Agent == a.GetAgent() {
		return true
	}
	reg := s.log.Registry()
	stands := func(key string) bool {
		with := &onusv1.Author{Agent: a.GetAgent(), Operator: a.GetOperator(), Service: a.GetService(), Client: a.GetClient(),
			Reviewer: a.GetReviewer(), User: a.GetUser(), Administrator: a.GetAdministrator(), Host: a.GetHost(), KeyId: key}
		// As if it had signed at all times. Another revocation of the same target
		// may stand for this one.
		return slices.ContainsFunc(reg.Suspicions(with, -1, math.MaxInt64, s.asked), func(r registry.Revocation) bool {
			return r.Key == s.by.Key && r.Agent == s.by.Agent && r.Instance == s.by.Instance && r.Operator == s.by.Operator
		})
	}
	return stands(a.GetKeyId()) || slices.ContainsFunc(reg.KeysOf(registry.PartyOf(a), s.asked), func(b *registry.Binding) bool { return stands(b.Key.ID()) })
}

// maxDepth bounds how far a path of grants is followed: beyond it the engine
// does not, either.
const maxDepth = 64

// grant reports whether the path of a grant stands on the target.
func (s *suspicion) grant(index int64, depth int) bool {
	if hit, known := s.grants[index]; known {
		return hit
	}
	hit := depth == maxDepth
	if !hit {
		hit = s.pathOf(index, depth)
	}
	s.grants[index] = hit
	return hit
}

func (s *suspicion) pathOf(index int64, depth int) bool {
	e, ok := s.entry(index)
	if !ok {
		return true
	}
	m := e.Record.Msg
	switch {
	case s.by.Grant != "" && s.by.Grant == e.Record.ID.String(),
		s.by.Session != "" && s.by.Session == m.GetSession(),
		s.author(m.GetAuthor()), s.author(&onusv1.Author{Agent: m.GetDelegation().GetAgent()}):
		return true
	}
	up, ok := s.grantOf(m)
	return ok && up < index && s.grant(up, depth+1)
}

// grantOf returns the grant that a record names.
func (r *round) grantOf(m *onusv1.Record) (index int64, ok bool) {
	if m.GetGrant() == "" {
		return 0, false
	}
	id, err := record.ParseID(m.GetGrant())
	if err != nil {
		return 0, false
	}
	return r.lookup(id)
}
