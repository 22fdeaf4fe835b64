package peers

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/witness"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/types/known/timestamppb"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// programs builds litewitness and omniwitness, once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "onus-peers-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the witnesses: %w\n%s", err, out)
	}
	return dir, nil
})

// A peer is a witness that somebody else wrote, as a process.
type peer struct {
	t    *testing.T
	name string // in the policy
	addr string
	key  tree.WitnessKey
	// args start it; lose has it forget what it saw, while it is stopped.
	program string
	args    []string
	lose    func() error
	cmd     *exec.Cmd
}

func (p *peer) start() {
	p.t.Helper()
	dir, err := programs()
	must(p.t, err)
	p.cmd = exec.Command(filepath.Join(dir, p.program), p.args...)
	must(p.t, p.cmd.Start())
	for range 600 {
		if c, err := net.Dial("tcp", p.addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatalf("%s does not listen", p.program)
}

func (p *peer) stop() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// newLitewitness makes a litewitness that knows the log. Its key is in an SSH
// agent, which the test serves.
func newLitewitness(t *testing.T, name string, log tree.LogKey) *peer {
	t.Helper()
	dir, err := os.MkdirTemp("", "onus-lw-") // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	keys := agent.NewKeyring()
	must(t, keys.Add(agent.AddedKey{PrivateKey: priv}))
	ln, err := net.Listen("unix", filepath.Join(dir, "agent"))
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keys, c)
		}
	}()
	sshKey, err := ssh.NewPublicKey(pub)
	must(t, err)
	db := filepath.Join(dir, "witness.db")
	p := &peer{t: t, name: name, addr: freeAddr(t), program: "litewitness"}
	p.args = []string{"-name", name + ".example.com", "-db", db, "-ssh-agent", filepath.Join(dir, "agent"),
		"-key", ssh.FingerprintSHA256(sshKey), "-listen", p.addr, "-obscurity"}
	p.key, err = tree.NewWitnessKey(name+".example.com", pub)
	must(t, err)
	sql := func(f func(c *sqlite.Conn) error) error {
		c, err := sqlite.OpenConn(db, sqlite.OpenReadWrite|sqlite.OpenCreate)
		if err != nil {
			return err
		}
		return errors.Join(f(c), c.Close())
	}
	p.lose = func() error {
		return sql(func(c *sqlite.Conn) error {
			return sqlitex.Execute(c, "UPDATE log SET tree_size = 0, tree_hash = ?", &sqlitex.ExecOptions{Args: []any{tree.Empty.String()}})
		})
	}
	// The program makes its tables; what it knows of logs is its operator's
	// to write.
	p.start()
	p.stop()
	must(t, sql(func(c *sqlite.Conn) error {
		if err := sqlitex.Execute(c, "INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", &sqlitex.ExecOptions{Args: []any{log.Origin(), tree.Empty.String()}}); err != nil {
			return err
		}
		return sqlitex.Execute(c, "INSERT INTO key (origin, key) VALUES (?, ?)", &sqlitex.ExecOptions{Args: []any{log.Origin(), log.String()}})
	}))
	p.start()
	t.Cleanup(p.stop)
	return p
}

// newOmniwitness makes an omniwitness that knows the log.
func newOmniwitness(t *testing.T, name string, log tree.LogKey) *peer {
	t.Helper()
	dir := t.TempDir()
	skey, vkey, err := note.GenerateKey(rand.Reader, name+".example.com")
	must(t, err)
	// Its key as a note signer's has another id than as a cosigner's.
	keyFile, logs, db := filepath.Join(dir, "key"), filepath.Join(dir, "logs.yaml"), filepath.Join(dir, "witness.db")
	must(t, os.WriteFile(keyFile, []byte(skey), 0o600))
	must(t, os.WriteFile(logs, fmt.Appendf(nil, "Logs:\n  - Origin: %s\n    URL: http://127.0.0.1:1/\n    PublicKey: %s\n    Feeder: none\n", log.Origin(), log), 0o600))
	p := &peer{t: t, name: name, addr: freeAddr(t), program: "omniwitness"}
	p.args = []string{"--private_key_path", keyFile, "--db_file", db, "--additional_logs", logs, "--listen", p.addr, "--metrics_listen", ""}
	p.lose = func() error {
		return errors.Join(os.Remove(db), os.RemoveAll(db+"-wal"), os.RemoveAll(db+"-shm"))
	}
	p.key, err = tree.NewWitnessKey(name+".example.com", notePublic(t, vkey))
	must(t, err)
	p.start()
	t.Cleanup(p.stop)
	return p
}

// watchedLog is a log of ours with witnesses of others.
type watchedLog struct {
	t      *testing.T
	cfg    ledger.Config
	key    tree.LogKey
	admin  record.Signer
	policy *tree.Policy
	ledger *ledger.Ledger
	stop   func()
}

func newWatchedLog(t *testing.T) *watchedLog {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	w := &watchedLog{t: t, admin: newSigner(t), cfg: ledger.Config{Dir: "db", FS: vfs.NewMem(), Signer: priv, ContentKey: make([]byte, 32)}}
	w.key, err = tree.NewLogKey(origin, priv.Public().(ed25519.PublicKey))
	must(t, err)
	return w
}

