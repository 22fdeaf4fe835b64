// Package entry is the layout of a leaf: the ledger's stamp, then the
// envelope that its author signed.
//
// A leaf is at most 65,535 bytes, so that it fits the entry bundles of
// c2sp.org/tlog-tiles. Integers are big-endian; "none" is all ones; there is
// no padding and nothing follows the last byte.
//
//	offset  size  field
//	     0     1  version, 1
//	     1     8  log time: milliseconds since 1970-01-01T00:00:00Z
//	     9     8  registry count: registry entries before this one
//	    17    32  registry root: RFC 6962 root over those entries' leaf hashes
//	    49     8  key entry: index of the registry entry that binds the signing
//	              key; its own index for an entry that binds its own signer:
//	              the genesis, or the enrolment of a key by itself
//	    57     1  assurance of the user's word that the ledger checked at
//	              admission: 0 asserted; 1 the user's token was checked; 2 and
//	              it holds the authority that the record claims. That a user
//	              signed with an own key is not stamped: the signature shows it
//	    58     8  key set entry: index of the key set it was checked with; none
//	              exactly when the assurance is 0
//	    66     1  u, length of the user's pseudonym that was checked; 0 exactly
//	              when the assurance is 0
//	    67     u  the pseudonym
//	           1  n, number of use stamps, at most 32
//	              n use stamps, each one of:
//	                 1  kind: 1, total limit
//	                32  id of the grant's record
//	                 2  number of the limit within the grant
//	                 8  index of the previous use, or none
//	                 1  t, length of the total, at most 28
//	                 t  total before this use: a decimal
//	              or:
//	                 1  kind: 2, approval
//	                32  id of the approval's record
//	                 8  index of the previous use, or none
//	                 8  index of the latest denial of the proposal, or none
//	---- end of the stamp, the ledger's part; the envelope follows ----
//	           1  payload type: 1 protobuf, 2 JSON
//	           2  s, length of the signature
//	           s  signature
//	           2  p, length of the payload
//	           p  payload
//
// The leaf hash is SHA-256(0x00 ‖ entry). The stamp is the ledger's word; the
// envelope is its author's. A receipt carries the stamp and the signature, so
// that the author, who has the payload, can rebuild the leaf.
package entry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Bounds of the layout.
const (
	// Version is the layout that this package reads and writes.
	Version = 1
	// MaxSize is the most bytes an entry may have.
	MaxSize = 65535
	// MaxUses is the most use stamps an entry may have.
	MaxUses = 32
	// MaxAssurance is the highest assurance that a stamp may claim.
	MaxAssurance = 2

	none       = math.MaxUint64
	maxTotal   = 28
	fixedStamp = 67
)

// Errors for entries of a newer format: their hash can be checked, their
// content not judged. They are wrapped.
var (
	// ErrVersion is for a layout that is not known here.
	ErrVersion = errors.New("entry has a layout version that is not known here")
	// ErrPayloadType is for an entry of this layout, in order otherwise, whose
	// envelope has a payload type that is not known here.
	ErrPayloadType = errors.New("entry has a payload type that is not known here")
)

// Stamp is the ledger's part of an entry.
type Stamp struct {
	// LogTime is in milliseconds since 1970.
	LogTime int64
	// RegistryCount and RegistryRoot fix the registry before this entry.
	RegistryCount int64
	RegistryRoot  tree.Hash
	// KeyEntry is the index of the registry entry that binds the signing key.
	KeyEntry int64
	// Assurance of the user's word, 0 to [MaxAssurance], checked with the key set at
	// KeySetEntry, for User. At 0 nothing was checked: KeySetEntry is -1 and
	// User empty; above 0 both are set.
	Assurance   uint8
	KeySetEntry int64
	User        string
	// Uses are the limits and approvals that this entry draws on.
	Uses []Use
}

// Use says what was used up of a total limit or an approval before an entry.
type Use struct {
	// Approval tells an approval from a total limit.
	Approval bool
	// ID is that of the grant's or the approval's record.
	ID record.ID
	// Previous is the index of the use before, or -1.
	Previous int64
	// Limit is the limit's number and Total the sum before; not for an
	// approval.
	Limit uint16
	Total string
	// Denial is the index of the latest denial of the proposal, or -1; only
	// for an approval.
	Denial int64
}

// Entry is one leaf.
type Entry struct {
	Stamp    Stamp
	Envelope record.Envelope
}

// Marshal returns the stamp's bytes. It fails only on values that no parsed
// stamp has.
func (s *Stamp) Marshal() ([]byte, error) {
	if s.LogTime < 0 || s.RegistryCount < 0 || s.KeyEntry < 0 || s.KeySetEntry < -1 {
		return nil, errors.New("stamp has a negative number")
	}
	if s.Assurance > MaxAssurance {
		return nil, fmt.Errorf("stamp has assurance %d", s.Assurance)
	}
	if s.User != "" && !record.IsPseudonym(s.User, record.UserPrefix) {
		return nil, errors.New("stamp's user is not a pseudonym")
	}
	if why := s.halfClaim(); why != "" {
		return nil, errors.New("stamp's " + why)
	}
	if len(s.Uses) > MaxUses {
		return nil, fmt.Errorf("stamp has %d uses, at most %d are allowed", len(s.Uses), MaxUses)
	}
	b := make([]byte, 0, fixedStamp+len(s.User)+1+len(s.Uses)*72)
	b = append(b, Version)
	b = binary.BigEndian.AppendUint64(b, uint64(s.LogTime))
	b = binary.BigEndian.AppendUint64(b, uint64(s.RegistryCount))
	b = append(b, s.RegistryRoot[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.KeyEntry))
	b = append(b, s.Assurance)
	b = appendIndex(b, s.KeySetEntry)
	b = append(b, byte(len(s.User)))
	b = append(b, s.User...)
	b = append(b, byte(len(s.Uses)))
	for _, u := range s.Uses {
		if u.Previous < -1 || u.Denial < -1 {
			return nil, errors.New("use stamp has a negative index")
		}
		if u.Approval {
			b = append(b, 2)
			b = append(b, u.ID[:]...)
			b = appendIndex(b, u.Previous)
			b = appendIndex(b, u.Denial)
			continue
		}
		if !isTotal(u.Total) {
			return nil, fmt.Errorf("use stamp has total %.40q", u.Total)
		}
		b = append(b, 1)
		b = append(b, u.ID[:]...)
		b = binary.BigEndian.AppendUint16(b, u.Limit)
		b = appendIndex(b, u.Previous)
		b = append(b, byte(len(u.Total)))
		b = append(b, u.Total...)
	}
	return b, nil
}

