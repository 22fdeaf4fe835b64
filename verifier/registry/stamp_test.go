package registry_test

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"testing"

	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// rfc6962 is the definition of section 2.1, word by word.
func rfc6962(leaves []tree.Hash) tree.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1 << (bits.Len(uint(n-1)) - 1) // the largest power of two below n
		left, right := rfc6962(leaves[:k]), rfc6962(leaves[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

// checkStamps holds the stamps of all indices to the leaf hashes that went
// in.
func (l *testLog) checkStamps() {
	l.t.Helper()
	n := 0
	for at := range l.size + 3 {
		for n < len(l.at) && l.at[n] < at {
			n++
		}
		count, root := l.reg.Stamp(at)
		if want := rfc6962(l.leaves[:n]); count != int64(n) || root != want {
			l.t.Errorf("stamp at %d = %d, %v; want %d, %v", at, count, root, n, want)
		}
	}
}

func TestStamps(t *testing.T) {
	l := newLog(t)
	l.checkStamps()
	l.add(genesis(t))
	l.checkStamps()
	l.add(newOperator(t, acme, ""))
	l.add(newAgent(t, planner, acme, ""))
	l.add(newKey(t, "planner", planner, "", acme))
	for i := range 40 {
		if i%3 == 0 { // other entries in between
			l.add(action(t, agent(planner, "i-1", acme), "planner"))
		}
		l.add(newOperator(t, acme, fmt.Sprint("contact ", i)))
		l.checkStamps()
	}
}

// What is refused leaves no trace.
func TestRefusalsDoNotStamp(t *testing.T) {
	l := smallLog(t)
	count, root := l.reg.Stamp(l.size)
	for _, bad := range []error{
		l.submit(newAgent(t, clerk, globex, "")),
		l.submit(newAgent(t, planner, globex, "")),
		l.submit(newKey(t, "planner", planner, "", acme)),
		l.submit(genesis(t)),
		l.reg.Add(newOperator(t, globex, ""), 3, tree.Hash{}, asserted()), // an index that is taken
		l.reg.Add(newOperator(t, globex, ""), 2, tree.Hash{}, asserted()), // and one before it
	} {
		if bad == nil {
			t.Error("accepted")
		}
	}
	if c, r := l.reg.Stamp(l.size + 10); c != count || r != root {
		t.Errorf("stamp = %d, %v; want %d, %v as before", c, r, count, root)
	}
	if op, _ := l.reg.Operator(globex, 100); op != nil {
		t.Error("an operator was registered out of order")
	}
	l.checkStamps()
}

// Records that do not concern the registry change nothing, at any index.
func TestAddIgnoresOtherRecords(t *testing.T) {
	l := smallLog(t)
	r := action(t, agent(planner, "i-1", acme), "planner")
	if registry.Concerns(r) || !registry.Concerns(genesis(t)) || !registry.Concerns(newOperator(t, acme, "")) {
		t.Error("Concerns is wrong")
	}
	for _, at := range []int64{0, 3, 50} {
		if err := l.reg.Add(r, at, tree.Hash{}, asserted()); err != nil {
			t.Errorf("at %d: %v", at, err)
		}
		if err := l.reg.Check(r, at, asserted()); err != nil {
			t.Errorf("at %d: %v", at, err)
		}
	}
	l.checkStamps()
}
