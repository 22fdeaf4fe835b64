package evidence

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Limits bound what [Read] takes into memory. A field that is zero has its
// default. Memory in use stays below three times the sum of the sections, and
// about 300 bytes for each entry.
type Limits struct {
	// Entries is the most bytes of entries; 0 means 64 MiB.
	Entries int64
	// Count is the most entries; 0 means 262,144.
	Count int64
	// Proof is the most bytes of the proof; 0 means 64 MiB.
	Proof int64
	// Contents is the most bytes of contents; 0 means 64 MiB.
	Contents int64
	// Tokens is the most bytes of tokens; 0 means 16 MiB.
	Tokens int64
}

func (l Limits) withDefaults() Limits {
	set := func(v *int64, to int64) {
		if *v == 0 {
			*v = to
		}
	}
	set(&l.Entries, 64<<20)
	set(&l.Count, 1<<18)
	set(&l.Proof, 64<<20)
	set(&l.Contents, 64<<20)
	set(&l.Tokens, 16<<20)
	return l
}

// Read reads an evidence file to its end. It judges the form alone: see
// [Bundle.Verify].
//
// The error is a *[FormatError] for what is no evidence file or a damaged one,
// a *[LimitError] or one that wraps [ErrVersion] for a whole file that this
// reader does not take, and otherwise what src returned. To tell damage from
// the second kind, the file is then read to its end, in little memory.
func Read(src io.Reader, lim Limits) (*Bundle, error) {
	r := &reader{src: bufio.NewReaderSize(src, 64<<10), sum: sha256.New(), lim: lim.withDefaults(), left: math.MaxInt64}
	b := r.bundle()
	if r.err == nil {
		return b, nil
	}
	if _, tooLarge := r.err.(*LimitError); tooLarge || errors.Is(r.err, ErrVersion) {
		if err := r.sealed(); err != nil {
			return nil, err
		}
	}
	return nil, r.err
}

// reader takes fields off the front of a file until one is missing or wrong.
type reader struct {
	src     io.Reader
	sum     hash.Hash // over what was read
	off     int64     // bytes that were read
	section byte      // 0 between sections
	left    int64     // bytes to the end of the section
	lim     Limits
	err     error
}

func (r *reader) bundle() *Bundle {
	b := &Bundle{}
	if magic := r.take(int64(len(Magic))); r.err == nil && string(magic) != Magic {
		r.fail("this is not an evidence file of Onus")
	}
	if v := r.u8(); r.err == nil && v != Version {
		r.err = fmt.Errorf("%w: %d; use a newer verifier", ErrVersion, v)
	}
	cp := r.checkpoint(b)
	r.scope(&b.Scope)
	r.registry(b)
	r.leaves(b, cp.Size)
	r.proof(b, cp.Size)
	r.contents(b)
	r.tokens(b)
	r.end()
	return b
}

func (r *reader) checkpoint(b *Bundle) tree.Checkpoint {
	r.open(secCheckpoint)
	if r.left > tree.MaxCheckpoint {
		r.fail("the checkpoint is too long")
	}
	b.Checkpoint = r.take(r.left)
	cp, _, err := openCheckpoint(b.Checkpoint)
	r.check(err)
	r.close()
	return cp
}

func (r *reader) scope(s *Scope) {
	r.open(secScope)
	if r.left > int64(maxScope) {
		r.fail("the scope is too long")
	}
	n := int64(r.u32())
	if n*int64(len(record.ID{})) > r.left {
		r.fail("it ends within the records that are asked for")
	}
	for i := int64(0); i < n && r.err == nil; i++ {
		s.Asked = append(s.Asked, record.ID(r.hash()))
	}
	s.Where = string(r.take(int64(r.u16())))
	s.Claim = string(r.take(int64(r.u16())))
	r.check(checkScope(s))
	r.close()
}

func (r *reader) registry(b *Bundle) {
	r.open(secRegistry)
	switch form := r.u8(); form {
	case registryHere:
	case registryReferred:
		b.Reference = &Reference{Count: r.i64(), Root: r.hash()}
		r.check(checkReference(b.Reference))
	default:
		r.fail(fmt.Sprintf("form %d is not known", form))
	}
	r.close()
}

func (r *reader) leaves(b *Bundle, size int64) {
	r.open(secLeaves)
	r.limit(r.lim.Entries)
	last := int64(-1)
	for r.left > 0 && r.err == nil {
		if n := int64(len(b.Leaves)); n == r.lim.Count {
			r.err = &LimitError{What: "a number of entries", Size: n + 1, Limit: r.lim.Count}
			return
		}
		kind := r.u8()
		l := Leaf{Index: r.i64(), Registry: kind == leafRegistry}
		switch kind {
		case leafShown, leafRegistry:
			l.Raw = r.take(int64(r.u16()))
		case leafWithheld:
			l.Withheld = &Withheld{Hash: r.hash(), AssertedID: record.ID(r.hash())}
			l.Withheld.AssertedParty = string(r.take(int64(r.u8())))
		default:
			r.fail(fmt.Sprintf("an entry has kind %d", kind))
		}
		r.check(checkLeaf(&l, last, size, b.Reference))
		last = l.Index
		b.Leaves = append(b.Leaves, l)
	}
	if len(b.Leaves) == 0 {
		r.fail("there is no entry")
	}
	r.close()
}

