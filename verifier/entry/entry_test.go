package entry_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

func TestRoundTrip(t *testing.T) {
	for _, e := range []*entry.Entry{plainEntry(t), fullEntry(t)} {
		b := mustMarshal(t, e)
		got, err := entry.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("(-marshalled +parsed)\n%s", diff)
		}
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	b := mustMarshal(t, fullEntry(t))
	for n := range len(b) {
		if _, err := entry.Parse(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", n, len(b))
		}
	}
	stamp, err := entry.Split(b)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(stamp) {
		if _, err := entry.ParseStamp(stamp[:n]); err == nil {
			t.Errorf("the first %d of %d bytes of the stamp were accepted", n, len(stamp))
		}
		if _, err := entry.Split(stamp[:n]); err == nil {
			t.Errorf("a leaf was split that ends after %d bytes of its stamp", n)
		}
	}
}

func TestEveryTrailingByteIsRefused(t *testing.T) {
	b := mustMarshal(t, fullEntry(t))
	stamp, err := entry.Split(b)
	if err != nil {
		t.Fatal(err)
	}
	for c := range 256 {
		if _, err := entry.Parse(append(slices.Clone(b), byte(c))); err == nil {
			t.Errorf("an entry with a trailing byte %#02x was accepted", c)
		}
		if _, err := entry.ParseStamp(append(slices.Clone(stamp), byte(c))); err == nil {
			t.Errorf("a stamp with a trailing byte %#02x was accepted", c)
		}
	}
}

func TestVersion(t *testing.T) {
	b := mustMarshal(t, fullEntry(t))
	for v := range 256 {
		b[0] = byte(v)
		_, err := entry.Parse(b)
		if v == entry.Version {
			if err != nil {
				t.Errorf("version %d: %v", v, err)
			}
			continue
		}
		if !errors.Is(err, entry.ErrVersion) {
			t.Errorf("version %d: error is %v, want ErrVersion", v, err)
		}
	}
	// Nothing else is called a version: not a broken entry of this one.
	if _, err := entry.Parse([]byte{entry.Version}); err == nil || errors.Is(err, entry.ErrVersion) {
		t.Errorf("a cut entry gives %v", err)
	}
	if _, err := entry.Parse(nil); err == nil || errors.Is(err, entry.ErrVersion) {
		t.Errorf("no bytes give %v", err)
	}
	// A newer entry may be as long as ours, no longer.
	if _, err := entry.Parse(append([]byte{2}, make([]byte, entry.MaxSize-1)...)); !errors.Is(err, entry.ErrVersion) {
		t.Errorf("a large newer entry gives %v, want ErrVersion", err)
	}
}

// A payload type is told from what is broken: the rest of such an entry is in
// order.
func TestPayloadTypes(t *testing.T) {
	valid := mustMarshal(t, fullEntry(t))
	for c := range 256 {
		b := bytes.Clone(valid)
		b[envAt] = byte(c)
		_, err := entry.Parse(b)
		if known := c == 1 || c == 2; known != (err == nil) || !known && !errors.Is(err, entry.ErrPayloadType) {
			t.Errorf("payload type %d: %v", c, err)
		}
		if c == 1 || c == 2 {
			continue
		}
		for what, broken := range map[string][]byte{
			"cut": b[:len(b)-1], "longer": append(bytes.Clone(b), 0),
			"no payload":   append(bytes.Clone(b[:envAt+3+64]), 0, 0),
			"no signature": slices.Replace(bytes.Clone(b), envAt+1, envAt+3+64, 0, 0),
		} {
			if _, err := entry.Parse(broken); err == nil || errors.Is(err, entry.ErrPayloadType) {
				t.Errorf("payload type %d, %s: %v, want another error", c, what, err)
			}
		}
	}
}

// Every claim about a user's word is whole: assurance, user and key set, or
// none of them.
func TestClaims(t *testing.T) {
	for assurance := range uint8(5) {
		for _, u := range []string{"", user} {
			for _, keySet := range []int64{-1, 0, 3} {
				e := plainEntry(t)
				e.Stamp.Assurance, e.Stamp.User, e.Stamp.KeySetEntry = assurance, u, keySet
				_, err := e.Marshal()
				whole := assurance == 0 && u == "" && keySet == -1 || assurance >= 1 && assurance <= entry.MaxAssurance && u != "" && keySet >= 0
				if whole != (err == nil) {
					t.Errorf("assurance %d, user %q, key set %d: %v", assurance, u, keySet, err)
				}
			}
		}
	}
}

