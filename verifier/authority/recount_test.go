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
// an index.
func (l *testLog) bruteWord(a logged, before int64) (counts, confirmed bool) {
	const denied, failed = onusv1.TargetDecision_TARGET_DECISION_DENIED, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	const allowed, succeeded = onusv1.TargetDecision_TARGET_DECISION_ALLOWED, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	counts = a.r.Msg.GetStages().GetAction().GetTargetDecision() != denied
	heard := false
	for _, e := range l.entries[:before] {
		if e.r.Msg.GetParent() != a.r.ID.String() {
			continue
		}
		if o := e.r.Msg.GetOutcome(); o != nil && !heard && e.r.Msg.GetAuthor().GetInstance() == a.r.Msg.GetAuthor().GetInstance() && e.r.Msg.GetAuthor().GetAgent() == a.r.Msg.GetAuthor().GetAgent() {
			if o.GetTargetDecision() == denied || o.GetStatus() == failed {
				counts = false
			} else if o.GetTargetDecision() == allowed || o.GetStatus() == succeeded {
				counts = true
			}
		}
		// Which service a location is: the host's name begins with the service's.
		location := a.r.Msg.GetStages().GetAction().GetElement().GetLocation()
		served := location == "" || strings.HasPrefix(location, "https://"+strings.TrimPrefix(e.r.Msg.GetAuthor().GetService(), agentID(""))+".example.com")
		if c := e.r.Msg.GetCounter(); c != nil && served {
			if c.GetDecision() == denied || c.GetStatus() == failed {
				heard, counts, confirmed = true, false, false
			} else if c.GetDecision() == allowed || c.GetStatus() == succeeded {
				heard, counts, confirmed = true, true, true
			}
		}
	}
	return counts, confirmed
}

// ratText writes a sum in the one form of a stamp.
func ratText(r *big.Rat) string {
	s := r.FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
