package record

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// FuzzScanWire: what the strict reader accepts, the protobuf runtime reads
// too, and drops or merges nothing of it: the message's own encoding is as
// long as the payload, less the fields that were sent with their default
// value.
func FuzzScanWire(f *testing.F) {
	seed, err := proto.Marshal(&onusv1.Record{
		Origin: "o", Nonce: []byte("n"), Author: &onusv1.Author{Agent: "a"}, Capture: 1,
		ClaimedTime: &timestamppb.Timestamp{Seconds: 1, Nanos: 2}, Causes: []string{"c", "d"},
		Body: &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: 1, Result: &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "p"}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0x08, 0x01})
	f.Add([]byte{0x20, 0x80, 0x80, 0x80, 0x80, 0x08}) // capture 2^31: as an int32 it is -2^31
	f.Fuzz(func(t *testing.T, b []byte) {
		if scanWire(b, wireRecord) != nil {
			return
		}
		var m onusv1.Record
		if err := proto.Unmarshal(b, &m); err != nil {
			t.Fatalf("the strict reader accepted what the runtime refuses: %v", err)
		}
		if n := len(m.ProtoReflect().GetUnknown()); n != 0 {
			t.Fatalf("%d unknown bytes", n)
		}
		own, err := proto.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if len(own) > len(b) {
			t.Fatalf("the message has %d bytes, its payload had %d", len(own), len(b))
		}
		if err := scanWire(own, wireRecord); err != nil {
			t.Fatalf("the message's own encoding is refused: %v", err)
		}
	})
}

// minimalVarint reads what protowire writes, and no other form of it.
func FuzzMinimalVarint(f *testing.F) {
	f.Add([]byte{0x80, 0x00})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, n := minimalVarint(b)
		want, wantN := protowire.ConsumeVarint(b)
		switch {
		case n > 0:
			if v != want || n != wantN || n != protowire.SizeVarint(v) {
				t.Fatalf("minimalVarint(%x) = %d, %d; protowire has %d, %d", b, v, n, want, wantN)
			}
		case wantN > 0 && wantN == protowire.SizeVarint(want):
			t.Fatalf("minimalVarint(%x) refuses the shortest form of %d", b, want)
		}
	})
}

// FuzzCheckLocation: a location that is accepted has no second spelling that
// net/url, or a reader that decodes percent-encoding, takes for the same.
func FuzzCheckLocation(f *testing.F) {
	for _, s := range []string{"https://erp.example.com/a%20b", "https://[2001:db8::1]:8443/x", "urn:example:a", "file:///etc", "https://127.0.0.1/x;y", "x:/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkLocation(s) != "" {
			return
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Fatalf("%q is accepted, but net/url refuses it: %v", s, err)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || u.Scheme != strings.ToLower(u.Scheme) || u.Host != strings.ToLower(u.Host) {
			t.Fatalf("%q reads as %+v", s, u)
		}
		plain := u.Path
		if u.Opaque != "" {
			if plain, err = url.PathUnescape(u.Opaque); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
		}
		if !utf8.ValidString(plain) || strings.ContainsAny(plain, "%\\*\x00") || strings.Count(plain, "/") != strings.Count(u.EscapedPath()+u.Opaque, "/") {
			t.Fatalf("%q hides something: %q", s, plain)
		}
		if c := path.Clean(u.Path); u.Path != "" && c != u.Path && c+"/" != u.Path {
			t.Fatalf("%q has a path that is not clean: %q", s, c)
		}
		for _, other := range []string{s + "/", strings.ToUpper(s[:1]) + s[1:], strings.Replace(s, "//", "//@", 1), s + "?", s + "#"} {
			if other == s+"/" && (u.Path != "" || u.Opaque != "") {
				continue // another place
			}
			if other != s && checkLocation(other) == "" {
				t.Fatalf("%q and %q are both accepted", s, other)
			}
		}
	})
}
