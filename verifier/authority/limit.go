package authority

import (
	"encoding/binary"
	"math/big"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// limit names a total limit: the number of an element in a grant's scope.
type limit struct {
	grant  record.ID
	number uint16
}

// limitsOf returns the total limits that count an action with that element, by
// the author and under the grant of m: of the grant acted under first, and
// upwards.
func (s *State) limitsOf(m *onusv1.Record, e *onusv1.ScopeElement, at int64) []limit {
	if m.GetGrant() == "" || e.GetAmount() == "" {
		return nil
	}
	p, _ := s.Path(mustID(m.GetGrant()), at)
	if len(p) == 0 || !p[0].HeldBy(m.GetAuthor().GetAgent(), m.GetAuthor().GetInstance()) {
		return nil
	}
	var ls []limit
	for _, g := range p.held() {
		for i, ge := range g.Msg.GetScope() {
			if counts(ge, e) {
				ls = append(ls, limit{g.ID, uint16(i)})
			}
		}
	}
	return ls
}

// limitRow is what was used up of a limit.
type limitRow struct {
	last int64 // index of the newest use
	sum  *big.Int
}

func (w limitRow) marshal() []byte { return append(appendIndex(nil, w.last), decimal(w.sum)...) }

func parseLimitRow(b []byte) (w limitRow, ok bool) {
	r := reader{b: b}
	w.last = r.index()
	w.sum, ok = parseDecimal(string(r.b), 1<<10)
	return w, ok && !r.short && w.last >= 0 && decimal(w.sum) == string(r.b)
}

// used returns what the entries before that index used up of a limit.
func (s *State) used(l limit, at int64) limitRow {
	v, ok := s.latest(limitKey(kindLimit, l), at)
	if !ok {
		return limitRow{last: -1, sum: new(big.Int)}
	}
	return whole(v.value, parseLimitRow)
}

// LimitUse says what was used up of a total limit.
type LimitUse struct {
	// Limit is the number of the element in the grant's scope.
	Limit int
	// Max is the limit, and Total what was used up: decimals, in Unit.
	Max, Total, Unit string
	// Last is the index of the newest use, or -1.
	Last int64
}

// LimitUses returns what the entries before that index used up of each total
// limit of a grant, in the order of its scope.
func (s *State) LimitUses(g *Grant, at int64) []LimitUse {
	var all []LimitUse
	for i, e := range g.Msg.GetScope() {
		if e.GetMaxTotal() != "" {
			u := s.used(limit{g.ID, uint16(i)}, at)
			all = append(all, LimitUse{Limit: i, Max: e.GetMaxTotal(), Total: total(u.sum), Unit: e.GetUnit(), Last: u.last})
		}
	}
	return all
}

// groupRow counts the actions of one limit that tell one effect.
type groupRow struct {
	counting  uint32 // that were neither denied nor failed
	confirmed uint32 // of which a counter-record shows an effect
	// before is the total before the action that told the effect first: a
	// decimal.
	before string
}

func (w groupRow) marshal() []byte {
	b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w.counting), w.confirmed)
	return appendText(b, w.before)
}

func parseGroupRow(b []byte) (w groupRow, ok bool) {
	r := reader{b: b}
	w = groupRow{counting: r.u32(), confirmed: r.u32(), before: r.text()}
	_, isTotal := parseTotal(w.before)
	return w, r.end() && w.confirmed <= w.counting && isTotal
}

// effects is how often the amount counts: once, however often it is told, or
// as often as the target saw it.
func (w groupRow) effects() int64 { return max(min(int64(w.counting), 1), int64(w.confirmed)) }

// spend adds n times the amount of an action to what was used up of a limit,
// by the entry at that index, which is itself a use or not.
func (s *State) spend(l limit, index int64, isUse bool, amount *big.Int, n int64) {
	if n == 0 && !isUse {
		return
	}
	w := s.used(l, index+1)
	if isUse {
		w.last = index
	}
	w.sum = new(big.Int).Add(w.sum, new(big.Int).Mul(amount, big.NewInt(n)))
	s.push(limitKey(kindLimit, l), index, w.marshal())
}
