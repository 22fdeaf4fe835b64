package web

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
)

// Bounds of what is shown of the signed bytes; all of them can be downloaded.
const (
	maxHex  = 4 << 10
	maxJSON = 32 << 10
)

// rawPanel is the bytes that were signed.
type rawPanel struct {
	// Size is how many there are, Type what they say they are.
	Size int
	Type string
	// Hex is a dump of the first bytes, JSON the record as ProtoJSON: the very
	// bytes if they are JSON, which AsSigned says. Cut says that there is more.
	Hex, JSON       string
	HexCut, JSONCut bool
	AsSigned        bool
	Signature       string
}

func rawOf(r *record.Record) (*rawPanel, error) {
	env := r.Envelope
	p := &rawPanel{Size: len(env.Payload), Type: env.Type.String(), Signature: hex.EncodeToString(env.Signature), AsSigned: env.Type == record.TypeJSON}
	p.Hex = strings.TrimSuffix(hex.Dump(env.Payload[:min(len(env.Payload), maxHex)]), "\n")
	p.HexCut = len(env.Payload) > maxHex
	b := env.Payload
	if !p.AsSigned {
		compact, err := protojson.Marshal(r.Msg)
		if err != nil {
			return nil, fmt.Errorf("write record %s as JSON: %w", r.ID, err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, compact, "", "  "); err != nil {
			return nil, fmt.Errorf("write record %s as JSON: %w", r.ID, err)
		}
		b = indented.Bytes()
	}
	p.JSON, p.JSONCut = plainJSON(b, maxJSON)
	return p, nil
}

// plainJSON shows JSON so that nothing in it can look like something else: what
// is not ASCII stands as JSON itself would spell it.
func plainJSON(b []byte, room int) (shown string, cut bool) {
	var out strings.Builder
	for len(b) > 0 {
		if out.Len() > room {
			return out.String(), true
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case r == '\n' || r >= ' ' && r < 0x7f:
			out.WriteRune(r)
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&out, `\x%02x`, b[0])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out.String(), false
}
