package record

import (
	"net/url"
	"strings"
)

// CheckIssuer reports what keeps s from being the URL of an issuer of tokens,
// or "". OpenID Connect Core, section 2: https, without query and fragment.
// Plain http is for issuers on this machine.
func CheckIssuer(s string) string {
	if strings.ContainsAny(s, "?#") {
		return "has a query or a fragment"
	}
	return checkHTTPS(s)
}

// checkHTTPS reports what keeps s from being an https URL, or an http one on
// this machine; whoever stands in between could put in keys of their own.
// Upper case and the like are left as they are: an issuer is compared byte for
// byte with what its tokens say.
func checkHTTPS(s string) string {
	if len(s) > maxClaim || !printable(s) {
		return "has more than 1,024 bytes, a space or a character that is not printable ASCII"
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "is not a URL"
	case u.Scheme != "https" && !isLocalHTTP(u):
		return "is not an https URL, or http on this machine"
	case u.Hostname() == "" || u.User != nil || strings.Contains(s, "#"):
		return "has no host, or a user or fragment besides"
	}
	return ""
}

func isLocalHTTP(u *url.URL) bool {
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return u.Scheme == "http"
	}
	return false
}

func (c *checker) issuer(field, s string) {
	if why := CheckIssuer(s); why != "" {
		c.fail(field, why, "use iss as the tokens have it, such as https://login.example.com")
	}
}
