package evidence_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// samples are files of every kind.
func samples(t testing.TB) map[string]*evidence.Bundle {
	l, b := full(t)
	referred := l.bundle(4, 10)
	referred.Leaves = referred.Leaves[len(referred.Leaves)-1:]
	referred.Contents, referred.Scope = nil, evidence.Scope{}
	count, root := l.reg.Stamp(10)
	referred.Reference = &evidence.Reference{Count: count, Root: root}
	l.prove(referred)
	first := newLog(t).bundle(0)
	return map[string]*evidence.Bundle{"full": b, "with a reference": referred, "the genesis alone": first}
}

func TestRoundTrip(t *testing.T) {
	for name, b := range samples(t) {
		file := write(t, b)
		got := read(t, file)
		if diff := cmp.Diff(b, got); diff != "" {
			t.Errorf("%s (-written +read)\n%s", name, diff)
		}
		if !bytes.Equal(write(t, got), file) {
			t.Errorf("%s: written again, the file differs", name)
		}
		// However small the pieces in which it comes.
		slow, err := evidence.Read(iotest.OneByteReader(bytes.NewReader(file)), evidence.Limits{})
		if err != nil || cmp.Diff(b, slow) != "" {
			t.Errorf("%s: read byte by byte: %v", name, err)
		}
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	for name, b := range samples(t) {
		file := write(t, b)
		for n := range file {
			if _, err := evidence.Read(bytes.NewReader(file[:n]), evidence.Limits{}); !isFormatError(err) {
				t.Fatalf("%s: the first %d of %d bytes: %v, want a FormatError", name, n, len(file), err)
			}
		}
		if _, err := evidence.Read(bytes.NewReader(append(file, 0)), evidence.Limits{}); !isFormatError(err) {
			t.Errorf("%s: a byte after the end: %v, want a FormatError", name, err)
		}
	}
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	for name, b := range samples(t) {
		file := write(t, b)
		for i := range file {
			for _, mask := range []byte{1 << (i % 8), 0xff} {
				file[i] ^= mask
				// Small limits: a length that grew past one is damage all the same.
				_, err := evidence.Read(bytes.NewReader(file), evidence.Limits{Entries: 1 << 14, Contents: 1 << 10, Tokens: 1 << 10, Proof: 1 << 10})
				if !isFormatError(err) {
					t.Fatalf("%s: byte %d changed by %#x: %v, want a FormatError", name, i, mask, err)
				}
				file[i] ^= mask
			}
		}
	}
}

// Who changes a byte can make the hash at the end anew. Then everything else
// must show it, save for what is the maker's word anyway.
func TestEveryChangedByteIsBrokenOrAsserted(t *testing.T) {
	l := newLog(t)
	l.intent()
	l.action()
	l.action()
	b := l.bundle(4, 6)
	b.Scope.Where, b.Scope.Claim = "agent is planner", strings.Repeat("these are all that match ", 4)
	b.Tokens = []evidence.Token{{Index: 4, Text: userToken}}
	l.withhold(b, 6)
	b.Checkpoint = append(b.Checkpoint, "— witness.example.com AAAAAGEgd2l0bmVzcw==\n"...)
	file := write(t, b)
	if err := verify(t, read(t, file), l.trust()).Err(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var clean atomic.Int64
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(file)-tree.HashSize; i += workers {
				changed := bytes.Clone(file)
				changed[i] ^= 1
				got, err := evidence.Read(bytes.NewReader(reseal(changed)), evidence.Limits{})
				if err != nil {
					continue
				}
				res, err := got.Verify(l.trust())
				if err != nil {
					t.Errorf("byte %d: Verify: %v", i, err)
					continue
				}
				if err := res.Err(); err != nil {
					var broken *evidence.BrokenError
					if !errors.As(err, &broken) {
						t.Errorf("byte %d: %v, want a BrokenError", i, err)
					}
					continue
				}
				clean.Add(1)
				unassert(got, b)
				var again bytes.Buffer
				if _, err := got.WriteTo(&again); err != nil || !bytes.Equal(again.Bytes(), file) {
					t.Errorf("byte %d was changed, is nobody's word, and the bundle is clean (%v)", i, err)
				}
			}
		})
	}
	wg.Wait()
	// Otherwise the test would show nothing of what is asserted.
	if n := clean.Load(); n < 100 {
		t.Errorf("%d changes of the maker's words were accepted, want at least 100", n)
	}
}

