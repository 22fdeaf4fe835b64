package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

var testLogger = slog.New(slog.DiscardHandler)

// Growth past the edges of tiles, a new process each time, and the same findings
// never twice.
func TestFollowGrowth(t *testing.T) {
	l := newLogged(t)
	f, dir := newFront(t, l.handler()), t.TempDir()
	code, said := l.once(t, f, dir)
	if code != 0 || !strings.Contains(said, "VERIFIED log log.example.com/agents: 4 entries, 4 of them new") {
		t.Fatalf("first: %d\n%s", code, said)
	}
	was := int64(4)
	for _, size := range []int64{5, 255, 256, 257, 600} {
		l.growTo(size)
		code, said := l.once(t, f, dir)
		if want := fmt.Sprintf("%d entries, %d of them new", size, size-was); code != exitFindings || !strings.Contains(said, want) {
			t.Errorf("size %d: %d, want %q\n%s", size, code, want, said)
		}
		// Every action is without a grant: one line for each new one at least, and
		// none for what was said before.
		for i := range size {
			if got := strings.Contains(said, fmt.Sprintf(" entry %d: ", i)); i > 3 && got != (i >= was) {
				t.Errorf("size %d: entry %d said: %t", size, i, got)
			}
		}
		if l.stateSize(t, dir) != size {
			t.Errorf("the state is of %d entries, want %d", l.stateSize(t, dir), size)
		}
		if code, said := l.once(t, f, dir); code != 0 || strings.Count(said, "\n") != 1 || !strings.Contains(said, " 0 of them new") {
			t.Errorf("size %d, nothing new: %d\n%s", size, code, said)
		}
		was = size
	}
	// The state is the note, for its owner alone, and any reader of notes opens it.
	path := filepath.Join(dir, "state")
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the state has mode %o", info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(text, l.Checkpoint()) {
		t.Errorf("the state is not the checkpoint:\n%s", text)
	}
	v, err := note.NewVerifier(l.key.String())
	must(t, err)
	if _, err := note.Open(text, note.VerifierList(v)); err != nil {
		t.Errorf("x/mod does not open the state: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".onus-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// A lost state: everything is new.
	must(t, os.Remove(path))
	if code, said := l.once(t, f, dir); code != exitFindings || !strings.Contains(said, "600 entries, 600 of them new") || !strings.Contains(said, " entry 5: ") {
		t.Errorf("without its state: %d\n%.500s", code, said)
	}
}

// One process over a log that grows, and an interrupt.
func TestFollowOn(t *testing.T) {
	l := newLogged(t)
	f, dir := newFront(t, l.handler()), t.TempDir()
	v, _, _ := l.follower(t, f, dir, false)
	r, w := newPipe()
	v.out = &events{w: w, asJSON: true}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.run(ctx) }()
	found := map[int64]int{}
	until := func(size int64) {
		t.Helper()
		for {
			var line string
			select {
			case line = <-r:
			case err := <-done:
				t.Fatalf("ended before it had %d entries: %v", size, err)
			}
			var e struct {
				Event       string
				Size, Entry int64
			}
			must(t, json.Unmarshal([]byte(line), &e))
			switch {
			case e.Event == "finding":
				found[e.Entry]++
			case e.Event == "checkpoint" && e.Size == size:
				return
			}
		}
	}
	until(4)
	for _, size := range []int64{7, 256, 300} {
		l.growTo(size)
		until(size)
	}
	// Trouble on the way does not end it.
	f.show(http.NotFoundHandler())
	time.Sleep(20 * time.Millisecond)
	l.growTo(301)
	f.show(l.handler())
	until(301)
	cancel()
	if err := <-done; codeOf(err) != exitFindings {
		t.Errorf("ended with %v", err)
	}
	for i := int64(4); i < 301; i++ {
		if found[i] == 0 {
			t.Errorf("nothing was said of entry %d", i)
		}
	}
	if l.stateSize(t, dir) != 301 {
		t.Errorf("the state is of %d entries", l.stateSize(t, dir))
	}
}

// newPipe hands lines on, without a bound.
func newPipe() (<-chan string, lineWriter) {
	c := make(chan string, 1<<16)
	return c, lineWriter{c}
}

type lineWriter struct{ c chan<- string }

func (w lineWriter) Write(p []byte) (int, error) {
	for _, line := range strings.Split(strings.TrimSuffix(string(p), "\n"), "\n") {
		w.c <- line
	}
	return len(p), nil
}