// policyOf is a policy in which that many of the peers make the quorum.
func policyOf(t *testing.T, need int, ps ...*peer) *tree.Policy {
	t.Helper()
	var text strings.Builder
	names := ""
	for _, p := range ps {
		fmt.Fprintf(&text, "witness %s %s http://%s/\n", p.name, p.key, p.addr)
		names += " " + p.name
	}
	policy, err := tree.ParsePolicy(fmt.Appendf(nil, "%sgroup g %d%s\nquorum g\n", &text, need, names))
	must(t, err)
	return policy
}

func (w *watchedLog) create() {
	w.t.Helper()
	genesis, err := ledger.NewGenesis(w.key, []ledger.Administrator{{Name: "root", Key: w.admin.Public()}}, ledger.DefaultPolicy(), w.admin, time.Now())
	must(w.t, err)
	w.ledger, err = ledger.Create(w.cfg, genesis)
	must(w.t, err)
	w.run()
}

func (w *watchedLog) open() {
	w.t.Helper()
	var err error
	w.ledger, err = ledger.Open(w.cfg)
	must(w.t, err)
	w.run()
}

func (w *watchedLog) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	l := w.ledger
	go func() { done <- l.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, l.Close()); err != nil {
			w.t.Errorf("stop: %v", err)
		}
	})
	w.t.Cleanup(w.stop)
}

// grow logs n registrations, and returns the receipt of the last.
func (w *watchedLog) grow(n int) *onusv1.Receipt {
	w.t.Helper()
	var last *onusv1.Receipt
	for range n {
		r, err := record.Sign(&onusv1.Record{
			Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Administrator: "root"},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
				Id: fmt.Sprintf("it/%x", ledger.NewNonce()), Organisation: "Example", Unit: "Unit", AccountablePost: "Head"}}}},
		}, w.admin)
		must(w.t, err)
		got, err := w.ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope})
		must(w.t, err)
		last = got.Receipt
	}
	return last
}

// witness logs n records and waits until the policy is satisfied.
func (w *watchedLog) witness(what string, n int, d time.Duration) []string {
	w.t.Helper()
	r := w.grow(n)
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	got, missing, err := w.ledger.WitnessReceipt(ctx, r)
	must(w.t, err)
	if len(missing) > 0 {
		return missing
	}
	cp, by, err := tree.OpenCosigned([]byte(got.GetCheckpoint()), w.key, w.cfg.Witnesses)
	if err != nil || cp.Size <= got.GetIndex() || !w.cfg.Witnesses.Satisfied(by) {
		w.t.Errorf("%s: %+v by %v, %v", what, cp, by, err)
	}
	return nil
}

func (w *watchedLog) wantWitnessed(what string, n int) {
	w.t.Helper()
	if missing := w.witness(what, n, 90*time.Second); len(missing) > 0 {
		for _, s := range w.ledger.Status().Witnesses {
			w.t.Logf("%s: %+v", s.Name, s)
		}
		w.t.Fatalf("%s: missing %v", what, missing)
	}
}