// Offsets of fullEntry's fields, from the package comment.
const (
	userAt  = 67
	usesAt  = userAt + 28
	limitAt = usesAt + 1
	totalAt = limitAt + 43
	apprAt  = totalAt + 1 + len("48000.5")
	envAt   = apprAt + 49
)

func TestParseRefusals(t *testing.T) {
	valid := mustMarshal(t, fullEntry(t))
	put64 := func(at int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], v); return b }
	}
	put := func(at int, s string) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], s); return b }
	}
	// splice replaces n bytes by s.
	splice := func(at, n int, s string) func([]byte) []byte {
		return func(b []byte) []byte { return slices.Replace(b, at, at+n, []byte(s)...) }
	}
	total := func(s string) func([]byte) []byte {
		return splice(totalAt, 1+len("48000.5"), string(rune(len(s)))+s)
	}
	sigAt := envAt + 3
	payloadAt := sigAt + 64
	tests := []struct {
		name  string
		spoil func([]byte) []byte
	}{
		{"negative log time", put64(1, 1<<63)},
		{"log time of all ones", put64(1, math.MaxUint64)},
		{"negative registry count", put64(9, 1<<63)},
		{"negative key entry", put64(49, 1<<63)},
		{"no key entry", put64(49, math.MaxUint64)},
		{"assurance 3", put(57, "\x03")},
		{"assurance 255", put(57, "\xff")},
		{"negative key set entry", put64(58, math.MaxUint64-1)},
		{"key set entry just negative", put64(58, 1<<63)},
		{"user in upper case", put(userAt, "U")},
		{"user is a session", put(userAt, "x")},
		{"user is shorter", splice(66, 2, "\x1b")},
		{"user of one byte", splice(66, 29, "\x01u")},
		{"assurance 0 with a user and a key set", put(57, "\x00")},
		{"assurance without a key set", put64(58, math.MaxUint64)},
		{"assurance without a user", splice(66, 29, "\x00")},
		{"33 uses", put(usesAt, "\x21")},
		{"255 uses", put(usesAt, "\xff")},
		{"more uses than follow", put(usesAt, "\x03")},
		{"fewer uses than follow", put(usesAt, "\x01")},
		{"use of kind 0", put(limitAt, "\x00")},
		{"use of kind 3", put(limitAt, "\x03")},
		{"negative previous use of a limit", put64(limitAt+35, 1<<63)},
		{"negative previous use of an approval", put64(apprAt+33, 1<<63)},
		{"negative denial", put64(apprAt+41, math.MaxUint64-1)},
		{"total longer than what is left", put(totalAt, "\xff")},
		{"payload type 0", put(envAt, "\x00")},
		{"payload type 3", put(envAt, "\x03")},
		{"no signature", splice(envAt+1, 2+64, "\x00\x00")},
		{"signature too long", splice(envAt+1, 2+64, "\x02\x01"+string(filler(513)))},
		{"no payload", func(b []byte) []byte { return append(b[:payloadAt], 0, 0) }},
		{"payload too long", func(b []byte) []byte {
			return append(binary.BigEndian.AppendUint16(b[:payloadAt], record.MaxPayload+1), make([]byte, record.MaxPayload+1)...)
		}},
		{"payload length one less", func(b []byte) []byte {
			binary.BigEndian.PutUint16(b[payloadAt:], binary.BigEndian.Uint16(b[payloadAt:])-1)
			return b
		}},
		{"more bytes than an entry has", func(b []byte) []byte { return append(b, make([]byte, entry.MaxSize+1-len(b))...) }},
	}
	for _, s := range badTotals {
		tests = append(tests, struct {
			name  string
			spoil func([]byte) []byte
		}{"total " + s, total(s)})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.spoil(bytes.Clone(valid))
			if bytes.Equal(b, valid) {
				t.Fatal("the test changes nothing")
			}
			if e, err := entry.Parse(b); err == nil {
				t.Errorf("accepted as %+v", e.Stamp)
			} else if errors.Is(err, entry.ErrVersion) {
				t.Errorf("refused as a version: %v", err)
			}
		})
	}
	for _, s := range goodTotals {
		if e, err := entry.Parse(total(s)(bytes.Clone(valid))); err != nil || e.Stamp.Uses[0].Total != s {
			t.Errorf("total %q: %v", s, err)
		}
	}
}

