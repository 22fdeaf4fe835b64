package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// damage is one row changed or removed behind the ledger's back.
type damage struct {
	name string
	do   func(db *pebble.DB) error
	// want is what Check must say, in one of its problems or in its error.
	want string
	// opens says that Open cannot notice: it reads the right edge only.
	opens bool
}

func flip(key []byte, at int) func(*pebble.DB) error {
	return func(db *pebble.DB) error {
		v, err := get(db, key)
		if err != nil {
			return fmt.Errorf("row %q: %w", key, err)
		}
		v[(at+len(v))%len(v)] ^= 1
		return db.Set(key, v, pebble.Sync)
	}
}

func drop(key []byte) func(*pebble.DB) error {
	return func(db *pebble.DB) error {
		if _, err := get(db, key); err != nil {
			return fmt.Errorf("row %q: %w", key, err)
		}
		return db.Delete(key, pebble.Sync)
	}
}

func put(key, value []byte) func(*pebble.DB) error {
	return func(db *pebble.DB) error { return db.Set(key, value, pebble.Sync) }
}

// For every kind of row: a good ledger is clean, and one row changed or
// removed is a problem that names it.
func TestCheckFindsDamage(t *testing.T) {
	mem := vfs.NewCrashableMem()
	h := newHarness(t, mem, nil)
	text, content := record.NewText([]byte("find"))
	r := h.record(func(m *onusv1.Record) { m.GetStages().Intent = &onusv1.Intent{Text: text} })
	h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope, Contents: []*onusv1.Content{content}})) // entry 4
	h.grow(600)
	size := h.ledger.Size()
	e4, err := h.ledger.Entry(4)
	if err != nil {
		t.Fatal(err)
	}
	e300, err := h.ledger.Entry(300)
	if err != nil {
		t.Fatal(err)
	}
	h.checkRows()

	ofAgent := post(byAgent, testAgent)
	edge := size &^ (tileWidth - 1)
	for _, c := range []damage{
		{"payload", flip(keyEntry(300), -1), "entry 300", true},
		{"signature", flip(keyEntry(300), len(e300.Raw)-len(e300.Record.Envelope.Payload)-10), "entry 300", true},
		{"log time", flip(keyEntry(300), 8), "entry 300", true},
		{"stamp's root", flip(keyEntry(300), 20), "entry 300", true},
		{"entry cut", func(db *pebble.DB) error {
			return db.Set(keyEntry(300), e300.Raw[:len(e300.Raw)-1], pebble.Sync)
		}, "entry 300", true},
		{"entry emptied", put(keyEntry(300), nil), "entry 300", true},
		{"entry exchanged", put(keyEntry(300), e4.Raw), "entry 300", true},
		{"entry gone", drop(keyEntry(300)), "entry 300", true},
		{"first entry gone", drop(keyEntry(0)), "entry 0", false},
		{"last entry gone", drop(keyEntry(size - 1)), fmt.Sprint("entry ", size-1), true},
		{"entry at the right edge", flip(keyEntry(size-2), -1), fmt.Sprint("entry ", size-2), true},
		{"log time at the right edge", flip(keyEntry(size-2), 8), "root", true},
		{"entry too many", put(keyEntry(size), e4.Raw), "entries", true},
		{"tile", flip(keyTile(0, 1), 32*(300-256)), "entry 300", false},
		{"tile's first hash", flip(keyTile(0, 0), 0), "entry 0", false},
		{"tile gone", drop(keyTile(0, 1)), "tile 0/1", false},
		{"tile cut", put(keyTile(0, 1), make([]byte, 32*255)), "tile 0/1", false},
		{"leaf", flip(keyLeaf(edge), 0), fmt.Sprint("entry ", edge), false},
		{"leaves gone", drop(keyLeaf(edge)), fmt.Sprint("leaves from entry ", edge), false},
		{"leaves cut", put(keyLeaf(edge), make([]byte, 31)), fmt.Sprint("leaves from entry ", edge), false},
		{"leaves too many", put(keyLeaf(size), make([]byte, 32)), "leaves from entry", false},
		{"tile too many", put(keyTile(0, 2), make([]byte, 32*256)), "tiles", true},
		{"id", put(keyID(e300.Record.ID), u64(301)), "id of entry 300", true},
		{"id gone", drop(keyID(e300.Record.ID)), "id of entry 300", true},
		{"id too many", put(keyID(record.ID{7}), u64(3)), "ids", true},
		{"registry", put(keyRegistry(2), u64(7)), "registry entry 2", false},
		{"registry gone", drop(keyRegistry(2)), "registry entry 2", false},
		{"registry too many", put(keyRegistry(4), u64(9)), "registry rows", true},
		{"head's size", flip(keyHead, 7), "head", false},
		{"head's log time", flip(keyHead, 15), "head", true},
		{"head's registry count", flip(keyHead, 23), "head", false},
		{"head's checkpoint", flip(keyHead, 24+len(testOrigin)+3), "head", false},
		{"head's signature", flip(keyHead, -10), "head", false},
		{"head cut", put(keyHead, make([]byte, 20)), "head", false},
		{"head gone", drop(keyHead), "head", false},
		{"version", put(keyVersion, []byte{2}), "version", false},
		{"another version", flip(keyVersion, 0), "format version 2, this program reads 3", false},
		{"version gone", drop(keyVersion), "version", false},
		{"content", flip(keyContent(4, [32]byte(text.GetCommitment())), -1), "entry 4", true},
		{"content cut", put(keyContent(4, [32]byte(text.GetCommitment())), []byte{200}), "entry 4", true},
		{"holder's key", flip(keyHolder("operator:"+testOperator), -1), "entry 4", true},
		{"postings gone", drop(keyPosting(ofAgent, 4)), "index 1 of entry 4", true},
		{"posting gone", put(keyPosting(ofAgent, 4), appendChunk(nil, []int64{4, 6, 7})), "index 1 of entry 5", true},
		{"posting that is no list", put(keyPosting(ofAgent, 4), []byte{0}), "is not a list of entries", true},
		{"posting that is cut", put(keyPosting(ofAgent, 4), []byte{0x80}), "is not a list of entries", true},
		{"posting too many", put(keyPosting(ofAgent, 1), nil), "the index names", true},
		{"watermark ahead of its rows", func(db *pebble.DB) error {
			return errors.Join(db.DeleteRange(keyPosting(ofAgent, 250), keyPosting(ofAgent, 1<<40), pebble.Sync))
		}, "index 1 of entry 260", true},
		{"watermark behind its rows", put(keyWatermark, u64(137)), "ids, the log calls for 137", true},
		{"watermark beyond the log", put(keyWatermark, u64(size+1)), "watermark", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := h.on(mem.CrashClone(vfs.CrashCloneCfg{}))
			h.t = t
			h.change(c.do)
			got, err := Check(context.Background(), h.cfg, nil)
			said := fmt.Sprint(err)
			if err == nil {
				said = strings.Join(got.Problems, "\n")
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("Check says %q, want a problem that names %q", said, c.want)
			}
			if err == nil && got.ProblemCount < int64(len(got.Problems)) {
				t.Errorf("%d problems, counted %d", len(got.Problems), got.ProblemCount)
			}
			l, err := Open(h.cfg)
			if (err == nil) != c.opens {
				t.Errorf("Open: %v, want success: %t", err, c.opens)
			}
			if err == nil {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Check keeps the first hundred problems and counts the rest.
func TestCheckCountsAll(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(300)
	h.change(func(db *pebble.DB) error {
		return db.DeleteRange([]byte{prefixID}, []byte{prefixID + 1}, pebble.Sync)
	})
	got, err := Check(context.Background(), h.cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Problems) != 100 || got.ProblemCount != 305 { // each id, and their count
		t.Errorf("%d problems of %d, want 100 of 305", len(got.Problems), got.ProblemCount)
	}
}

func TestCheckProgressAndCancel(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(2500)
	size := h.ledger.Size()
	h.close()
	var done []int64
	if _, err := Check(context.Background(), h.cfg, func(n, of int64) {
		if of != size {
			t.Errorf("progress %d of %d, want of %d", n, of, size)
		}
		done = append(done, n)
	}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(done) != "[1024 2048]" {
		t.Errorf("progress is %v", done)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Check(ctx, h.cfg, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Check with its context ended: %v, want context.Canceled", err)
	}
}

// Check changes nothing.
func TestCheckOnlyReads(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem, nil)
	h.grow(300)
	h.close()
	before := files(t, mem)
	if _, err := Check(context.Background(), h.cfg, nil); err != nil {
		t.Fatal(err)
	}
	after := files(t, mem)
	for name, b := range before {
		if !bytes.Equal(b, after[name]) {
			t.Errorf("%s was changed", name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was made", name)
		}
	}
}

// files returns the content of each of the database's files.
func files(t testing.TB, mem *vfs.MemFS) map[string][]byte {
	t.Helper()
	names, err := mem.List("db")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, n := range names {
		b, err := mem.UnsafeGetFileDataBuffer(mem.PathJoin("db", n))
		if err != nil {
			t.Fatal(err)
		}
		all[n] = bytes.Clone(b)
	}
	return all
}

// A damaged file of the database is named, by Check and by Open, in one line
// and without a trace.
func TestDamagedFile(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem, nil)
	h.grow(600)
	h.close()
	names, err := mem.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		f, err := mem.OpenReadWrite("db/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0xff, 0, 0xff, 0}, 300); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	said := ""
	if got, err := Check(context.Background(), h.cfg, nil); err != nil {
		said = err.Error()
	} else {
		said = strings.Join(got.Problems, "; ")
	}
	if !strings.Contains(said, "checksum") || strings.Contains(said, "\n") {
		t.Errorf("Check says %q, want one line about the checksum", said)
	}
	if l, err := Open(h.cfg); err == nil {
		l.Close()
		t.Error("Open took a damaged database")
	} else if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("Open: %v", err)
	}
}
