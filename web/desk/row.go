package desk

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// seal ends a value with its checksum; unseal takes that off.
func seal(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

func unseal(key, value []byte) (r reader, ok bool) {
	if len(value) < 4 {
		return reader{}, false
	}
	body, check := value[:len(value)-4], value[len(value)-4:]
	return reader{b: body}, binary.BigEndian.Uint32(check) == checksum(key, body)
}

// writer makes a row's value.
type writer struct{ b []byte }

func (w *writer) uint(v uint64)  { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)    { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) bytes(b []byte) { w.b = append(w.b, b...) }
func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) flag(b bool) {
	if b {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

func (w *writer) ints(all []int64) {
	w.uint(uint64(len(all)))
	for _, v := range all {
		w.int(v)
	}
}

func (w *writer) life(l *life) {
	w.int(l.first)
	w.int(l.last)
	w.uint(uint64(len(l.pauses)))
	for _, p := range l.pauses {
		w.int(p.ended)
		w.int(p.length)
	}
}

func (w *writer) damage(d damage) {
	w.uint(uint64(d.count))
	w.uint(uint64(len(d.first)))
	for _, e := range d.first {
		w.int(e.Index)
		w.text(e.Reason)
	}
}

// kase writes a case: a zero, where one that was merged has the other's number.
func (w *writer) kase(k *kase) {
	w.uint(0)
	w.bytes(k.rootID[:])
	for _, v := range []int64{k.first, k.last, k.tookLast} {
		w.int(v)
	}
	w.flag(k.made)
	for _, v := range []uint32{k.root, k.asOf, k.records, k.actions, k.opNamed, k.resNamed, k.answers, k.user, k.session, k.taken, k.tookActs,
		uint32(k.outcome), uint32(k.nCounts), k.nTerms, uint32(k.nGrants), k.nParts} {
		w.uint(uint64(v))
	}
	w.uint(uint64(len(k.list)))
	for _, v := range k.list {
		w.uint(uint64(v))
	}
	m := k.more
	if m == nil {
		m = &more{}
	}
	w.int(m.deadline)
	w.text(m.unjudged)
	w.flag(m.again)
	w.uint(uint64(len(m.findings)))
	for _, f := range m.findings {
		w.bytes(f.record[:])
		w.int(f.index)
		w.int(f.time)
		for _, v := range []uint32{f.code, f.who, f.party, uint32(f.severity)} {
			w.uint(uint64(v))
		}
		w.flag(f.conduct)
	}
	w.uint(uint64(len(m.reviews)))
	for _, r := range m.reviews {
		w.int(r.Index)
		w.bytes(r.Record[:])
		w.int(r.Time)
		w.int(int64(r.Disposition))
		w.text(r.By)
		w.text(r.Assignee)
		w.bytes(r.about[:])
		w.uint(uint64(r.finding))
	}
	w.uint(uint64(len(m.attached)))
	for _, a := range m.attached {
		w.int(a.index)
		w.int(a.time)
	}
	w.uint(uint64(len(m.causedBy)))
	for _, y := range m.causedBy {
		w.uint(uint64(y))
	}
}

// reader reads a row's value. What is wrong with it shows at its end.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) end() bool { return !r.bad && len(r.b) == 0 }

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) u32() uint32 {
	v := r.uint()
	if v > math.MaxUint32 {
		r.bad = true
	}
	return uint32(v)
}

func (r *reader) u8() uint8 {
	v := r.uint()
	if v > math.MaxUint8 {
		r.bad = true
	}
	return uint8(v)
}

func (r *reader) flag() bool { return r.u8() == 1 }

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// len reads how many things follow, of a byte each at least.
func (r *reader) len() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) text() string { return string(r.bytes(r.len())) }

// ints reads a list of entries before size.
func (r *reader) ints(size int64) []int64 {
	all := make([]int64, r.len())
	for i := range all {
		all[i] = r.int()
		r.bad = r.bad || all[i] < 0 || all[i] >= size
	}
	return all
}

func (r *reader) damage() damage {
	return damage{int(r.u32()), list(r, func() Damaged { return Damaged{r.int(), r.text()} })}
}

// kase reads a case behind the zero.
func (r *reader) kase() *kase {
	k := &kase{}
	copy(k.rootID[:], r.bytes(len(k.rootID)))
	for _, v := range []*int64{&k.first, &k.last, &k.tookLast} {
		*v = r.int()
	}
	k.made = r.flag()
	for _, v := range []*uint32{&k.root, &k.asOf, &k.records, &k.actions, &k.opNamed, &k.resNamed, &k.answers, &k.user, &k.session, &k.taken, &k.tookActs} {
		*v = r.u32()
	}
	k.outcome, k.nCounts, k.nTerms, k.nGrants, k.nParts = r.u8(), r.u8(), r.u32(), r.u8(), r.u32()
	k.list = list(r, r.u32)
	m := more{deadline: r.int(), unjudged: r.text(), again: r.flag()}
	m.findings = list(r, func() (f finding) {
		copy(f.record[:], r.bytes(len(f.record)))
		f.index, f.time = r.int(), r.int()
		f.code, f.who, f.party, f.severity, f.conduct = r.u32(), r.u32(), r.u32(), r.u8(), r.flag()
		return f
	})
	m.reviews = list(r, func() (w review) {
		w.Index = r.int()
		copy(w.Record[:], r.bytes(len(w.Record)))
		w.Time, w.Disposition = r.int(), onusv1.Disposition(r.int())
		w.By, w.Assignee = r.text(), r.text()
		copy(w.about[:], r.bytes(len(w.about)))
		w.finding = r.u32()
		return w
	})
	m.attached = list(r, func() attached { return attached{r.int(), r.int()} })
	m.causedBy = list(r, r.u32)
	k.more = &m
	k.trim()
	return k
}

func list[T any](r *reader, one func() T) []T {
	n := r.len()
	if n == 0 {
		return nil
	}
	all := make([]T, 0, n)
	for range n {
		if all = append(all, one()); r.bad {
			return nil
		}
	}
	return slices.Clip(all)
}
