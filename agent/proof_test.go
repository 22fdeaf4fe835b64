package agent_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
)

// rewrite changes the answers of one method.
func rewrite[M any, P interface {
	*M
	proto.Message
}](method string, edit func(P)) tamper {
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !strings.HasSuffix(req.URL.Path, "/"+method) {
			return next.RoundTrip(req)
		}
		req.Header.Set("Accept-Encoding", "identity")
		resp, err := next.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		body := must(io.ReadAll(resp.Body))
		resp.Body.Close()
		m := P(new(M))
		if err := proto.Unmarshal(body, m); err != nil {
			panic(err)
		}
		edit(m)
		body = must(proto.Marshal(m))
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Del("Content-Length")
		return resp, nil
	}
}

// A ledger that lies is found out, whatever part of the receipt it touches.
func TestTamperedReceipts(t *testing.T) {
	l := newTestLog(t)
	other := must(l.agent(t, buyer, nil).Record(t.Context(), intent("another's"))).Proven.GetReceipt()
	for name, edit := range map[string]func(*onusv1.Receipt){
		"another record's receipt":  func(r *onusv1.Receipt) { proto.Reset(r); proto.Merge(r, other) },
		"another's with our id":     func(r *onusv1.Receipt) { id := r.Id; proto.Reset(r); proto.Merge(r, other); r.Id = id },
		"another id":                func(r *onusv1.Receipt) { r.Id = other.Id },
		"another index":             func(r *onusv1.Receipt) { r.Index-- },
		"another stamp":             func(r *onusv1.Receipt) { r.Stamp[len(r.Stamp)-1] ^= 1 },
		"another signature":         func(r *onusv1.Receipt) { r.Signature[3] ^= 1 },
		"another proof":             func(r *onusv1.Receipt) { r.Inclusion[0][0] ^= 1 },
		"proof too long":            func(r *onusv1.Receipt) { r.Inclusion = append(r.Inclusion, make([]byte, 32)) },
		"no proof":                  func(r *onusv1.Receipt) { r.Inclusion = nil },
		"no checkpoint":             func(r *onusv1.Receipt) { r.Checkpoint = "" },
		"a checkpoint of before":    func(r *onusv1.Receipt) { r.Checkpoint = other.Checkpoint },
		"a checkpoint with another": func(r *onusv1.Receipt) { r.Checkpoint = strings.Replace(r.Checkpoint, "\n", "\n1", 1) },
		"a checkpoint, re-signed": func(r *onusv1.Receipt) {
			cp := must(l.Key.Open([]byte(r.Checkpoint)))
			r.Checkpoint = string(must(must(tree.NewLogSigner(origin, newKey())).Sign(cp.Size, cp.Root)))
		},
		"nothing": func(r *onusv1.Receipt) { proto.Reset(r) },
	} {
		t.Run(name, func(t *testing.T) {
			var lies atomic.Bool
			a := l.agent(t, planner, through(rewrite("Submit", func(m *onusv1.SubmitResponse) {
				if lies.Load() {
					edit(m.Receipt)
				}
			})))
			must(a.Record(t.Context(), intent("honest")))
			lies.Store(true)
			_, err := a.Record(t.Context(), intent("lied about"))
			var lie *agent.ProofError
			if !errors.As(err, &lie) || lie.ID.IsZero() || lie.Receipt == nil {
				t.Fatalf("Record gives %v, want a proof error", err)
			}
			if _, err := a.Record(t.Context(), intent("next")); !errors.As(err, &lie) {
				t.Errorf("the next Record gives %v", err)
			}
			// Once it answers truly, nothing was lost and nothing is twice.
			lies.Store(false)
			must(a.Record(t.Context(), intent("last")))
			if got := l.count(t, a); got != 3 {
				t.Errorf("%d records are in the log, want 3", got)
			}
		})
	}
}

func TestWrongLogKey(t *testing.T) {
	l := newTestLog(t)
	var lie *agent.ProofError
	sameName := must(tree.NewLogKey(origin, newKey().Public().(ed25519.PublicKey)))
	a := l.agent(t, planner, func(c *agent.Config) { c.LogKey = sameName.String() })
	if _, err := a.Record(t.Context(), intent("x")); !errors.As(err, &lie) {
		t.Errorf("Record under another log's key gives %v", err)
	}
	var refused *agent.RefusedError
	otherName := must(tree.NewLogKey("other.example.com", newKey().Public().(ed25519.PublicKey)))
	a = l.agent(t, planner, func(c *agent.Config) { c.LogKey = otherName.String() })
	if _, err := a.Record(t.Context(), intent("x")); !errors.As(err, &refused) || refused.Problem.GetReason() != "WRONG_ORIGIN" {
		t.Errorf("Record for another log gives %v", err)
	}
}

