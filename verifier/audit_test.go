package verifier_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// audit adds the entries in chunks of that size.
func audit(entries [][]byte, chunk int) *verifier.Audit {
	a := verifier.NewAudit()
	for c := range slices.Chunk(entries, chunk) {
		a.Add(c)
	}
	return a
}

type fault struct {
	Index   int64
	Finding string
}

// faults returns where a report finds what, in the log's order.
func faults(r verifier.Report) (fs []fault) {
	for _, f := range r.Faults {
		fs = append(fs, fault{f.Index, f.Finding})
	}
	slices.SortStableFunc(fs, func(a, b fault) int { return int(a.Index - b.Index) })
	return fs
}

func TestAuditOfGoodLog(t *testing.T) {
	l := newLog(t)
	l.fill(96)
	for _, chunk := range []int{1, 7, 100} {
		a := audit(l.entries, chunk)
		if err := a.Matches(l.opened(), l.log.Key()); err != nil {
			t.Error(err)
		}
		want := verifier.Report{Entries: 100, RegistryEntries: 4, Bindings: [3]int64{1}, ComparedTo: 100, Root: l.frontier.Root(),
			FirstTime: start, LastTime: start + 99}
		if diff := cmp.Diff(want, a.Report()); diff != "" {
			t.Errorf("chunks of %d (-want +got):\n%s", chunk, diff)
		}
		if got := a.Registry().LogKey().String(); got != l.log.Key().String() {
			t.Errorf("registry names the log key %s", got)
		}
	}
}

// Every byte of every entry counts: whichever bit is changed, the root is
// another, so that the signed checkpoint does not match; and a change to what
// the author signed is found at its entry, unless it turns the entry into one
// that only a newer version could judge.
func TestAuditSeesEveryBit(t *testing.T) {
	l := newLog(t)
	l.fill(3)
	cp := l.opened()
	for i, raw := range l.entries {
		stamp, err := entry.Split(raw)
		if err != nil {
			t.Fatal(err)
		}
		for at := range raw {
			entries := slices.Clone(l.entries)
			entries[i] = bytes.Clone(raw)
			entries[i][at] ^= 1 << (at % 8)
			a := audit(entries, 100)
			if err := a.Matches(cp, l.log.Key()); err == nil {
				t.Fatalf("entry %d, byte %d: the changed log matches its checkpoint", i, at)
			}
			if at < len(stamp) {
				continue // the ledger's word; some of it nothing else tells
			}
			if r := a.Report(); r.NotJudged > 0 && i > 0 {
				continue // it reads as a newer version's; see TestAuditNewerRecords
			}
			if !slices.ContainsFunc(a.Report().Faults, func(f verifier.Fault) bool { return f.Index == int64(i) }) {
				t.Errorf("entry %d, byte %d of %d: no fault at the entry, but %v", i, at, len(raw), a.Report().Faults)
			}
		}
	}
}

