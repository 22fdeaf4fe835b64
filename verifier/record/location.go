package record

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pathChars may stand in a location's path as they are: RFC 3986's pchar and
// the slash, less "*". Of all other characters, those that may stand there
// percent-encoded must be. So each character has one spelling.
const pathChars = alnum + "-._~!$&'()+,;=:@/"

// defaultPorts are left out: with and without them it is the same place.
var defaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}

// checkLocation reports what keeps s from being a location, or "".
//
// A location covers all below it, by path-segment prefix; that is why "*"
// stands nowhere in it. A prefix can be compared only if a place has one
// spelling, so whatever RFC 3986, section 6.2, or a URL's reader would make
// equal to something else is refused: upper case where case does not count, a
// default port, a trailing dot or an odd form of an address in the host, a
// path of a slash alone, relative and empty segments, percent-encoding that is
// not needed, lower-case hex, and bytes that a reader might decode once more.
// What a scheme of its own makes equal is not known here.
func checkLocation(s string) string {
	if len(s) > 1024 || !printable(s) {
		return "has more than 1,024 bytes, a space or a character that is not printable ASCII"
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !isName(scheme, 64, "abcdefghijklmnopqrstuvwxyz0123456789+.-") || scheme[0] < 'a' || rest == "" {
		return "is not a URL or URN with a lower-case scheme"
	}
	path := rest
	authority, hasAuthority := strings.CutPrefix(rest, "//")
	if hasAuthority {
		var slash bool
		authority, path, slash = strings.Cut(authority, "/")
		if slash && path == "" && authority != "" {
			return "ends with the slash after the host, which is the same as without it"
		}
	}
	switch {
	case (scheme == "http" || scheme == "https") && !hasAuthority:
		return "has no // and host"
	case scheme == "file" && (!hasAuthority || authority == "localhost" || rest == "//"):
		return "is another spelling of file:///"
	case scheme == "urn":
		// RFC 8141, section 3.1: the namespace's case does not count.
		nid, nss, _ := strings.Cut(rest, ":")
		if !isName(nid, 32, "abcdefghijklmnopqrstuvwxyz0123456789-") || nss == "" {
			return "is not urn:, a namespace in lower case, a colon and a name"
		}
	}
	if hasAuthority && (authority != "" || scheme != "file") {
		if why := checkAuthority(scheme, authority); why != "" {
			return why
		}
	}
	return checkPath(path, hasAuthority)
}

// checkAuthority: a host and maybe a port. A user name is refused, since it
// reads as a host, and so is percent-encoding.
func checkAuthority(scheme, s string) string {
	host, port, hasPort := s, "", false
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port, hasPort = s[:i], s[i+1:], true
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "has a port that is not a number from 1 to 65535 without leading zeros"
		}
		if defaultPorts[scheme] == port {
			return "has the scheme's own port, which is the same as without it"
		}
	}
	if v6, ok := strings.CutPrefix(host, "["); ok {
		v6, ok = strings.CutSuffix(v6, "]")
		if a, err := netip.ParseAddr(v6); !ok || err != nil || !a.Is6() || a.Zone() != "" || a.String() != v6 {
			return "has an IPv6 address that is not in its shortest form"
		}
		return ""
	}
	if !isName(host, 253, "abcdefghijklmnopqrstuvwxyz0123456789.-_") {
		return "has no host, or one with characters other than a-z 0-9 . - _"
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" {
			return "has a host that begins or ends with a dot, or has two in a row"
		}
		last = label
	}
	// WHATWG URL, "ends in a number": such a host is read as an IPv4 address,
	// and 127.1, 0x7f.1 and 2130706433 are all 127.0.0.1.
	if only(last, "0123456789") || strings.HasPrefix(last, "0x") && only(last[2:], "0123456789abcdef") {
		if a, err := netip.ParseAddr(host); err != nil || a.String() != host {
			return "has an IPv4 address that is not four decimals without leading zeros"
		}
	}
	return ""
}

func checkPath(path string, hasAuthority bool) string {
	if strings.Contains(path, "%") {
		if why := checkPercent(path); why != "" {
			return why
		}
	} else if !only(path, pathChars) {
		return badPathChar
	}
	if !hasAuthority {
		path = strings.TrimPrefix(path, "/")
	}
	const why = "has a relative or empty path segment"
	if strings.HasPrefix(path, "/") || strings.Contains(path, "//") {
		return why
	}
	for seg := range strings.SplitSeq(path, "/") {
		// Some servers cut a segment at ";" and then resolve what is left.
		name, _, params := strings.Cut(seg, ";")
		if name == "." || name == ".." || name == "" && params {
			return why
		}
	}
	return ""
}

const badPathChar = "has a character that must be percent-encoded, a fragment, a query, a backslash or *"

// checkPercent checks the characters of a path with percent-encoding.
func checkPercent(path string) string {
	plain := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' {
			if strings.IndexByte(pathChars, c) < 0 {
				return badPathChar
			}
			plain = append(plain, c)
			continue
		}
		digits := path[i+1 : min(i+3, len(path))]
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != 1 || digits != strings.ToUpper(digits) {
			return "has percent-encoding that is not % and two digits in upper case"
		}
		if strings.IndexByte(pathChars, b[0]) >= 0 {
			return "has percent-encoding that is not needed or hides a slash"
		}
		// Encoded once more, a separator to some, or a wildcard.
		if strings.IndexByte(`%\*`, b[0]) >= 0 {
			return "hides %, a backslash or * in percent-encoding"
		}
		plain = append(plain, b[0])
		i += 2
	}
	// Not UTF-8: %C0%AF is a slash to a careless reader.
	if !utf8.Valid(plain) || hasUnseen(string(plain)) {
		return "hides characters that are not seen, or bytes that are not UTF-8, in percent-encoding"
	}
	return ""
}