// halfClaim reports what keeps the claim about a user's word from being whole,
// or "". A check without the user or the keys could not be done again, and a
// user or keys without a check would read as one.
func (s *Stamp) halfClaim() string {
	switch claimed := s.Assurance > 0; {
	case claimed != (s.User != ""):
		return "user and assurance do not stand together"
	case claimed != (s.KeySetEntry >= 0):
		return "key set and assurance do not stand together"
	}
	return ""
}

// Marshal returns the entry's bytes: the leaf.
func (e *Entry) Marshal() ([]byte, error) {
	stamp, err := e.Stamp.Marshal()
	if err != nil {
		return nil, err
	}
	return Assemble(stamp, e.Envelope)
}

// Assemble joins a stamp and an envelope to a leaf. The author of a record
// uses it to rebuild the leaf from a receipt.
func Assemble(stamp []byte, env record.Envelope) ([]byte, error) {
	if env.Type != record.TypeProtobuf && env.Type != record.TypeJSON {
		return nil, fmt.Errorf("envelope has payload type %d", env.Type)
	}
	if n := len(env.Signature); n == 0 || n > record.MaxSignature {
		return nil, fmt.Errorf("envelope has a signature of %d bytes", n)
	}
	if n := len(env.Payload); n == 0 || n > record.MaxPayload {
		return nil, fmt.Errorf("envelope has a payload of %d bytes", n)
	}
	n := len(stamp) + 1 + 2 + len(env.Signature) + 2 + len(env.Payload)
	if n > MaxSize {
		return nil, fmt.Errorf("entry has %d bytes, at most %d are allowed", n, MaxSize)
	}
	b := make([]byte, 0, n)
	b = append(b, stamp...)
	b = append(b, byte(env.Type))
	b = binary.BigEndian.AppendUint16(b, uint16(len(env.Signature)))
	b = append(b, env.Signature...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(env.Payload)))
	return append(b, env.Payload...), nil
}

// Parse reads a leaf. It accepts exactly what [Entry.Marshal] writes. The
// envelope shares b's memory. The record inside is not parsed.
func Parse(b []byte) (*Entry, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("entry has %d bytes, at most %d are allowed", len(b), MaxSize)
	}
	r := &reader{b: b}
	stamp := r.stamp()
	t := record.PayloadType(r.u8())
	sig := r.take(int(r.u16()))
	payload := r.take(int(r.u16()))
	if r.err != nil {
		return nil, r.err
	}
	if len(r.b) != 0 {
		return nil, fmt.Errorf("entry has %d bytes after its end", len(r.b))
	}
	if len(payload) == 0 || len(payload) > record.MaxPayload || len(sig) == 0 || len(sig) > record.MaxSignature {
		return nil, errors.New("entry has a payload or a signature of a size that is not allowed")
	}
	if t != record.TypeProtobuf && t != record.TypeJSON {
		return nil, fmt.Errorf("%w: %d", ErrPayloadType, t)
	}
	return &Entry{Stamp: stamp, Envelope: record.Envelope{Type: t, Payload: payload, Signature: sig}}, nil
}

// ParseStamp reads the ledger's part alone, as a receipt carries it.
func ParseStamp(b []byte) (Stamp, error) {
	r := &reader{b: b}
	s := r.stamp()
	if r.err == nil && len(r.b) != 0 {
		r.err = fmt.Errorf("stamp has %d bytes after its end", len(r.b))
	}
	return s, r.err
}

// Split returns where the stamp of a leaf ends, so that a receipt can carry
// the stamp alone.
func Split(b []byte) (stamp []byte, err error) {
	r := &reader{b: b}
	r.stamp()
	if r.err != nil {
		return nil, r.err
	}
	return b[:len(b)-len(r.b)], nil
}

func appendIndex(b []byte, i int64) []byte {
	if i < 0 {
		return binary.BigEndian.AppendUint64(b, none)
	}
	return binary.BigEndian.AppendUint64(b, uint64(i))
}

// isTotal reports whether s is a sum of record amounts in its one form:
// digits without leading zeros, then maybe a point and up to 9 digits that do
// not end in 0.
func isTotal(s string) bool {
	if s == "" || len(s) > maxTotal {
		return false
	}
	point := -1
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return false
		}
	}
	whole := s
	if point >= 0 {
		whole = s[:point]
		frac := s[point+1:]
		if frac == "" || len(frac) > 9 || frac[len(frac)-1] == '0' {
			return false
		}
	}
	return len(whole) == 1 || whole[0] != '0'
}