// What an audit finds in logs that are put together wrongly, though each is
// signed by its log.
func TestAuditFaults(t *testing.T) {
	stranger := signer(t, "stranger")
	second := signer(t, "second")
	for _, c := range []struct {
		name  string
		build func(l *handLog) // from index 4 on
		want  []fault
		says  string
	}{
		{"log time falls", func(l *handLog) {
			l.fill(2)
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Stamp.LogTime = start + 4 })
			l.fill(1)
		}, []fault{{6, verifier.LogTimeDisputed}}, "before"},
		{"log time stands still", func(l *handLog) {
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Stamp.LogTime = start + 3 })
		}, nil, ""},
		{"a leap ahead disputes all after it", func(l *handLog) {
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Stamp.LogTime = start + 1000 })
			l.fill(2)
		}, []fault{{5, verifier.LogTimeDisputed}, {6, verifier.LogTimeDisputed}}, "1800000001000"},
		{"registry count", func(l *handLog) {
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Stamp.RegistryCount-- })
		}, []fault{{4, verifier.BrokenStamp}}, "the log has 4"},
		{"registry root", func(l *handLog) {
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Stamp.RegistryRoot = tree.Hash{1} })
		}, []fault{{4, verifier.BrokenStamp}}, "root"},
		{"key entry", func(l *handLog) {
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Stamp.KeyEntry = 2 })
		}, []fault{{4, verifier.BrokenStamp}}, "entry 3 binds the key"},
		{"key never bound", func(l *handLog) { l.add(l.action(stranger), nil) },
			[]fault{{4, verifier.KeyNotBound}}, stranger.Public().ID()},
		{"key bound later", func(l *handLog) {
			l.add(l.action(second), nil)
			l.register(keyReg(second))
			l.add(l.action(second), nil)
		}, []fault{{4, verifier.KeyNotBound}}, second.Public().ID()},
		{"another party's key", func(l *handLog) {
			m := l.action(l.agent).Msg
			m.Author.Agent = "spiffe://example.com/other"
			l.add(l.sign(m, l.agent), nil)
		}, []fault{{4, verifier.KeyNotBound}}, "spiffe://example.com/other"},
		{"forged signature", func(l *handLog) {
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Envelope.Signature = make([]byte, 64) })
			l.fill(1)
		}, []fault{{4, verifier.BrokenSignature}}, "does not verify"},
		{"forged registration does not count", func(l *handLog) {
			l.add(l.registration(keyReg(second)), func(e *entry.Entry) { e.Envelope.Signature = make([]byte, 64) })
			l.addRaw(l.lie(l.action(second)))
		}, []fault{{4, verifier.BrokenSignature}, {5, verifier.BrokenStamp}, {5, verifier.KeyNotBound}}, ""},
		{"record twice", func(l *handLog) {
			r := l.action(l.agent)
			l.add(r, nil)
			l.fill(2)
			l.add(r, nil)
		}, []fault{{7, verifier.RecordTwice}}, "stands in the log before"},
		{"record twice after a broken entry", func(l *handLog) {
			r := l.action(l.agent)
			l.addRaw([]byte{1, 2, 3})
			l.add(r, nil)
			l.add(r, nil)
		}, []fault{{4, verifier.BrokenEntry}, {6, verifier.RecordTwice}}, ""},
		{"not an entry", func(l *handLog) { l.addRaw([]byte{1, 2, 3}); l.fill(1) },
			[]fault{{4, verifier.BrokenEntry}}, "too early"},
		{"empty entry", func(l *handLog) { l.addRaw(nil); l.fill(1) }, []fault{{4, verifier.BrokenEntry}}, ""},
		{"payload is no record", func(l *handLog) {
			l.add(l.action(l.agent), func(e *entry.Entry) { e.Envelope.Payload = []byte("?") })
		}, []fault{{4, verifier.BrokenEntry}}, ""},
		{"second genesis", func(l *handLog) {
			l.addRaw(l.entries[0])
		}, []fault{{4, verifier.LogTimeDisputed}, {4, verifier.RecordTwice}, {4, verifier.BrokenStamp}, {4, verifier.KeyNotBound}}, "entry 0 only"},
		{"agent of an operator that is not there", func(l *handLog) {
			l.add(l.registration(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
				Id: "spiffe://example.com/x", Operator: "it/none", DisplayName: "X"}}}), nil)
			l.fill(1)
		}, []fault{{4, verifier.NotAdmissible}}, "it/none"},
		{"key bound twice", func(l *handLog) { l.register(keyReg(l.agent)); l.fill(1) },
			[]fault{{4, verifier.NotAdmissible}}, "already"},
		{"another log's record", func(l *handLog) {
			m := l.action(l.agent).Msg
			m.Origin = "staging.example.com/log"
			l.add(l.sign(m, l.agent), nil)
		}, []fault{{4, verifier.KeyNotBound}}, "staging.example.com/log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t)
			c.build(l)
			for _, chunk := range []int{1, 100} {
				a := audit(l.entries, chunk)
				if err := a.Matches(l.opened(), l.log.Key()); err != nil {
					t.Errorf("Matches: %v", err)
				}
				if diff := cmp.Diff(c.want, faults(a.Report())); diff != "" {
					t.Errorf("chunks of %d: faults (-want +got):\n%s\n%v", chunk, diff, a.Report().Faults)
				}
				if s := ""; c.says != "" {
					for _, f := range a.Report().Faults {
						s += f.String() + "\n"
					}
					if !strings.Contains(s, c.says) {
						t.Errorf("faults say %q, want them to say %q", s, c.says)
					}
				}
			}
		})
	}
}

