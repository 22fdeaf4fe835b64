package record

import (
	"encoding/hex"
	"strings"
)

// CheckSPIFFE reports what keeps s from being the SPIFFE ID of a workload, or
// "" if nothing does. SPIFFE-ID, section 2.
func CheckSPIFFE(s string) string {
	const scheme = "spiffe://"
	if len(s) > 2048 {
		return "has more than 2,048 bytes"
	}
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return "does not begin with spiffe://"
	}
	td, path, _ := strings.Cut(rest, "/")
	if td == "" {
		return "has no trust domain"
	}
	if len(td) > 255 {
		return "has a trust domain of more than 255 bytes"
	}
	if !only(td, "abcdefghijklmnopqrstuvwxyz0123456789.-_") {
		return "has a trust domain with characters other than a-z 0-9 . - _"
	}
	if path == "" {
		return "has no path"
	}
	for seg := range strings.SplitSeq(path, "/") {
		switch {
		case seg == "":
			return "has an empty path segment"
		case seg == "." || seg == "..":
			return "has a relative path segment"
		case !only(seg, alnum+".-_"):
			return "has a path with characters other than a-z A-Z 0-9 . - _"
		}
	}
	return ""
}

const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// CheckOrigin reports what keeps s from being a log's origin, or "".
// c2sp.org/tlog-checkpoint, c2sp.org/signed-note: non-empty, no Unicode
// spaces, no plus sign. Onus asks for printable ASCII.
func CheckOrigin(s string) string {
	if s == "" || len(s) > 255 {
		return "has not 1 to 255 bytes"
	}
	if strings.Contains(s, "+") || !printable(s) {
		return "has a space, a plus sign or a character that is not printable ASCII"
	}
	return ""
}

// The prefixes of pseudonyms.
const (
	UserPrefix    = "u-"
	SubjectPrefix = "s-"
	SessionPrefix = "x-"
)

// IsPseudonym reports whether s has the form of a pseudonym with one of the
// prefixes: the prefix and 26 characters of a-z 2-7, which hold 128 random
// bits.
func IsPseudonym(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return len(rest) == 26 && only(rest, "abcdefghijklmnopqrstuvwxyz234567")
		}
	}
	return false
}

// isName reports whether s has 1 to n bytes, all from chars.
func isName(s string, n int, chars string) bool {
	return s != "" && len(s) <= n && only(s, chars)
}

const (
	instanceChars = alnum + "._-"
	operatorChars = "abcdefghijklmnopqrstuvwxyz0123456789._-/"
	adminChars    = "abcdefghijklmnopqrstuvwxyz0123456789._-"
)

func only(s, chars string) bool {
	for i := range len(s) {
		if strings.IndexByte(chars, s[i]) < 0 {
			return false
		}
	}
	return true
}

// printable reports whether s is ASCII without spaces and control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// checkLocation reports what keeps s from being a location, or "". A grant's
// location covers by path-segment prefix, so a path has one spelling only:
// no relative or empty segments, nothing hidden by percent-encoding.
func checkLocation(s string) string {
	if len(s) > 1024 || !printable(s) {
		return "has more than 1,024 bytes, a space or a character that is not printable ASCII"
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !isName(scheme, 64, "abcdefghijklmnopqrstuvwxyz0123456789+.-") || rest == "" {
		return "is not a URL or URN with a lower-case scheme"
	}
	if strings.ContainsAny(s, "#?\\") {
		return "has a fragment, a query or a backslash"
	}
	low := strings.ToLower(rest)
	for _, enc := range []string{"%2e", "%2f", "%5c", "%00"} {
		if strings.Contains(low, enc) {
			return "hides " + enc + " in percent-encoding"
		}
	}
	for i := 0; i < len(rest); i++ {
		if rest[i] != '%' {
			continue
		}
		b, err := hex.DecodeString(rest[i+1 : min(i+3, len(rest))])
		if err != nil || len(b) != 1 || strings.IndexByte(alnum+"-._~", b[0]) >= 0 {
			return "has percent-encoding that is broken or not needed"
		}
	}
	path := rest
	authority, hasAuthority := strings.CutPrefix(rest, "//")
	if hasAuthority {
		authority, path, _ = strings.Cut(authority, "/")
	} else {
		path = strings.TrimPrefix(path, "/")
	}
	if hasAuthority && ((authority == "" && scheme != "file") || strings.Contains(authority, "@") || authority != strings.ToLower(authority)) {
		return "has no host, a user name, or a host with upper-case letters"
	}
	segs := strings.Split(path, "/")
	for i, seg := range segs {
		if seg == "." || seg == ".." || (seg == "" && i < len(segs)-1) {
			return "has a relative or empty path segment"
		}
	}
	return ""
}

// isDecimal reports whether s is a decimal without sign and exponent: up to
// 18 digits, no leading zeros, up to 9 decimals.
func isDecimal(s string) bool {
	whole, frac, dot := strings.Cut(s, ".")
	const digits = "0123456789"
	if !isName(whole, 18, digits) || (len(whole) > 1 && whole[0] == '0') {
		return false
	}
	return !dot || isName(frac, 9, digits)
}

func isZeroDecimal(s string) bool { return only(s, "0.") }
