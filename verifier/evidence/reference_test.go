package evidence_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

// refer makes a bundle of these entries that refers to the first count
// entries of the registry.
func (l *testLog) refer(count int64, root tree.Hash, indices ...int64) *evidence.Bundle {
	b := l.bundleOf(indices...)
	b.Reference = &evidence.Reference{Count: count, Root: root}
	return b
}

// held is what the reader has of a log's registry: from a bundle with nothing
// but the registry in it.
func held(t *testing.T, l *testLog, trust evidence.Trust) *evidence.Registry {
	t.Helper()
	last := int64(len(l.entries)) - 1
	b := l.bundle(last)
	for i := range b.Leaves {
		if !b.Leaves[i].Registry {
			b.Leaves = append(b.Leaves[:i], b.Leaves[i+1:]...)
			break
		}
	}
	b.Scope.Asked = nil
	l.prove(b)
	res := verify(t, read(t, write(t, b)), trust)
	wantFaults(t, "the registry alone", res)
	return res.Registry
}

func TestReference(t *testing.T) {
	l := small(t)
	trust := l.trust()
	trust.Registry = held(t, l, l.trust())
	count, root := l.reg.Stamp(10)
	if count != trust.Registry.Count() || root != trust.Registry.Root(count) {
		t.Fatalf("the registry in hand has %d entries and root %s, the log %d and %s", trust.Registry.Count(), trust.Registry.Root(trust.Registry.Count()), count, root)
	}

	b := read(t, write(t, l.refer(count, root, 4, 8, 10)))
	res := verify(t, b, trust)
	wantFaults(t, "with a reference", res)
	if err := res.Err(); err != nil || res.RegistryProven != 10 || res.Registry != trust.Registry {
		t.Errorf("Err() = %v, registry proven before %d", err, res.RegistryProven)
	}
	if c := checked(t, res, 8); c.State(evidence.RegistryStamp) != evidence.Verified || c.State(evidence.Signature) != evidence.Verified || c.Key.Index != 3 {
		t.Errorf("entry 8: stamp %s, signature %s", c.State(evidence.RegistryStamp), c.State(evidence.Signature))
	}
	// The reader's registry may have grown since.
	l.registerKey("agent-3")
	l.action()
	trust.Registry = held(t, l, l.trust())
	wantFaults(t, "a registry that has grown", verify(t, b, trust))
	// A registry entry may be among those asked for.
	wantFaults(t, "a revocation asked for", verify(t, l.refer(count, root, 7, 8), trust))
}

func TestReferenceWithoutTheRegistry(t *testing.T) {
	l := small(t)
	count, root := l.reg.Stamp(10)
	b := l.refer(count, root, 8)
	young := newLog(t)
	young.action()
	_, faulty := full(t)
	faulty.Proof[0][0] ^= 1
	for what, c := range map[string]struct {
		registry *evidence.Registry
		want     string
	}{
		"none":                      {nil, "none was given"},
		"one that is too short":     {held(t, young, young.trust()), "has 4"},
		"one that is broken":        {verify(t, faulty, l.trust()).Registry, "is broken"},
		"one that was not anchored": {held(t, l, evidence.Trust{}), "not checked with the log key"},
	} {
		trust := l.trust()
		trust.Registry = c.registry
		_, err := b.Verify(trust)
		var e *evidence.RegistryNeededError
		if !errors.As(err, &e) || e.Reference != *b.Reference || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a RegistryNeededError that says %q", what, err, c.want)
		}
	}
	// Neither the bundle nor the registry is anchored: it agrees with itself.
	var e *evidence.NotAnchoredError
	if err := verify(t, b, evidence.Trust{Registry: held(t, l, evidence.Trust{})}).Err(); !errors.As(err, &e) {
		t.Errorf("without any key: %v, want a NotAnchoredError", err)
	}
}

// A host that shows two registries, or a maker who refers to another one.
func TestReferenceToAnotherRegistry(t *testing.T) {
	l := small(t)
	count, root := l.reg.Stamp(10)
	trust := l.trust()
	trust.Registry = held(t, l, l.trust())
	other := root
	other[0] ^= 1
	wantFaults(t, "another root", verify(t, l.refer(count, other, 8), trust),
		evidence.Fault{Index: -1, Finding: evidence.InconsistentLog})

	// The same log key, and a history in which the key was never revoked.
	fork := newLog(t)
	fork.intent()
	fork.decision()
	fork.registerKey("agent-2")
	fork.registerKey("agent-4")
	fork.action()
	trust.Registry = held(t, fork, fork.trust())
	wantFaults(t, "a registry without the revocation", verify(t, l.refer(count, root, 8), trust),
		evidence.Fault{Index: 8, Finding: evidence.BrokenStamp}, evidence.Fault{Index: -1, Finding: evidence.InconsistentLog})
	wantFaults(t, "its own registry, and another in hand", verify(t, l.bundle(8), trust),
		evidence.Fault{Index: -1, Finding: evidence.InconsistentLog})
	wantFaults(t, "a registry entry that the one in hand has not", verify(t, l.refer(count, root, 7), trust),
		evidence.Fault{Index: 7, Finding: evidence.InconsistentLog}, evidence.Fault{Index: -1, Finding: evidence.InconsistentLog})
}
