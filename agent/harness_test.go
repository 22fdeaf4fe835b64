package agent_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	origin   = "log.example.com/agents"
	operator = "it/platform"
	planner  = "spiffe://example.com/planner"
	buyer    = "spiffe://example.com/buyer"
)

// testLog is a real ledger in memory behind the real RPC service on a port of
// its own, with two registered agents. It panics where a test cannot go on, so
// that examples can use it too.
type testLog struct {
	URL    string
	Key    tree.LogKey
	Ledger *ledger.Ledger
	keys   map[string]crypto.Signer // by agent

	cfg   ledger.Config
	who   identity.Authenticator // nil: everybody is an administrator
	admin record.Signer
	addr  string
	stop  func()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newKey() ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return must(k, err)
}

// startLog creates a ledger and serves it. Allowed are the fields in which its
// policy allows plain text.
func startLog(allowed ...string) *testLog {
	return startLogWith(func(p *onusv1.Policy) { p.PlainText = allowed })
}

// startLogWith is startLog with a policy of its own, and a host key.
func startLogWith(edit func(*onusv1.Policy)) *testLog {
	content := make([]byte, 32)
	rand.Read(content)
	l := &testLog{
		keys:  map[string]crypto.Signer{planner: newKey(), buyer: newKey()},
		cfg:   ledger.Config{Dir: "db", FS: vfs.NewMem(), Signer: newKey(), HostKey: newKey(), ContentKey: content, Fatal: func(err error) { panic(err) }},
		admin: must(record.NewSigner(newKey())),
		addr:  "127.0.0.1:0",
	}
	l.Key = must(tree.NewLogKey(origin, l.cfg.Signer.Public().(ed25519.PublicKey)))
	policy := ledger.DefaultPolicy()
	edit(policy)
	host := must(record.NewPublicKey(l.cfg.HostKey.Public()))
	genesis := must(ledger.NewHostedGenesis(l.Key, host, []ledger.Administrator{{Name: "root", Key: l.admin.Public()}}, policy, l.admin, time.Now()))
	l.Ledger = must(ledger.Create(l.cfg, genesis))
	l.serve()
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: operator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}})
	for id, key := range l.keys {
		l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{Id: id, Operator: operator, DisplayName: id}}})
		l.bind(id, key)
	}
	return l
}

func (l *testLog) bind(id string, key crypto.Signer) {
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: must(record.NewSigner(key)).Public().SPKI(), Agent: id, Operator: operator}}})
}

func (l *testLog) register(reg *onusv1.Registration) {
	l.decree(&onusv1.Record{Body: &onusv1.Record_Registration{Registration: reg}})
}

// decree logs what the administrator says.
func (l *testLog) decree(m *onusv1.Record) int64 {
	m.Origin, m.Nonce, m.Author = origin, ledger.NewNonce(), &onusv1.Author{Administrator: "root"}
	m.Capture, m.ClaimedTime = onusv1.Capture_CAPTURE_SELF, timestamppb.Now()
	r := must(record.Sign(m, l.admin))
	return must(l.Ledger.Submit(context.Background(), ledger.Submission{Envelope: r.Envelope})).Receipt.GetIndex()
}

// serve serves the open ledger, at the address of before if there was one.
func (l *testLog) serve() {
	ln := must(net.Listen("tcp", l.addr))
	l.addr = ln.Addr().String()
	l.URL = "http://" + l.addr
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	open := l.Ledger
	go func() { done <- (&rpc.Server{Ledger: open, Identity: l.who}).Serve(ctx, ln) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, open.Close()); err != nil {
			panic(err)
		}
	})
}

// restart brings a stopped log back.
func (l *testLog) restart() {
	l.Ledger = must(ledger.Open(l.cfg))
	l.serve()
}

// Close stops the log.
func (l *testLog) Close() { l.stop() }

// Config is the configuration of an agent of this log.
func (l *testLog) Config(id string) agent.Config {
	return agent.Config{Server: l.URL, LogKey: l.Key.String(), Signer: l.keys[id], Agent: id, Operator: operator}
}

// newTestLog is startLog for tests: it stops at the end, and the whole log is
// audited then.
func newTestLog(t testing.TB, allowed ...string) *testLog {
	t.Helper()
	return startLog(allowed...).forTest(t)
}

