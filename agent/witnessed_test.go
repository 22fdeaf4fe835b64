package agent_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/witness/witnesstest"
	"github.com/onus-ledger/onus/verifier/tree"
)

// An agent that waits for witnesses gets their cosignatures, checked against
// its own policy; where they do not come, it is told, and the record is there.
func TestWitnessed(t *testing.T) {
	l := startLog("*")
	defer l.stop()
	w, err := witnesstest.New("w.example.com", l.Key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := witnesstest.New("other.example.com", l.Key)
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewServer(w)
	defer hs.Close()
	policy := fmt.Sprintf("witness w %s %s\nquorum w\n", w.Key(), hs.URL)
	agentOf := func(policy string) (*agent.Agent, error) {
		return agent.New(agent.Config{Server: l.URL, LogKey: l.Key.String(), Signer: l.keys[planner], Agent: planner, Operator: operator,
			OnOutage: agent.Fail, Witnesses: policy, WitnessWait: 500 * time.Millisecond})
	}
	step := agent.Step{Intent: &agent.Intent{Text: "buy laptops"}}
	a, err := agentOf(policy)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := a.Record(t.Context(), step); err == nil || !strings.Contains(err.Error(), "no witnesses") {
		t.Errorf("a ledger without witnesses: %v, %v", r, err)
	}

	l.stop()
	if l.cfg.Witnesses, err = tree.ParsePolicy([]byte(policy)); err != nil {
		t.Fatal(err)
	}
	l.Ledger = must(ledger.Open(l.cfg))
	l.serve()
	before := time.Now().Unix()
	r, err := a.Record(t.Context(), step)
	if err != nil || r.Unwitnessed != nil || len(r.Cosigned) != 1 || r.Cosigned[0].Time < before {
		t.Fatalf("%+v, %v; want one cosignature", r, err)
	}
	// The agent's policy decides, whatever the server's says.
	strict, err := agentOf(fmt.Sprintf("witness w %s\nwitness o %s\ngroup both all w o\nquorum both\n", w.Key(), other.Key()))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = strict.Record(t.Context(), step); err != nil || r.Unwitnessed == nil || !strings.Contains(r.Unwitnessed.Error(), `without "o"`) {
		t.Errorf("a policy with another witness: %+v, %v", r, err)
	}
	w.Fault(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(503); return true })
	if r, err = a.Record(t.Context(), step); err != nil || r.Unwitnessed == nil {
		t.Errorf("with the witness down: %+v, %v", r, err)
	} else if _, err := l.Ledger.Index(r.ID); err != nil {
		t.Errorf("with the witness down the record is not logged: %v", err)
	}
	for policy, want := range map[string]string{"quorum w\n": "Witnesses", "": "without Witnesses"} {
		if _, err := agentOf(policy); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("policy %q: %v, want %q", policy, err, want)
		}
	}
}
