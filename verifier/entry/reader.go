package entry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// reader takes fields off the front of b until one is missing or wrong.
type reader struct {
	b   []byte
	err error
}

func (r *reader) stamp() Stamp {
	var s Stamp
	if v := r.u8(); r.err == nil && v != Version {
		r.err = fmt.Errorf("%w: %d", ErrVersion, v)
	}
	s.LogTime = r.i64("log time")
	s.RegistryCount = r.i64("registry count")
	copy(s.RegistryRoot[:], r.take(tree.HashSize))
	s.KeyEntry = r.i64("key entry")
	if s.Assurance = r.u8(); s.Assurance > MaxAssurance {
		r.fail("assurance is above 2")
	}
	s.KeySetEntry = r.index("key set entry")
	s.User = string(r.take(int(r.u8())))
	if s.User != "" && !record.IsPseudonym(s.User, record.UserPrefix) {
		r.fail("user is not a pseudonym")
	}
	if why := s.halfClaim(); why != "" {
		r.fail(why)
	}
	n := int(r.u8())
	if n > MaxUses {
		r.fail("too many use stamps")
	}
	for i := 0; i < n && r.err == nil; i++ {
		s.Uses = append(s.Uses, r.use())
	}
	return s
}

func (r *reader) use() Use {
	var u Use
	switch kind := r.u8(); kind {
	case 1:
		copy(u.ID[:], r.take(len(u.ID)))
		u.Limit = r.u16()
		u.Previous = r.index("previous use")
		if u.Total = string(r.take(int(r.u8()))); !isTotal(u.Total) {
			r.fail("total is not a decimal")
		}
	case 2:
		u.Approval = true
		copy(u.ID[:], r.take(len(u.ID)))
		u.Previous = r.index("previous use")
		u.Denial = r.index("denial")
	default:
		r.fail(fmt.Sprintf("use stamp has kind %d", kind))
	}
	return u
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = errors.New("entry's " + why)
	}
}

func (r *reader) take(n int) []byte {
	if r.err == nil && n > len(r.b) {
		r.err = errors.New("entry ends too early")
	}
	if r.err != nil {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() uint8 {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if v := r.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if v := r.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (r *reader) i64(what string) int64 {
	v := r.u64()
	if v > math.MaxInt64 {
		r.fail(what + " is negative")
	}
	return int64(v)
}

func (r *reader) index(what string) int64 {
	v := r.u64()
	if v == none {
		return -1
	}
	if v > math.MaxInt64 {
		r.fail(what + " is negative")
	}
	return int64(v)
}
