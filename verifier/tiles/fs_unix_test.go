//go:build unix

package tiles_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
)

// What is no plain file is told and not opened: a pipe would keep its reader
// until somebody writes to it, which nobody does here.
func TestNoPlainFile(t *testing.T) {
	p, _ := tree.TileAt(0, 0, 300)
	for what, put := range map[string]func(at string) error{
		"a pipe":           func(at string) error { return syscall.Mkfifo(at, 0o600) },
		"a folder":         func(at string) error { return os.Mkdir(at, 0o700) },
		"a link to a pipe": func(at string) error { return os.Symlink("pipe", at) },
		"a link to a file": func(at string) error { return os.Symlink("file", at) },
	} {
		dir := t.TempDir()
		for _, name := range []string{tiles.CheckpointName, filepath.FromSlash(p.String())} {
			at := filepath.Join(dir, name)
			beside := filepath.Dir(at)
			if err := os.MkdirAll(beside, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(filepath.Join(beside, "pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(beside, "file"), []byte("text"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := put(at); err != nil {
				t.Fatal(err)
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		for name, read := range map[string]func() ([]byte, error){
			"the checkpoint": func() ([]byte, error) { return tiles.ReadCheckpoint(root.FS()) },
			"a tile":         func() ([]byte, error) { return tiles.FS(root.FS())(t.Context(), p) },
		} {
			if b, err := read(); err == nil || !strings.Contains(err.Error(), "is no plain file") {
				t.Errorf("%s is %s: %q, %v", name, what, b, err)
			}
		}
	}
}
