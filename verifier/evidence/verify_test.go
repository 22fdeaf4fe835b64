package evidence_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

// wantFaults compares the faults' indices and findings.
func wantFaults(t *testing.T, what string, res *evidence.Result, want ...evidence.Fault) {
	t.Helper()
	var got []evidence.Fault
	for _, f := range res.Faults {
		got = append(got, evidence.Fault{Index: f.Index, Finding: f.Finding})
		if f.Detail == "" {
			t.Errorf("%s: %s says nothing", what, f.Finding)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: faults (-want +got)\n%s%v", what, diff, res.Faults)
	}
	if res.FaultCount != int64(len(want)) {
		t.Errorf("%s: FaultCount = %d, want %d", what, res.FaultCount, len(want))
	}
	var broken *evidence.BrokenError
	if err := res.Err(); len(want) > 0 && !errors.As(err, &broken) || len(want) == 0 && errors.As(err, &broken) {
		t.Errorf("%s: Err() = %v", what, err)
	}
}

func checked(t *testing.T, res *evidence.Result, index int64) *evidence.Checked {
	t.Helper()
	i := slices.IndexFunc(res.Leaves, func(c evidence.Checked) bool { return c.Index == index })
	if i < 0 {
		t.Fatalf("the result has no entry %d", index)
	}
	return &res.Leaves[i]
}

func TestGenuine(t *testing.T) {
	l, b := full(t)
	res := verify(t, read(t, write(t, b)), l.trust())
	wantFaults(t, "genuine", res)
	if err := res.Err(); err != nil {
		t.Errorf("Err() = %v", err)
	}
	if !res.Anchored || res.LogKey.String() != l.log.Key().String() || res.Checkpoint.Size != 11 {
		t.Errorf("anchored %t, with key %s, size %d", res.Anchored, res.LogKey, res.Checkpoint.Size)
	}
	if res.Registry.Count() != 6 || res.RegistryProven != 7 || res.Withheld != 1 || res.NotJudged != 0 {
		t.Errorf("registry of %d entries, proven before %d, %d withheld, %d not judged", res.Registry.Count(), res.RegistryProven, res.Withheld, res.NotJudged)
	}
	// What is known of the intent, and how.
	var got []string
	for _, s := range res.Statements() {
		if s.Index < 0 || s.Index == 4 || s.Index == 9 {
			got = append(got, s.State.String()+" "+s.What)
		}
	}
	want := []string{
		"verified checkpoint", "verified registry before entry 7", "asserted scope",
		"verified inclusion", "verified layout", "verified registry stamp", "verified key binding", "verified signature",
		"attested log time", "asserted user's word", "verified contents", "verified token",
		"verified inclusion", "asserted record id", "asserted party",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statements (-want +got)\n%s", diff)
	}
	intent := checked(t, res, 4)
	sum := intent.Record.Msg.GetStages().GetIntent().GetText().GetCommitment()
	if c := intent.Contents[[32]byte(sum)]; string(c.GetData()) != "why is my pod failing?" || intent.Token != userToken || !intent.Sound() {
		t.Errorf("the intent's content is %q, its token %q, sound %t", c.GetData(), intent.Token, intent.Sound())
	}
	if n := len(checked(t, res, 5).Contents); n != 2 {
		t.Errorf("the decision has %d contents, want 2", n)
	}
	w := checked(t, res, 9)
	if !w.Withheld || w.Sound() || w.Entry != nil || w.Record != nil || w.ID != l.id(9) || w.Party != platform {
		t.Errorf("the withheld entry: %+v", w)
	}
	if revoked := res.Registry.History().Revocations(&onusv1.Author{Agent: planner, Instance: "x", Operator: platform,
		KeyId: signer(t, "agent-2").Public().ID()}, 9); len(revoked) != 1 || revoked[0].Index != 7 {
		t.Errorf("revocations of the second key = %v, want the one at 7", revoked)
	}
}

// A file never brings its own trust root.
func TestNotAnchored(t *testing.T) {
	l, b := full(t)
	res := verify(t, b, evidence.Trust{})
	wantFaults(t, "without a key", res)
	var e *evidence.NotAnchoredError
	if err := res.Err(); res.Anchored || !errors.As(err, &e) || e.Named.String() != l.log.Key().String() {
		t.Errorf("without a key: anchored %t, %v", res.Anchored, err)
	}
	if s := res.Statements()[0]; s.State != evidence.Asserted || s.What != "checkpoint" {
		t.Errorf("without a key, the first statement is %v", s)
	}

	// The key of another log of the same name, and of another name.
	for _, key := range []tree.LogKey{logSigner(t, origin, "other").Key(), logSigner(t, "example.org/other", "log").Key()} {
		res := verify(t, b, evidence.Trust{LogKey: key})
		wantFaults(t, key.Origin(), res, evidence.Fault{Index: -1, Finding: evidence.BrokenCheckpoint})
	}

	// Signed by another key than the genesis names: whole for a reader who
	// gives that key, and yet not the log that the genesis began.
	other := logSigner(t, origin, "other")
	signed, err := other.Sign(l.frontier.Size(), l.frontier.Root())
	if err != nil {
		t.Fatal(err)
	}
	b.Checkpoint = signed
	for what, trust := range map[string]evidence.Trust{"no key": {}, "its key": {LogKey: other.Key()}, "the log's key": l.trust()} {
		wantFaults(t, "signed by another, "+what, verify(t, b, trust), evidence.Fault{Index: -1, Finding: evidence.BrokenCheckpoint})
	}
}

// The registry before an entry is the one that its stamp is over, or the
// evidence is broken.
func TestRegistryLeftOut(t *testing.T) {
	l := small(t)
	for left := int64(1); left < 8; left++ {
		b := l.bundle(4, 5, 8, 10)
		i := slices.IndexFunc(b.Leaves, func(x evidence.Leaf) bool { return x.Index == left })
		if !b.Leaves[i].Registry {
			continue
		}
		b.Leaves = slices.Delete(b.Leaves, i, i+1)
		l.prove(b)
		res := verify(t, b, l.trust())
		if res.Err() == nil {
			t.Errorf("registry entry %d was left out, and the evidence is genuine", left)
		}
		// Every entry after it, and none before, has a stamp that does not fit.
		for _, c := range res.Leaves {
			want := evidence.Verified
			if c.Index > left {
				want = evidence.Broken
			}
			if got := c.State(evidence.RegistryStamp); got != want {
				t.Errorf("entry %d left out: the stamp of entry %d is %s, want %s", left, c.Index, got, want)
			}
		}
		if res.RegistryProven >= left+1 {
			t.Errorf("entry %d left out: the registry is proven before %d", left, res.RegistryProven)
		}
	}

	// The revocation alone: nothing but the stamps shows it.
	b := l.bundle(8, 10)
	i := slices.IndexFunc(b.Leaves, func(x evidence.Leaf) bool { return x.Index == 7 })
	b.Leaves = slices.Delete(b.Leaves, i, i+1)
	l.prove(b)
	wantFaults(t, "the revocation left out", verify(t, b, l.trust()),
		evidence.Fault{Index: 8, Finding: evidence.BrokenStamp}, evidence.Fault{Index: 10, Finding: evidence.BrokenStamp})

	// Put among the other entries, or another among them.
	b = l.bundle(8, 10)
	b.Leaves[i].Registry = false
	wantFaults(t, "the revocation put aside", verify(t, b, l.trust()), evidence.Fault{Index: 7, Finding: evidence.BrokenEntry},
		evidence.Fault{Index: 8, Finding: evidence.BrokenStamp}, evidence.Fault{Index: 10, Finding: evidence.BrokenStamp})
	b = l.bundle(8)
	b.Leaves[len(b.Leaves)-1].Registry = true
	wantFaults(t, "an action put into the registry", verify(t, b, l.trust()), evidence.Fault{Index: 8, Finding: evidence.BrokenEntry})
	// The last registry entry has no stamp after it; it is seen to be misplaced
	// all the same.
	b = l.bundle(7)
	b.Leaves[len(b.Leaves)-1].Registry = false
	wantFaults(t, "the last entry put aside", verify(t, b, l.trust()), evidence.Fault{Index: 7, Finding: evidence.BrokenEntry})
}

func TestBrokenEntries(t *testing.T) {
	bend := func(f func(*entry.Stamp)) func(l *testLog) {
		return func(l *testLog) {
			l.addRecord(l.sign("agent", actionRecord()), func(e *entry.Entry) { f(&e.Stamp) })
		}
	}
	for name, c := range map[string]struct {
		add  func(l *testLog) // entry 4
		want string
	}{
		"a signature that does not hold": {func(l *testLog) {
			l.addRecord(l.sign("agent", actionRecord()), func(e *entry.Entry) { e.Envelope.Signature[3] ^= 1 })
		}, evidence.BrokenSignature},
		"a key that is not bound": {func(l *testLog) { l.add("stranger", actionRecord()) }, evidence.KeyNotBound},
		"bytes that are no entry": {func(l *testLog) { l.addRaw([]byte{entry.Version, 0}) }, evidence.BrokenEntry},
		"a payload that is no record": {func(l *testLog) {
			l.addRaw(marshalEntry(l.t, &entry.Entry{Stamp: l.nextStamp(), Envelope: l.seal([]byte("hello"))}))
		}, evidence.BrokenEntry},
		"another registry count": {bend(func(s *entry.Stamp) { s.RegistryCount++ }), evidence.BrokenStamp},
		"another registry root":  {bend(func(s *entry.Stamp) { s.RegistryRoot[0] ^= 1 }), evidence.BrokenStamp},
		"another key entry":      {bend(func(s *entry.Stamp) { s.KeyEntry = 2 }), evidence.BrokenStamp},
		"a time that runs back":  {bend(func(s *entry.Stamp) { s.LogTime = 1 }), evidence.LogTimeDisputed},
		"a check of no token":    {bend(func(s *entry.Stamp) { s.Assurance, s.KeySetEntry, s.User = 1, 3, alice }), evidence.BrokenStamp},
		"a registration with no right": {func(l *testLog) {
			l.add("root", &onusv1.Record{Author: administrator(), Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{
				Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: "spiffe://example.com/x", Operator: "nobody", DisplayName: "X"}}}}})
		}, evidence.NotAdmissible},
		"a registration that nobody signed": {func(l *testLog) {
			m := &onusv1.Record{Author: administrator(), Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{
				Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: "new", Organisation: "O", Unit: "U", AccountablePost: "P"}}}}}
			l.addRecord(l.sign("root", m), func(e *entry.Entry) { e.Envelope.Signature[3] ^= 1 })
		}, evidence.BrokenSignature},
	} {
		l := newLog(t)
		c.add(l)
		b := l.bundleOf(0, 1, 2, 3, 4)
		res := verify(t, b, l.trust())
		wantFaults(t, name, res, evidence.Fault{Index: 4, Finding: c.want})
		if checked(t, res, 4).Sound() || !checked(t, res, 3).Sound() {
			t.Errorf("%s: entry 4 is sound %t, entry 3 %t", name, checked(t, res, 4).Sound(), checked(t, res, 3).Sound())
		}
	}
}