// Servers that do not give what was signed: the log is not believed, and not
// accused; what was seen stays.
func TestFollowHostile(t *testing.T) {
	l := newLogged(t)
	l.growTo(300)
	small := l.clone()
	l.growTo(400)
	other := newLogged(t)
	good := l.handler()
	answer := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, code) }
	}
	gigabytes := func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte("x"), 1<<20)
		for range 1 << 12 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		behind http.Handler
		code   int
		want   string
	}{
		"no log there":              {http.NotFoundHandler(), exitUsage, "is there a log at"},
		"an error":                  {answer(500, "oops\x1b[2J"), exitUsage, "500 Internal Server Error: oops?[2J"},
		"too many requests":         {answer(429, "slow down"), exitUsage, "slow down"},
		"a page for people":         {answer(200, "<html>welcome</html>"), exitBroken, "BROKEN"},
		"another log's checkpoint":  {instead(good, "/checkpoint", other.handler().ServeHTTP), exitBroken, "BROKEN"},
		"a changed checkpoint":      {instead(good, "/checkpoint", changed(good)), exitBroken, "BROKEN"},
		"a redirect":                {http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound), exitUsage, "302"},
		"gigabytes":                 {http.HandlerFunc(gigabytes), exitUsage, "more than"},
		"gigabytes of hashes":       {instead(good, "/tile/0/", gigabytes), exitUsage, "more than"},
		"gigabytes of entries":      {instead(good, "/tile/entries/", gigabytes), exitUsage, "more than"},
		"changed hashes":            {instead(good, "/tile/0/", changed(good)), exitBroken, "WITHHELD"},
		"changed hashes of level 1": {instead(good, "/tile/1/", changed(good)), exitBroken, "WITHHELD"},
		"changed entries":           {instead(good, "/tile/entries/001", changed(good)), exitBroken, "tile/entries/001.p/144"},
		"another log's entries":     {instead(good, "/tile/entries/", other.handler().ServeHTTP), exitBroken, "WITHHELD"},
		"hashes are missing":        {instead(good, "/tile/0/", http.NotFound), exitBroken, "WITHHELD"},
		"entries are missing":       {instead(good, "/tile/entries/", http.NotFound), exitBroken, "That is no proof of two histories"},
		"entries are forbidden":     {instead(good, "/tile/entries/", answer(403, "no")), exitUsage, "role may not read entries"},
		"no token":                  {instead(good, "/tile/entries/", answer(401, "who?")), exitUsage, "give --token"},
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := newFront(t, small.handler()), t.TempDir()
			if code, said := l.once(t, f, dir); code != exitFindings {
				t.Fatalf("before: %d %s", code, said)
			}
			f.show(c.behind)
			code, said := l.once(t, f, dir)
			if code != c.code || !strings.Contains(said, c.want) {
				t.Errorf("%d, want %d and %q\n%s", code, c.code, c.want, said)
			}
			if l.stateSize(t, dir) != 300 || exists(filepath.Join(dir, "fork.txt")) {
				t.Errorf("the state is of %d entries; accused: %t", l.stateSize(t, dir), exists(filepath.Join(dir, "fork.txt")))
			}
			if strings.Contains(said, "\x1b") {
				t.Errorf("the server writes to the terminal: %q", said)
			}
			f.show(good)
			if code, said := l.once(t, f, dir); code != exitFindings || l.stateSize(t, dir) != 400 {
				t.Errorf("afterwards: %d\n%s", code, said)
			}
		})
	}
}

// A server that hangs, before or within an answer.
func TestFollowHangs(t *testing.T) {
	l := newLogged(t)
	for name, begin := range map[string]string{"silent": "", "in the middle": "log.example.com/agents\n4\n"} {
		f, dir := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if begin != "" {
				fmt.Fprint(w, begin)
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		})), t.TempDir()
		v, out, diary := l.follower(t, f, dir, true)
		v.server.stall = 20 * time.Millisecond
		if code := codeOf(v.run(t.Context())); code != exitUsage || !strings.Contains(diary.String(), "sent nothing for 20ms") {
			t.Errorf("%s: %d\n%s%s", name, code, out, diary)
		}
	}
}

