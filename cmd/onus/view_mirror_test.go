package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
)

// The mirror of a whole log is shown with the same pages, and every page of an
// entry and of its chain answers.
func TestViewMirror(t *testing.T) {
	file, err := os.Open(filepath.Join(evidenceBundles, "S4.onus"))
	must(t, err)
	defer file.Close()
	b, err := evidence.Read(file, evidence.Limits{})
	must(t, err)
	var entries [][]byte
	var hashes []byte
	for i, l := range b.Leaves {
		if l.Index != int64(i) {
			t.Fatal("S4.onus does not hold its whole log")
		}
		entries = append(entries, l.Raw)
		h := l.Hash()
		hashes = append(hashes, h[:]...)
	}
	dir := t.TempDir()
	leaves, _ := tree.TileAt(0, 0, int64(len(entries)))
	raw, _ := tree.TileAt(tree.EntryLevel, 0, int64(len(entries)))
	for name, data := range map[string][]byte{"checkpoint": b.Checkpoint, leaves.String(): hashes, raw.String(): tiles.FormatEntries(entries)} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, data, 0o600))
	}
	at, said := startView(t, dir, "--log-key", filepath.Join(evidenceBundles, "log.vkey"))
	if !strings.Contains(said, ": genuine evidence, under the log key that you gave") {
		t.Errorf("it says %q", said)
	}
	pages := map[string]bool{}
	for _, path := range []string{"/", "/find", "/agents", "/grants", "/users", "/revocations"} {
		status, body := fetch(t, http.DefaultClient, at+path, nil)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		for _, prefix := range []string{"/chain/", "/record/"} {
			for _, rest := range strings.Split(body, `href="`+prefix)[1:] {
				pages[prefix+rest[:strings.IndexAny(rest, `"?#`)]] = true
			}
		}
	}
	if len(pages) == 0 {
		t.Error("no chain is listed")
	}
	for path := range pages {
		if status, _ := fetch(t, http.DefaultClient, at+path, nil); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
}
