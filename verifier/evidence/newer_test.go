package evidence_test

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// newerField is a field that this version does not know.
var newerField = protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)

// newer appends the agent's next record with such a field.
func (l *testLog) newer(bend func(*entry.Entry)) int64 {
	l.t.Helper()
	payload, err := proto.Marshal(l.sign("agent", actionRecord()).Msg)
	if err != nil {
		l.t.Fatal(err)
	}
	e := entry.Entry{Stamp: l.nextStamp(), Envelope: l.seal(append(payload, newerField...))}
	if bend != nil {
		bend(&e)
	}
	return l.addRaw(marshalEntry(l.t, &e))
}

// An entry of a newer version is not judged; its hash, its stamp and its
// signature are checked as far as they can be.
func TestNewerEntries(t *testing.T) {
	l := newLog(t)
	l.newer(nil)
	layout := append([]byte{entry.Version + 1}, "whatever this holds"...)
	l.addRaw(layout)
	l.action()
	b := l.bundleOf(0, 1, 2, 3, 4, 5, 6)
	res := verify(t, read(t, write(t, b)), l.trust())
	wantFaults(t, "newer entries", res)
	if err := res.Err(); err != nil || res.NotJudged != 2 {
		t.Errorf("Err() = %v, %d not judged, want 2", err, res.NotJudged)
	}
	record, unread := checked(t, res, 4), checked(t, res, 5)
	if record.NotJudged == "" || record.Sound() || record.ID.IsZero() || record.State(evidence.Signature) != evidence.Verified || record.State(evidence.RegistryStamp) != evidence.Verified {
		t.Errorf("a newer record: %+v", record)
	}
	if unread.NotJudged == "" || unread.Sound() || unread.State(evidence.Inclusion) != evidence.Verified || unread.State(evidence.Signature) != evidence.Unchecked {
		t.Errorf("a newer layout: %+v", unread)
	}
	if c := checked(t, res, 6); !c.Sound() {
		t.Errorf("the action after them: %+v", c)
	}

	for name, bend := range map[string]struct {
		f    func(*entry.Entry)
		want string
	}{
		"signature": {func(e *entry.Entry) { e.Envelope.Signature[0] ^= 1 }, evidence.BrokenSignature},
		"stamp":     {func(e *entry.Entry) { e.Stamp.RegistryCount = 3 }, evidence.BrokenStamp},
		"key entry": {func(e *entry.Entry) { e.Stamp.KeyEntry = 1 }, evidence.BrokenStamp},
	} {
		l := newLog(t)
		l.newer(bend.f)
		wantFaults(t, name, verify(t, l.bundleOf(0, 1, 2, 3, 4), l.trust()), evidence.Fault{Index: 4, Finding: bend.want})
	}
}

// A registry entry of a newer version has its place in the stamps. What it
// binds is not known here, and so neither is what rests on it.
func TestNewerRegistryEntry(t *testing.T) {
	l := newLog(t)
	payload, err := proto.Marshal(l.sign("root", &onusv1.Record{Author: administrator(), Body: &onusv1.Record_Registration{
		Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
			PublicKey: signer(t, "agent-9").Public().SPKI(), Agent: planner, Operator: platform}}}}}).Msg)
	if err != nil {
		t.Fatal(err)
	}
	env := l.seal(append(payload, newerField...))
	if env.Signature, err = signer(t, "root").Sign(env.PAE()); err != nil {
		t.Fatal(err)
	}
	e := entry.Entry{Stamp: l.nextStamp(), Envelope: env}
	e.Stamp.KeyEntry = 0
	l.addRaw(marshalEntry(t, &e)) // entry 4

	// A log that knows it stamps what comes after it with five entries.
	stamp := l.nextStamp()
	frontier := tree.NewFrontier()
	for _, raw := range l.entries {
		frontier.Append(tree.LeafHash(raw), nil)
	}
	stamp.RegistryCount, stamp.RegistryRoot = 5, frontier.Root()
	l.addRaw(marshalEntry(t, &entry.Entry{Stamp: stamp, Envelope: l.sign("agent", actionRecord()).Envelope}))
	stamp.LogTime++
	stamp.KeyEntry = 4
	l.addRaw(marshalEntry(t, &entry.Entry{Stamp: stamp, Envelope: l.sign("agent-9", actionRecord()).Envelope}))

	b := l.bundleOf(0, 1, 2, 3, 4, 5, 6)
	b.Leaves[4].Registry = true
	res := verify(t, read(t, write(t, b)), l.trust())
	wantFaults(t, "a newer registry entry", res)
	if res.NotJudged != 2 || !res.Registry.NotJudgedBefore(5) || res.Registry.NotJudgedBefore(4) || res.RegistryProven != 6 {
		t.Errorf("%d not judged, registry proven before %d", res.NotJudged, res.RegistryProven)
	}
	if c := checked(t, res, 5); !c.Sound() {
		t.Errorf("an action by a key that is known: %+v", c)
	}
	if c := checked(t, res, 6); c.Sound() || c.NotJudged == "" {
		t.Errorf("an action by a key that may be bound: %+v", c)
	}

	// Left among the other entries, it fits no stamp.
	b.Leaves[4].Registry = false
	if err := verify(t, b, l.trust()).Err(); err == nil {
		t.Error("a newer registry entry among the others is taken")
	}
}
