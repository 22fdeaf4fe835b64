package report

import (
	"cmp"
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Beside is a record that no link joins to a chain, and that a picture of it
// shows all the same: a revocation of a party, a key, a grant or a session in
// it, or an approval or a denial that counted for one of its actions.
type Beside struct {
	Entry chain.Entry
	// Hits is the index of a record of the chain: the mark stands in the lane of
	// who signed that, for it is they who are ended. -1: it stands in the lane of
	// its own author.
	Hits int64
}

// revokedCodes are the findings that say that something had been revoked.
var revokedCodes = []string{"AGENT_REVOKED", "KEY_REVOKED", "GRANT_REVOKED", "ANCESTOR_REVOKED", "SESSION_REVOKED"}

// Ends is a revocation that hits a chain, and the record of the chain in whose
// lane it stands.
type Ends struct{ Index, Hits int64 }

// RevocationsIn picks, out of a log's revocations in log order, those that hit
// something in a chain: who signed a record of it, the key that signed, a grant
// that is part of it or that a record acts under, a session. They are those
// logged between its first record and its last, and others that a finding is
// about: of what was hit by an older one, or is suspect since one that came
// later. f has the findings by the index of their record.
func RevocationsIn(c *chain.Chain, all []registry.Revocation, f map[int64][]chain.Finding) []Ends {
	if len(c.Nodes) == 0 {
		return nil
	}
	first, last := c.Nodes[0].Index, c.Nodes[len(c.Nodes)-1].Index
	found := func(n *chain.Node, codes ...string) bool {
		return slices.ContainsFunc(f[n.Index], func(f chain.Finding) bool { return slices.Contains(codes, f.Code) })
	}
	targets := map[string][]*chain.Node{}
	for _, n := range c.Nodes {
		for _, t := range targetsOf(n) {
			targets[t] = append(targets[t], n)
		}
	}
	var out []Ends
	for _, r := range all {
		hit := targets[targetKey(r)]
		if r.Session != "" && r.User != "" {
			hit = slices.DeleteFunc(slices.Clone(hit), func(n *chain.Node) bool {
				m := n.Record.Msg
				return cmp.Or(m.GetUser(), m.GetAuthor().GetUser()) != r.User
			})
		}
		switch {
		case len(hit) == 0 || slices.ContainsFunc(c.Nodes, func(n *chain.Node) bool { return n.Index == r.Index }):
			continue // of another chain, or drawn already
		case r.Index > last && !(r.SuspectedSince >= 0 && slices.ContainsFunc(hit, func(n *chain.Node) bool { return found(n, "SUSPECT_WINDOW") })):
			continue
		case r.Index < first && !slices.ContainsFunc(hit, func(n *chain.Node) bool { return found(n, revokedCodes...) }):
			continue
		}
		out = append(out, Ends{r.Index, laneOfHit(c, hit, r).Index})
	}
	return out
}

// targetsOf names all that a revocation could end about a record.
func targetsOf(n *chain.Node) []string {
	m := n.Record.Msg
	a := m.GetAuthor()
	ts := []string{"operator " + a.GetOperator(), "agent " + a.GetAgent(), "instance " + a.GetAgent() + " " + a.GetInstance(), "key " + a.GetKeyId()}
	if n.Opaque != chain.Readable {
		return ts
	}
	ts = append(ts, "grant "+m.GetGrant(), "session "+m.GetSession())
	if d := m.GetDelegation(); d != nil {
		ts = append(ts, "grant "+n.Record.ID.String(), "agent "+d.GetAgent())
	}
	return ts
}

func targetKey(r registry.Revocation) string {
	switch {
	case r.Key != "":
		return "key " + r.Key
	case r.Instance != "":
		return "instance " + r.Agent + " " + r.Instance
	case r.Agent != "":
		return "agent " + r.Agent
	case r.Operator != "":
		return "operator " + r.Operator
	case r.Grant != "":
		return "grant " + r.Grant
	}
	return "session " + r.Session
}

// laneOfHit returns a record of whoever a revocation ends: of a grant its holder,
// of a session its user, where they signed anything in the chain.
func laneOfHit(c *chain.Chain, hit []*chain.Node, r registry.Revocation) *chain.Node {
	want := func(*chain.Node) bool { return false }
	switch {
	case r.Grant != "":
		holder := ""
		for _, n := range hit {
			if n.Record.ID.String() == r.Grant {
				holder = n.Record.Msg.GetDelegation().GetAgent()
			}
		}
		want = func(n *chain.Node) bool {
			return n.Record.Msg.GetGrant() == r.Grant && n.Record.Msg.GetDelegation() == nil || holder != "" && n.Record.Msg.GetAuthor().GetAgent() == holder
		}
	case r.Session != "":
		want = func(n *chain.Node) bool { return n.Record.Msg.GetSession() == r.Session && partyOf(n).lane == userLane }
	case r.Agent != "":
		want = func(n *chain.Node) bool {
			a := n.Record.Msg.GetAuthor()
			return a.GetAgent() == r.Agent && (r.Instance == "" || a.GetInstance() == r.Instance)
		}
	}
	if i := slices.IndexFunc(c.Nodes, want); i >= 0 {
		return c.Nodes[i]
	}
	return hit[0]
}

// beside puts the records that stand beside the chain between its own, in log
// order.
func (p *picture) beside() {
	p.nodes, p.hits = p.chain.Nodes, map[*chain.Node]*chain.Node{}
	if len(p.marks.Beside) == 0 {
		return
	}
	at := map[int64]*chain.Node{}
	for _, n := range p.chain.Nodes {
		at[n.Index] = n
	}
	all := slices.Clone(p.chain.Nodes)
	for _, b := range p.marks.Beside {
		if at[b.Entry.Index] != nil {
			continue
		}
		n := &chain.Node{Entry: b.Entry}
		all, at[n.Index] = append(all, n), n
		p.hits[n] = at[b.Hits]
	}
	p.nodes = sorted(all)
}

// isBeside reports whether a record is not of the chain itself.
func (p *picture) isBeside(n *chain.Node) bool {
	_, is := p.hits[n]
	return is
}

// party is in whose lane a record is drawn: of a revocation beside the chain
// whom it hits, else who signed it.
func (p *picture) party(n *chain.Node) partyIn {
	if hit := p.hits[n]; hit != nil {
		return partyOf(hit)
	}
	return partyOf(n)
}

// ended says in two words what a revocation ended.
func ended(r *onusv1.Revocation) string {
	switch r.GetTarget().(type) {
	case *onusv1.Revocation_Key:
		return "key revoked"
	case *onusv1.Revocation_Instance:
		return "process revoked"
	case *onusv1.Revocation_Agent:
		return "agent revoked"
	case *onusv1.Revocation_Operator:
		return "operator revoked"
	case *onusv1.Revocation_Grant:
		return "grant revoked"
	case *onusv1.Revocation_Session:
		return "session ended"
	}
	return "revoked"
}

// besideSentence says all that is drawn of a record beside the chain.
func (p *picture) besideSentence(n *chain.Node) string {
	s := fmt.Sprintf("Entry %d, beside the chain, %s", n.Index, kindOf(n))
	if what := p.what(n); what != "" {
		s += " (" + cut(what, 160) + ")"
	}
	s += ", by " + p.full(partyOf(n))
	if hit := p.hits[n]; hit != nil {
		s += ": it hits " + p.full(partyOf(hit)) + " from here on"
	}
	return s + "."
}