// bundleOf shows just these entries, and asks for nothing.
func (l *testLog) bundleOf(indices ...int64) *evidence.Bundle {
	l.t.Helper()
	b := &evidence.Bundle{Checkpoint: l.checkpoint()}
	for _, i := range indices {
		b.Leaves = append(b.Leaves, evidence.Shown(i, l.entries[i]))
	}
	l.prove(b)
	return b
}

// nextStamp is that of the agent's next record.
func (l *testLog) nextStamp() entry.Stamp {
	index := int64(len(l.entries))
	s := entry.Stamp{LogTime: start + index, KeySetEntry: -1, KeyEntry: 3}
	s.RegistryCount, s.RegistryRoot = l.reg.Stamp(index)
	return s
}

// seal signs a payload that may be no record, with the agent's key.
func (l *testLog) seal(payload []byte) record.Envelope {
	l.t.Helper()
	env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
	var err error
	if env.Signature, err = signer(l.t, "agent").Sign(env.PAE()); err != nil {
		l.t.Fatal(err)
	}
	return env
}

func TestNotIncluded(t *testing.T) {
	l := small(t)
	broken := evidence.Fault{Index: -1, Finding: evidence.NotIncluded}
	b := l.bundle(4)
	b.Proof[0][5] ^= 1
	res := verify(t, b, l.trust())
	wantFaults(t, "a changed proof", res, broken)
	if s := checked(t, res, 0).State(evidence.Inclusion); s != evidence.Broken {
		t.Errorf("inclusion of entry 0 is %s", s)
	}

	b = l.bundle(4)
	b.Proof[0], b.Proof[1] = b.Proof[1], b.Proof[0]
	wantFaults(t, "swapped hashes", verify(t, b, l.trust()), broken)

	// A good record of the same agent, which is not in the log.
	b = l.bundle(8)
	raw := marshalEntry(t, &entry.Entry{Stamp: l.nextStamp(), Envelope: l.sign("agent", actionRecord()).Envelope})
	b.Leaves[len(b.Leaves)-1].Raw = raw
	b.Scope.Asked = nil
	wantFaults(t, "a foreign entry", verify(t, b, l.trust()), broken)

	// An entry under another entry's index.
	b = l.bundle(8)
	b.Leaves[len(b.Leaves)-1].Index = 9
	wantFaults(t, "another index", verify(t, b, l.trust()), broken)

	// A withheld hash that is not in the tree.
	b = l.bundle(9)
	l.withhold(b, 9)
	b.Leaves[len(b.Leaves)-1].Withheld.Hash[0] ^= 1
	wantFaults(t, "a withheld hash", verify(t, b, l.trust()), broken)

	b = l.bundle(4, 9)
	l.withhold(b, 9)
	b.Scope.Asked = []record.ID{{1}}
	wantFaults(t, "a record that was asked for", verify(t, b, l.trust()), broken)
}

