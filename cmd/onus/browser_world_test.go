package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// browserWorld is the ledger that is looked at.
type browserWorld struct {
	dir    dataDir
	url    string
	vkey   string // the file with the log's key
	onus   string // the commands
	verify string
	api    onusv1connect.LedgerServiceClient
	s4     record.ID // the demo's last chain
	chains map[int]record.ID
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// makeBrowserWorld plays the demo and serves its ledger, to which agents add
// chains of 5, 100 and 2,000 records.
func makeBrowserWorld(t *testing.T) *browserWorld {
	t.Helper()
	w := &browserWorld{dir: playDemo(t), onus: onusCommand(t), chains: map[int]record.ID{}}
	w.vkey, w.verify = w.dir.vkey(), filepath.Join(t.TempDir(), "onus-verify")
	if out, err := exec.Command("go", "build", "-o", w.verify, "github.com/onus-ledger/onus/cmd/onus-verify").CombinedOutput(); err != nil {
		t.Fatalf("build onus-verify: %v\n%s", err, out)
	}
	w.url = startServe(t, w.onus, string(w.dir)).url
	var err error
	w.api, err = (&remote{server: w.url}).client()
	must(t, err)
	w.s4 = w.newestIntent(t)
	for _, n := range []int{5, 100, 2000} {
		w.chains[n] = w.record(t, n)
	}
	w.caughtUp(t)
	return w
}

// newestIntent is the root of the chain that was begun last.
func (w *browserWorld) newestIntent(t *testing.T) record.ID {
	t.Helper()
	ctx := context.Background()
	cp, err := w.api.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{})
	must(t, err)
	for i := w.size(t, cp.GetCheckpoint()) - 1; i >= 0; i-- {
		got := w.entry(t, i)
		if got.Msg.GetStages().GetIntent() != nil {
			return got.ID
		}
	}
	t.Fatal("the demo asked for nothing")
	return record.ID{}
}

func (w *browserWorld) size(t *testing.T, checkpoint string) int64 {
	t.Helper()
	key, err := keyfile.LoadLogKey(w.vkey)
	must(t, err)
	cp, err := key.Open([]byte(checkpoint))
	must(t, err)
	return cp.Size
}

// entry reads one record over the network.
func (w *browserWorld) entry(t *testing.T, index int64) *record.Record {
	t.Helper()
	got, err := w.api.GetRecord(context.Background(), &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: index}})
	must(t, err)
	e, err := entry.Parse(got.GetRecord().GetEntry())
	must(t, err)
	r, err := record.Parse(e.Envelope)
	must(t, err)
	return r
}

// newest reads the newest record.
func (w *browserWorld) newest(t *testing.T) *record.Record {
	t.Helper()
	cp, err := w.api.GetCheckpoint(context.Background(), &onusv1.GetCheckpointRequest{})
	must(t, err)
	return w.entry(t, w.size(t, cp.GetCheckpoint())-1)
}

// record has an agent record a chain of n records: what was asked, then decisions
// with an action and its outcome each, of which every hundredth is not allowed.
func (w *browserWorld) record(t *testing.T, n int) record.ID {
	t.Helper()
	ctx := context.Background()
	const class = "spiffe://example.com/k8s-agent"
	key, err := keyfile.LoadLogKey(w.vkey)
	must(t, err)
	load := func(name string) crypto.Signer {
		k, err := keyfile.LoadSigner(filepath.Join(string(w.dir), name+".key"))
		must(t, err)
		return k
	}
	line, err := agent.NewClient(agent.ClientConfig{Server: w.url, LogKey: key.String()})
	must(t, err)
	it, err := party.NewOperator(line, load("it-platform"), itPlatform)
	must(t, err)
	given, err := it.Grant(ctx, agent.Delegation{Agent: class, Scope: []agent.Scope{{Type: "k8s.pods", Action: "get"}}})
	must(t, err)
	a, err := agent.New(agent.Config{Server: w.url, LogKey: key.String(), Signer: load("k8s-agent"), Agent: class, Operator: itPlatform})
	must(t, err)
	author, err := a.Author(agent.AuthorConfig{})
	must(t, err)
	user, err := line.User(ctx, fmt.Sprintf("sre-%d@example.com", n))
	must(t, err)
	var all []*agent.Signed
	sign := func(s agent.Step) *agent.Signed {
		s.User = user
		signed, err := author.Sign(s)
		must(t, err)
		all = append(all, signed)
		return signed
	}
	root := sign(agent.Step{Root: true, Intent: &agent.Intent{Text: fmt.Sprintf("look after %d pods", n)}})
	for i := 0; len(all) < n; i++ {
		decided := sign(agent.Step{Parent: root.Link(), Decision: &agent.Decision{Text: fmt.Sprintf("look at pod %d", i)}})
		what := agent.Element{Type: "k8s.pods", Action: "get", Location: fmt.Sprintf("%s/api/v1/namespaces/shop/pods/checkout-%d", cluster, i)}
		if i%100 == 0 && i > 0 {
			what.Action = "delete"
		}
		if len(all) == n {
			break
		}
		did := sign(agent.Step{Parent: decided.Link(), Basis: agent.Own, Grant: given.ID, Action: &agent.Action{Element: what}})
		if len(all) < n {
			sign(agent.Step{Parent: did.Link(), Outcome: &agent.Outcome{Status: onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED, Target: agent.Allowed}})
		}
	}
	_, err = a.Submit(ctx, all...)
	must(t, err)
	return root.Record.ID
}

// caughtUp waits until the pages show the whole log.
func (w *browserWorld) caughtUp(t *testing.T) {
	t.Helper()
	for range 600 {
		status, body := fetch(t, http.DefaultClient, w.url+"/", nil)
		if status == http.StatusOK && !strings.Contains(body, " behind</span>") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the viewer's desk does not catch up with the log")
}

// get fetches what a page links to as a download.
func (w *browserWorld) get(t *testing.T, path string) (status int, header http.Header, body []byte) {
	t.Helper()
	resp, err := http.Get(w.url + path)
	must(t, err)
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, resp.Header, body
}

// verifyLog checks the whole log as an auditor does.
func (w *browserWorld) verifyLog(t *testing.T) {
	t.Helper()
	w.genuine(t, "log", w.url)
}

// genuine has the auditor's tool check something: it must be genuine, and show
// what was not allowed, which is exit code 1.
func (w *browserWorld) genuine(t *testing.T, what, where string) {
	t.Helper()
	cmd := exec.Command(w.verify, what, where, "--log-key", w.vkey)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != 1 || !strings.Contains(string(out), "GENUINE") {
		t.Errorf("onus-verify %s: exit code %d, want 1\n%s", what, got, out)
	}
}

// waitFile waits until a download is there, whole, and returns where.
func waitFile(t *testing.T, dir string) string {
	t.Helper()
	for range 300 {
		names, err := filepath.Glob(filepath.Join(dir, "*.onus"))
		must(t, err)
		if len(names) == 1 {
			if info, err := os.Stat(names[0]); err == nil && info.Size() > 0 {
				return names[0]
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nothing was downloaded")
	return ""
}
