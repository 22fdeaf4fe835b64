package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/tlog"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin  = "log.example.com/agents"
	agentID = "spiffe://example.com/helper"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logged is a real ledger. Its copies are what a host has that puts back an old
// copy of the disk, past its own guard: ledgers with one key and two histories.
type logged struct {
	t     testing.TB
	cfg   ledger.Config
	mem   *vfs.MemFS
	key   tree.LogKey
	agent record.Signer
	*ledger.Ledger
}

func newPair(t testing.TB) (ed25519.PrivateKey, record.Signer) {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s, err := record.NewSigner(priv)
	must(t, err)
	return priv, s
}

// newLogged creates a ledger with an operator and an agent: 4 entries.
func newLogged(t testing.TB) *logged {
	t.Helper()
	_, admin := newPair(t)
	signer, _ := newPair(t)
	l := &logged{t: t, mem: vfs.NewCrashableMem()}
	_, l.agent = newPair(t)
	var err error
	l.key, err = tree.NewLogKey(origin, signer.Public().(ed25519.PublicKey))
	must(t, err)
	l.cfg = ledger.Config{Dir: "db", FS: l.mem, Signer: signer, ContentKey: make([]byte, 32)}
	genesis, err := ledger.NewGenesis(l.key, []ledger.Administrator{{Name: "root", Key: admin.Public()}}, ledger.DefaultPolicy(), admin, time.Now())
	must(t, err)
	l.Ledger, err = ledger.Create(l.cfg, genesis)
	must(t, err)
	l.start()
	for _, reg := range []*onusv1.Registration{
		{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{Id: "it", Organisation: "Example", Unit: "IT", AccountablePost: "Head of IT"}}},
		{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: agentID, Operator: "it", DisplayName: "Helper"}}},
		{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: l.agent.Public().SPKI(), Agent: agentID, Operator: "it"}}},
	} {
		r, err := record.Sign(&onusv1.Record{
			Origin: origin, Nonce: ledger.NewNonce(), Author: &onusv1.Author{Administrator: "root"},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Registration{Registration: reg},
		}, admin)
		must(t, err)
		_, err = l.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope})
		must(t, err)
	}
	return l
}

func (l *logged) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, l.Close()); err != nil && !errors.Is(err, context.Canceled) {
			l.t.Errorf("stop: %v", err)
		}
	})
}

// clone opens a copy of the disk as it is now.
func (l *logged) clone() *logged {
	l.t.Helper()
	c := &logged{t: l.t, cfg: l.cfg, mem: l.mem.CrashClone(vfs.CrashCloneCfg{}), key: l.key, agent: l.agent}
	c.cfg.FS = c.mem
	var err error
	c.Ledger, err = ledger.Open(c.cfg)
	must(l.t, err)
	c.start()
	return c
}

// growTo has the agent log actions until the log has size entries. They have no
// grant, so each is a finding.
func (l *logged) growTo(size int64) {
	l.t.Helper()
	var subs []ledger.Submission
	for n := l.Size(); n < size; n++ {
		payload, err := proto.Marshal(&onusv1.Record{
			Origin: origin, Nonce: ledger.NewNonce(),
			Author:  &onusv1.Author{Agent: agentID, Instance: "i", Operator: "it", KeyId: l.agent.Public().ID()},
			Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
				Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get"}}}},
		})
		must(l.t, err)
		e := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
		e.Signature, err = l.agent.Sign(e.PAE())
		must(l.t, err)
		subs = append(subs, ledger.Submission{Envelope: e})
	}
	for _, res := range l.SubmitBatch(context.Background(), subs) {
		must(l.t, res.Err)
	}
	if l.Size() != size {
		l.t.Fatalf("the log has %d entries, want %d", l.Size(), size)
	}
}

func (l *logged) handler() http.Handler {
	mux := http.NewServeMux()
	log := testLogger
	mux.Handle("/", tlog.Hashes(l.Ledger, log))
	mux.Handle("/tile/entries/", tlog.Entries(l.Ledger, log))
	return mux
}

// front is the address of a log, behind which another may be put.
type front struct {
	*httptest.Server
	behind atomic.Value // of http.HandlerFunc
	asked  atomic.Int64
}

func newFront(t testing.TB, h http.Handler) *front {
	f := &front{}
	f.show(h)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		f.behind.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *front) show(h http.Handler) { f.behind.Store(http.HandlerFunc(h.ServeHTTP)) }

// instead answers a path otherwise.
func instead(h http.Handler, path string, other http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, path) {
			other(w, r)
			return
		}
		h.ServeHTTP(w, r)
	}
}

// changed answers with one bit changed.
func changed(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		r.Header.Del("Accept-Encoding")
		h.ServeHTTP(rec, r)
		b := rec.Body.Bytes()
		b[len(b)/2] ^= 1
		w.Write(b)
	}
}

// followed is a follower with a state file, that does not wait long.
func (l *logged) follower(t testing.TB, f *front, dir string, once bool) (*follower, *strings.Builder, *strings.Builder) {
	t.Helper()
	out, diary := &strings.Builder{}, &strings.Builder{}
	server, err := newRemote(f.URL, "", "")
	must(t, err)
	server.stall, server.longest = 2*time.Second, 5*time.Second
	v := &follower{server: server, key: l.key, state: filepath.Join(dir, "state"), forkFile: filepath.Join(dir, "fork.txt"), once: once,
		every: time.Millisecond, retry: time.Millisecond, floor: 2, out: &events{w: out}, diary: diary}
	v.head, err = loadState(v.state, l.key)
	must(t, err)
	v.begin(&verifier.Roots{})
	return v, out, diary
}

// once follows once and returns the exit code and all that was said.
func (l *logged) once(t testing.TB, f *front, dir string) (int, string) {
	t.Helper()
	v, out, diary := l.follower(t, f, dir, true)
	err := v.run(t.Context())
	return codeOf(err), out.String() + diary.String() + textOf(err)
}

func codeOf(err error) int {
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	return exitUsage
}

func textOf(err error) string {
	var code exitError
	if err == nil || errors.As(err, &code) {
		return ""
	}
	return err.Error()
}

// stateSize is the size in the state file, 0 if there is none.
func (l *logged) stateSize(t testing.TB, dir string) int64 {
	t.Helper()
	h, err := loadState(filepath.Join(dir, "state"), l.key)
	must(t, err)
	return h.Size
}

// cosign adds a witness's line to a signed checkpoint.
func cosign(t testing.TB, signed []byte, key tree.LogKey, name string, priv ed25519.PrivateKey) []byte {
	t.Helper()
	cp, err := key.Open(signed)
	must(t, err)
	w, err := tree.NewWitnessKey(name, priv.Public().(ed25519.PublicKey))
	must(t, err)
	id := strings.Split(w.String(), "+")[1]
	var b []byte
	fmt.Sscanf(id, "%x", &b)
	at := time.Now().Unix()
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = append(b, ed25519.Sign(priv, tree.CosignedMessage(cp, at))...)
	return append(bytes.Clone(signed), "— "+name+" "+base64.StdEncoding.EncodeToString(b)+"\n"...)
}

func get(t testing.TB, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return b
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
