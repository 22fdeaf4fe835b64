package filelog_test

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/filelog"
)

// mirrorOf makes a mirror of the log of an evidence file that holds all entries.
// It is smaller than a tile. Of one that does not, it returns nil.
func mirrorOf(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	b, err := evidence.Read(bytes.NewReader(read(t, name)), evidence.Limits{})
	must(t, err)
	var entries [][]byte
	var hashes []byte
	for i, l := range b.Leaves {
		if l.Index != int64(i) {
			return nil
		}
		entries = append(entries, l.Raw)
		h := l.Hash()
		hashes = append(hashes, h[:]...)
	}
	size := int64(len(entries))
	if cp, err := logKey(t).Open(b.Checkpoint); err != nil || cp.Size != size {
		return nil
	}
	leaves, _ := tree.TileAt(0, 0, size)
	raw, _ := tree.TileAt(tree.EntryLevel, 0, size)
	return fstest.MapFS{
		"checkpoint":    {Data: b.Checkpoint},
		leaves.String(): {Data: hashes},
		raw.String():    {Data: tiles.FormatEntries(entries)},
	}
}

func openMirror(t *testing.T, folder fs.FS) *filelog.Mirror {
	t.Helper()
	m, err := filelog.OpenMirror(t.Context(), folder, logKey(t), nil)
	must(t, err)
	return m
}

// A mirror of each scenario says what the evidence file of the same log says, of
// every entry, chain and grant.
func TestMirror(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(bundles, "S?.onus"))
	must(t, err)
	seen := 0
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			folder := mirrorOf(t, name)
			if folder == nil {
				return
			}
			seen++
			f, m := open(t, name), openMirror(t, folder)
			if m.Standing() != verifier.Genuine || m.Size() != f.Size() || m.Origin() != f.Origin() || m.Shown() != int(f.Size()) || !bytes.Equal(m.Checkpoint(), f.Checkpoint()) {
				t.Errorf("%s, %d entries of %s", m.Standing(), m.Size(), m.Origin())
			}
			for i := range m.Size() {
				e, err := m.Entry(i)
				must(t, err)
				if at, err := m.Index(e.Record.ID); err != nil || at != i {
					t.Errorf("record of entry %d stands at %d, %v", i, at, err)
				}
				p, err := m.Receipt(i)
				must(t, err)
				got, err := verifier.OpenReceipt(p.GetReceipt(), e.Record.Envelope.Type, e.Record.Envelope.Payload, logKey(t), nil)
				if err != nil || got.Index != i || got.Record.ID != e.Record.ID {
					t.Errorf("the receipt of entry %d: %v", i, err)
				}
				mine, err := m.Raw(i)
				must(t, err)
				if theirs, err := f.Raw(i); err != nil || !bytes.Equal(mine, theirs) {
					t.Errorf("entry %d has other bytes (%v)", i, err)
				}
				j, err := m.Judge(e.Record.ID)
				must(t, err)
				if want, err := f.Judge(e.Record.ID); err == nil && !bytes.Equal(j.Judgement.VerdictJSON(), want.Judgement.VerdictJSON()) {
					t.Errorf("the chain of entry %d is judged otherwise:\n%s\n%s", i, j.Judgement.VerdictJSON(), want.Judgement.VerdictJSON())
				}
				if c, err := m.Contents(i); err != nil || len(c) > 0 {
					t.Errorf("contents of entry %d: %v, %v", i, c, err)
				}
			}
			for _, q := range []web.RecordQuery{{}, {Agent: "spiffe://example.com/nobody"}} {
				want, _, err := f.Records(q, 1000, "")
				must(t, err)
				var got []int64
				for token := ""; ; {
					page, next, err := m.Records(q, 3, token)
					must(t, err)
					got = append(got, page...)
					if token = next; next == "" {
						break
					}
					if _, _, err := m.Records(web.RecordQuery{Session: "x"}, 3, next); !errors.Is(err, desk.ErrCursor) {
						t.Errorf("another query's token: %v", err)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("records %v: %v, want %v", q, got, want)
				}
			}
			want, _, err := f.Grants(web.GrantQuery{}, 100, "")
			must(t, err)
			got, _, err := m.Grants(web.GrantQuery{}, 100, "")
			must(t, err)
			if len(got) != len(want) {
				t.Errorf("%d grants, want %d", len(got), len(want))
			}
			for i := range got {
				if got[i].Index != want[i].Index || got[i].Status.String() != want[i].Status.String() {
					t.Errorf("grant %d: %v, want %v", i, got[i].Status, want[i].Status)
				}
				path, err := m.GrantPath(got[i].Record.ID)
				if err != nil || len(path) == 0 || path[0].Index != got[i].Index {
					t.Errorf("the path of grant %d: %v", i, err)
				}
			}
		})
	}
	if seen == 0 {
		t.Error("no scenario holds its whole log")
	}
}

func TestMirrorMissing(t *testing.T) {
	m := openMirror(t, mirrorOf(t, "S3.onus"))
	for _, i := range []int64{-1, m.Size()} {
		if _, err := m.Entry(i); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if _, err := m.Judge(record.ID{1}); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("the chain of no record: %v", err)
	}
	if _, err := m.GrantPath(record.ID{1}); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("no grant: %v", err)
	}
	if _, err := m.Name("user-1"); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("a name: %v", err)
	}
	e, err := m.Entry(0)
	must(t, err)
	if _, err := m.Bundle(t.Context(), []record.ID{e.Record.ID}, "", false); !errors.Is(err, desk.ErrNotShown) {
		t.Errorf("a bundle: %v", err)
	}
	if err := m.Wait(t.Context(), m.Size()-1); err != nil {
		t.Errorf("wait for what is there: %v", err)
	}
}

// One bit, wherever it is, and what is no mirror: it is not opened.
func TestMirrorRefuses(t *testing.T) {
	good := mirrorOf(t, "S3.onus")
	if m, err := filelog.OpenMirror(t.Context(), good, tree.LogKey{}, nil); err != nil || m.Standing() != verifier.NotAnchored || !m.Key().IsZero() {
		t.Errorf("without a key: %v", err)
	} else if _, err := m.Receipt(0); err != nil {
		t.Errorf("without a key: the receipt: %v", err)
	}
	for name, file := range good {
		for at := 0; at < len(file.Data); at += 211 {
			changed := slices.Clone(file.Data)
			changed[at] ^= 1
			bad := fstest.MapFS{}
			for k, v := range good {
				bad[k] = v
			}
			bad[name] = &fstest.MapFile{Data: changed}
			if _, err := filelog.OpenMirror(t.Context(), bad, logKey(t), nil); !filelog.IsBroken(err) {
				t.Errorf("%s with byte %d changed: %v", name, at, err)
			} else if name != "checkpoint" && !strings.Contains(err.Error(), name) {
				t.Errorf("%s with byte %d changed: %v does not name it", name, at, err)
			}
		}
		less := fstest.MapFS{}
		for k, v := range good {
			if k != name {
				less[k] = v
			}
		}
		if _, err := filelog.OpenMirror(t.Context(), less, logKey(t), nil); err == nil || filelog.IsBroken(err) != (name != "checkpoint") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
