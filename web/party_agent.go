package web

import (
	"errors"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// agentLine is an agent class as a line of the list.
type agentLine struct {
	partyName
	Purpose string
	Keys    int
	desk.AgentSummary
	// Worst is the gravest severity of what it must answer for; Found how many
	// findings there are.
	Worst chain.Severity
	Found int
	// Revoked is the revocation that ended it, or its operator; nil if none.
	Revoked  *revocationRow
	Observed bool
}

// Class is the agent's id, and PartyName what people call it: both parts of the
// row know a name.
func (r agentLine) Class() string { return r.partyName.ID }

// PartyName is as Class.
func (r agentLine) PartyName() string { return r.partyName.Name }

// States of agents that the list can be narrowed to.
const (
	agentsSilent   = "silent"
	agentsRevoked  = "revoked"
	agentsFindings = "findings"
	agentsObserved = "observed"
)

// agentsPage is what the template "agents" shows.
type agentsPage struct {
	Q, State, Operator string
	States             []listChoice
	Operators          []listChoice
	Rows               []agentLine
	Pager              pager
}

// listChoice is a value that a list can be narrowed to.
type listChoice struct {
	Value, Word string
	Chosen      bool
}

func choices(chosen string, pairs ...string) []listChoice {
	var out []listChoice
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, listChoice{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return out
}

// agents lists all agent classes, or shows one.
func (v *visit) agents() error {
	if id := v.r.FormValue("id"); id != "" || v.r.URL.Query().Has("id") {
		return v.agent(id)
	}
	page, err := v.pageOf()
	if err != nil {
		return err
	}
	l := agentsPage{State: v.r.FormValue("state"), Operator: v.r.FormValue("operator")}
	if l.Q, err = v.searched(); err != nil {
		return err
	}
	l.States = choices(l.State, "", "any", agentsFindings, "with findings", agentsSilent, "fallen silent", agentsRevoked, "revoked", agentsObserved, "not under grants yet")
	if !slices.ContainsFunc(l.States, func(c listChoice) bool { return c.Chosen }) {
		return badRequest("Choose one of the states in the list.", "There is no such state of an agent: %s.", say(l.State))
	}
	if err := v.reading("agents", record.ID{}); err != nil {
		return err
	}
	if err := v.costly(); err != nil {
		return err
	}
	size := v.Log.Size()
	pairs := []string{"", "any unit"}
	for _, r := range v.Log.Registry().Registrations(size) {
		if o := r.Registration.GetOperator(); o != nil {
			pairs = append(pairs, o.GetId(), report.Clean(o.GetUnit()))
		}
	}
	l.Operators = choices(l.Operator, pairs...)
	var all []agentLine
	summaries := v.summaries()
	for _, id := range v.Log.Registry().Agents(size) {
		if row := v.agentLineOf(id, size, summaries); l.wants(row) {
			all = append(all, row)
		}
	}
	slices.SortStableFunc(all, byGravity)
	if l.Rows, l.Pager, err = cutPage(all, page, "/agents", "q", l.Q, "state", l.State, "operator", l.Operator); err != nil {
		return err
	}
	return v.render("agents", "Agents", "agents", l)
}

// byGravity puts those with the gravest findings first, and the most of them, then by name.
func byGravity(a, b agentLine) int {
	if d := severityRank(b.Worst) - severityRank(a.Worst); d != 0 {
		return d
	}
	if d := b.Findings[b.Worst] - a.Findings[a.Worst]; d != 0 {
		return d
	}
	if d := b.Found - a.Found; d != 0 {
		return d
	}
	return strings.Compare(strings.ToLower(a.partyName.Name), strings.ToLower(b.partyName.Name))
}

func (l *agentsPage) wants(r agentLine) bool {
	switch {
	case l.Operator != "" && r.OperatorID != l.Operator:
		return false
	case l.Q != "" && !holds(l.Q, r.Class(), r.partyName.Name, r.Unit, r.Post, r.OperatorID, r.Purpose):
		return false
	}
	switch l.State {
	case agentsSilent:
		return r.Silent
	case agentsRevoked:
		return r.Revoked != nil
	case agentsFindings:
		return r.Found > 0
	case agentsObserved:
		return r.Observed
	}
	return true
}

// summaries are what the desk knows of each agent over all time.
func (v *visit) summaries() map[string]desk.AgentSummary {
	out := map[string]desk.AgentSummary{}
	if v.Desk == nil {
		return out
	}
	for _, a := range v.Desk.Overview(desk.Period{}).Agents {
		out[a.Agent] = a
	}
	return out
}

func (v *visit) agentLineOf(id string, at int64, summaries map[string]desk.AgentSummary) agentLine {
	reg := v.Log.Registry()
	p := registry.Party{Kind: registry.KindAgent, ID: id}
	a, _ := reg.Agent(id, at)
	row := agentLine{partyName: v.nameOf(p, at), Purpose: report.Clean(a.GetPurpose()), Keys: len(reg.KeysOf(p, at)), AgentSummary: summaries[id], Observed: a.GetObserved()}
	var gravest, lesser int
	row.Worst, gravest, lesser = tally(row.Findings).split()
	row.Found = gravest + lesser
	for _, r := range reg.Revocations(&onusv1.Author{Agent: id, Operator: a.GetOperator()}, at) {
		hit := v.revocationRowOf(r, at)
		row.Revoked = &hit
		break
	}
	return row
}

// agentPage is what the template "agent" shows.
type agentPage struct {
	agentLine
	Description description
	KeyRows     []keyRow
	MoreKeys    int
	Instances   []instanceRow
	Facts       partyFacts
	Activity    activity
	Held, Given []grantRow
	// MoreHeld: it holds more than are shown. GivenOf: how many of those that
	// it holds were looked below.
	MoreHeld bool
	GivenOf  int
	HitBy    []revocationRow
}

// instanceRow is one process of an agent, as far as it is seen in its newest
// records and its keys.
type instanceRow struct {
	Name        string
	Index, Time int64
	Sequence    int64
	// Seen: it has records among those that were looked at.
	Seen, HasKey bool
	Href         string
}

func (v *visit) agent(id string) error {
	p := registry.Party{Kind: registry.KindAgent, ID: id}
	if err := checkID(p); err != nil {
		return err
	}
	size := v.Log.Size()
	if a, _ := v.Log.Registry().Agent(id, size); a == nil {
		return notFound("Look for it in the list of agents.", "No agent with this id is registered: %s.", say(id))
	}
	if err := v.reading("agent", record.ID{}); err != nil {
		return err
	}
	page := agentPage{agentLine: v.agentLineOf(id, size, v.summaries()), Description: v.describe(p, size),
		KeyRows: v.keyRows(p, size, v.newest()), HitBy: v.revocationsOf(p, size)}
	page.MoreKeys = page.Keys - len(page.KeyRows)
	if v.Desk != nil {
		page.Facts = v.partyFacts(v.Desk.Agent(id, desk.Period{}), "agent", id)
	}
	var err error
	if page.Activity, err = v.activityOf(RecordQuery{Agent: id}); err != nil {
		return err
	}
	if page.Instances, err = v.instances(id, page.KeyRows); err != nil {
		return err
	}
	if err := v.agentGrants(&page, id); err != nil {
		return err
	}
	return v.render("agent", page.partyName.Name, "agents", page)
}

// lookedInstances is how many of an agent's newest records are looked at for
// its processes.
const lookedInstances = 200

// instances are the processes that the newest records and the keys name.
func (v *visit) instances(agent string, keys []keyRow) ([]instanceRow, error) {
	indices, _, err := v.Log.Records(RecordQuery{Agent: agent}, lookedInstances, "")
	if err != nil {
		return nil, err
	}
	var out []instanceRow
	at := map[string]int{}
	add := func(name string) *instanceRow {
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, instanceRow{Name: report.Clean(name), Href: recordsPath("agent", agent, "instance", name)})
		}
		return &out[i]
	}
	for _, index := range indices {
		e, err := v.Log.Entry(index)
		if errors.Is(err, desk.ErrNotShown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if e.Record == nil || e.Record.Msg.GetAuthor().GetInstance() == "" {
			continue
		}
		if r := add(e.Record.Msg.GetAuthor().GetInstance()); !r.Seen {
			r.Seen, r.Index, r.Time, r.Sequence = true, e.Index, e.LogTime, e.Record.Msg.GetSequence()
		}
	}
	for _, k := range keys {
		if k.Instance != "" {
			add(k.Instance).HasKey = true
		}
	}
	return out[:min(len(out), listRows)], nil
}

// shownGrants is how many grants a party's page shows of each kind.
const shownGrants = 20

// agentGrants gathers what an agent holds, and what it gave on: grants under
// those that it holds, and signed by it.
func (v *visit) agentGrants(page *agentPage, id string) error {
	held, more, err := v.Log.Grants(GrantQuery{Agent: id}, shownGrants, "")
	if err != nil {
		return err
	}
	now := v.newest()
	page.MoreHeld = more != ""
	page.GivenOf = len(held)
	for _, g := range held {
		page.Held = append(page.Held, v.grantRowOf(g, now))
		if g.Record.Msg.GetDelegation().GetMaxDepth() == 0 || len(page.Given) >= shownGrants {
			continue
		}
		below, _, err := v.Log.Grants(GrantQuery{Parent: g.Record.ID.String()}, shownGrants, "")
		if err != nil {
			return err
		}
		for _, b := range below {
			if b.Record.Msg.GetAuthor().GetAgent() == id && len(page.Given) < shownGrants {
				page.Given = append(page.Given, v.grantRowOf(b, now))
			}
		}
	}
	return nil
}
