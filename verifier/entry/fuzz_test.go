package entry_test

import (
	"bytes"
	"testing"

	"github.com/onus-ledger/onus/verifier/entry"
)

// FuzzParse: what is accepted is what Marshal writes, byte for byte.
func FuzzParse(f *testing.F) {
	f.Add(mustMarshal(f, plainEntry(f)))
	f.Add(mustMarshal(f, fullEntry(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := entry.Parse(b)
		if err != nil {
			return
		}
		got, err := e.Marshal()
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("marshalled anew: %v\n%x\nwas\n%x", err, got, b)
		}
		stamp, err := entry.Split(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err = entry.Assemble(stamp, e.Envelope)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("assembled anew: %v\n%x\nwas\n%x", err, got, b)
		}
	})
}

func FuzzParseStamp(f *testing.F) {
	for _, e := range []*entry.Entry{plainEntry(f), fullEntry(f)} {
		b, err := e.Stamp.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := entry.ParseStamp(b)
		if err != nil {
			return
		}
		got, err := s.Marshal()
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("marshalled anew: %v\n%x\nwas\n%x", err, got, b)
		}
	})
}
