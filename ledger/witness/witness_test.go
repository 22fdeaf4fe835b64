package witness_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/ledger/witness"
	"github.com/onus-ledger/onus/ledger/witness/witnesstest"
	"github.com/onus-ledger/onus/verifier/tree"
)

// aLog is a log that grew to 300 leaves.
type aLog struct {
	signer tree.LogSigner
	nodes  map[[2]int64]tree.Hash
	roots  []tree.Hash
}

func newLog(t *testing.T, fork string) *aLog {
	t.Helper()
	return growLog(t, newSigner(t), fork)
}

func newSigner(t *testing.T) tree.LogSigner {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tree.NewLogSigner("example.com/log", priv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func growLog(t *testing.T, s tree.LogSigner, fork string) *aLog {
	t.Helper()
	l := &aLog{signer: s, nodes: map[[2]int64]tree.Hash{}, roots: []tree.Hash{tree.Empty}}
	f := tree.NewFrontier()
	for i := range 300 {
		f.Append(tree.LeafHash(fmt.Appendf(nil, "%s%d", fork, i)), func(level uint, index int64, h tree.Hash) {
			l.nodes[[2]int64{int64(level), index}] = h
		})
		l.roots = append(l.roots, f.Root())
	}
	return l
}

func (l *aLog) checkpoint(t *testing.T, size int64) []byte {
	t.Helper()
	b, err := l.signer.Sign(size, l.roots[size])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (l *aLog) proof(t *testing.T, old, size int64) []tree.Hash {
	t.Helper()
	if old == 0 {
		return nil
	}
	p, err := tree.ProveConsistency(old, size, func(level uint, index int64) (tree.Hash, error) {
		return l.nodes[[2]int64{int64(level), index}], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// setup serves a witness of the log, and returns a client for it.
func setup(t *testing.T, l *aLog) (*witnesstest.Witness, *witness.Client) {
	t.Helper()
	w, err := witnesstest.New("w.example.com", l.signer.Key())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(w)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return w, client(t, l, w.Key(), s.URL)
}

func client(t *testing.T, l *aLog, key tree.WitnessKey, url string) *witness.Client {
	t.Helper()
	p, err := tree.ParsePolicy(fmt.Appendf(nil, "witness w %s %s\nquorum w\n", key, url))
	if err != nil {
		t.Fatal(err)
	}
	c, err := witness.NewClient(p.Witnesses()[0], p, l.signer.Key())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A witness sees the log for the first time, sees it grow, and loses its
// memory; from a size that it does not have, it says which one it has.
func TestAdd(t *testing.T) {
	l := newLog(t, "")
	w, c := setup(t, l)
	ctx := t.Context()
	add := func(old, size int64) (tree.Cosignature, error) {
		return c.Add(ctx, old, l.proof(t, old, size), l.checkpoint(t, size))
	}
	for _, s := range [][2]int64{{0, 1}, {1, 2}, {2, 7}, {7, 7}, {7, 256}, {256, 300}} {
		before := time.Now().Unix()
		cs, err := add(s[0], s[1])
		if err != nil {
			t.Fatalf("from %d to %d: %v", s[0], s[1], err)
		}
		if cs.Key != w.Key() || cs.Witness != "w" || cs.Time < before || cs.Time > time.Now().Unix() {
			t.Errorf("cosignature %+v", cs)
		}
		if got := w.Size("example.com/log"); got != s[1] {
			t.Errorf("the witness has size %d, want %d", got, s[1])
		}
	}
	var other *witness.SizeError
	if _, err := add(7, 300); !errors.As(err, &other) || other.Size != 300 {
		t.Errorf("from an old size: %v, want that it has 300", err)
	}
	w.Lose()
	if _, err := add(300, 300); !errors.As(err, &other) || other.Size != 0 {
		t.Errorf("after a loss: %v, want that it has 0", err)
	}
	if _, err := add(0, 300); err != nil {
		t.Errorf("after a loss, from 0: %v", err)
	}
}

// A fork is no extension.
func TestAddFork(t *testing.T) {
	s := newSigner(t)
	l, fork := growLog(t, s, ""), growLog(t, s, "other ")
	_, c := setup(t, l)
	if _, err := c.Add(t.Context(), 0, nil, l.checkpoint(t, 100)); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{100, 200} {
		var status *witness.StatusError
		_, err := c.Add(t.Context(), 100, fork.proof(t, 100, size), fork.checkpoint(t, size))
		if !errors.As(err, &status) || status.Code != 422 || !status.Disagrees() {
			t.Errorf("a fork of size %d: %v, want 422", size, err)
		}
	}
}

// All that a witness may answer and is no cosignature.
func TestAnswers(t *testing.T) {
	l := newLog(t, "")
	cp := l.checkpoint(t, 5)
	signed, err := l.signer.Key().Open(cp)
	if err != nil {
		t.Fatal(err)
	}
	smaller := signed
	smaller.Size, smaller.Root = 4, l.roots[4]
	stranger, err := witnesstest.New("w.example.com", l.signer.Key())
	if err != nil {
		t.Fatal(err)
	}
	w, c := setup(t, l)
	good := w.Line(signed, 1)
	status := func(code int, header ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				rw.Header().Set(header[i], header[i+1])
			}
			rw.WriteHeader(code)
		}
	}
	size := func(contentType, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", contentType)
			rw.WriteHeader(http.StatusConflict)
			io.WriteString(rw, body)
		}
	}
	body := func(text string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, text) }
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"400", status(400), "answered 400: it takes the request for malformed"},
		{"403", status(403), "answered 403: it does not trust the log's key"},
		{"404", status(404), "answered 404: it does not know this log"},
		{"409 without a size", status(409), "answered 409: it has another tree of the log, and does not say of what size"},
		{"409 with a size of another type", size("text/plain", "4\n"), "does not say of what size"},
		{"409 with a sign", size("text/x.tlog.size", "+4\n"), "does not say of what size"},
		{"409 with a zero before", size("text/x.tlog.size", "04\n"), "does not say of what size"},
		{"409 with a negative size", size("text/x.tlog.size", "-4\n"), "does not say of what size"},
		{"409 without a newline", size("text/x.tlog.size", "4"), "does not say of what size"},
		{"409 with two lines", size("text/x.tlog.size", "4\n5\n"), "does not say of what size"},
		{"409 too large", size("text/x.tlog.size", strings.Repeat("9", 40)+"\n"), "does not say of what size"},
		{"422", status(422), "answered 422: to it, this tree is no extension"},
		{"429", status(429), "answered 429: it is asked too often"},
		{"500", status(500), "answered 500: it has trouble of its own"},
		{"503", status(503), "answered 503: it has trouble of its own"},
		{"204", status(204), "answered 204: an answer that the protocol does not have"},
		{"a redirect", status(307, "Location", "/elsewhere"), "answered 307: it redirects, which is not followed"},
		{"nothing", body(""), "without signature lines"},
		{"no newline", body(strings.TrimSuffix(good, "\n")), "without signature lines"},
		{"an empty line first", body("\n" + good), "without signature lines"},
		{"an empty line between", body(good + "\n" + good), "without signature lines"},
		{"no signature", body("hello\n"), "no good"},
		{"no base64", body("— w.example.com !!!!\n"), "no good"},
		{"a page", body("<html>welcome</html>\n"), "no good"},
		{"another key", body(stranger.Line(signed, 1)), "no cosignature by w.example.com"},
		{"another size", body(w.Line(smaller, 1)), "does not verify"},
		{"no time", body(w.Line(signed, 0)), "is no time to have cosigned at"},
		{"after the year 9999", body(w.Line(signed, 253402300800)), "is no time to have cosigned at"},
		{"at the end of time", body(w.Line(signed, math.MaxInt64)), "is no time to have cosigned at"},
		{"a note", body(string(cp) + good), "without signature lines"},
		{"too long", body(strings.Repeat(good, 200)), "more than 16384 bytes"},
		{"gigabytes", func(rw http.ResponseWriter, r *http.Request) {
			chunk := []byte(strings.Repeat("— w.example.com AAAA\n", 4096))
			for r.Context().Err() == nil {
				if _, err := rw.Write(chunk); err != nil {
					return
				}
			}
		}, "more than 16384 bytes"},
		{"headers without end", func(rw http.ResponseWriter, _ *http.Request) {
			for i := range 2000 {
				rw.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 100))
			}
		}, "not reached"},
		{"a connection cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "not reached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.Fault(func(rw http.ResponseWriter, r *http.Request) bool { test.answer(rw, r); return true })
			cs, err := c.Add(t.Context(), 4, l.proof(t, 4, 5), cp)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v; want an error with %q", cs, err, test.want)
			}
			if strings.Contains(fmt.Sprint(err), "welcome") {
				t.Errorf("%v repeats the witness's words", err)
			}
		})
	}
	// Lines by others beside the witness's own are no matter.
	w.Fault(func(rw http.ResponseWriter, r *http.Request) bool {
		io.WriteString(rw, "— other.example AAAAAAA=\n"+stranger.Line(signed, 3)+good)
		return true
	})
	if cs, err := c.Add(t.Context(), 4, l.proof(t, 4, 5), cp); err != nil || cs.Line != good {
		t.Errorf("with others' lines beside: %+v, %v", cs, err)
	}
}

