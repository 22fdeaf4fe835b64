package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// process is an onus serve that runs as a process of its own.
type process struct {
	cmd *exec.Cmd
	url string
}

func startServe(t *testing.T, onus, data string, flags ...string) *process {
	t.Helper()
	cmd := exec.Command(onus, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := cutLast(lines.Text(), " at "); ok {
			go io.Copy(io.Discard, out)
			return &process{cmd, url}
		}
	}
	t.Fatal("onus serve did not say where it listens")
	return nil
}

// A kill -9 of the server in the middle of a load loses no acknowledged
// record: agents in other processes hold receipts, and each is in the log
// that is served afterwards, which verifies.
func TestKillUnderLoad(t *testing.T) {
	s := startDemoServer(t)
	vkey, err := keyfile.LoadLogKey(filepath.Join(s.dir, "my-ledger", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyfile.LoadSigner(filepath.Join(s.dir, "k8s.key"))
	if err != nil {
		t.Fatal(err)
	}
	victim := s.server
	acknowledged := map[record.ID]int64{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 8 {
		a, err := agent.New(agent.Config{Server: victim.url, LogKey: vkey.String(), Signer: key,
			Agent: "spiffe://example.com/k8s-agent", Operator: "it/platform", OnOutage: agent.Fail, Patience: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for {
				r, err := a.Record(ctx, agent.Step{Intent: &agent.Intent{Text: "again"}})
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged[r.ID] = r.Index
				mu.Unlock()
			}
		})
	}
	for {
		mu.Lock()
		n := len(acknowledged)
		mu.Unlock()
		if n > 200 || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := victim.cmd.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	victim.cmd.Wait()
	wg.Wait()

	after := startServe(t, s.onus, filepath.Join(s.dir, "my-ledger"))
	if out, err := exec.Command(s.verify, "log", after.url, "--log-key", filepath.Join(s.dir, "my-ledger", "log.vkey")).CombinedOutput(); err != nil {
		t.Fatalf("onus-verify: %v\n%s", err, out)
	}
	client, err := (&remote{server: after.url}).client()
	if err != nil {
		t.Fatal(err)
	}
	for id, index := range acknowledged {
		got, err := client.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: id.String()}})
		if err != nil {
			t.Fatalf("record %s, acknowledged at %d, is lost: %v", id, index, err)
		}
		if got.GetRecord().GetIndex() != index {
			t.Errorf("record %s was acknowledged at %d and is at %d", id, index, got.GetRecord().GetIndex())
		}
	}
	t.Logf("%d records were acknowledged before the kill, all are there", len(acknowledged))
}
