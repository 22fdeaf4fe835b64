package verifier_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// reviewed logs a review by a reviewer who has a key.
func (l *handLog) reviewed(of record.ID) {
	l.t.Helper()
	m := l.header(&onusv1.Author{Reviewer: "anna"})
	m.Causes = []string{of.String()}
	m.Body = &onusv1.Record_Review{Review: &onusv1.Review{Record: of.String(), Disposition: onusv1.Disposition_DISPOSITION_OPEN}}
	l.add(l.sign(m, signer(l.t, "anna")), nil)
}

func (l *handLog) anna() {
	l.t.Helper()
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: "anna", Operator: testOperator, Post: "Officer"}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: signer(l.t, "anna").Public().SPKI(), Reviewer: "anna"}}})
}

// A host that logs a review which an honest one refuses is found out: of what
// the log does not have, or has later; and by who was revoked.
func TestHostAdmitsAReview(t *testing.T) {
	l := newLog(t)
	l.anna()
	first, later := l.action(l.agent), l.action(l.agent)
	l.add(first, nil)
	l.reviewed(first.ID)
	if r := audit(l.entries, 100).Report(); r.FaultCount != 0 {
		t.Fatalf("a review that is in order: %v", faults(r))
	}
	l.reviewed(later.ID)
	early := int64(len(l.entries)) - 1
	l.add(later, nil)
	l.reviewed(record.ID{1})
	lost := int64(len(l.entries)) - 1
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, "anna").Public().ID()}}}
	l.add(l.sign(m, l.admin), nil)
	l.reviewed(first.ID)
	revoked := int64(len(l.entries)) - 1
	// Whether the entries come at once or one by one.
	for _, chunk := range []int{1, 3, 100} {
		r := audit(l.entries, chunk).Report()
		want := []struct {
			index int64
			says  string
		}{{early, "not in the log"}, {lost, "not in the log"}, {revoked, "is revoked"}}
		if r.FaultCount != int64(len(want)) {
			t.Fatalf("in chunks of %d: %v", chunk, faults(r))
		}
		for i, w := range want {
			if f := r.Faults[i]; f.Index != w.index || f.Finding != verifier.NotAdmissible || !strings.Contains(f.Detail, w.says) {
				t.Errorf("in chunks of %d: %v, want one of entry %d that says %q", chunk, f, w.index, w.says)
			}
		}
	}
}

// Once an audit has forgotten ids, it does not say of what it may have
// forgotten that the log lacks it.
func TestReviewOfAForgottenRecord(t *testing.T) {
	l := newLog(t)
	l.anna()
	l.fill(10)
	last := l.action(l.agent)
	l.add(last, nil)
	l.reviewed(last.ID)
	a := verifier.NewAudit()
	a.SetMaxIDs(8)
	a.Add(l.entries)
	if r := a.Report(); r.FaultCount != 0 {
		t.Errorf("faults %v", faults(r))
	}
}

// Who reads a bundle of such a log sees the review by who was revoked, from the
// registry in the bundle. What the log lacks a bundle does not show.
func TestBundleHoldsAReviewOfTheRevoked(t *testing.T) {
	l := newLog(t)
	l.anna()
	first := l.action(l.agent)
	l.add(first, nil)
	l.reviewed(first.ID)
	bundle := func() *verifier.BundleReport {
		b := &evidence.Bundle{Checkpoint: l.checkpoint(), Scope: evidence.Scope{Asked: []record.ID{first.ID}}}
		for i, raw := range l.entries {
			b.Leaves = append(b.Leaves, evidence.Shown(int64(i), raw))
		}
		if err := b.Prove(func(level uint, i int64) (tree.Hash, error) { return l.node(level, i), nil }); err != nil {
			t.Fatal(err)
		}
		return check(t, b, verifier.Trust{LogKey: l.log.Key()})
	}
	if r := bundle(); r.Standing != verifier.Genuine || r.Chained != 2 {
		t.Errorf("a review that is in order: %s, %d records in the chain, %v", r.Standing, r.Chained, r.Faults)
	}
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: signer(t, "anna").Public().ID()}}}
	l.add(l.sign(m, l.admin), nil)
	if r := bundle(); r.Standing != verifier.Genuine {
		t.Errorf("a review from before the revocation: %s, %v", r.Standing, r.Faults)
	}
	l.reviewed(first.ID)
	at := int64(len(l.entries)) - 1
	if r := bundle(); r.Standing != verifier.Broken || r.FaultCount != 1 || r.Faults[0].Index != at || r.Faults[0].Finding != verifier.NotAdmissible {
		t.Errorf("a review from after it: %s, %v", r.Standing, r.Faults)
	}
}