// Others' witnesses cosign our log from the first contact on, through
// restarts and the loss of their memory, and refuse what is not its history.
func TestWitnesses(t *testing.T) {
	w := newWatchedLog(t)
	lite0, lite1, omni := newLitewitness(t, "lite0", w.key), newLitewitness(t, "lite1", w.key), newOmniwitness(t, "omni", w.key)
	all := []*peer{lite0, lite1, omni}
	w.cfg.Witnesses = policyOf(t, 3, all...)
	w.create()
	w.wantWitnessed("first contact", 1)
	w.wantWitnessed("growth", 20)
	w.wantWitnessed("growth past a tile", 300)

	// Our restart: what was cosigned is known, and they are where they were.
	w.stop()
	early := vfs.NewMem()
	if ok, err := vfs.Clone(w.cfg.FS, early, "db", "db"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	w.open()
	for _, s := range w.ledger.Status().Witnesses {
		if s.Size == 0 || s.Time == 0 {
			t.Errorf("after our restart nothing is known of %+v", s)
		}
	}
	w.wantWitnessed("after our restart", 3)

	for _, p := range all {
		p.stop()
		w.grow(2)
		p.start()
		w.wantWitnessed("after a restart of "+p.name, 1)
		p.stop()
		must(t, p.lose())
		p.start()
		w.wantWitnessed("after "+p.name+" lost its memory", 1)
	}

	// Two of three.
	w.stop()
	w.cfg.Witnesses = policyOf(t, 2, all...)
	lite1.stop()
	w.open()
	w.wantWitnessed("with two of three up", 1)
	omni.stop()
	r := w.grow(1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	_, missing, err := w.ledger.WitnessReceipt(ctx, r)
	cancel()
	must(t, err)
	for _, name := range []string{"lite1", "omni"} {
		if !slices.Contains(missing, name) {
			t.Errorf("with one of three up, missing %v; want %s among them", missing, name)
		}
	}
	if _, err := w.ledger.Entry(r.GetIndex()); err != nil {
		t.Errorf("with one of three up, the record is not there: %v", err)
	}
	lite1.start()
	omni.start()
	w.wantWitnessed("after all came back", 1)
	w.stop()

	t.Run("answers", func(t *testing.T) { answers(t, w, all) })
	t.Run("fork", func(t *testing.T) { fork(t, w, early, all) })
}

// answers asks each peer itself what the ledger asks only when it is wrong.
func answers(t *testing.T, w *watchedLog, all []*peer) {
	w.open()
	defer w.stop()
	size, cp := w.ledger.Size(), w.ledger.Checkpoint()
	_, _, proof, err := w.ledger.Consistency(3, size)
	must(t, err)
	for _, p := range all {
		c := clientOf(t, w.key, w.cfg.Witnesses, p)
		s, err := c.State(t.Context(), size, cp)
		if err != nil || s.Size == 0 || s.Size > size {
			t.Errorf("%s: State = %+v, %v", p.name, s, err)
		}
		var other *witness.SizeError
		if _, err := c.Add(t.Context(), 3, proof, cp); !errors.As(err, &other) || other.Size != s.Size {
			t.Errorf("%s, from another size: %v, want that it has %d", p.name, err, s.Size)
		}
		// Under the key of another witness its answer is worth nothing.
		wrong := *p
		wrong.key = all[(slices.Index(all, p)+1)%len(all)].key
		policy := policyOf(t, 1, &wrong)
		_, _, proof, err := w.ledger.Consistency(s.Size, size)
		must(t, err)
		if cs, err := clientOf(t, w.key, policy, &wrong).Add(t.Context(), s.Size, proof, cp); err == nil || !strings.Contains(err.Error(), "no cosignature by") {
			t.Errorf("%s under another key: %+v, %v", p.name, cs, err)
		}
		// A log that it does not know, and one with a wrong key.
		for name, want := range map[string]int{"log.example.com/unknown": 404, origin: 403} {
			signer, err := tree.NewLogSigner(name, ed25519.NewKeyFromSeed(make([]byte, 32)))
			must(t, err)
			signed, err := signer.Sign(size, tree.LeafHash(nil))
			must(t, err)
			var status *witness.StatusError
			if _, err := clientOf(t, signer.Key(), w.cfg.Witnesses, p).Add(t.Context(), 0, nil, signed); !errors.As(err, &status) || status.Code != want && (p.program != "omniwitness" || status.Code != 500) {
				// omniwitness refuses these with a 500, where the protocol has a
				// code for each.
				t.Errorf("%s, log %s: %v, want %d", p.name, name, err, want)
			}
		}
	}
}

// fork has an old copy of the log grow into another one.
func fork(t *testing.T, w *watchedLog, early vfs.FS, all []*peer) {
	newest := w.ledger.Size()
	for _, grown := range []int64{1, 50} {
		fs := vfs.NewMem()
		if ok, err := vfs.Clone(early, fs, "db", "db"); err != nil || !ok {
			t.Fatal(ok, err)
		}
		f := &watchedLog{t: t, cfg: w.cfg, key: w.key, admin: w.admin}
		f.cfg.FS, f.cfg.Witnesses = fs, nil
		f.open()
		n := grown
		if grown > 1 {
			n = newest + grown - f.ledger.Size()
		}
		f.grow(int(n))
		f.stop()
		f.cfg.Witnesses = w.cfg.Witnesses
		if grown == 1 {
			// It is smaller than what they have seen: it does not open.
			var he *ledger.HistoryError
			if l, err := ledger.Open(f.cfg); !errors.As(err, &he) || he.Seen <= he.Size {
				t.Errorf("an old copy that grew by one opens: %v, %v", l, err)
			}
			continue
		}
		f.open()
		if missing := f.witness("fork", 1, 2*time.Second); len(missing) != len(all) {
			t.Errorf("a larger fork: missing %v, want all", missing)
		}
		for _, s := range f.ledger.Status().Witnesses {
			if s.Err == nil || !strings.Contains(s.Err.Error(), "422") {
				t.Errorf("%s to a larger fork: %v, want 422", s.Name, s.Err)
			}
		}
		f.stop()
	}
}

func clientOf(t *testing.T, key tree.LogKey, policy *tree.Policy, p *peer) *witness.Client {
	t.Helper()
	for _, x := range policy.Witnesses() {
		if x.Name == p.name {
			c, err := witness.NewClient(x, policy, key)
			must(t, err)
			t.Cleanup(c.Close)
			return c
		}
	}
	t.Fatalf("the policy has no %s", p.name)
	return nil
}

// notePublic takes the key out of a note verifier's.
func notePublic(t *testing.T, vkey string) ed25519.PublicKey {
	t.Helper()
	k, err := tree.ParseLogKey(vkey)
	must(t, err)
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(k.String(), "+", 3)[2])
	must(t, err)
	return raw[1:] // after the key's type
}
