package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// The model's idea of grants and of what was used up of their limits: a walk
// over all entries from the first, each time it is asked.

// drawn is what was used up of one limit.
type drawn struct {
	last int64
	sum  int64 // whole numbers are enough here
}

type limitOf struct {
	grant record.ID
	limit int
}

// pathOf returns the part of a grant path that counts: upwards while each
// agent on it held what it passed on.
func (m *model) pathOf(grant string, before int, agent, instance string) (path []int) {
	byID := map[string]int{}
	for i, e := range m.entries[:before] {
		byID[e.rec.ID.String()] = i
	}
	for grant != "" {
		i, ok := byID[grant]
		if !ok || i >= before || m.entries[i].rec.Msg.GetDelegation() == nil {
			return path
		}
		e := m.entries[i].rec.Msg
		g := e.GetDelegation()
		if g.GetAgent() != agent || g.GetInstance() != "" && g.GetInstance() != instance {
			return path
		}
		path = append(path, i)
		grant, before, agent, instance = e.GetGrant(), i, e.GetAuthor().GetAgent(), e.GetAuthor().GetInstance()
	}
	return path
}

// totals says what the entries before index use up, and the stamp that the
// entry at index must have, if there is one.
func (m *model) totals(index int) (map[limitOf]drawn, []entry.Use) {
	sums := map[limitOf]drawn{}
	counting := map[int]bool{} // actions
	limits := map[int][]limitOf{}
	byID := map[string]int{}
	var stamp []entry.Use
	for i := 0; i <= index && i < len(m.entries); i++ {
		r := m.entries[i].rec.Msg
		a := r.GetStages().GetAction()
		stamp = nil
		if e := a.GetElement(); e.GetAmount() != "" {
			for _, g := range m.pathOf(r.GetGrant(), i, r.GetAuthor().GetAgent(), r.GetAuthor().GetInstance()) {
				for n, ge := range m.entries[g].rec.Msg.GetDelegation().GetScope() {
					same := ge.GetElement().GetAction() == "*" || ge.GetElement().GetAction() == e.GetAction()
					if same && ge.GetMaxTotal() != "" && ge.GetUnit() == e.GetUnit() {
						limits[i] = append(limits[i], limitOf{m.entries[g].rec.ID, n})
					}
				}
			}
			for _, l := range limits[i] {
				d, ok := sums[l]
				if !ok {
					d.last = -1
				}
				stamp = append(stamp, entry.Use{ID: l.grant, Limit: uint16(l.limit), Previous: d.last, Total: fmt.Sprint(d.sum)})
			}
		}
		if i == index {
			break
		}
		byID[m.entries[i].rec.ID.String()] = i
		for _, l := range limits[i] {
			d := sums[l]
			d.last = int64(i)
			if counting[i] = a.GetTargetDecision() != onusv1.TargetDecision_TARGET_DECISION_DENIED; counting[i] {
				d.sum += amount(a)
			}
			sums[l] = d
		}
		// The agent's own word for how its action ended.
		of, ok := byID[r.GetParent()]
		if o := r.GetOutcome(); o != nil && ok && len(limits[of]) > 0 && m.entries[of].rec.Msg.GetAuthor().GetInstance() == r.GetAuthor().GetInstance() {
			was := counting[of]
			switch o.GetStatus() {
			case onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED:
				counting[of] = false
			case onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED:
				counting[of] = true
			}
			for _, l := range limits[of] {
				d := sums[l]
				if was && !counting[of] {
					d.sum -= amount(m.entries[of].rec.Msg.GetStages().GetAction())
				} else if !was && counting[of] {
					d.sum += amount(m.entries[of].rec.Msg.GetStages().GetAction())
				}
				sums[l] = d
			}
		}
	}
	return sums, stamp
}

func amount(a *onusv1.Action) int64 {
	n, _ := new(big.Int).SetString(a.GetElement().GetAmount(), 10)
	return n.Int64()
}

// someGrant returns the id of a grant of the log, mostly a new one, or of
// anything else.
func (m *model) someGrant() string {
	for range 20 {
		e := m.entries[len(m.entries)-1-m.rng.IntN(min(len(m.entries), 60))]
		if e.rec.Msg.GetDelegation() != nil {
			return e.rec.ID.String()
		}
	}
	return m.pick().rec.ID.String()
}