// A sum has one form: no leading zeros, no zeros at the end of a fraction.
var (
	goodTotals = []string{"0", "1", "10", "0.5", "0.000000001", "48000.5", "1234567890123456789012345678", "123456789012345678.123456789"}
	badTotals  = []string{
		"", "00", "01", "-1", "+1", "1.", ".5", "0.50", "1.0", "0.0", "1.2.3", "1e3", " 1", "1 ", "1,5", "0x1", "٣",
		"0.1234567890", "0.1234567891", "12345678901234567890123456789",
	}
)

// The largest record with the most use stamps fits: admission of a record
// never depends on how much is drawn on.
func TestLargestEntryFits(t *testing.T) {
	e := fullEntry(t)
	e.Stamp.Uses = nil
	for range entry.MaxUses {
		u := limitUse()
		u.Total = "123456789012345678.123456789"
		e.Stamp.Uses = append(e.Stamp.Uses, u)
	}
	e.Envelope.Signature, e.Envelope.Payload = make([]byte, record.MaxSignature), make([]byte, record.MaxPayload)
	b := mustMarshal(t, e)
	if len(b) > entry.MaxSize {
		t.Errorf("has %d bytes, at most %d are allowed", len(b), entry.MaxSize)
	}
	if _, err := entry.Parse(b); err != nil {
		t.Error(err)
	}
}

func TestMarshalRefusals(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*entry.Entry)
	}{
		{"negative log time", func(e *entry.Entry) { e.Stamp.LogTime = -1 }},
		{"negative registry count", func(e *entry.Entry) { e.Stamp.RegistryCount = -1 }},
		{"negative key entry", func(e *entry.Entry) { e.Stamp.KeyEntry = -1 }},
		{"key set entry -2", func(e *entry.Entry) { e.Stamp.KeySetEntry = -2 }},
		{"assurance 3", func(e *entry.Entry) { e.Stamp.Assurance = 3 }},
		{"user is a name", func(e *entry.Entry) { e.Stamp.User = "alice" }},
		{"assurance without a user", func(e *entry.Entry) { e.Stamp.User = "" }},
		{"assurance without a key set", func(e *entry.Entry) { e.Stamp.KeySetEntry = -1 }},
		{"user without assurance", func(e *entry.Entry) { e.Stamp.Assurance, e.Stamp.KeySetEntry = 0, -1 }},
		{"key set without assurance", func(e *entry.Entry) { e.Stamp.Assurance, e.Stamp.User = 0, "" }},
		{"33 uses", func(e *entry.Entry) { e.Stamp.Uses = make([]entry.Use, 33) }},
		{"total with a zero at its end", func(e *entry.Entry) { e.Stamp.Uses[0].Total = "1.50" }},
		{"no total", func(e *entry.Entry) { e.Stamp.Uses[0].Total = "" }},
		{"previous use -2", func(e *entry.Entry) { e.Stamp.Uses[0].Previous = -2 }},
		{"previous use of an approval -2", func(e *entry.Entry) { e.Stamp.Uses[1].Previous = -2 }},
		{"denial -2", func(e *entry.Entry) { e.Stamp.Uses[1].Denial = -2 }},
		{"payload too long", func(e *entry.Entry) { e.Envelope.Payload = make([]byte, record.MaxPayload+1) }},
		{"signature too long", func(e *entry.Entry) { e.Envelope.Signature = make([]byte, record.MaxSignature+1) }},
		// Parse refuses these, and Marshal writes exactly what Parse accepts.
		{"no payload", func(e *entry.Entry) { e.Envelope.Payload = nil }},
		{"no signature", func(e *entry.Entry) { e.Envelope.Signature = nil }},
		{"payload type 0", func(e *entry.Entry) { e.Envelope.Type = 0 }},
		{"payload type 3", func(e *entry.Entry) { e.Envelope.Type = 3 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := fullEntry(t)
			tt.spoil(e)
			b, err := e.Marshal()
			if err == nil {
				t.Errorf("wrote %d bytes; want an error", len(b))
			}
		})
	}
	env := plainEntry(t).Envelope
	if _, err := entry.Assemble(make([]byte, entry.MaxSize), env); err == nil {
		t.Error("Assemble wrote an entry of more than the bytes allowed")
	}
}

// The envelope of a parsed entry shares the leaf's memory, but appending to
// its parts does not write into their neighbours.
func TestParsedPartsDoNotOverlap(t *testing.T) {
	b := mustMarshal(t, fullEntry(t))
	before := bytes.Clone(b)
	e, err := entry.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(e.Envelope.Signature, strings.Repeat("x", 8)...)
	if !bytes.Equal(b, before) {
		t.Error("an append to the signature wrote into the leaf")
	}
}
