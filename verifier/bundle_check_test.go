package verifier_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// scenarioLog signs what a dishonest host of the scenarios' log might.
func scenarioLog(t testing.TB) tree.LogSigner {
	t.Helper()
	s, err := tree.NewLogSigner(scenarioKey(t).Origin(), priv("log"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// without returns the bundle with other leaves, proven in the tree of all.
func prove(t testing.TB, b *evidence.Bundle, leaves []evidence.Leaf) *evidence.Bundle {
	t.Helper()
	all := make([]tree.Hash, len(b.Leaves))
	for i := range b.Leaves {
		all[i] = b.Leaves[i].Hash()
	}
	out := *b
	out.Leaves = leaves
	var node func(level uint, i int64) tree.Hash
	node = func(level uint, i int64) tree.Hash {
		if level == 0 {
			return all[i]
		}
		return tree.NodeHash(node(level-1, 2*i), node(level-1, 2*i+1))
	}
	if err := out.Prove(func(level uint, i int64) (tree.Hash, error) { return node(level, i), nil }); err != nil {
		t.Fatal(err)
	}
	return &out
}

// resign signs a log with these leaves: a host that makes things up.
func resign(t testing.TB, b *evidence.Bundle, leaves []evidence.Leaf) *evidence.Bundle {
	t.Helper()
	f := tree.NewFrontier()
	for i := range leaves {
		f.Append(leaves[i].Hash(), nil)
	}
	out := *b
	out.Leaves = leaves
	var err error
	if out.Checkpoint, err = scenarioLog(t).Sign(f.Size(), f.Root()); err != nil {
		t.Fatal(err)
	}
	return &out
}

func check(t testing.TB, b *evidence.Bundle, trust verifier.Trust) *verifier.BundleReport {
	t.Helper()
	r, err := verifier.CheckBundle(b, trust)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func recordOf(t testing.TB, l evidence.Leaf) *record.Record {
	t.Helper()
	e, err := entry.Parse(l.Raw)
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.Parse(e.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func has(j *chain.Judgement, code string) bool {
	return slices.ContainsFunc(j.All(), func(f chain.Finding) bool { return f.Code == code })
}

// Without the reader's key the file is judged, and anchored nowhere; with
// another's it is broken.
func TestBundleWithoutAKey(t *testing.T) {
	b := scenarioBundle(t, "S1")
	if r := check(t, b, verifier.Trust{}); r.Standing != verifier.NotAnchored || r.Gaps[0].By != verifier.ByLogKey {
		t.Errorf("without a key: %s, and first %q", r.Standing, r.Gaps[0].What)
	}
	other, err := tree.NewLogSigner("other.example.com/log", priv("other"))
	if err != nil {
		t.Fatal(err)
	}
	r := check(t, b, verifier.Trust{LogKey: other.Key()})
	if r.Standing != verifier.Broken || r.Judgement.Outcome != chain.EvidenceBroken {
		t.Errorf("with another log's key: %s, %s", r.Standing, r.Judgement.Outcome)
	}
}

// The policy that the reader holds may name the log.
func TestBundleKeyFromThePolicy(t *testing.T) {
	b := scenarioBundle(t, "S1")
	policy := func(text string) *tree.Policy {
		p, err := tree.ParsePolicy([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	named := policy("log " + scenarioKey(t).String() + "\nquorum none\n")
	if r := check(t, b, verifier.Trust{Policy: named}); r.Standing != verifier.Genuine {
		t.Errorf("named by the policy: %s", r.Standing)
	}
	other, err := tree.NewLogSigner("other.example.com/log", priv("other"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := policy("log " + other.Key().String() + "\nquorum none\n")
	if r := check(t, b, verifier.Trust{Policy: elsewhere}); r.Standing != verifier.NotAnchored {
		t.Errorf("the policy of another log: %s", r.Standing)
	}
	if _, err := verifier.CheckBundle(b, verifier.Trust{Policy: elsewhere, LogKey: scenarioKey(t)}); err == nil || !strings.Contains(err.Error(), "does not name the log") {
		t.Errorf("a key that the policy does not name: %v", err)
	}
}

// Whatever byte of an entry is changed, no action comes out clean.
func TestBundleChangedBytes(t *testing.T) {
	b := scenarioBundle(t, "S1")
	for i := range b.Leaves {
		for at := i % 97; at < len(b.Leaves[i].Raw); at += 97 {
			leaves := slices.Clone(b.Leaves)
			leaves[i].Raw = bytes.Clone(leaves[i].Raw)
			leaves[i].Raw[at] ^= 1 << (at % 8)
			forged := *b
			forged.Leaves = leaves
			r, err := verifier.CheckBundle(&forged, verifier.Trust{LogKey: scenarioKey(t)})
			if err != nil {
				continue // nothing was judged
			}
			if r.Standing != verifier.Broken || r.Judgement.Outcome == chain.WithinAuthority {
				t.Errorf("entry %d, byte %d: %s, %s", i, at, r.Standing, r.Judgement.Outcome)
			}
			for _, v := range r.Judgement.Actions {
				if v.Outcome == chain.WithinAuthority {
					t.Errorf("entry %d, byte %d: action %d is within authority", i, at, v.Index)
				}
			}
		}
	}
}

// A registry that lacks a revocation is seen, not believed.
func TestBundleWithoutARevocation(t *testing.T) {
	b := scenarioBundle(t, "S4")
	at := slices.IndexFunc(b.Leaves, func(l evidence.Leaf) bool { return recordOf(t, l).Msg.GetRevocation() != nil })
	r := check(t, prove(t, b, slices.Delete(slices.Clone(b.Leaves), at, at+1)), verifier.Trust{LogKey: scenarioKey(t)})
	if r.Standing != verifier.Broken || r.Judgement.Outcome != chain.EvidenceBroken || !strings.Contains(fmt.Sprint(r.Faults), "what is missing may be a revocation") {
		t.Errorf("%s, %s: %v", r.Standing, r.Judgement.Outcome, r.Faults)
	}
}

// Of a chain in order, with any one entry withheld, nothing is said against
// anybody, and it is not clean.
func TestBundleWithheld(t *testing.T) {
	for _, name := range []string{"S1", "S2", "S3", "S3-c", "S5"} {
		b := scenarioBundle(t, name)
		whole := check(t, b, verifier.Trust{LogKey: scenarioKey(t)})
		for i, l := range b.Leaves {
			if l.Registry {
				continue
			}
			leaves := slices.Clone(b.Leaves)
			leaves[i] = evidence.Leaf{Index: l.Index, Withheld: &evidence.Withheld{Hash: l.Hash(), AssertedID: recordOf(t, l).ID, AssertedParty: "it/platform"}}
			r := check(t, prove(t, b, leaves), verifier.Trust{LogKey: scenarioKey(t)})
			if r.Standing != verifier.Genuine || r.Judgement.Outcome != chain.NotJudgedHere {
				t.Errorf("%s without entry %d: %s, %s", name, l.Index, r.Standing, r.Judgement.Outcome)
			}
			for _, f := range r.Judgement.All() {
				if !has(whole.Judgement, f.Code) && f.Kind != chain.Coverage && f.Forces != chain.ForcesNothing || f.Code == "PARENT_NOT_IN_LOG" {
					t.Errorf("%s without entry %d: %s: %s", name, l.Index, f.Code, f.Text)
				}
			}
		}
	}
}

// What an entry names, and the file neither shows nor withholds, is told: that
// the log does not have it is the maker's word.
func TestBundleLeavesOut(t *testing.T) {
	b := scenarioBundle(t, "S3")
	var asked evidence.Leaf
	at := -1
	for i, l := range b.Leaves {
		switch m := recordOf(t, l).Msg; {
		case m.GetDelegation() != nil && m.GetGrant() != "":
			at = i
		case m.GetStages().GetAction() != nil:
			asked = l // the last: the order under that grant
		}
	}
	grant := recordOf(t, b.Leaves[at]).ID.String()
	less := prove(t, b, slices.Delete(slices.Clone(b.Leaves), at, at+1))
	less.Scope.Asked = []record.ID{recordOf(t, asked).ID}
	r := check(t, less, verifier.Trust{LogKey: scenarioKey(t)})
	if !slices.ContainsFunc(r.Gaps, func(g verifier.Gap) bool {
		return strings.HasPrefix(g.What, "record "+grant[:12]) && strings.Contains(g.What, "as its grant") && g.Index == asked.Index && g.By == verifier.ByWholeLog
	}) {
		t.Errorf("the grant that is left out is not told: %v", r.Gaps)
	}
	// Without the link between them, what came of it is no longer part of the
	// chain that was asked for. It is not judged, and that is told.
	less.Scope.Asked = b.Scope.Asked
	r = check(t, less, verifier.Trust{LogKey: scenarioKey(t)})
	if len(r.Judgement.Actions)+r.BesideActions != 2 || r.BesideActions == 0 || !slices.ContainsFunc(r.Gaps, func(g verifier.Gap) bool { return g.By == verifier.ByItsChain }) {
		t.Errorf("%d actions judged, %d beside: %v", len(r.Judgement.Actions), r.BesideActions, r.Gaps)
	}
}

// Totals are verified where all uses before are at hand, and attested where one
// is not; a stamp that passes over a use at hand is the host's lie.
func TestBundleTotals(t *testing.T) {
	b := scenarioBundle(t, "S3-e") // two orders under one limit
	r := check(t, b, verifier.Trust{LogKey: scenarioKey(t)})
	if r.Judgement.Evidence.Totals != chain.Verified {
		t.Errorf("with all uses: %s", r.Judgement.Evidence.Totals)
	}
	var uses []int
	for i, l := range b.Leaves {
		if e, _ := entry.Parse(l.Raw); len(e.Stamp.Uses) > 0 {
			uses = append(uses, i)
		}
	}
	if len(uses) != 2 {
		t.Fatalf("%d uses, want 2", len(uses))
	}
	first, second := uses[0], uses[1]
	r = check(t, prove(t, b, slices.Delete(slices.Clone(b.Leaves), first, first+1)), verifier.Trust{LogKey: scenarioKey(t)})
	if r.Standing != verifier.Genuine || r.Judgement.Evidence.Totals != chain.Attested {
		t.Errorf("without the first use: %s, %s", r.Standing, r.Judgement.Evidence.Totals)
	}
	for name, bend := range map[string]func(*entry.Stamp){
		"passes over it":    func(s *entry.Stamp) { s.Uses[0].Previous, s.Uses[0].Total = -1, "0" },
		"does not stamp it": func(s *entry.Stamp) { s.Uses = nil },
	} {
		leaves := slices.Clone(b.Leaves)
		e, err := entry.Parse(leaves[second].Raw)
		if err != nil {
			t.Fatal(err)
		}
		bend(&e.Stamp)
		if leaves[second].Raw, err = e.Marshal(); err != nil {
			t.Fatal(err)
		}
		r := check(t, resign(t, b, leaves), verifier.Trust{LogKey: scenarioKey(t)})
		if r.Standing != verifier.Broken || !slices.ContainsFunc(r.Faults, func(f evidence.Fault) bool { return f.Index == int64(second) && f.Finding == verifier.BrokenStamp }) {
			t.Errorf("%s: %s, %v", name, r.Standing, r.Faults)
		}
	}
}

// A saved checkpoint of the same size must be the same; of another, the log's
// proof joins the two.
func TestBundleAgainstASavedCheckpoint(t *testing.T) {
	b := scenarioBundle(t, "S1")
	f := tree.NewFrontier()
	for i := range b.Leaves[:len(b.Leaves)-2] {
		f.Append(b.Leaves[i].Hash(), nil)
	}
	log, n := scenarioLog(t), int64(len(b.Leaves))
	sign := func(size int64, root tree.Hash) []byte {
		s, err := log.Sign(size, root)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	older, other := sign(n-2, f.Root()), sign(n, tree.Hash{1})
	proof, err := tree.ProveConsistency(n-2, n, func(level uint, i int64) (tree.Hash, error) {
		var node func(uint, int64) tree.Hash
		node = func(level uint, i int64) tree.Hash {
			if level == 0 {
				return b.Leaves[i].Hash()
			}
			return tree.NodeHash(node(level-1, 2*i), node(level-1, 2*i+1))
		}
		return node(level, i), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		saved    verifier.Saved
		state    evidence.State
		standing verifier.Standing
	}{
		"the same":                   {verifier.Saved{Signed: b.Checkpoint}, evidence.Verified, verifier.Genuine},
		"older, with the proof":      {verifier.Saved{Signed: older, Proof: proof, Proven: true}, evidence.Verified, verifier.Genuine},
		"older, without":             {verifier.Saved{Signed: older}, evidence.Asserted, verifier.Genuine},
		"older, with a wrong proof":  {verifier.Saved{Signed: older, Proof: append(slices.Clone(proof[1:]), tree.Hash{}), Proven: true}, evidence.Broken, verifier.Broken},
		"another root, same size":    {verifier.Saved{Signed: other}, evidence.Broken, verifier.Forked},
		"no checkpoint of this log":  {verifier.Saved{Signed: []byte("?")}, evidence.Unchecked, verifier.Genuine},
		"of no entries":              {verifier.Saved{Signed: sign(0, tree.Empty)}, evidence.Verified, verifier.Genuine},
		"another history, shorter":   {verifier.Saved{Signed: sign(n-2, tree.Hash{1}), Proof: proof, Proven: true}, evidence.Broken, verifier.Broken},
		"another history, no proof":  {verifier.Saved{Signed: sign(n-2, tree.Hash{1})}, evidence.Asserted, verifier.Genuine},
		"newer, without a proof yet": {verifier.Saved{Signed: sign(n+5, tree.Hash{1})}, evidence.Asserted, verifier.Genuine},
	} {
		r := check(t, b, verifier.Trust{LogKey: scenarioKey(t), Against: []verifier.Saved{c.saved}})
		if got := r.Growth[0]; got.State != c.state || r.Standing != c.standing {
			t.Errorf("%s: %s, %s: %s", name, got.State, r.Standing, got.Text)
		}
		if fork := r.Fork(); (fork != nil) != (c.standing == verifier.Forked) || fork != nil && fork.Check(scenarioKey(t)) != nil {
			t.Errorf("%s: the proof of a fork is %v", name, fork)
		}
	}
}

// Witnesses that the reader names bound the time; too few are told, and a false
// cosignature breaks the evidence.
func TestBundleWitnesses(t *testing.T) {
	b := scenarioBundle(t, "S1")
	key, err := tree.NewWitnessKey("w.example", priv("witness").Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	cp, err := scenarioKey(t).Open(b.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	const at = 1_772_445_600
	line := func(sig []byte) string {
		_, rest, _ := strings.Cut(key.String(), "+")
		id, err := hex.DecodeString(rest[:8])
		if err != nil {
			t.Fatal(err)
		}
		return "— w.example " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(id, at), sig...)) + "\n"
	}
	good := ed25519.Sign(priv("witness"), tree.CosignedMessage(cp, at))
	p, err := tree.ParsePolicy([]byte("witness w " + key.String() + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		add      string
		standing verifier.Standing
		lacks    bool
	}{
		"cosigned":     {line(good), verifier.Genuine, false},
		"not cosigned": {"", verifier.Genuine, true},
		"falsely":      {line(make([]byte, 64)), verifier.Broken, false},
	} {
		cosigned := *b
		cosigned.Checkpoint = append(bytes.Clone(b.Checkpoint), c.add...)
		r := check(t, &cosigned, verifier.Trust{LogKey: scenarioKey(t), Policy: p})
		if r.Standing != c.standing || (r.Quorum != nil) != c.lacks {
			t.Errorf("%s: %s, %v", name, r.Standing, r.Quorum)
		}
		if bound := r.Judgement.Evidence.Bounds[0].NotAfter; (bound != nil) != (name == "cosigned") || bound != nil && (bound.Time != at*1000 || bound.By != "w") {
			t.Errorf("%s: bound %v", name, bound)
		}
	}
}

func sortIDs(ids []record.ID) {
	slices.SortFunc(ids, func(a, b record.ID) int { return bytes.Compare(a[:], b[:]) })
}