func TestBatchLies(t *testing.T) {
	l := newTestLog(t)
	for name, edit := range map[string]func(*onusv1.SubmitBatchResponse){
		"too few":      func(m *onusv1.SubmitBatchResponse) { m.Results = m.Results[:1] },
		"swapped":      func(m *onusv1.SubmitBatchResponse) { m.Results[0], m.Results[1] = m.Results[1], m.Results[0] },
		"empty result": func(m *onusv1.SubmitBatchResponse) { m.Results[1] = &onusv1.SubmitResult{} },
	} {
		a := l.agent(t, planner, through(rewrite("SubmitBatch", edit)))
		author := must(a.Author(agent.AuthorConfig{}))
		_, err := a.Submit(t.Context(), must(author.Sign(intent("x"))), must(author.Sign(intent("y"))))
		if lie := (*agent.ProofError)(nil); !errors.As(err, &lie) {
			t.Errorf("%s: Submit gives %v", name, err)
		}
	}
}

func TestMintLies(t *testing.T) {
	l := newTestLog(t)
	for _, ps := range [][]string{nil, {"lead@example.com"}, {"s-" + strings.Repeat("a", 26)}} {
		a := l.agent(t, planner, through(rewrite("Mint", func(m *onusv1.MintResponse) { m.Pseudonyms = ps })))
		if p, err := a.User(t.Context(), "lead@example.com"); err == nil {
			t.Errorf("User gives %s", p)
		}
	}
}

// A log that signed another history before is found out, and one that grew
// honestly is not.
func TestFork(t *testing.T) {
	l := newTestLog(t)
	always := func(c *agent.Config) { c.CheckEvery = -1 }
	must(l.agent(t, planner, always).Record(t.Context(), intent("on the main branch")))
	t.Run("same size", func(t *testing.T) {
		a := l.agent(t, planner, func(c *agent.Config) {
			c.Checkpoint = string(must(l.sign(l.Ledger.Size()+1, tree.Hash{1})))
			always(c)
		})
		_, err := a.Record(t.Context(), intent("x"))
		var e *agent.ForkError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "two roots") {
			t.Fatalf("Record gives %v, want a fork", err)
		}
		for _, cp := range []string{e.Older, e.Newer} {
			if _, err := l.Key.Open([]byte(cp)); err != nil {
				t.Errorf("the evidence does not hold: %v", err)
			}
		}
		// It stays, and nothing more goes out.
		size := l.Ledger.Size()
		if _, err := a.Record(t.Context(), intent("y")); !errors.As(err, &e) || l.Ledger.Size() != size {
			t.Errorf("the next Record gives %v, the log grew by %d", err, l.Ledger.Size()-size)
		}
	})
	t.Run("grown from another", func(t *testing.T) {
		a := l.agent(t, planner, func(c *agent.Config) {
			c.Checkpoint = string(must(l.sign(3, tree.Hash{1})))
			always(c)
		})
		_, err := a.Record(t.Context(), intent("x"))
		if e := (*agent.ForkError)(nil); !errors.As(err, &e) || e.Proof == nil {
			t.Errorf("Record gives %v, want a fork", err)
		}
	})
	t.Run("rolled back", func(t *testing.T) {
		a := l.agent(t, planner, func(c *agent.Config) {
			c.Checkpoint = string(must(l.sign(1000, tree.Hash{1})))
		})
		_, err := a.Record(t.Context(), intent("x"))
		if e := (*agent.ForkError)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), "fewer entries") {
			t.Errorf("Record gives %v, want a fork", err)
		} else if cp := must(l.Key.Open([]byte(e.Newer))); cp.Size != 1000 {
			t.Errorf("the newer checkpoint has size %d, want 1000", cp.Size)
		}
	})
	t.Run("grown honestly", func(t *testing.T) {
		a := l.agent(t, planner, always)
		must(a.Record(t.Context(), intent("x")))
		first := a.Checkpoint()
		must(l.agent(t, buyer, nil).Record(t.Context(), intent("y")))
		must(a.Record(t.Context(), intent("z")))
		if a.Checkpoint() == first {
			t.Error("the checkpoint did not move")
		}
	})
	t.Run("proof not to be had", func(t *testing.T) {
		a := l.agent(t, planner, func(c *agent.Config) {
			through(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
				if strings.HasSuffix(req.URL.Path, "/GetConsistency") {
					return nil, errLost
				}
				return next.RoundTrip(req)
			})(c)
			always(c)
		})
		must(a.Record(t.Context(), intent("x")))
		first := a.Checkpoint()
		must(a.Record(t.Context(), intent("y"))) // a record is proven without it
		if a.Checkpoint() != first {
			t.Error("the checkpoint moved without a proof")
		}
	})
	t.Run("not asked again within a second", func(t *testing.T) {
		var asked atomic.Int64
		a := l.agent(t, planner, through(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/GetConsistency") {
				asked.Add(1)
			}
			return next.RoundTrip(req)
		}))
		for range 20 {
			must(a.Record(t.Context(), intent("x")))
		}
		if n := asked.Load(); n > 2 {
			t.Errorf("20 records brought %d questions", n)
		}
	})
}

// sign signs a checkpoint with the log's own key, as a log that forks does.
func (l *testLog) sign(size int64, root tree.Hash) ([]byte, error) {
	return must(tree.NewLogSigner(origin, l.cfg.Signer)).Sign(size, root)
}
