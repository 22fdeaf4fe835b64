package record

import "strings"

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
	if why := checkTrustDomain(td); why != "" {
		return why
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

// checkTrustDomain reports what keeps s from being the name of a trust domain,
// or "". SPIFFE-ID, section 2.1.
func checkTrustDomain(s string) string {
	switch {
	case s == "":
		return "has no trust domain"
	case len(s) > 255:
		return "has a trust domain of more than 255 bytes"
	case !only(s, "abcdefghijklmnopqrstuvwxyz0123456789.-_"):
		return "has a trust domain with characters other than a-z 0-9 . - _"
	case only(s, "."):
		return "has a trust domain of dots alone"
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

// IsOperatorID reports whether s is the id of an operator: a path of names.
// Ids become parts of URLs and files, so no segment is relative.
func IsOperatorID(s string) bool {
	if !isName(s, 64, operatorChars) {
		return false
	}
	for seg := range strings.SplitSeq(s, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return false
		}
	}
	return true
}

// isReviewerName reports whether s is the name of a reviewer.
func isReviewerName(s string) bool { return isName(s, 64, adminChars) }

// isInstance reports whether s is the name of an instance.
func isInstance(s string) bool {
	return isName(s, 64, instanceChars) && s != "." && s != ".."
}

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

// isKeyID reports whether s has the form of an RFC 7638 thumbprint: 43
// characters of base64url.
func isKeyID(s string) bool { return len(s) == 43 && only(s, alnum+"-_") }