// unassert gives got what is asserted in want: the scope's texts, the party
// and the id of withheld entries, and signatures of witnesses whom nobody named.
func unassert(got, want *evidence.Bundle) {
	got.Scope.Where, got.Scope.Claim = want.Scope.Where, want.Scope.Claim
	for i := range got.Leaves {
		if w, w2 := got.Leaves[i].Withheld, want.Leaves[i].Withheld; w != nil && w2 != nil {
			w.AssertedID, w.AssertedParty = w2.AssertedID, w2.AssertedParty
		}
	}
	const witness = "— "
	g, w := bytes.LastIndex(got.Checkpoint, []byte(witness)), bytes.LastIndex(want.Checkpoint, []byte(witness))
	if g == w {
		got.Checkpoint = append(got.Checkpoint[:g:g], want.Checkpoint[w:]...)
	}
}

// What no rule of the format allows is refused on both sides: the writer says
// so before the first byte.
func TestRules(t *testing.T) {
	withheld := func(change func(*evidence.Withheld)) func(b *evidence.Bundle) {
		return func(b *evidence.Bundle) {
			for i := range b.Leaves {
				if b.Leaves[i].Withheld != nil {
					change(b.Leaves[i].Withheld)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		change func(b *evidence.Bundle)
		want   string
	}{
		"no checkpoint":            {func(b *evidence.Bundle) { b.Checkpoint = nil }, "not a signed note"},
		"a checkpoint of a text":   {func(b *evidence.Bundle) { b.Checkpoint = []byte("hello\n\n— a AAAAAAA=\n") }, "three lines"},
		"asked in another order":   {func(b *evidence.Bundle) { s := b.Scope.Asked; s[0], s[1] = s[1], s[0] }, "does not come after"},
		"asked twice":              {func(b *evidence.Bundle) { s := b.Scope.Asked; s[1] = s[0] }, "does not come after"},
		"a text that moves":        {func(b *evidence.Bundle) { b.Scope.Claim = "all\x1b[2K" }, "does not print"},
		"a text that turns":        {func(b *evidence.Bundle) { b.Scope.Where = "a\u202eb" }, "does not print"},
		"a text of other bytes":    {func(b *evidence.Bundle) { b.Scope.Where = "\xff" }, "UTF-8"},
		"a long text":              {func(b *evidence.Bundle) { b.Scope.Where = strings.Repeat("x", evidence.MaxWords+1) }, "at most"},
		"an empty registry":        {func(b *evidence.Bundle) { b.Reference = &evidence.Reference{} }, "at least the genesis"},
		"no leaf":                  {func(b *evidence.Bundle) { b.Leaves = nil }, "at least one leaf"},
		"no genesis":               {func(b *evidence.Bundle) { b.Leaves = b.Leaves[1:] }, "begin with the genesis"},
		"leaves in another order":  {func(b *evidence.Bundle) { b.Leaves[1], b.Leaves[2] = b.Leaves[2], b.Leaves[1] }, "does not come after"},
		"a leaf twice":             {func(b *evidence.Bundle) { b.Leaves[2] = b.Leaves[1] }, "does not come after"},
		"a leaf beyond":            {func(b *evidence.Bundle) { b.Leaves[len(b.Leaves)-1].Index = 11 }, "not in the checkpoint's tree"},
		"an empty leaf":            {func(b *evidence.Bundle) { b.Leaves[3].Raw = nil }, "has 0 bytes"},
		"a long leaf":              {func(b *evidence.Bundle) { b.Leaves[3].Raw = make([]byte, 65536) }, "has 65536 bytes"},
		"withheld without id":      {withheld(func(w *evidence.Withheld) { w.AssertedID = record.ID{} }), "without a record id"},
		"withheld of no party":     {withheld(func(w *evidence.Withheld) { w.AssertedParty = "It/.." }), "not an operator"},
		"a withheld registry":      {func(b *evidence.Bundle) { b.Leaves[2].Withheld = &evidence.Withheld{}; b.Leaves[2].Raw = nil }, "shown whole"},
		"withheld and shown":       {func(b *evidence.Bundle) { b.Leaves[len(b.Leaves)-1].Raw = []byte{1} }, "withheld and shown"},
		"a proof too long":         {func(b *evidence.Bundle) { b.Proof = append(b.Proof, tree.Empty) }, "hashes"},
		"a proof too short":        {func(b *evidence.Bundle) { b.Proof = b.Proof[1:] }, "hashes"},
		"contents in other order":  {func(b *evidence.Bundle) { c := b.Contents; c[1], c[2] = c[2], c[1] }, "out of order"},
		"a content twice":          {func(b *evidence.Bundle) { b.Contents[2] = b.Contents[1] }, "out of order"},
		"a content of what is not": {func(b *evidence.Bundle) { b.Contents[2].Index = 10 }, "does not show"},
		"a content of withheld":    {func(b *evidence.Bundle) { b.Contents[2].Index = 9 }, "does not show"},
		"a token twice":            {func(b *evidence.Bundle) { b.Tokens = append(b.Tokens, b.Tokens[0]) }, "does not come after"},
		"a token of what is not":   {func(b *evidence.Bundle) { b.Tokens[0].Index = 10 }, "does not show"},
		"an empty token":           {func(b *evidence.Bundle) { b.Tokens[0].Text = "" }, "has 0 bytes"},
		"a long token":             {func(b *evidence.Bundle) { b.Tokens[0].Text = strings.Repeat("x", evidence.MaxToken+1) }, "bytes"},
	} {
		_, b := full(t)
		c.change(b)
		var buf bytes.Buffer
		if _, err := b.WriteTo(&buf); !isFormatError(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: WriteTo: %v, want a FormatError that says %q", name, err, c.want)
		}
		if buf.Len() > 0 {
			t.Errorf("%s: %d bytes were written", name, buf.Len())
		}
		if _, err := b.Verify(evidence.Trust{}); !isFormatError(err) {
			t.Errorf("%s: Verify: %v, want a FormatError", name, err)
		}
	}
}

// The reader holds files to the same rules, also those that no writer makes.
func TestReaderRules(t *testing.T) {
	_, b := full(t)
	file := write(t, b)
	// sections maps a section to where its tag stands.
	sections := map[byte]int{}
	for at := len(evidence.Magic) + 1; at < len(file)-tree.HashSize; {
		sections[file[at]] = at
		at += 5 + int(binary.BigEndian.Uint32(file[at+1:]))
	}
	if len(sections) != 7 {
		t.Fatalf("the file has %d sections, want 7", len(sections))
	}
	for section, at := range sections {
		t.Run(fmt.Sprint("section ", section), func(t *testing.T) {
			bad := bytes.Clone(file)
			bad[at] = 8 - section + 1
			refuse(t, "another tag", bad)
			n := binary.BigEndian.Uint32(file[at+1:])
			// One byte more, in the section and in its length.
			longer := append(bytes.Clone(file[:at+5+int(n)]), 0)
			longer = append(longer, file[at+5+int(n):]...)
			binary.BigEndian.PutUint32(longer[at+1:], n+1)
			refuse(t, "a byte more", longer)
			if n > 0 {
				shorter := append(bytes.Clone(file[:at+5+int(n)-1]), file[at+5+int(n):]...)
				binary.BigEndian.PutUint32(shorter[at+1:], n-1)
				refuse(t, "a byte less", shorter)
			}
			// Left out: the next one comes too early.
			refuse(t, "left out", append(bytes.Clone(file[:at]), file[at+5+int(n):]...))
		})
	}
	at := sections[4] + 5
	bad := bytes.Clone(file)
	bad[at] = 4
	refuse(t, "a kind of leaf that is not known", bad)
	bad = bytes.Clone(file)
	bad[at+1] = 0x80
	refuse(t, "a negative index", bad)
	bad = bytes.Clone(file)
	bad[sections[3]+5] = 3
	refuse(t, "a form of registry that is not known", bad)
}

func refuse(t *testing.T, what string, file []byte) {
	t.Helper()
	if _, err := evidence.Read(bytes.NewReader(reseal(file)), evidence.Limits{}); !isFormatError(err) {
		t.Errorf("%s: %v, want a FormatError", what, err)
	}
}

func TestLimits(t *testing.T) {
	_, b := full(t)
	file := write(t, b)
	for what, lim := range map[string]evidence.Limits{
		"entries":           {Entries: 1000},
		"number of entries": {Count: 7},
		"proof":             {Proof: 32},
		"contents":          {Contents: 100},
		"tokens":            {Tokens: 10},
	} {
		_, err := evidence.Read(bytes.NewReader(file), lim)
		var e *evidence.LimitError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v, want a LimitError that names it", what, err)
		}
		// Damage is told from size.
		if _, err := evidence.Read(bytes.NewReader(file[:len(file)-1]), lim); !isFormatError(err) {
			t.Errorf("%s, and cut: %v, want a FormatError", what, err)
		}
	}
	exact := evidence.Limits{Count: int64(len(b.Leaves))}
	if _, err := evidence.Read(bytes.NewReader(file), exact); err != nil {
		t.Errorf("a limit that is just enough: %v", err)
	}
}

func TestNewerVersion(t *testing.T) {
	_, b := full(t)
	file := write(t, b)
	file[len(evidence.Magic)] = evidence.Version + 1
	if _, err := evidence.Read(bytes.NewReader(file), evidence.Limits{}); !isFormatError(err) {
		t.Errorf("a changed version: %v, want a FormatError", err)
	}
	if _, err := evidence.Read(bytes.NewReader(reseal(file)), evidence.Limits{}); !errors.Is(err, evidence.ErrVersion) {
		t.Errorf("a whole file of another version: %v, want ErrVersion", err)
	}
}

// What the caller's reader and writer say is not the file's fault.
func TestReadAndWriteErrors(t *testing.T) {
	l, b := full(t)
	file := write(t, b)
	oops := errors.New("the disk is gone")
	for _, n := range []int{0, 3, 8, 200, len(file) - 40, len(file) - 5, len(file)} {
		src := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(oops))
		if _, err := evidence.Read(src, evidence.Limits{}); !errors.Is(err, oops) || isFormatError(err) {
			t.Errorf("an error after %d bytes: %v", n, err)
		}
		src = io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(oops))
		if _, err := evidence.Read(src, evidence.Limits{Entries: 1}); !errors.Is(err, oops) {
			t.Errorf("too large, and an error after %d bytes: %v", n, err)
		}
	}
	if _, err := b.WriteTo(failingWriter{oops}); !errors.Is(err, oops) {
		t.Errorf("WriteTo: %v", err)
	}
	if _, err := (&evidence.Bundle{Checkpoint: []byte("no")}).WriteTo(io.Discard); !isFormatError(err) {
		t.Errorf("WriteTo: %v", err)
	}
	if err := b.Prove(func(uint, int64) (tree.Hash, error) { return tree.Hash{}, oops }); !errors.Is(err, oops) {
		t.Errorf("Prove: %v", err)
	}
	l.prove(b)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// A length is no reason to allocate: of what the file does not have, little is.
func TestLengthsAreNotBelieved(t *testing.T) {
	_, b := full(t)
	file := write(t, b)
	at := bytes.Index(file, b.Contents[0].Salt[:]) - 8 - 5
	lie := bytes.Clone(file[:at+5+8+32+4])
	binary.BigEndian.PutUint32(lie[at+1:], 1<<31)
	binary.BigEndian.PutUint32(lie[at+5+8+32:], 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := evidence.Read(bytes.NewReader(lie), evidence.Limits{Contents: 1 << 40}); !isFormatError(err) {
		t.Fatalf("%v, want a FormatError", err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("reading a file of %d bytes that claims a content of 1 GiB allocates %d bytes", len(lie), n)
	}
}