// lie returns r's entry with a stamp that counts the registration before it.
func (l *handLog) lie(r *record.Record) []byte {
	e := entry.Entry{Stamp: entry.Stamp{LogTime: start + int64(len(l.entries)), KeySetEntry: -1, KeyEntry: 4, RegistryCount: 5}, Envelope: r.Envelope}
	raw, err := e.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	return raw
}

// An entry of a newer layout cannot be judged; its hash is checked, and the
// rest of the log is judged as before.
func TestAuditNewerLayout(t *testing.T) {
	l := newLog(t)
	l.fill(1)
	newer := bytes.Clone(l.entries[4])
	newer[0] = 2
	l.addRaw(newer)
	r := l.action(l.agent)
	l.add(r, nil)
	l.add(r, nil)
	a := audit(l.entries, 100)
	got := a.Report()
	if got.NotJudged != 1 || got.Entries != 8 || got.ComparedTo != 8 {
		t.Errorf("%+v, want one of 8 entries not judged", got)
	}
	if diff := cmp.Diff([]fault{{7, verifier.RecordTwice}}, faults(got)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if err := a.Matches(l.opened(), l.log.Key()); err != nil {
		t.Error(err)
	}
	// Genesis is not left unjudged.
	first := slices.Clone(l.entries)
	first[0] = newer
	if fs := faults(audit(first, 100).Report()); len(fs) == 0 || fs[0] != (fault{0, verifier.BrokenEntry}) {
		t.Errorf("genesis of a newer layout: %v", fs)
	}
}

// An audit keeps the first faults and counts all.
func TestAuditCountsFaults(t *testing.T) {
	l := newLog(t)
	for range 3 * verifier.MaxFaults {
		l.addRaw([]byte{1})
	}
	r := audit(l.entries, 50).Report()
	if len(r.Faults) != verifier.MaxFaults || r.FaultCount != 3*verifier.MaxFaults || r.Faults[0].Index != 4 {
		t.Errorf("%d faults of %d from %v", len(r.Faults), r.FaultCount, r.Faults[0])
	}
}

func TestAuditMatches(t *testing.T) {
	l := newLog(t)
	l.fill(4)
	older := l.opened()
	l.fill(1)
	good := l.opened()
	a := audit(l.entries, 100)
	otherSigner, err := tree.NewLogSigner(testOrigin, priv("other"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cp   tree.Checkpoint
		key  tree.LogKey
		says string
	}{
		"older":       {older, l.log.Key(), "8 entries, 9 were read"},
		"other root":  {tree.Checkpoint{Origin: testOrigin, Size: 9, Root: tree.Hash{1}}, l.log.Key(), "give root"},
		"another key": {good, otherSigner.Key(), "genesis names the log key"},
	} {
		if err := a.Matches(c.cp, c.key); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.says)
		}
	}
	empty := verifier.NewAudit()
	if err := empty.Matches(tree.Checkpoint{Origin: testOrigin, Root: tree.Empty}, l.log.Key()); err != nil {
		t.Errorf("nothing, against a checkpoint of nothing: %v", err)
	}
	if r := empty.Report(); r.Root != tree.Empty || r.Entries != 0 {
		t.Errorf("audit of nothing: %+v", r)
	}
}
