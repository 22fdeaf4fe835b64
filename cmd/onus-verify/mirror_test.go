package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/tree"
)

// mirror copies once and returns the exit code and what was said.
func (l *logged) mirror(t testing.TB, f *front, dir string) (int, string) {
	t.Helper()
	var out strings.Builder
	server, err := newRemote(f.URL, "", "")
	must(t, err)
	server.stall, server.longest = 2*time.Second, 5*time.Second
	m := &mirrorer{server: server, key: l.key, dir: dir, forkFile: filepath.Join(filepath.Dir(dir), "fork.txt"), out: &out}
	err = m.run(t.Context())
	return codeOf(err), out.String() + textOf(err)
}

// check verifies and judges a mirror as onus-verify log DIR does.
func (l *logged) check(t testing.TB, dir string) (int, string) {
	t.Helper()
	m, err := openMirror(dir)
	must(t, err)
	var out strings.Builder
	v := &logVerifier{mirror: m, judge: true, floor: len(severities), key: l.key, anchored: true, audit: verifier.NewAudit(), out: &out}
	err = v.run(context.Background())
	return codeOf(err), out.String() + textOf(err)
}

// tilesIn lists the files in a mirror.
func tilesIn(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err := filepath.Rel(dir, path)
			must(t, err)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	}))
	return names
}

// The folder is the log as it is served, at every size on the way: exactly the
// tiles that the size needs, byte for byte.
func TestMirror(t *testing.T) {
	l := newLogged(t)
	f, dir := newFront(t, l.handler()), filepath.Join(t.TempDir(), "mirror")
	for _, size := range []int64{4, 5, 255, 256, 257, 512, 600} {
		l.growTo(size)
		code, said := l.mirror(t, f, dir)
		if code != 0 || !strings.Contains(said, fmt.Sprintf("MIRRORED log %s: %d entries", origin, size)) {
			t.Fatalf("size %d: %d\n%s", size, code, said)
		}
		want := []string{"checkpoint"}
		for level := tree.EntryLevel; level < 3; level++ {
			for n := int64(0); ; n++ {
				p, ok := tree.TileAt(level, n, size)
				if !ok {
					break
				}
				want = append(want, p.String())
			}
		}
		got := tilesIn(t, dir)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("size %d: %v, want %v", size, got, want)
		}
		for _, name := range got {
			b, err := os.ReadFile(filepath.Join(dir, name))
			must(t, err)
			if !bytes.Equal(b, get(t, f.URL+"/"+name)) {
				t.Errorf("size %d: %s is not what is served", size, name)
			}
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s can be read by others", name)
			}
		}
		if code, said := l.check(t, dir); code != 0 || !strings.Contains(said, "GENUINE") || !strings.Contains(said, fmt.Sprintf("size %d, root", size)) {
			t.Errorf("size %d: checked: %d\n%s", size, code, said)
		}
		// Nothing new: nothing is fetched but the checkpoint.
		before := f.asked.Load()
		if code, said := l.mirror(t, f, dir); code != 0 || f.asked.Load() != before+1 {
			t.Errorf("size %d, again: %d, %d requests\n%s", size, code, f.asked.Load()-before, said)
		}
	}
}

// Cut off after each number of answers, and begun again: in the end it is whole,
// and what was there was not fetched again.
func TestMirrorResumed(t *testing.T) {
	l := newLogged(t)
	l.growTo(800)
	whole := newFront(t, l.handler())
	if code, said := l.mirror(t, whole, filepath.Join(t.TempDir(), "m")); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	all := whole.asked.Load()
	for after := int64(0); after < all; after++ {
		dir := filepath.Join(t.TempDir(), "m")
		var answered atomic.Int64
		f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answered.Add(1) > after {
				panic(http.ErrAbortHandler) // the connection breaks
			}
			l.handler().ServeHTTP(w, r)
		}))
		if code, said := l.mirror(t, f, dir); code != exitUsage || !strings.Contains(said, "NOT COPIED") {
			t.Fatalf("cut off after %d: %d\n%s", after, code, said)
		}
		if exists(filepath.Join(dir, "checkpoint")) {
			t.Fatalf("cut off after %d: it has a checkpoint already", after)
		}
		// A file that was being written when the process was killed.
		must(t, os.MkdirAll(filepath.Join(dir, "tile/0"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "tile/0/000.part"), []byte("half"), 0o600))
		f.asked.Store(0)
		f.show(l.handler())
		if code, said := l.mirror(t, f, dir); code != 0 {
			t.Fatalf("again after %d: %d\n%s", after, code, said)
		}
		if n := f.asked.Load(); after > 8 && n >= all {
			t.Errorf("again after %d: %d requests, all are %d", after, n, all)
		}
		if code, said := l.check(t, dir); code != 0 {
			t.Errorf("again after %d: %d\n%s", after, code, said)
		}
	}
}

