package chain

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// What came of an action: the agent's own outcome, and what the target service
// recorded.

// services notes which services were ever registered as recording each request.
func (j *judge) services() {
	for _, r := range j.Registry.Registrations(j.Size) {
		if r.Party.Kind == registry.KindService {
			j.recording = append(j.recording, r.Party.ID)
		}
	}
	slices.Sort(j.recording)
}

// serves reports whether a service is a target of actions at a location. One
// that is registered without locations serves none.
func (j *judge) serves(service *onusv1.Service, location string) bool {
	return location == "" || below(service.GetLocations(), location)
}

// below reports whether a location lies below one of the prefixes.
func below(prefixes []string, location string) bool {
	at := &onusv1.ScopeElement{Type: "*", Action: "*", Location: location}
	return slices.ContainsFunc(prefixes, func(p string) bool {
		return authority.Within([]*onusv1.ScopeElement{{Type: "*", Action: "*", Location: p}}, at) == authority.Covered
	})
}

// counters returns what target services recorded of an action, in log order. A
// request of somebody else that names the action is none of it.
func (j *judge) counters(n *Node) []*Node {
	var all []*Node
	location := n.Record.Msg.GetStages().GetAction().GetElement().GetLocation()
	for _, c := range n.Children {
		if !j.counts(c) || c.Record.Msg.GetCounter() == nil {
			continue
		}
		s, _ := j.Registry.Service(c.Record.Msg.GetAuthor().GetService(), c.Index)
		if s != nil && j.serves(s, location) && authority.CalledBy(c.Record.Msg.GetCounter(), n.Record.Msg.GetAuthor()) {
			all = append(all, c)
		}
	}
	return all
}

// outcomes returns what the acting instance said of how its action ended.
func (j *judge) outcomes(n *Node) []*Node {
	var all []*Node
	for _, c := range n.Children {
		if j.counts(c) && c.Record.Msg.GetOutcome() != nil && sameInstance(c.Record.Msg.GetAuthor(), n.Record.Msg.GetAuthor()) {
			all = append(all, c)
		}
	}
	return all
}

// effect compares what was said of an action, and says what is missing.
func (j *judge) effect(n *Node, p *place) {
	a := n.Record.Msg.GetStages().GetAction()
	counters, ends := j.counters(n), j.outcomes(n)
	for _, c := range counters {
		if differ := disagrees(n, ends, c.Record.Msg.GetCounter()); len(differ) > 0 {
			p.find("EFFECT_DISAGREES", "%s; %s recorded it in entry %s", strings.Join(differ, "; "), j.signer(c), number(c.Index))
		}
	}
	seen := []*onusv1.TokenFacts{a.GetToken()}
	for _, c := range counters {
		seen = append(seen, c.Record.Msg.GetCounter().GetToken())
	}
	for _, t := range seen {
		if t != nil && t.GetSub() != "" && len(t.GetAct()) == 0 {
			p.find("IMPERSONATION_SUSPECTED", "reached its target with the token of user %s, in which nothing says that an agent acts", t.GetSub())
			break
		}
	}
	if j.pending(n) {
		return
	}
	if len(ends) == 0 && a.GetResult() == nil && a.GetTargetDecision() != onusv1.TargetDecision_TARGET_DECISION_DENIED {
		p.find("OUTCOME_MISSING", "was logged at %s, and how it ended was not within %s", clock(n.LogTime), j.policy.GetOutcomeWindow().AsDuration())
	}
	location := a.GetElement().GetLocation()
	for _, id := range j.recording {
		s, _ := j.Registry.Service(id, n.Index)
		if !s.GetRecords() || location == "" || !below(s.GetLocations(), location) {
			continue
		}
		if !slices.ContainsFunc(counters, func(c *Node) bool { return c.Record.Msg.GetAuthor().GetService() == id }) {
			p.find("NO_COUNTER_RECORD", "is not in what %s recorded, which says that it records each request", display(s.GetDisplayName(), id))
		}
	}
}

// pending: the policy's window has not passed yet, by the log's own time.
func (j *judge) pending(n *Node) bool {
	return j.Time-n.LogTime <= j.policy.GetOutcomeWindow().AsDuration().Milliseconds()
}

