package authority

import (
	"encoding/binary"

	"github.com/onus-ledger/onus/verifier/record"
)

// The rows of a Store. A key is one byte for its kind and then fixed parts;
// values are big-endian, "none" is all ones, and a value is read only if it is
// exactly what would be written.
//
//	kind  key                       value
//	g     grant id                  [grantRow]: written once
//	o     class                     versions of: id of an own root grant given to the class
//	l     grant id, limit (2)       versions of: [limitRow]
//	x     action id                 [actionRow]: its tail changes with outcomes
//	k     grant id, limit (2), sum  [groupRow]
//	p     proposal id               [proposalRow]: written once
//	w     proposal id               versions of: [answeredRow]
//	d     sum of party and element  versions of: [answeredRow]
//	a     answer id                 [answerRow]: written once
//	u     approval id               versions of: [usedRow]
//	t     sum of issuer and digest  [tokenRow]: written once
//	h     any of these, index (8)   an older version
//
// A row that has versions begins with the index of the entry that made it and
// that of the version before.
const (
	kindGrant    = "g"
	kindOwn      = "o"
	kindLimit    = "l"
	kindAction   = "x"
	kindGroup    = "k"
	kindProposal = "p"
	kindAnswered = "w"
	kindDenied   = "d"
	kindAnswer   = "a"
	kindUsed     = "u"
	kindToken    = "t"
	kindOlder    = "h"
)

func key(kind string, id record.ID) string { return kind + string(id[:]) }

func limitKey(kind string, l limit) string {
	return string(binary.BigEndian.AppendUint16([]byte(key(kind, l.grant)), l.number))
}

func olderKey(key string, index int64) string {
	return string(binary.BigEndian.AppendUint64([]byte(kindOlder+key), uint64(index)))
}

// version is a row as of an entry.
type version struct {
	index, prev int64 // prev is -1 in the first
	value       []byte
}

func (v version) marshal() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(v.index))
	b = binary.BigEndian.AppendUint64(b, uint64(v.prev))
	return append(b, v.value...)
}

func parseVersion(b []byte) (v version, ok bool) {
	r := reader{b: b}
	v = version{index: r.index(), prev: r.index(), value: r.b}
	return v, !r.short && v.index >= 0 && v.prev < v.index
}

// latest returns the newest version of a row that was made by an entry before
// that index. Newer ones, in rows that have grown since, are passed over.
func (s *State) latest(key string, at int64) (version, bool) {
	b, ok := s.store.Get(key)
	for ok {
		v, whole := parseVersion(b)
		if !whole {
			panic("authority: a row is broken: its version cannot be read")
		}
		if v.index < at {
			return v, true
		}
		if v.prev < 0 {
			return version{}, false
		}
		if b, ok = s.store.Get(olderKey(key, v.prev)); !ok {
			panic("authority: a row is broken: an older version is not there")
		}
	}
	return version{}, false
}

// push makes a new version of a row. A second one of the same entry replaces
// the first.
func (s *State) push(key string, index int64, value []byte) {
	v := version{index: index, prev: -1, value: value}
	if b, ok := s.store.Get(key); ok {
		old, whole := parseVersion(b)
		switch {
		case !whole || old.index > index:
			panic("authority: entries were not added in log order")
		case old.index == index:
			v.prev = old.prev
		default:
			v.prev = old.index
			s.store.Put(olderKey(key, old.index), b)
		}
	}
	s.store.Put(key, v.marshal())
}

// row reads a row that has no versions.
func row[T any](s *State, key string, parse func([]byte) (T, bool)) (v T, found bool) {
	b, found := s.store.Get(key)
	if !found {
		return v, false
	}
	return whole(b, parse), true
}

// whole parses what this package wrote.
func whole[T any](b []byte, parse func([]byte) (T, bool)) T {
	v, ok := parse(b)
	if !ok {
		panic("authority: a row is broken")
	}
	return v
}

// reader takes a value apart. After the first part that is not there, short is
// set and all others are zero.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.short, r.b, n = true, nil, 0
	}
	part := r.b[:n:n]
	r.b = r.b[n:]
	return part
}

func (r *reader) u8() uint8 {
	if p := r.take(1); len(p) == 1 {
		return p[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if p := r.take(2); len(p) == 2 {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if p := r.take(4); len(p) == 4 {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// index reads an index or a time, -1 for none; anything else below zero is
// short.
func (r *reader) index() int64 {
	p := r.take(8)
	if len(p) < 8 {
		return 0
	}
	n := int64(binary.BigEndian.Uint64(p))
	if n < -1 {
		r.short = true
	}
	return n
}

func (r *reader) id() (id record.ID) {
	copy(id[:], r.take(len(id)))
	return id
}

// text reads a string with its length before it.
func (r *reader) text() string { return string(r.take(int(r.u16()))) }

// flag reads a boolean: 0 or 1.
func (r *reader) flag() bool {
	n := r.u8()
	if n > 1 {
		r.short = true
	}
	return n == 1
}

// end reports whether everything was there and nothing is left.
func (r *reader) end() bool { return !r.short && len(r.b) == 0 }

func appendIndex(b []byte, i int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(i)) }

func appendText(b []byte, s string) []byte {
	if len(s) > 0xffff {
		panic("authority: a text is longer than any record's")
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendFlag(b []byte, f bool) []byte {
	if f {
		return append(b, 1)
	}
	return append(b, 0)
}