func (r *reader) proof(b *Bundle, size int64) {
	r.open(secProof)
	r.limit(r.lim.Proof)
	if r.err != nil {
		return
	}
	n, err := ProofLen(size, indices(b.Leaves))
	r.check(err)
	if have := r.left; have != int64(n)*tree.HashSize {
		r.fail(fmt.Sprintf("the proof for these entries has %d hashes, this has %d bytes", n, have))
	}
	for r.left > 0 && r.err == nil {
		b.Proof = append(b.Proof, r.hash())
	}
	r.close()
}

func (r *reader) contents(b *Bundle) {
	r.open(secContents)
	r.limit(r.lim.Contents)
	last := int64(-1)
	var lastSum [record.CommitmentSize]byte
	for r.left > 0 && r.err == nil {
		c := Content{Index: r.i64(), Salt: r.hash()}
		c.Data = r.take(int64(r.u32()))
		if r.err != nil {
			return
		}
		sum := c.Commitment()
		r.check(checkContent(b.Leaves, c.Index, last, sum, lastSum))
		last, lastSum = c.Index, sum
		b.Contents = append(b.Contents, c)
	}
	r.close()
}

func (r *reader) tokens(b *Bundle) {
	r.open(secTokens)
	r.limit(r.lim.Tokens)
	last := int64(-1)
	for r.left > 0 && r.err == nil {
		t := Token{Index: r.i64()}
		t.Text = string(r.take(int64(r.u16())))
		r.check(checkToken(b.Leaves, &t, last))
		last = t.Index
		b.Tokens = append(b.Tokens, t)
	}
	r.close()
}

// open begins the section that must come next.
func (r *reader) open(section byte) {
	tag := r.u8()
	n := int64(r.u32())
	if r.err == nil && tag != section {
		r.fail(fmt.Sprintf("the section of %s is not where it belongs", sectionNames[section]))
	}
	r.section, r.left = section, n
	if r.err != nil {
		r.left = 0
	}
}

func (r *reader) limit(most int64) {
	if r.err == nil && r.left > most {
		r.err = &LimitError{What: "a section of " + sectionNames[r.section], Size: r.left, Limit: most}
	}
}

// close ends a section, which must be used up.
func (r *reader) close() {
	if r.err == nil && r.left > 0 {
		r.fail(fmt.Sprintf("%d bytes follow its end", r.left))
	}
	if r.err == nil {
		r.section, r.left = 0, math.MaxInt64
	}
}

// end reads the hash over all that was read, after which nothing follows.
func (r *reader) end() {
	want := tree.Hash(r.sum.Sum(nil))
	if got := r.hash(); r.err == nil && got != want {
		r.fail("the hash over the file does not fit it: a byte was changed")
	}
	if r.err != nil {
		return
	}
	switch _, err := io.ReadFull(r.src, make([]byte, 1)); {
	case err == nil:
		r.fail("bytes follow the end of the file")
	case err != io.EOF:
		r.err = fmt.Errorf("read the evidence: %w", err)
	}
}

// sealed reads on to the end, and reports whether the last 32 bytes are the
// hash over those before them, as files of every version have it.
func (r *reader) sealed() error {
	var tail []byte // what may be the hash: at most its size, but for new bytes
	buf := make([]byte, 32<<10)
	for {
		n, err := r.src.Read(buf)
		tail = append(tail, buf[:n]...)
		if more := len(tail) - tree.HashSize; more > 0 {
			r.sum.Write(tail[:more])
			tail = append(tail[:0], tail[more:]...)
		}
		r.off += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read the evidence: %w", err)
		}
	}
	if len(tail) < tree.HashSize || tree.Hash(tail) != tree.Hash(r.sum.Sum(nil)) {
		return &FormatError{Offset: r.off, Detail: "the hash over the file does not fit it: a byte was changed"}
	}
	return nil
}

func (r *reader) fail(detail string) {
	if r.err == nil {
		r.err = &FormatError{Offset: r.off, Section: sectionNames[r.section], Detail: detail}
	}
}

func (r *reader) check(err error) {
	if err != nil {
		r.fail(err.Error())
	}
}

// chunk is how much is allocated before that much has been read.
const chunk = 64 << 10

// take reads n bytes. Of a length that the file does not have, no more is
// allocated than twice what it has, and a chunk.
func (r *reader) take(n int64) []byte {
	if r.err == nil && n > r.left {
		r.fail("it ends within an item")
	}
	if r.err != nil || n == 0 {
		return nil
	}
	var b []byte
	for have := int64(0); have < n; have = int64(len(b)) {
		b = append(b, make([]byte, min(chunk, n-have))...)
		got, err := io.ReadFull(r.src, b[have:])
		r.sum.Write(b[have : have+int64(got)])
		r.off += int64(got)
		r.left -= int64(got)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			r.fail("the file ends too early")
			return nil
		}
		if err != nil {
			r.err = fmt.Errorf("read the evidence: %w", err)
			return nil
		}
	}
	return b
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) i64() int64 {
	if b := r.take(8); b != nil {
		if v := binary.BigEndian.Uint64(b); v <= math.MaxInt64 {
			return int64(v)
		}
		r.fail("a number is negative")
	}
	return 0
}

func (r *reader) hash() (h tree.Hash) {
	copy(h[:], r.take(tree.HashSize))
	return h
}