// How long a witness asks to be left alone is heard, up to a bound.
func TestRetryAfter(t *testing.T) {
	l := newLog(t, "")
	w, c := setup(t, l)
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "86400": time.Minute, "-1": 0, "": 0,
		"Wed, 21 Oct 2015 07:28:00 GMT": 0, "99999999999999999999": 0} {
		w.Fault(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Retry-After", header)
			rw.WriteHeader(http.StatusTooManyRequests)
			return true
		})
		var status *witness.StatusError
		if _, err := c.Add(t.Context(), 0, nil, l.checkpoint(t, 1)); !errors.As(err, &status) || status.RetryAfter != want {
			t.Errorf("Retry-After: %s gives %v, %v", header, status, err)
		}
	}
}

// A witness that hangs, before or within its answer, is given up.
func TestHangs(t *testing.T) {
	l := newLog(t, "")
	w, c := setup(t, l)
	for _, started := range []bool{false, true} {
		w.Fault(func(rw http.ResponseWriter, r *http.Request) bool {
			if started {
				rw.WriteHeader(200)
				rw.(http.Flusher).Flush()
			}
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return true
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := c.Add(ctx, 0, nil, l.checkpoint(t, 1))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answer begun %v: %v, want that the time is over", started, err)
		}
	}
}

// Who is not there is said to be not there.
func TestNobodyThere(t *testing.T) {
	l := newLog(t, "")
	w, err := witnesstest.New("w.example.com", l.signer.Key())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(w)
	c := client(t, l, w.Key(), s.URL)
	s.Close()
	if _, err := c.Add(t.Context(), 0, nil, l.checkpoint(t, 1)); err == nil || !strings.Contains(err.Error(), "not reached") {
		t.Errorf("%v, want that it is not reached", err)
	}
	if s, err := c.State(t.Context(), 1, l.checkpoint(t, 1)); err == nil {
		t.Errorf("State = %+v, want an error", s)
	}
}

// Where checkpoints go is an https URL, or one of this machine.
func TestAddresses(t *testing.T) {
	l := newLog(t, "")
	w, err := witnesstest.New("w.example.com", l.signer.Key())
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"":                              "has no address",
		"http://w.example.com":          "plain http to another machine",
		"http://10.0.0.1/w":             "plain http to another machine",
		"https://user@w.example.com/":   "has a user, query or fragment",
		"https://w.example.com/?a=b":    "has a user, query or fragment",
		"https://w.example.com/#a":      "has a user, query or fragment",
		"ftp://w.example.com/":          "is not an http or https URL",
		"w.example.com":                 "is not an http or https URL",
		"https://":                      "is not an http or https URL",
		"https://w.example.com/w":       "",
		"http://localhost:1234/w/":      "",
		"http://127.0.0.1:1234":         "",
		"http://[::1]:1234":             "",
		"http://localhost.example.com/": "plain http to another machine",
	} {
		_, err := witness.NewClient(tree.Witness{Name: "w", Key: w.Key(), URL: url}, nil, l.signer.Key())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
	}
}

