package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// printMessage prints a message as ProtoJSON, indented the same every time.
func printMessage(w io.Writer, m proto.Message) error {
	b, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	return printJSON(w, json.RawMessage(b))
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// count says how many of what there are.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// quote shows text from a record on one line. What could move the cursor,
// hide or reorder text is escaped, so that a record cannot imitate our words.
func quote(s string, limit int) string {
	r := []rune(s)
	cut := ""
	if len(r) > limit {
		r, cut = r[:limit], "…"
	}
	var b strings.Builder
	for _, c := range r {
		switch {
		case c == '\n' || c == '\t':
			b.WriteByte(' ')
		case c < ' ' || c >= 0x7f && c < 0xa0 || isBidi(c) || c == 0xfffd:
			fmt.Fprintf(&b, "\\u%04x", c)
		default:
			b.WriteRune(c)
		}
	}
	return "“" + b.String() + cut + "”"
}

// isBidi reports whether c changes the direction or visibility of text.
func isBidi(c rune) bool {
	return c >= 0x200b && c <= 0x200f || c >= 0x2028 && c <= 0x202e || c >= 0x2060 && c <= 0x206f || c == 0xfeff || c == 0x061c
}
