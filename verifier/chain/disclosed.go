package chain

import (
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// An agent may know more than the user it works for. What it read on its
// operator's authority it may not simply tell that user.

// read is what an instance read on its operator's authority, under one root.
type read struct {
	node    *Node
	element *onusv1.ScopeElement
}

// reader names an instance at work under one root.
type reader struct {
	root            *Node
	agent, instance string
}

// disclosed says where an action tells a user data of a class that the same
// instance read before on its operator's authority, under the same root, and
// that nothing which this user gave or asked for covers.
func (j *judge) disclosed(n *Node, p *place) {
	m := n.Record.Msg
	e := m.GetStages().GetAction().GetElement()
	who := reader{p.root, m.GetAuthor().GetAgent(), m.GetAuthor().GetInstance()}
	if to := e.GetRecipient(); strings.HasPrefix(to, record.UserPrefix) {
		var beyond []string
		var first *Node
		for _, d := range slices.Sorted(slices.Values(e.GetDatatypes())) {
			if at := j.readBeyond(who, n, to, d); at != nil {
				beyond = append(beyond, d)
				if first == nil {
					first = at
				}
			}
		}
		if first != nil {
			f := p.find("DISCLOSED_BEYOND_PRINCIPAL", "gives user %s %s, read in entry %s on the operator's authority; nothing shows that this user may have it", to, strings.Join(beyond, ", "), number(first.Index))
			f.About = first.Record.ID
		}
	}
	if p.stands.path.Basis() == onusv1.Basis_BASIS_OWN || len(p.stands.path) == 0 && m.GetBasis() == onusv1.Basis_BASIS_OWN {
		j.note(who, n, e)
	}
}

// note keeps what was read, by class of data; the same thing once.
func (j *judge) note(who reader, n *Node, e *onusv1.ScopeElement) {
	if j.reads[who] == nil {
		j.reads[who] = map[string][]read{}
	}
	for _, d := range e.GetDatatypes() {
		all := j.reads[who][d]
		if !slices.ContainsFunc(all, func(r read) bool { return sameElement(r.element, e) }) && len(all) < maxReads {
			j.reads[who][d] = append(all, read{n, e})
		}
	}
}

// maxReads bounds how many different things with one class of data are told
// apart: whether a user may see one of them is asked of each.
const maxReads = 256

// readBeyond returns where an instance read data of a class that a user may not
// see, or nil.
func (j *judge) readBeyond(who reader, n *Node, user, datatype string) *Node {
	for _, r := range j.reads[who][datatype] {
		if !j.userHas(who.root, n, user, datatype, r.element) {
			return r.node
		}
	}
	return nil
}

// userHas reports whether an element that a user gave or asked for, as far as
// it counts as the user's, names that class of data, or covers what was read.
func (j *judge) userHas(root, n *Node, user, datatype string, what *onusv1.ScopeElement) bool {
	one := proto.CloneOf(what)
	one.Datatypes = []string{datatype}
	for _, e := range j.userScope(root, n, user) {
		if slices.Contains(e.GetDatatypes(), datatype) || slices.Contains(e.GetDatatypes(), "*") {
			return true
		}
		if authority.Within([]*onusv1.ScopeElement{e}, one) == authority.Covered {
			return true
		}
	}
	return false
}

// principalAt names a user under one root.
type principalAt struct {
	root *Node
	user string
}

// scopeAt is what a user has from an index on.
type scopeAt struct {
	index   int64
	element *onusv1.ScopeElement
}

// userScope returns the elements of a user's own grants and requests that are
// in force before an action: those that records under the same root hold or
// act under.
func (j *judge) userScope(root, n *Node, user string) []*onusv1.ScopeElement {
	if j.userScopes == nil {
		j.userScopes = map[principalAt][]scopeAt{}
		seen := map[principalAt]map[record.ID]bool{}
		for _, m := range j.chain.Nodes {
			j.readScope(m, seen)
		}
	}
	var es []*onusv1.ScopeElement
	for _, s := range j.userScopes[principalAt{root, user}] {
		if s.index < n.Index {
			es = append(es, s.element)
		}
	}
	return es
}

func (j *judge) readScope(n *Node, seen map[principalAt]map[record.ID]bool) {
	if !j.counts(n) {
		return
	}
	root := j.places[n].root
	add := func(user string, id record.ID, index int64, es []*onusv1.ScopeElement) {
		k := principalAt{root, user}
		if seen[k] == nil {
			seen[k] = map[record.ID]bool{}
		}
		if seen[k][id] {
			return
		}
		seen[k][id] = true
		for _, e := range es {
			j.userScopes[k] = append(j.userScopes[k], scopeAt{index, e})
		}
	}
	grants := j.grantsOf(n)
	if n.Record.Msg.GetDelegation() != nil {
		if g, ok := j.Authority.Grant(n.Record.ID, n.Index+1); ok {
			grants = append(authority.Path{g}, grants...)
		}
	}
	for _, g := range grants {
		if _, broken := j.brokenAt[g.Index]; broken || g.Word.User == "" || !g.Word.Counts {
			continue
		}
		var es []*onusv1.ScopeElement
		for _, e := range g.Msg.GetScope() {
			es = append(es, e.GetElement())
		}
		add(g.Word.User, g.ID, g.Index, es)
	}
	if n.Record.Msg.GetStages().GetIntent() == nil {
		return
	}
	for _, a := range j.intentsOf(n) {
		if !a.catalogue { // a catalogue is what the operator says
			add(a.user, n.Record.ID, n.Index, a.elements[0])
		}
	}
}