// One bit of each file in a mirror: the check names the tile, and of entries the
// entry; and so does going on with what a killed run left.
func TestMirrorTampered(t *testing.T) {
	l := newLogged(t)
	l.growTo(300)
	f, dir := newFront(t, l.handler()), filepath.Join(t.TempDir(), "m")
	if code, said := l.mirror(t, f, dir); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	for _, name := range tilesIn(t, dir) {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		must(t, err)
		bad := slices.Clone(good)
		bad[len(bad)-3] ^= 1
		must(t, os.WriteFile(path, bad, 0o600))
		code, said := l.check(t, dir)
		if code != exitBroken || name != "checkpoint" && !strings.Contains(said, name) {
			t.Errorf("%s changed: %d\n%s", name, code, said)
		}
		if name == "tile/entries/001.p/44" && !strings.Contains(said, "entry 299, in tile/entries/001.p/44: its bytes are not those") {
			t.Errorf("the entry is not named:\n%s", said)
		}
		if name != "checkpoint" {
			must(t, os.Rename(filepath.Join(dir, "checkpoint"), filepath.Join(dir, "away")))
			code, said = l.mirror(t, f, dir)
			if code != exitBroken || !strings.Contains(said, "CHANGED") || exists(filepath.Join(dir, "checkpoint")) {
				t.Errorf("%s changed, going on: %d\n%s", name, code, said)
			}
			must(t, os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "checkpoint")))
			must(t, os.Remove(path))
			if code, said := l.check(t, dir); code != exitBroken || !strings.Contains(said, name) {
				t.Errorf("%s is gone: %d\n%s", name, code, said)
			}
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
	if code, said := l.check(t, dir); code != 0 {
		t.Errorf("put back: %d\n%s", code, said)
	}
	must(t, os.Remove(filepath.Join(dir, "checkpoint")))
	if code, said := l.check(t, dir); code != exitUsage || !strings.Contains(said, "it is no mirror of a log") {
		t.Errorf("without a checkpoint: %d\n%s", code, said)
	}
}

// A log that does not extend the copy is not copied; nor is what does not fit.
func TestMirrorHostile(t *testing.T) {
	l := newLogged(t)
	l.growTo(6)
	old := l.clone()
	l.growTo(300)
	f, dir := newFront(t, l.handler()), filepath.Join(t.TempDir(), "m")
	if code, said := l.mirror(t, f, dir); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	before := tilesIn(t, dir)
	for _, c := range []struct {
		name   string
		behind http.Handler
		size   int64
		code   int
		want   string
	}{
		{"an old copy", old.handler(), 6, exitBroken, "ROLLED BACK: the log shows 6 entries"},
		{"another history, larger", old.handler(), 310, exitFork, "signed two histories"},
		{"another log", newLogged(t).handler(), 6, exitBroken, "BROKEN"},
		{"changed entries", instead(l.handler(), "/tile/entries/001", changed(l.handler())), 6, exitBroken, "WITHHELD"},
		{"missing hashes", instead(l.handler(), "/tile/0/001", http.NotFound), 6, exitBroken, "WITHHELD"},
		{"no right to entries", instead(l.handler(), "/tile/entries", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }), 6, exitUsage, "may not read entries"},
	} {
		if c.size > old.Size() {
			old.growTo(c.size)
		}
		if c.name == "changed entries" {
			l.growTo(320) // there is something to copy from here on
		}
		f.show(c.behind)
		code, said := l.mirror(t, f, dir)
		if code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s: %d\n%s", c.name, code, said)
		}
		if code, said := l.check(t, dir); code != 0 || !strings.Contains(said, "size 300, root") {
			t.Errorf("%s: the copy was harmed: %d\n%s", c.name, code, said)
		}
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "fork.txt"))
	must(t, err)
	if err := forkByModAlone(text, l.key.String()); err != nil {
		t.Errorf("the proof: %v\n%s", err, text)
	}
	f.show(l.handler())
	if code, said := l.mirror(t, f, dir); code != 0 || len(tilesIn(t, dir)) < len(before) {
		t.Errorf("the honest log again: %d\n%s", code, said)
	}
}

// A mirror handed out by any web server is a log for the next reader.
func TestMirrorServed(t *testing.T) {
	l := newLogged(t)
	l.growTo(300)
	base := t.TempDir()
	if code, said := l.mirror(t, newFront(t, l.handler()), filepath.Join(base, "m")); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	f := newFront(t, http.FileServer(http.Dir(filepath.Join(base, "m"))))
	if code, said := l.mirror(t, f, filepath.Join(base, "second")); code != 0 {
		t.Errorf("a mirror of the mirror: %d\n%s", code, said)
	}
	if code, said := l.once(t, f, base); code != exitFindings || !strings.Contains(said, "300 entries, 300 of them new") {
		t.Errorf("following the mirror: %d\n%.300s", code, said)
	}
}