// disagrees words where the agent said one thing and the target another.
func disagrees(n *Node, ends []*Node, c *onusv1.CounterRecord) []string {
	a := n.Record.Msg.GetStages().GetAction()
	mine, theirs := a.GetElement(), c.GetElement()
	var all []string
	differ := func(field, agent, target string) {
		if agent != "" && target != "" && agent != target {
			all = append(all, fmt.Sprintf("the agent says %s %s, the target %s", field, agent, target))
		}
	}
	differ("type", mine.GetType(), theirs.GetType())
	differ("action", mine.GetAction(), theirs.GetAction())
	differ("identifier", mine.GetIdentifier(), theirs.GetIdentifier())
	if !below([]string{mine.GetLocation()}, theirs.GetLocation()) && !below([]string{theirs.GetLocation()}, mine.GetLocation()) {
		differ("location", mine.GetLocation(), theirs.GetLocation())
	}
	differ("amount", money(mine), money(theirs))
	differ("quantity", oneForm(mine.GetQuantity()), oneForm(theirs.GetQuantity()))
	differ("recipient", mine.GetRecipient(), theirs.GetRecipient())
	differ("data", list(mine.GetDatatypes()), list(theirs.GetDatatypes()))
	differ("request id", a.GetExternalRequestId(), c.GetExternalRequestId())
	differ("decision", decisionWord(a.GetTargetDecision()), decisionWord(c.GetDecision()))
	if len(ends) > 0 {
		o := ends[len(ends)-1].Record.Msg.GetOutcome()
		differ("outcome", outcomeWord(o.GetStatus()), outcomeWord(c.GetStatus()))
		if a.GetTargetDecision() == onusv1.TargetDecision_TARGET_DECISION_UNSPECIFIED {
			differ("decision", decisionWord(o.GetTargetDecision()), decisionWord(c.GetDecision()))
		}
	}
	return all
}

func decisionWord(d onusv1.TargetDecision) string {
	switch d {
	case onusv1.TargetDecision_TARGET_DECISION_ALLOWED:
		return "allowed"
	case onusv1.TargetDecision_TARGET_DECISION_DENIED:
		return "denied"
	}
	return ""
}

func outcomeWord(o onusv1.OutcomeStatus) string {
	switch o {
	case onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED:
		return "succeeded"
	case onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED:
		return "failed"
	}
	return ""
}

// effects are the actions that a target knows by one request id.
type effects struct {
	nodes []*Node
	// seen is of how many a target recorded that it took place.
	seen int
}

// duplicates finds requests that were made twice: of the same target, with the
// same request id. Where the elements are equal it is one effect told again,
// unless the target saw two.
func (j *judge) duplicates() {
	byRequest := map[string]*effects{}
	var keys []string
	for _, n := range j.chain.Nodes {
		a := n.Record.Msg.GetStages().GetAction()
		if !j.counts(n) || a.GetExternalRequestId() == "" {
			continue
		}
		key := target(a.GetElement()) + "\x00" + a.GetExternalRequestId()
		e := byRequest[key]
		if e == nil {
			e = &effects{}
			byRequest[key] = e
			keys = append(keys, key)
		}
		e.nodes = append(e.nodes, n)
		if j.tookPlace(n) {
			e.seen++
		}
	}
	for _, k := range keys {
		e := byRequest[k]
		first := e.nodes[0]
		for _, n := range e.nodes[1:] {
			same := sameElement(n.Record.Msg.GetStages().GetAction().GetElement(), first.Record.Msg.GetStages().GetAction().GetElement())
			text := "has the request id of entry " + number(first.Index) + ", and is the same: it counts once"
			switch {
			case !same:
				text = "has the request id of entry " + number(first.Index) + ", and is something else: each counts"
			case e.seen > 1:
				text = fmt.Sprintf("has the request id of entry %s, and the target recorded %d effects: each counts", number(first.Index), e.seen)
			}
			f := j.places[n].find("DUPLICATE_EFFECT", "%s", text)
			f.About = first.Record.ID
			if !same || e.seen > 1 {
				f.Severity = High
			}
		}
	}
}

// tookPlace: a target said that an action was done. A refusal is no word against
// that: it is of another request.
func (j *judge) tookPlace(n *Node) bool {
	return slices.ContainsFunc(j.counters(n), func(c *Node) bool {
		r := c.Record.Msg.GetCounter()
		if r.GetDecision() == onusv1.TargetDecision_TARGET_DECISION_DENIED || r.GetStatus() == onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED {
			return false
		}
		return r.GetDecision() == onusv1.TargetDecision_TARGET_DECISION_ALLOWED || r.GetStatus() == onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	})
}

// target is who receives a request: the scheme and host of its location, or
// else the kind of resource.
func target(e *onusv1.ScopeElement) string {
	scheme, rest, ok := strings.Cut(e.GetLocation(), "://")
	if !ok {
		if e.GetLocation() != "" {
			return e.GetLocation()
		}
		return e.GetType()
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// sameElement: they say the same; decimals by value, data types in any order.
func sameElement(a, b *onusv1.ScopeElement) bool {
	return record.Operation(a) == record.Operation(b) && a.GetLocation() == b.GetLocation() && a.GetIdentifier() == b.GetIdentifier() &&
		list(a.GetDatatypes()) == list(b.GetDatatypes()) && money(a) == money(b) &&
		oneForm(a.GetQuantity()) == oneForm(b.GetQuantity()) && a.GetRecipient() == b.GetRecipient()
}