// What a witness has can be asked, whether it has the read side or not.
func TestState(t *testing.T) {
	s := newSigner(t)
	l, fork := growLog(t, s, ""), growLog(t, s, "other ")
	for _, reads := range []bool{false, true} {
		w, c := setup(t, l)
		w.Reads = reads
		ask := func(log *aLog, size int64) witness.State {
			t.Helper()
			got, err := c.State(t.Context(), size, log.checkpoint(t, size))
			if err != nil {
				t.Fatalf("reads %v: %v", reads, err)
			}
			if signed := got.Signed != nil; signed != (reads && got.Size > 0) {
				t.Errorf("reads %v: signed %v", reads, signed)
			}
			return got
		}
		if got := ask(l, 100); got.Size != 0 || got.Agrees || got.Disagrees {
			t.Errorf("reads %v, before the first: %+v", reads, got)
		}
		if _, err := c.Add(t.Context(), 0, nil, l.checkpoint(t, 100)); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int64{50, 100, 150} {
			got := ask(l, size)
			if got.Size != 100 || got.Disagrees {
				t.Errorf("reads %v, asked at %d: %+v, want 100", reads, size, got)
			}
			if reads && got.Tree.Root != l.roots[100] {
				t.Errorf("the tree shown is %+v", got.Tree)
			}
		}
		if w.Size("example.com/log") != 100 {
			t.Errorf("asking moved the witness to %d", w.Size("example.com/log"))
		}
		if got := ask(fork, 100); !reads && !got.Disagrees {
			t.Errorf("a fork: %+v", got)
		}
	}
}