// authority returns a new record that gives authority or uses it up.
func (m *model) authority() *record.Record {
	scope := func() []*onusv1.GrantElement {
		var es []*onusv1.GrantElement
		for range 1 + m.rng.IntN(3) {
			e := &onusv1.GrantElement{Element: &onusv1.ScopeElement{Type: "order", Action: choose(m.rng, "place", "cancel", "*")}}
			if m.rng.IntN(4) > 0 {
				e.MaxTotal, e.Unit = fmt.Sprint(10+m.rng.IntN(1000)), choose(m.rng, "EUR", "USD")
			}
			es = append(es, e)
		}
		return es
	}
	instance := choose(m.rng, "pod-1", "pod-2")
	switch m.rng.IntN(8) {
	case 0:
		return m.own(&onusv1.Grant{Instance: choose(m.rng, "", "", "pod-1"), Scope: scope(), MaxDepth: int32(m.rng.IntN(3))})
	case 1, 2:
		return m.record(func(r *onusv1.Record) {
			r.Author.Instance, r.Grant = instance, m.someGrant()
			r.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: choose(m.rng, testAgent, testAgent, "spiffe://example.com/other"),
				Instance: choose(m.rng, "", "", "pod-2"), Scope: scope()}}
		})
	case 3:
		return m.record(func(r *onusv1.Record) {
			r.Author.Instance, r.Parent = instance, m.entries[max(0, len(m.entries)-1-m.rng.IntN(10))].rec.ID.String()
			r.Body = &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: choose(m.rng,
				onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED, onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN)}}
		})
	}
	return m.record(func(r *onusv1.Record) {
		r.Author.Instance, r.Grant = instance, m.someGrant()
		a := r.GetStages().Action
		a.Element = &onusv1.ScopeElement{Type: "order", Action: choose(m.rng, "place", "cancel"), Amount: fmt.Sprint(1 + m.rng.IntN(99)), Unit: choose(m.rng, "EUR", "USD")}
		a.TargetDecision = choose(m.rng, 0, onusv1.TargetDecision_TARGET_DECISION_ALLOWED, onusv1.TargetDecision_TARGET_DECISION_DENIED)
	})
}

// delegate logs records of authority in one batch, and compares their stamps.
func (m *model) delegate() {
	first := len(m.entries)
	var subs []Submission
	for range 1 + m.rng.IntN(8) {
		subs = append(subs, Submission{Envelope: m.authority().Envelope})
	}
	for i, res := range m.ledger.SubmitBatch(context.Background(), subs) {
		// Random paths grow beyond what an entry can hold.
		var e *record.Error
		if errors.As(res.Err, &e) && (e.Reason == authority.ReasonPathTooLong || e.Reason == authority.ReasonTooManyLimits) {
			continue
		}
		if res.Err != nil {
			m.t.Errorf("authority[%d]: %v", i, res.Err)
		}
	}
	m.learn()
	for i := first; i < len(m.entries); i++ {
		e, err := m.ledger.Entry(int64(i))
		if err != nil {
			m.t.Fatal(err)
		}
		if _, want := m.totals(i); !cmp.Equal(want, e.Stamp.Uses) {
			m.t.Errorf("entry %d: %s", i, cmp.Diff(want, e.Stamp.Uses))
		}
	}
}

// spent compares what the ledger says was used up of each limit.
func (m *model) spent() {
	sums, _ := m.totals(len(m.entries))
	of := map[record.ID]*onusv1.GrantStatus{}
	for token := ""; ; {
		grants, next, err := m.ledger.Grants(GrantQuery{}, 1+m.rng.IntN(50), token, func(*Entry) bool { return true })
		if err != nil {
			m.t.Fatalf("Grants: %v", err)
		}
		for _, g := range grants {
			of[g.Entry.Record.ID] = g.Status
		}
		if token = next; token == "" {
			break
		}
	}
	for i, e := range m.entries {
		g := e.rec.Msg.GetDelegation()
		if (of[e.rec.ID] != nil) != (g != nil) {
			m.t.Errorf("entry %d is listed as a grant: %t", i, of[e.rec.ID] != nil)
			continue
		}
		var want []string
		for n, ge := range g.GetScope() {
			if ge.GetMaxTotal() == "" {
				continue
			}
			d, ok := sums[limitOf{e.rec.ID, n}]
			if !ok {
				d.last = -1
			}
			want = append(want, fmt.Sprint(n, " ", d.sum, " ", ge.GetUnit(), " ", d.last))
		}
		var got []string
		for _, u := range of[e.rec.ID].GetUses() {
			got = append(got, fmt.Sprint(u.GetLimit(), " ", u.GetTotal(), " ", u.GetUnit(), " ", u.GetLast()))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			m.t.Errorf("grant at %d: %s", i, diff)
		}
	}
}
