package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A tile that the server changed is the server's fault, also where the folder
// has a good one of that name.
func TestMirrorBlamesTheServer(t *testing.T) {
	l := newLogged(t)
	l.growTo(600)
	dir := filepath.Join(t.TempDir(), "mirror")
	f := newFront(t, l.handler())
	if code, said := l.mirror(t, f, dir); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	l.growTo(700)
	f.show(instead(l.handler(), "/tile/1/000.p/2", changed(l.handler())))
	code, said := l.mirror(t, f, dir)
	if code != exitBroken || !strings.Contains(said, "WITHHELD") || strings.Contains(said, "in the folder") {
		t.Errorf("%d %s", code, said)
	}
	f.show(l.handler())
	if code, said := l.mirror(t, f, dir); code != 0 {
		t.Errorf("afterwards: %d %s", code, said)
	}
}
