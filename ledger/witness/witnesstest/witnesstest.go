// Package witnesstest is a witness for tests, as httptest is a server for
// tests: c2sp.org/tlog-witness with its state in memory.
package witnesstest

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/onus-ledger/onus/verifier/tree"
)

// Witness cosigns checkpoints of the logs that it knows. It is an
// http.Handler.
type Witness struct {
	// Reads: the read side is served too.
	Reads bool

	key  tree.WitnessKey
	priv ed25519.PrivateKey

	mu    sync.Mutex
	logs  map[string]*seen                                         // under mu: by origin
	fault func(w http.ResponseWriter, r *http.Request) (done bool) // under mu
	asked int                                                      // under mu: calls of add-checkpoint
	busy  int                                                      // under mu: of these, under way
	most  int                                                      // under mu: the most at once
}

type seen struct {
	key    tree.LogKey
	tree   tree.Checkpoint
	signed []byte
}

// New returns a witness with a new key under that name, which knows the logs.
func New(name string, logs ...tree.LogKey) (*Witness, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	w := &Witness{priv: priv, logs: map[string]*seen{}}
	if w.key, err = tree.NewWitnessKey(name, pub); err != nil {
		return nil, err
	}
	for _, k := range logs {
		w.logs[k.Origin()] = &seen{key: k, tree: tree.Checkpoint{Origin: k.Origin(), Root: tree.Empty}}
	}
	return w, nil
}

// Key returns the witness's key.
func (w *Witness) Key() tree.WitnessKey { return w.key }

// Fault has f answer requests, unless it returns false. Nil ends it.
func (w *Witness) Fault(f func(w http.ResponseWriter, r *http.Request) (done bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// Lose has the witness forget what it saw of the logs.
func (w *Witness) Lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for origin, s := range w.logs {
		s.tree, s.signed = tree.Checkpoint{Origin: origin, Root: tree.Empty}, nil
	}
}

// Size returns the largest size that it has seen of a log.
func (w *Witness) Size(origin string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs[origin].tree.Size
}

// Asked returns how many checkpoints were submitted, and how many at once at
// most.
func (w *Witness) Asked() (calls, atOnce int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked, w.most
}

func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	fault := w.fault
	w.mu.Unlock()
	submits := r.Method == http.MethodPost && r.URL.Path == "/add-checkpoint"
	if submits {
		w.count(1)
		defer w.count(-1)
	}
	switch {
	case fault != nil && fault(rw, r):
	case submits:
		w.add(rw, r)
	case w.Reads && r.Method == http.MethodGet:
		w.read(rw, r)
	default:
		http.NotFound(rw, r)
	}
}

func (w *Witness) count(d int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy += d
	w.asked += max(d, 0)
	w.most = max(w.most, w.busy)
}

func (w *Witness) read(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for origin, s := range w.logs {
		sum := sha256.Sum256([]byte(origin))
		if r.URL.Path == "/"+hex.EncodeToString(sum[:])+"/checkpoint" && s.signed != nil {
			rw.Write(s.signed)
			return
		}
	}
	http.NotFound(rw, r)
}

func (w *Witness) add(rw http.ResponseWriter, r *http.Request) {
	old, proof, signed, err := parse(http.MaxBytesReader(rw, r.Body, 16<<10))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	origin, _, _ := strings.Cut(string(signed), "\n")
	s := w.logs[origin]
	if s == nil {
		http.Error(rw, "unknown log", http.StatusNotFound)
		return
	}
	cp, err := s.key.Open(signed)
	switch {
	case err != nil:
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	case old > cp.Size:
		http.Error(rw, "the old size is larger", http.StatusBadRequest)
		return
	case old != s.tree.Size:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", s.tree.Size)
		return
	}
	if old == 0 && len(proof) > 0 || old > 0 && tree.VerifyConsistency(old, cp.Size, s.tree.Root, cp.Root, proof) != nil {
		http.Error(rw, "no extension", http.StatusUnprocessableEntity)
		return
	}
	s.tree, s.signed = cp, signed
	io.WriteString(rw, w.Line(cp, time.Now().Unix()))
}

// Line returns the line by which the witness cosigns a checkpoint at that time.
func (w *Witness) Line(cp tree.Checkpoint, at int64) string {
	// The key id is the vkey's second part.
	id, err := hex.DecodeString(strings.Split(w.key.String(), "+")[1])
	if err != nil {
		panic("witnesstest: a vkey without a key id: " + err.Error())
	}
	sig := binary.BigEndian.AppendUint64(id, uint64(at))
	sig = append(sig, ed25519.Sign(w.priv, tree.CosignedMessage(cp, at))...)
	return "— " + w.key.Name() + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// parse reads the body of add-checkpoint.
func parse(body io.Reader) (old int64, proof []tree.Hash, checkpoint []byte, err error) {
	b := bufio.NewReader(body)
	line, err := b.ReadString('\n')
	if err != nil {
		return 0, nil, nil, err
	}
	n, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "old ")
	if old, err = strconv.ParseInt(n, 10, 64); err != nil || !ok || strconv.FormatInt(old, 10) != n {
		return 0, nil, nil, fmt.Errorf("the first line is %q", line)
	}
	for {
		if line, err = b.ReadString('\n'); err != nil {
			return 0, nil, nil, err
		}
		if line == "\n" {
			break
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return 0, nil, nil, err
		}
		h, err := tree.ParseHash(raw)
		if err != nil {
			return 0, nil, nil, err
		}
		if proof = append(proof, h); len(proof) > 63 {
			return 0, nil, nil, fmt.Errorf("more than 63 hashes")
		}
	}
	var rest bytes.Buffer
	_, err = rest.ReadFrom(b)
	return old, proof, rest.Bytes(), err
}
