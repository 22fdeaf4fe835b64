package credential

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds nested JSON: eight actors in a token stay well below.
const maxDepth = 24

// parseObject reads one JSON object without duplicate members. encoding/json
// would take the last of two members, ignore the case of names and replace
// invalid UTF-8, so that two readers could see different claims. RFC 7515,
// section 4: a header with duplicate names is to be refused; here all are.
func parseObject(b []byte) (map[string]any, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("is not UTF-8")
	}
	if !json.Valid(b) { // also refuses trailing data
		return nil, errors.New("is not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object")
	}
	return m, nil
}

func readJSON(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested deeper than %d", maxDepth)
	}
	tok, err := d.Token()
	if err != nil {
		return nil, errors.New("is not JSON")
	}
	switch tok {
	case json.Delim('{'):
		m := map[string]any{}
		for d.More() {
			tok, err := d.Token()
			name, ok := tok.(string)
			if err != nil || !ok {
				return nil, errors.New("is not JSON")
			}
			if _, twice := m[name]; twice {
				return nil, fmt.Errorf("has two members %s", quote(name))
			}
			if m[name], err = readJSON(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return tok, nil
}

// decode64 reads base64url as RFC 7515, section 2, has it: without padding,
// line breaks and bits that mean nothing, so that bytes have one spelling.
func decode64(s string) ([]byte, error) {
	// encoding/base64 skips CR and LF, even when strict.
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// An object reads the members of a JSON object and keeps the first error. What
// is absent reads as the zero value; required members are asked for with need.
type object struct {
	m      map[string]any
	path   string // before the names of members: "token."
	reason string
	next   string
	err    *error // shared with the objects inside
}

func newObject(m map[string]any, path, reason, next string) *object {
	return &object{m: m, path: path, reason: reason, next: next, err: new(error)}
}

func (o *object) fail(name, detail string) {
	if *o.err == nil {
		*o.err = refuse(o.reason, o.path+name, detail, o.next)
	}
}

func (o *object) need(names ...string) {
	for _, name := range names {
		if _, ok := o.m[name]; !ok {
			o.fail(name, "is missing")
		}
	}
}

// text reads a string of at most max bytes without control characters.
func (o *object) text(name string, max int) string {
	v, ok := o.m[name]
	if !ok {
		return ""
	}
	return o.asText(name, v, max)
}

func (o *object) asText(name string, v any, max int) string {
	s, ok := v.(string)
	switch {
	case !ok:
		o.fail(name, "is not a string")
	case len(s) > max:
		o.fail(name, fmt.Sprintf("has %d bytes, at most %d are allowed", len(s), max))
	case strings.ContainsFunc(s, unicode.IsControl):
		o.fail(name, "has control characters")
	default:
		return s
	}
	return ""
}

// texts reads an array of at most n non-empty strings.
func (o *object) texts(name string, n, max int) []string {
	var all []string
	for i, v := range o.list(name, n) {
		field := fmt.Sprintf("%s[%d]", name, i)
		s := o.asText(field, v, max)
		if s == "" {
			o.fail(field, "is empty")
		}
		all = append(all, s)
	}
	return all
}

func (o *object) list(name string, n int) []any {
	v, ok := o.m[name]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		o.fail(name, "is not an array")
		return nil
	}
	if len(list) > n {
		o.fail(name, fmt.Sprintf("has %d entries, at most %d are allowed", len(list), n))
		return nil
	}
	return list
}

// object reads an object inside; nil if absent.
func (o *object) object(name string) *object {
	v, ok := o.m[name]
	if !ok {
		return nil
	}
	return o.asObject(name, v)
}

func (o *object) asObject(name string, v any) *object {
	m, ok := v.(map[string]any)
	if !ok {
		o.fail(name, "is not an object")
		return nil
	}
	return &object{m: m, path: o.path + name + ".", reason: o.reason, next: o.next, err: o.err}
}

// when reads an RFC 7519 NumericDate: seconds since 1970, perhaps with a
// fraction. Signs and exponents are refused: no issuer writes them.
func (o *object) when(name string) time.Time {
	v, ok := o.m[name]
	if !ok {
		return time.Time{}
	}
	n, ok := v.(json.Number)
	if !ok || !isPlainNumber(string(n)) {
		o.fail(name, "is not a number of seconds")
		return time.Time{}
	}
	whole, frac, _ := strings.Cut(string(n), ".")
	if len(whole) > 11 || len(frac) > 9 { // year 5138
		o.fail(name, "is out of range")
		return time.Time{}
	}
	return time.Unix(atoi(whole), atoi((frac + "000000000")[:9])).UTC()
}

// isPlainNumber reports whether s is digits, perhaps a dot and more digits.
func isPlainNumber(s string) bool {
	whole, frac, dot := strings.Cut(s, ".")
	return isDigits(whole) && (!dot || isDigits(frac))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// atoi reads up to 18 digits.
func atoi(s string) int64 {
	var n int64
	for i := range len(s) {
		n = 10*n + int64(s[i]-'0')
	}
	return n
}