func (l *testLog) forTest(t testing.TB) *testLog {
	t.Cleanup(func() {
		l.audit(t)
		l.Close()
	})
	return l
}

// client returns a line to the log for a party that is no agent.
func (l *testLog) client(t testing.TB, edit func(*agent.ClientConfig)) *agent.Client {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	cfg := agent.ClientConfig{Server: l.URL, LogKey: l.Key.String(), HTTPClient: &http.Client{Transport: tr}}
	if edit != nil {
		edit(&cfg)
	}
	c, err := agent.NewClient(cfg)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	return c
}

// agent returns an agent of the log. Edit may change its configuration.
func (l *testLog) agent(t testing.TB, id string, edit func(*agent.Config)) *agent.Agent {
	t.Helper()
	cfg := l.Config(id)
	// A transport of its own: no connection outlives the log's restart.
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	cfg.HTTPClient = &http.Client{Transport: tr}
	if edit != nil {
		edit(&cfg)
	}
	a, err := agent.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return a
}

// audit reads the whole log as an auditor does. It also holds every instance
// to a sequence without gaps, each record naming the one before.
func (l *testLog) audit(t testing.TB) []chain.Entry {
	t.Helper()
	cp, err := l.Key.Open(l.Ledger.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	a := verifier.NewAudit()
	err = l.Ledger.Follow(context.Background(), 0, cp.Size, func(_ int64, entries [][]byte) error {
		a.Add(entries)
		return nil
	})
	if err != nil {
		t.Fatalf("Follow: %v", err)
	}
	if err := a.Matches(cp, l.Key); err != nil {
		t.Errorf("audit: %v", err)
	}
	for _, f := range a.Report().Faults {
		t.Errorf("audit: %v", f)
	}
	var all []chain.Entry
	type last struct {
		sequence int64
		id       string
	}
	instances := map[string]last{}
	for i := range cp.Size {
		e, err := l.Ledger.Entry(i)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, chain.Entry{Index: i, LogTime: e.Stamp.LogTime, Record: e.Record})
		m := e.Record.Msg
		instance := m.GetAuthor().GetInstance()
		if instance == "" {
			continue
		}
		before, seen := instances[instance]
		want := before.sequence + 1
		if !seen {
			want = 0
		}
		if loss := m.GetLoss(); loss != nil {
			want = loss.GetLastSequence() + 1
		} else if m.GetSequence() > 0 && m.GetPrevious() != before.id {
			t.Errorf("entry %d names %s as the one before, but that is %s", i, m.GetPrevious(), before.id)
		}
		if m.GetSequence() != want {
			t.Errorf("entry %d of instance %s has sequence %d, want %d", i, instance, m.GetSequence(), want)
		}
		instances[instance] = last{m.GetSequence(), e.Record.ID.String()}
	}
	return all
}

// count returns how many records an agent has in the log.
func (l *testLog) count(t testing.TB, a *agent.Agent) int {
	t.Helper()
	n := 0
	for _, e := range l.audit(t) {
		if e.Record.Msg.GetAuthor().GetInstance() == a.Instance() {
			n++
		}
	}
	return n
}

// tamper is a transport that stands between agent and ledger.
type tamper func(req *http.Request, next http.RoundTripper) (*http.Response, error)

func (f tamper) RoundTrip(req *http.Request) (*http.Response, error) {
	return f(req, http.DefaultTransport)
}

func through(f tamper) func(*agent.Config) {
	return func(c *agent.Config) { c.HTTPClient = &http.Client{Transport: f} }
}

var errLost = errors.New("connection lost (by the test)")

func intent(text string) agent.Step { return agent.Step{Intent: &agent.Intent{Text: text}} }

func order(n int) agent.Step {
	return agent.Step{Action: &agent.Action{
		Element:   agent.Element{Type: "order", Action: "create", Location: "https://erp.example.com/orders", Amount: fmt.Sprint(n), Unit: "EUR"},
		Arguments: fmt.Sprintf(`{"amount":%d}`, n), RequestID: fmt.Sprintf("req-%d", n),
	}}
}

// message is an answer that holds m.
func message(m proto.Message) *http.Response {
	body := must(proto.Marshal(m))
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/proto"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
}
