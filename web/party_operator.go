package web

import (
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/desk"
)

// operatorRow is an operator as a line of the list.
type operatorRow struct {
	partyName
	Contact          string
	Agents, Services int
	Facts            partyFacts
	Revoked          *revocationRow
}

// operatorList is what the template "operators" shows.
type operatorList struct {
	Q     string
	Rows  []operatorRow
	Pager pager
}

// operators lists all operators, or shows one.
func (v *visit) operators() error {
	if id := v.r.FormValue("id"); id != "" || v.r.URL.Query().Has("id") {
		return v.operator(id)
	}
	page, err := v.pageOf()
	if err != nil {
		return err
	}
	var l operatorList
	if l.Q, err = v.searched(); err != nil {
		return err
	}
	if err := v.reading("operators", record.ID{}); err != nil {
		return err
	}
	size := v.Log.Size()
	var ids []string
	answers := map[string][2]int{}
	for _, r := range v.Log.Registry().Registrations(size) {
		switch s := r.Registration.GetSubject().(type) {
		case *onusv1.Registration_Operator:
			if o := s.Operator; l.Q == "" || holds(l.Q, o.GetId(), o.GetUnit(), o.GetOrganisation(), o.GetAccountablePost()) {
				ids = append(ids, o.GetId())
			}
		case *onusv1.Registration_Agent:
			n := answers[s.Agent.GetOperator()]
			answers[s.Agent.GetOperator()] = [2]int{n[0] + 1, n[1]}
		case *onusv1.Registration_Service:
			n := answers[s.Service.GetOperator()]
			answers[s.Service.GetOperator()] = [2]int{n[0], n[1] + 1}
		}
	}
	shown, pg, err := cutPage(ids, page, "/operators", "q", l.Q)
	if err != nil {
		return err
	}
	l.Pager = pg
	for _, id := range shown {
		row := v.operatorRowOf(id, size)
		row.Agents, row.Services = answers[id][0], answers[id][1]
		l.Rows = append(l.Rows, row)
	}
	return v.render("operators", "Operators", "operators", l)
}

func (v *visit) operatorRowOf(id string, at int64) operatorRow {
	row := operatorRow{partyName: v.nameOf(registry.Party{Kind: registry.KindOperator, ID: id}, at)}
	if v.Desk != nil {
		row.Facts = v.partyFacts(v.Desk.Operator(id, desk.Period{}), "operator", id)
	}
	for _, r := range v.Log.Registry().Revocations(&onusv1.Author{Operator: id}, at) {
		hit := v.revocationRowOf(r, at)
		row.Revoked = &hit
		break
	}
	return row
}

// operatorPage is what the template "operator" shows.
type operatorPage struct {
	operatorRow
	Description description
	KeyRows     []keyRow
	AgentRows   []agentLine
	// Others are the services, user clients and reviewers that it answers for.
	Others   []partyName
	Activity activity
	HitBy    []revocationRow
	// MoreAgents leads to the list of all its agents.
	MoreAgents string
}

func (v *visit) operator(id string) error {
	p := registry.Party{Kind: registry.KindOperator, ID: id}
	if err := checkID(p); err != nil {
		return err
	}
	size := v.Log.Size()
	if o, _ := v.Log.Registry().Operator(id, size); o == nil {
		return notFound("Look for it in the list of operators.", "No operator with this id is registered: %s.", say(id))
	}
	if err := v.reading("operator", record.ID{}); err != nil {
		return err
	}
	page := operatorPage{operatorRow: v.operatorRowOf(id, size), Description: v.describe(p, size), KeyRows: v.keyRows(p, size, v.newest()),
		HitBy: v.revocationsOf(p, size)}
	summaries := v.summaries()
	for _, r := range v.Log.Registry().Registrations(size) {
		switch s := r.Registration.GetSubject().(type) {
		case *onusv1.Registration_Agent:
			if s.Agent.GetOperator() == id {
				page.Agents++
				page.AgentRows = append(page.AgentRows, v.agentLineOf(s.Agent.GetId(), size, summaries))
			}
		case *onusv1.Registration_Service:
			if s.Service.GetOperator() == id {
				page.Services++
				page.Others = append(page.Others, v.nameOf(r.Party, size))
			}
		case *onusv1.Registration_Client:
			if s.Client.GetOperator() == id {
				page.Others = append(page.Others, v.nameOf(r.Party, size))
			}
		case *onusv1.Registration_Reviewer:
			if s.Reviewer.GetOperator() == id {
				page.Others = append(page.Others, v.nameOf(r.Party, size))
			}
		}
	}
	slices.SortStableFunc(page.AgentRows, byGravity)
	if len(page.AgentRows) > listRows {
		page.AgentRows, page.MoreAgents = page.AgentRows[:listRows], listPath("/agents", "operator", id)
	}
	page.Others = page.Others[:min(len(page.Others), listRows)]
	var err error
	if page.Activity, err = v.activityOf(RecordQuery{Operator: id}); err != nil {
		return err
	}
	return v.render("operator", page.Name, "operators", page)
}