// What the read side shows may be from a cache. Where it shows less than the
// log has, or the same, the witness itself is asked.
func TestReadSideIsOld(t *testing.T) {
	s := newSigner(t)
	l, fork := growLog(t, s, ""), growLog(t, s, "other ")
	for _, shown := range []int64{100, 150} {
		w, c := setup(t, l)
		if _, err := c.Add(t.Context(), 0, nil, l.checkpoint(t, 200)); err != nil {
			t.Fatal(err)
		}
		w.Fault(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				rw.Write(l.checkpoint(t, shown))
			}
			return r.Method == http.MethodGet
		})
		if got, err := c.State(t.Context(), 150, l.checkpoint(t, 150)); err != nil || got.Size != 200 || got.Signed != nil {
			t.Errorf("shown %d, asked at 150: %+v, %v; want 200 by its word", shown, got, err)
		}
		if got, err := c.State(t.Context(), 200, fork.checkpoint(t, 200)); err != nil || !got.Disagrees {
			t.Errorf("shown %d, a fork at 200: %+v, %v; want that it disagrees", shown, got, err)
		}
		if got, err := c.State(t.Context(), 250, l.checkpoint(t, 250)); err != nil || got.Size != shown || got.Signed == nil {
			t.Errorf("shown %d, asked at 250: %+v, %v; want what was shown", shown, got, err)
		}
	}
}

// A checkpoint that the log did not sign counts for nothing on the read side.
func TestReadSideLies(t *testing.T) {
	l, other := newLog(t, ""), newLog(t, "")
	w, c := setup(t, l)
	for _, lie := range []string{string(other.checkpoint(t, 200)), "no note", strings.Repeat("x", 1<<20), string(l.checkpoint(t, 200)[1:])} {
		w.Fault(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				io.WriteString(rw, lie)
			}
			return r.Method == http.MethodGet
		})
		if got, err := c.State(t.Context(), 5, l.checkpoint(t, 5)); err != nil || got.Signed != nil || got.Size != 0 {
			t.Errorf("%.20q: %+v, %v; want what add-checkpoint says", lie, got, err)
		}
	}
}