func TestCosignatures(t *testing.T) {
	l, b := full(t)
	skey, vkey, err := note.GenerateKey(strings.NewReader(strings.Repeat("witness ", 8)), "witness.example.com")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	witness, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	log, err := note.NewVerifier(l.log.Key().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(b.Checkpoint, note.VerifierList(log))
	if err != nil {
		t.Fatal(err)
	}
	if b.Checkpoint, err = note.Sign(n, s); err != nil {
		t.Fatal(err)
	}
	for _, named := range []bool{false, true} {
		trust := l.trust()
		if named {
			trust.Witnesses = []note.Verifier{witness}
		}
		res := verify(t, read(t, write(t, b)), trust)
		wantFaults(t, "cosigned", res)
		if len(res.Cosignatures) != 1 || res.Cosignatures[0].Name != witness.Name() || res.Cosignatures[0].Verified != named || len(res.Cosignatures[0].Signature) != 64 {
			t.Errorf("witness named %t: cosignatures = %+v", named, res.Cosignatures)
		}
		if s := res.Statements()[1]; s.What != "cosignature of witness.example.com" || (s.State == evidence.Verified) != named {
			t.Errorf("witness named %t: the second statement is %v", named, s)
		}
	}
	// The witness's line under another checkpoint.
	line := b.Checkpoint[strings.LastIndex(string(b.Checkpoint), "— "):]
	l.action()
	b = l.bundle(4)
	b.Checkpoint = append(b.Checkpoint, line...)
	trust := l.trust()
	wantFaults(t, "not named", verify(t, b, trust))
	trust.Witnesses = []note.Verifier{witness}
	wantFaults(t, "named", verify(t, b, trust), evidence.Fault{Index: -1, Finding: evidence.BrokenCheckpoint})
}

// Faults beyond the first hundred are counted.
func TestManyFaults(t *testing.T) {
	l := newLog(t)
	at := []int64{0, 1, 2, 3}
	for range evidence.MaxFaults + 20 {
		at = append(at, l.add("stranger", actionRecord()))
	}
	res := verify(t, l.bundleOf(at...), l.trust())
	if len(res.Faults) != evidence.MaxFaults || res.FaultCount != evidence.MaxFaults+20 || !strings.Contains(res.Err().Error(), "119 more") {
		t.Errorf("%d faults, counted %d: %v", len(res.Faults), res.FaultCount, res.Err())
	}
}
