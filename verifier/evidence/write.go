package evidence

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/onus-ledger/onus/verifier/entry"
)

// WriteTo writes the file. It refuses with a *[FormatError], before the first
// byte, what [Read] would refuse. Whether the proof and the entries are true
// is asked with [Bundle.Verify], which who makes a bundle does too, before it
// leaves the house.
func (b *Bundle) WriteTo(dst io.Writer) (int64, error) {
	if err := b.check(); err != nil {
		return 0, err
	}
	sections := []struct {
		tag   byte
		write func(*writer)
	}{
		{secCheckpoint, func(w *writer) { w.bytes(b.Checkpoint) }},
		{secScope, b.Scope.write},
		{secRegistry, b.writeRegistry},
		{secLeaves, func(w *writer) {
			for i := range b.Leaves {
				b.Leaves[i].write(w)
			}
		}},
		{secProof, func(w *writer) {
			for i := range b.Proof {
				w.bytes(b.Proof[i][:])
			}
		}},
		{secContents, func(w *writer) {
			for i := range b.Contents {
				c := &b.Contents[i]
				w.u64(c.Index)
				w.bytes(c.Salt[:])
				w.u32(len(c.Data))
				w.bytes(c.Data)
			}
		}},
		{secTokens, func(w *writer) {
			for i := range b.Tokens {
				t := &b.Tokens[i]
				w.u64(t.Index)
				w.u16(len(t.Text))
				w.bytes([]byte(t.Text))
			}
		}},
	}
	sum := sha256.New()
	buf := bufio.NewWriterSize(dst, 64<<10)
	w := &writer{dst: io.MultiWriter(buf, sum)}
	w.bytes([]byte(Magic))
	w.bytes([]byte{Version})
	for _, s := range sections {
		// A section is written twice: the first time only its length counts.
		length := &writer{dst: io.Discard}
		s.write(length)
		if length.n > math.MaxUint32 {
			return 0, &FormatError{Offset: -1, Section: sectionNames[s.tag], Detail: fmt.Sprintf("it has %d bytes, at most %d are allowed", length.n, uint32(math.MaxUint32))}
		}
		w.bytes([]byte{s.tag})
		w.u32(int(length.n))
		s.write(w)
	}
	w.bytes(sum.Sum(nil))
	if w.err == nil {
		w.err = buf.Flush()
	}
	if w.err != nil {
		return w.n - int64(buf.Buffered()), fmt.Errorf("write the evidence: %w", w.err)
	}
	return w.n, nil
}

func (s *Scope) write(w *writer) {
	w.u32(len(s.Asked))
	for i := range s.Asked {
		w.bytes(s.Asked[i][:])
	}
	for _, text := range []string{s.Where, s.Claim} {
		w.u16(len(text))
		w.bytes([]byte(text))
	}
}

func (b *Bundle) writeRegistry(w *writer) {
	if b.Reference == nil {
		w.bytes([]byte{registryHere})
		return
	}
	w.bytes([]byte{registryReferred})
	w.u64(b.Reference.Count)
	w.bytes(b.Reference.Root[:])
}

func (l *Leaf) write(w *writer) {
	kind := byte(leafShown)
	switch {
	case l.Withheld != nil:
		kind = leafWithheld
	case l.Registry:
		kind = leafRegistry
	}
	w.bytes([]byte{kind})
	w.u64(l.Index)
	if h := l.Withheld; h != nil {
		w.bytes(h.Hash[:])
		w.bytes(h.AssertedID[:])
		w.bytes([]byte{byte(len(h.AssertedParty))})
		w.bytes([]byte(h.AssertedParty))
		return
	}
	w.u16(len(l.Raw))
	w.bytes(l.Raw)
}

// The lengths fit their fields: check has held them to bounds.
var (
	_ [math.MaxUint16 - entry.MaxSize]struct{}
	_ [math.MaxUint16 - MaxToken]struct{}
	_ [math.MaxUint16 - MaxWords]struct{}
)

// writer counts, and keeps the first error.
type writer struct {
	dst io.Writer
	n   int64
	err error
}

func (w *writer) bytes(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.dst.Write(b)
	w.n += int64(n)
	w.err = err
}

func (w *writer) u16(n int)   { w.bytes(binary.BigEndian.AppendUint16(nil, uint16(n))) }
func (w *writer) u32(n int)   { w.bytes(binary.BigEndian.AppendUint32(nil, uint32(n))) }
func (w *writer) u64(n int64) { w.bytes(binary.BigEndian.AppendUint64(nil, uint64(n))) }
