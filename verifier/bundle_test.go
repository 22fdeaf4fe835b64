package verifier_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// scenarios are evidence files of the scenarios of docs/attribution.md, with
// the verdict part that the engine gives over the whole log.
const scenarios = "chain/testdata"

func scenarioKey(t testing.TB) tree.LogKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(scenarios, "bundles", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := tree.ParseLogKey(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func scenarioBundle(t testing.TB, name string) *evidence.Bundle {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(scenarios, "bundles", name+".onus"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Read(bytes.NewReader(file), evidence.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An evidence file gives, to whoever holds the log's key, the very bytes that
// the engine gives over the whole log.
func TestBundleVerdictsAreTheLogs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scenarios, "bundles", "*.onus"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".onus")
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join(scenarios, "scenarios", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := verifier.CheckBundle(scenarioBundle(t, name), verifier.Trust{LogKey: scenarioKey(t)})
			if err != nil {
				t.Fatal(err)
			}
			if r.Standing != verifier.Genuine {
				t.Errorf("it is %s: %v", r.Standing, r.Faults)
			}
			if diff := cmp.Diff(string(want), string(r.VerdictJSON())); diff != "" {
				t.Errorf("verdict (-log +bundle):\n%s", diff)
			}
		})
	}
}

// The audit of the whole log gives the same bytes for the same chain, and
// counts the same actions.
func TestAuditVerdictsAreTheBundles(t *testing.T) {
	for _, name := range []string{"S1", "S1-b", "S2", "S3-b", "S3-e", "S4", "S5"} {
		b := scenarioBundle(t, name)
		a := verifier.NewAudit()
		a.KeepChains()
		for i := range b.Leaves {
			a.Add([][]byte{b.Leaves[i].Raw})
		}
		r, err := verifier.CheckBundle(b, verifier.Trust{LogKey: scenarioKey(t)})
		if err != nil {
			t.Fatal(err)
		}
		j, err := a.JudgeChain(b.Scope.Asked[0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(r.VerdictJSON()), string(j.VerdictJSON())); diff != "" {
			t.Errorf("%s: verdict (-bundle +audit):\n%s", name, diff)
		}
		whole, err := a.Judge()
		if err != nil {
			t.Fatal(err)
		}
		actions := 0
		for _, c := range whole.Counts {
			actions += c.Actions
		}
		logged := 0
		for _, l := range b.Leaves {
			if recordOf(t, l).Msg.GetStages().GetAction() != nil {
				logged++
			}
		}
		if actions != logged {
			t.Errorf("%s: %d verdicts for %d actions: %v", name, actions, logged, whole.Counts)
		}
		clean := j.Outcome == chain.WithinAuthority
		if (len(whole.Worst) == 0) != clean {
			t.Errorf("%s is %s, and the worst chains are %v", name, j.Outcome, whole.Worst)
		}
	}
}

// A log that is too large to be judged says so, and is audited all the same.
func TestAuditTooLargeToJudge(t *testing.T) {
	l := newLog(t)
	l.fill(20)
	a := verifier.NewAudit()
	a.KeepChains()
	a.SetMaxJudged(1000)
	a.Add(l.entries)
	if _, err := a.Judge(); err != verifier.ErrTooLarge {
		t.Errorf("judged: %v", err)
	}
	if r := a.Report(); r.Entries != 24 || r.FaultCount != 0 {
		t.Errorf("audited: %+v", r)
	}
}

// A token that is disclosed is verified with the issuer's keys that the reader
// holds. One that does not hold, and that the log said it had checked, is the
// host's lie.
func TestBundleTokens(t *testing.T) {
	token := idToken(t, "k1", nil)
	said := verifier.UserTokenOf(facts(t, token, "k1"))
	l := newUserLog(t, "k1")
	r := l.intent(said, nil)
	l.add(r, assured(1)) // entry 6
	b := &evidence.Bundle{Checkpoint: l.checkpoint(), Scope: evidence.Scope{Asked: []record.ID{r.ID}}, Tokens: []evidence.Token{{Index: 6, Text: token}}}
	for i, raw := range l.entries {
		b.Leaves = append(b.Leaves, evidence.Shown(int64(i), raw))
	}
	for name, c := range map[string]struct {
		pinned []string
		state  chain.State
		gap    bool
	}{
		"pinned":       {[]string{"k1"}, chain.Verified, false},
		"nothing held": {nil, chain.Attested, true},
		"other years":  {[]string{"k2"}, chain.Attested, true},
	} {
		roots := &verifier.Roots{}
		if c.pinned != nil {
			roots.AddIssuer(testIssuer, parsedKeySet(t, c.pinned...))
		}
		r, err := verifier.CheckBundle(b, verifier.Trust{LogKey: l.log.Key(), Roots: roots})
		if err != nil {
			t.Fatal(err)
		}
		gap := slices.ContainsFunc(r.Gaps, func(g verifier.Gap) bool { return g.By == verifier.ByIssuerKeys && g.Index == 6 && g.Of == testIssuer })
		if r.Standing != verifier.Genuine || len(r.Judgement.Evidence.Tokens) != 1 || r.Judgement.Evidence.Tokens[0].State != c.state || gap != c.gap {
			t.Errorf("%s: %s, %v, gaps %v", name, r.Standing, r.Judgement.Evidence.Tokens, r.Gaps)
		}
	}
	late := newUserLog(t, "k1")
	late.add(r, func(e *entry.Entry) { assured(1)(e); e.Stamp.LogTime = start + 3600_000 })
	b.Checkpoint, b.Leaves = late.checkpoint(), nil
	for i, raw := range late.entries {
		b.Leaves = append(b.Leaves, evidence.Shown(int64(i), raw))
	}
	roots := &verifier.Roots{}
	roots.AddIssuer(testIssuer, parsedKeySet(t, "k1"))
	rep, err := verifier.CheckBundle(b, verifier.Trust{LogKey: late.log.Key(), Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Standing != verifier.Broken || rep.Faults[0].Index != 6 || rep.Faults[0].Finding != verifier.BrokenStamp {
		t.Errorf("expired when it was logged: %s, %v", rep.Standing, rep.Faults)
	}
}
