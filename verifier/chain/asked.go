package chain

import (
	"math/big"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// What a user asked for, where the words count as the user's, is an implicit
// grant: to the agent that the intent names, and to no other, until the token
// ends.

// asked is one implicit grant.
type asked struct {
	intent *Node
	user   string
	agents []string
	// elements are what was asked for; the action must lie within all of these
	// lists.
	elements [][]*onusv1.ScopeElement
	// catalogue: the first list is what the operator registered.
	catalogue bool
	// counted: the amounts of the first list bound all actions together.
	counted bool
}

// askedElement is an element of an implicit grant that names an amount.
type askedElement struct {
	intent record.ID
	n      int
}

// maxIntents bounds how many intents above an action are looked at, the
// nearest first.
const maxIntents = 64

// wordOf says how strong the user's word in an intent is.
func (j *judge) wordOf(n *Node) authority.Word {
	return j.Authority.Word(n.Record, n.Index, stampOf(n))
}

// intentsOf returns the implicit grants that an intent gives.
func (j *judge) intentsOf(n *Node) []asked {
	if as, ok := j.asked[n.Record.ID]; ok {
		return as
	}
	as := j.readIntent(n)
	j.asked[n.Record.ID] = as
	return as
}

func (j *judge) readIntent(n *Node) []asked {
	m := n.Record.Msg
	if j.isBroken(n) || m.GetUser() == "" || m.GetCapture() != onusv1.Capture_CAPTURE_SELF {
		return nil
	}
	a := m.GetAuthor()
	if len(j.Registry.Revocations(a, n.Index)) > 0 {
		return nil // who signs while revoked says nothing for a user
	}
	if _, _, ended := j.Registry.Ended(a.GetKeyId(), n.Index, n.LogTime); ended {
		return nil
	}
	requested := m.GetStages().GetIntent().GetRequested()
	tools := j.toolsOf(n)
	if len(requested) > 0 && j.wordOf(n).Counts {
		return []asked{{intent: n, user: m.GetUser(), agents: namedBy(m, tools), elements: [][]*onusv1.ScopeElement{requested}, counted: true}}
	}
	var as []asked
	for _, tool := range tools {
		class, _ := j.Registry.Agent(tool, n.Index)
		if len(class.GetCatalogue()) == 0 {
			continue
		}
		lists := [][]*onusv1.ScopeElement{class.GetCatalogue()}
		if len(requested) > 0 { // said, and not shown: it can only narrow
			lists = append(lists, requested)
		}
		as = append(as, asked{intent: n, user: m.GetUser(), agents: []string{tool}, elements: lists, catalogue: true})
	}
	return as
}

// namedBy returns the agents to which an intent that counts gives what it asks
// for. An agent that wrote it down names nobody but itself: whom the user
// asked, the agent cannot say.
func namedBy(m *onusv1.Record, tools []string) []string {
	switch a := m.GetAuthor().GetAgent(); {
	case a != "":
		return []string{a}
	case m.GetAsks() != "":
		return []string{m.GetAsks()}
	}
	return tools
}

// toolsOf returns the agents whose registered OAuth client the intent's token,
// which the ledger checked, was issued to or is for.
func (j *judge) toolsOf(n *Node) []string {
	m, st := n.Record.Msg, stampOf(n)
	t := m.GetToken()
	if t == nil || st.Assurance == 0 || st.User != m.GetUser() {
		return nil
	}
	var tools []string
	for _, id := range append([]string{t.GetClient()}, t.GetAudience()...) {
		if a := j.Registry.AgentOfClient(t.GetIssuer(), id, n.Index); a != "" && !slices.Contains(tools, a) {
			tools = append(tools, a)
		}
	}
	return tools
}

// ends returns when an implicit grant ends, by log time, and whether it has: with
// the token beside the intent, or, without one, with the user's own key.
func (j *judge) ended(a asked, n *Node) (ends int64, ended bool) {
	if t := a.intent.Record.Msg.GetToken(); t != nil {
		ends = t.GetExpires().AsTime().UnixMilli()
		return ends, n.LogTime >= ends
	}
	ends, _, ended = j.Registry.Ended(a.intent.Record.Msg.GetAuthor().GetKeyId(), n.Index, n.LogTime)
	return ends, ended
}

// answer says whether what was asked for covers an element.
func (a asked) answer(e *onusv1.ScopeElement) authority.Answer {
	least := authority.Covered
	for _, list := range a.elements {
		least = min(least, authority.Within(list, e))
	}
	return least
}

// askedOf returns the implicit grants that reach an action: on its path, of its
// own user, to its agent, from their own index on.
func (j *judge) askedOf(n *Node, p *place) []asked {
	m := n.Record.Msg
	var all []asked
	in := p.intents
	for range maxIntents {
		if in == nil {
			break
		}
		for _, a := range j.intentsOf(in.node) {
			if a.user == m.GetUser() && in.node.Index <= n.Index && slices.Contains(a.agents, m.GetAuthor().GetAgent()) {
				all = append(all, a)
			}
		}
		in = in.rest
	}
	return all
}

// spend counts an action against the first element that covers it and whose
// amount, of which all actions under the intent use together, has room. Where
// none has, it returns the sum that it would have come to.
func (j *judge) spend(a asked, e *onusv1.ScopeElement) (ok bool, limit *onusv1.ScopeElement, sum *big.Rat) {
	if !a.counted {
		return true, nil, nil
	}
	for i, asks := range a.elements[0] {
		if authority.Within([]*onusv1.ScopeElement{asks}, e) != authority.Covered {
			continue
		}
		if asks.GetAmount() == "" {
			return true, nil, nil
		}
		key := askedElement{a.intent.Record.ID, i}
		before := j.spent[key]
		if before == nil {
			before = new(big.Rat)
		}
		after := new(big.Rat).Add(before, decimal(e.GetAmount()))
		if after.Cmp(decimal(asks.GetAmount())) <= 0 {
			j.spent[key] = after
			return true, nil, nil
		}
		if limit == nil {
			limit, sum = asks, after
		}
	}
	return false, limit, sum
}

// decimal reads a decimal of a valid record.
func decimal(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("chain: a valid record has an amount that is no decimal: " + s)
	}
	return r
}