// With a policy, only what enough witnesses cosigned is accepted.
func TestFollowPolicy(t *testing.T) {
	l := newLogged(t)
	w1, _ := newPair(t)
	w2, _ := newPair(t)
	var policy strings.Builder
	for name, w := range map[string]ed25519.PrivateKey{"w1": w1, "w2": w2} {
		k, err := tree.NewWitnessKey(name+".example", w.Public().(ed25519.PublicKey))
		must(t, err)
		fmt.Fprintf(&policy, "witness %s %s\n", name, k)
	}
	policy.WriteString("group both all w1 w2\nquorum both\n")
	p, err := tree.ParsePolicy([]byte(policy.String()))
	must(t, err)
	signed := l.Checkpoint()
	f := newFront(t, instead(l.handler(), "/checkpoint", func(w http.ResponseWriter, _ *http.Request) { w.Write(signed) }))
	dir := t.TempDir()
	once := func() (int, string) {
		v, out, diary := l.follower(t, f, dir, true)
		v.policy = p
		return codeOf(v.run(t.Context())), out.String() + diary.String()
	}
	if code, said := once(); code != exitUnanchored || !strings.Contains(said, "NOT WITNESSED") || l.stateSize(t, dir) != 0 {
		t.Errorf("without cosignatures: %d\n%s", code, said)
	}
	signed = cosign(t, signed, l.key, "w1.example", w1)
	if code, said := once(); code != exitUnanchored || !strings.Contains(said, `without "w2"`) {
		t.Errorf("with one: %d\n%s", code, said)
	}
	signed = cosign(t, signed, l.key, "w2.example", w2)
	if code, said := once(); code != 0 || !strings.Contains(said, "cosigned by w1, w2") {
		t.Errorf("with both: %d\n%s", code, said)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "state"))
	if err != nil || !bytes.Equal(kept, signed) {
		t.Errorf("the cosignatures are not kept (%v)\n%s", err, kept)
	}
}

// A host that signs what it changed: the tree fits, and the entry is broken. It is
// said once, and the log stays broken.
func TestFollowBroken(t *testing.T) {
	l := newLogged(t)
	l.growTo(7)
	entries, err := tiles.ParseEntries(get(t, newFront(t, l.handler()).URL+"/tile/entries/000.p/7"), 7)
	must(t, err)
	entries[5][len(entries[5])-1] ^= 1 // the signature is last
	f, hashes := tree.NewFrontier(), []byte(nil)
	for _, raw := range entries {
		h := tree.LeafHash(raw)
		f.Append(h, nil)
		hashes = append(hashes, h[:]...)
	}
	host, err := tree.NewLogSigner(origin, l.cfg.Signer)
	must(t, err)
	signed, err := host.Sign(7, f.Root())
	must(t, err)
	front, dir := newFront(t, http.FileServerFS(fstest.MapFS{
		"checkpoint": {Data: signed}, "tile/0/000.p/7": {Data: hashes}, "tile/entries/000.p/7": {Data: tiles.FormatEntries(entries)},
	})), t.TempDir()
	code, said := l.once(t, front, dir)
	if code != exitBroken || !strings.Contains(said, "CRITICAL BROKEN_SIGNATURE entry 5: ") || l.stateSize(t, dir) != 7 {
		t.Errorf("%d\n%s", code, said)
	}
	if code, said := l.once(t, front, dir); code != exitBroken || strings.Contains(said, "BROKEN_SIGNATURE") {
		t.Errorf("again: %d\n%s", code, said)
	}
}

// States that are not of this log are refused, and so are those that were changed.
func TestFollowState(t *testing.T) {
	l, other := newLogged(t), newLogged(t)
	for name, text := range map[string][]byte{
		"empty": nil, "garbage": []byte("hello"), "another log's": other.Checkpoint(), "large": bytes.Repeat([]byte("x\n"), tree.MaxCheckpoint),
		"changed": bytes.Replace(l.Checkpoint(), []byte("\n4\n"), []byte("\n3\n"), 1), "cut": l.Checkpoint()[:40],
	} {
		path := filepath.Join(t.TempDir(), "state")
		must(t, os.WriteFile(path, text, 0o600))
		if h, err := loadState(path, l.key); err == nil || h.signed != nil && h.Size != 0 {
			t.Errorf("%s: %v", name, h)
		}
	}
}

func FuzzLoadState(f *testing.F) {
	seed := bytes.Repeat([]byte("s"), ed25519.SeedSize)
	s, err := tree.NewLogSigner("example.com/log", ed25519.NewKeyFromSeed(seed))
	must(f, err)
	signed, err := s.Sign(5, tree.Hash{1})
	must(f, err)
	f.Add(signed)
	f.Add([]byte{})
	path := filepath.Join(f.TempDir(), "state")
	f.Fuzz(func(t *testing.T, text []byte) {
		must(t, os.WriteFile(path, text, 0o600))
		h, err := loadState(path, s.Key())
		if err == nil && (h.Size != 5 || h.Root != tree.Hash{1}) {
			t.Fatalf("a state that the log did not sign: %q", text)
		}
	})
}
