package authority_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// The totals once more, by the definition alone: slow, with fractions, and
// without any row.

// recount adds up every total from the entries alone, anew for each use.
func (l *testLog) recount() {
	for _, e := range l.entries {
		for _, u := range e.st.Uses {
			if u.Approval {
				continue
			}
			previous, sum := l.bruteTotal(u.ID, u.Limit, e.index)
			if want := ratText(sum); u.Total != want || u.Previous != previous {
				l.t.Errorf("entry %d, limit %d: stamped %s after entry %d, a recount gives %s after entry %d", e.index, u.Limit, u.Total, u.Previous, want, previous)
			}
		}
	}
}

func (l *testLog) bruteTotal(grant record.ID, limit uint16, before int64) (previous int64, sum *big.Rat) {
	previous, sum = -1, new(big.Rat)
	type effect struct {
		amount    *big.Rat
		any       bool
		confirmed int64
	}
	effects := map[string]*effect{}
	for _, e := range l.entries[:before] {
		if !slices.ContainsFunc(e.st.Uses, func(u entry.Use) bool { return !u.Approval && u.ID == grant && u.Limit == limit }) {
			continue
		}
		previous = e.index
		a := e.r.Msg.GetStages().GetAction()
		el := a.GetElement()
		dts := slices.Sorted(slices.Values(el.GetDatatypes()))
		amount, ok := new(big.Rat).SetString(el.GetAmount())
		if !ok {
			l.t.Fatalf("amount %q", el.GetAmount())
		}
		k := e.r.ID.String()
		if a.GetExternalRequestId() != "" {
			q := new(big.Rat)
			if el.GetQuantity() != "" {
				q.SetString(el.GetQuantity())
			}
			k = fmt.Sprintf("%q", []string{a.GetExternalRequestId(), el.GetType(), el.GetAction(), el.GetLocation(), el.GetIdentifier(), amount.String(), el.GetUnit(), q.String(), el.GetRecipient(), strings.Join(dts, "\x00")})
		}
		if effects[k] == nil {
			effects[k] = &effect{amount: amount}
		}
		counts, confirmed := l.bruteWord(e, before)
		if counts {
			effects[k].any = true
		}
		if confirmed {
			effects[k].confirmed++
		}
	}
	for _, f := range effects {
		n := f.confirmed
		if f.any && n == 0 {
			n = 1
		}
		sum.Add(sum, new(big.Rat).Mul(f.amount, new(big.Rat).SetInt64(n)))
	}
	return previous, sum
}

// bruteWord says whether an action counts, by all that was said of it before
// an index: by its target, or else by its agent. Who said that it took place
// cannot take that back.
func (l *testLog) bruteWord(a logged, before int64) (counts, confirmed bool) {
	const denied, failed = onusv1.TargetDecision_TARGET_DECISION_DENIED, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	const allowed, succeeded = onusv1.TargetDecision_TARGET_DECISION_ALLOWED, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	action, author := a.r.Msg.GetStages().GetAction(), a.r.Msg.GetAuthor()
	e := action.GetElement()
	var agentDone, agentNot, targetDone, targetNot bool
	agentNot = action.GetTargetDecision() == denied
	for _, w := range l.entries[:before] {
		if w.r.Msg.GetParent() != a.r.ID.String() {
			continue
		}
		if o := w.r.Msg.GetOutcome(); o != nil && w.r.Msg.GetAuthor().GetInstance() == author.GetInstance() && w.r.Msg.GetAuthor().GetAgent() == author.GetAgent() {
			no := o.GetTargetDecision() == denied || o.GetStatus() == failed
			agentNot = agentNot || no
			agentDone = agentDone || !no && (o.GetTargetDecision() == allowed || o.GetStatus() == succeeded)
		}
		// Which service a location is: the host's name begins with the service's.
		served := e.GetLocation() == "" || strings.HasPrefix(e.GetLocation(), "https://"+strings.TrimPrefix(w.r.Msg.GetAuthor().GetService(), agentID(""))+".example.com")
		c := w.r.Msg.GetCounter()
		if c == nil || !served {
			continue
		}
		if c.GetCaller() != "" && c.GetCaller() != author.GetAgent() || c.GetCallerInstance() != "" && c.GetCallerInstance() != author.GetInstance() {
			continue
		}
		id, seen := action.GetExternalRequestId(), c.GetElement()
		sameID := id != "" && c.GetExternalRequestId() == id
		otherID := id != "" && c.GetExternalRequestId() != "" && !sameID
		same, differs := true, false
		for _, f := range [][2]string{{e.GetType(), seen.GetType()}, {e.GetAction(), seen.GetAction()}, {e.GetLocation(), seen.GetLocation()}, {e.GetIdentifier(), seen.GetIdentifier()}} {
			same = same && f[0] == f[1]
			below := strings.HasPrefix(f[0], f[1]+"/") || strings.HasPrefix(f[1], f[0]+"/")
			differs = differs || f[0] != "" && f[1] != "" && f[0] != f[1] && !below
		}
		switch {
		case c.GetDecision() == denied || c.GetStatus() == failed:
			targetNot = targetNot || c.GetCaller() != "" && (sameID || same && !otherID)
		case c.GetDecision() == allowed || c.GetStatus() == succeeded:
			targetDone = targetDone || sameID || !differs
		}
	}
	switch {
	case targetDone || targetNot:
		return targetDone, targetDone
	case agentDone:
		return true, false
	}
	return !agentNot, false
}

// ratText writes a sum in the one form of a stamp.
func ratText(r *big.Rat) string {
	s := r.FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
