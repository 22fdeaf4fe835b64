package record_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

func atLocation(s string) func(*onusv1.Record) {
	return inAction(func(e *onusv1.ScopeElement) { e.Location = s })
}

// A location covers by path prefix, so a location has one spelling.
func TestLocations(t *testing.T) {
	for _, s := range []string{
		"https://erp.example.com", "https://erp.example.com/orders/", "http://erp.example.com/orders",
		"https://erp.example.com:8443/Orders/a%20b", "https://erp.example.com:80/x", "http://erp.example.com:443/x",
		"https://erp.example.com:1/x", "https://erp.example.com:65535/x",
		"https://[2001:db8::1]/x", "https://[2001:db8::1]:8443/x", "https://[::1]", "https://127.0.0.1:8787/x", "https://1.example.com/x",
		"urn:example:orders", "urn:example:a/b", "file:///etc/hosts", "file:///", "file://nas/share", "arn:aws:s3:::bucket/key",
		"k8s://cluster/ns", "spiffe://example.com/planner", "spiffe://example.com", "mailto:orders", "x:/a/b",
		"git+ssh://host.example/repo", "https://erp.example.com/a..b/...", "https://erp.example.com/a;v=1/b,c/(d)",
		"https://erp.example.com/@me/a:b/~x/$y/c=d&e!'f'", "https://erp.example.com/%C3%A4/%22%3C%3E%5E%60%7B%7C%7D%3F%23%5B%5D",
	} {
		testAccepted(t, decision, []acceptance{{s, atLocation(s)}})
	}
	for what, list := range map[string][]string{
		"no URL":              {"orders", "/orders", "//host/orders", ":x", "urn:", "ht tp://x/", "1 2:x", "1x:y", "+x:y"},
		"upper-case scheme":   {"Https://erp.example.com/x"},
		"no host":             {"https:///orders", "https://", "https:/orders", "https:orders", "http:x", "k8s://", "k8s:///ns", "https://:8443/x"},
		"upper-case host":     {"https://ERP.example.com/x", "k8s://Cluster/ns", "https://[2001:DB8::1]/x"},
		"user":                {"https://user@erp.example.com/x", "https://u:p@erp.example.com/x", "https://@erp.example.com/x", "ssh://git@host.example/x"},
		"encoded host":        {"https://erp%2Eexample.com/x", "https://%65rp.example.com/x", "https://erp.example.com%3A8443/x", "https://[fe80::1%25eth0]/x"},
		"host beyond ASCII":   {"https://bücher.example/x"},
		"dots in the host":    {"https://erp.example.com./x", "https://.example.com/x", "https://erp..example.com/x", "https://./x", "https://erp.example.com.:8443/x"},
		"host's characters":   {"https://erp!example.com/x", "https://a,b/x", "https://a;b/x", "https://a=b/x", "https://a*b/x", "https://*.example.com/x", "https://a[b/x"},
		"odd address":         {"https://127.1/x", "https://2130706433/x", "https://0x7f.0.0.1/x", "https://127.0.0.0x1/x", "https://127.0.0.01/x", "https://1.2.3.4.5/x", "https://256.0.0.1/x"},
		"odd IPv6 address":    {"https://[2001:db8:0::1]/x", "https://[2001:0db8::1]/x", "https://[0:0:0:0:0:0:0:1]/x", "https://[127.0.0.1]/x", "https://[::1/x", "https://[]/x", "https://[::1]x/y", "https://[fe80::1%eth0]/x"},
		"port":                {"https://erp.example.com:/x", "https://erp.example.com:0/x", "https://erp.example.com:08443/x", "https://erp.example.com:65536/x", "https://erp.example.com:+1/x", "https://erp.example.com:http/x", "https://erp.example.com:-1/x"},
		"the scheme's port":   {"https://erp.example.com:443/x", "http://erp.example.com:80/x", "https://[::1]:443/x", "wss://erp.example.com:443/x"},
		"slash alone":         {"https://erp.example.com/", "k8s://cluster/", "https://[::1]/", "https://erp.example.com:8443/"},
		"relative":            {"https://erp.example.com/a/../b", "https://erp.example.com/..", "https://erp.example.com/./a", "https://erp.example.com/a/.", "urn:example:a/../x", "urn:../x", "file:../etc/hosts", "file:./x", "urn:..", "file:///a/../b", "x:..", "x:./a", "x:/../a"},
		"relative with words": {"https://erp.example.com/a/..;x/b", "https://erp.example.com/.;/b", "https://erp.example.com/..;", "https://erp.example.com/;x/b", "https://erp.example.com/a/;", "x:..;v=1"},
		"empty":               {"https://erp.example.com//a", "https://erp.example.com/a//b", "https://erp.example.com/a//", "file:////etc", "x://", "x:///a"},
		"other file":          {"file:/etc/hosts", "file://", "file:etc", "file://localhost/etc/hosts", "file://NAS/x"},
		"other URN":           {"urn:Example:x", "urn:example", "urn:example:", "urn::x", "urn:ex_ample:x"},
		"hidden":              {"https://erp.example.com/%2e%2e/a", "https://erp.example.com/%2E./a", "https://erp.example.com/a%2fb", "https://erp.example.com/a%2Fb", "https://erp.example.com/a%5cb", "https://erp.example.com/a%5Cb"},
		"encoded twice":       {"https://erp.example.com/%252E%252E/a", "https://erp.example.com/%25", "https://erp.example.com/100%25"},
		"encoded control":     {"https://erp.example.com/a%00", "https://erp.example.com/a%0A", "https://erp.example.com/a%7F", "https://erp.example.com/a%C2%85b", "https://erp.example.com/a%E2%80%AEb", "https://erp.example.com/a%EF%BB%BF"},
		"encoded overlong":    {"https://erp.example.com/%C0%AF", "https://erp.example.com/%E0%80%AF", "https://erp.example.com/%FF", "https://erp.example.com/%ED%A0%80", "https://erp.example.com/%C3"},
		"encoded lower case":  {"https://erp.example.com/%c3%a4", "https://erp.example.com/%3c", "https://erp.example.com/%C3%a4"},
		"encoded needlessly":  {"https://erp.example.com/%61dmin", "https://erp.example.com/%7Euser", "https://erp.example.com/%3B", "https://erp.example.com/%40me", "https://erp.example.com/%3A", "urn:example:%61"},
		"encoding broken":     {"https://erp.example.com/%zz", "https://erp.example.com/%", "https://erp.example.com/%2", "https://erp.example.com/%C3%A", "https://erp.example.com/% 20"},
		"query and fragment":  {"https://erp.example.com/a#b", "https://erp.example.com/a?b=c", "https://erp.example.com?b=c", `https://erp.example.com/a\b`, `https://erp.example.com\a`},
		"not as they are":     {`https://erp.example.com/a"b`, "https://erp.example.com/<a>", "https://erp.example.com/a^b", "https://erp.example.com/a`b", "https://erp.example.com/{id}", "https://erp.example.com/a|b", "https://erp.example.com/a[0]", "urn:example:{x}"},
		"not printable":       {"https://erp.example.com/a b", "https://erp.example.com/a\n", "https://erp.example.com/ä"},
		"too long":            {"https://erp.example.com/" + strings.Repeat("a", 1024), "https://" + strings.Repeat("a", 254) + "/x"},
	} {
		for _, s := range list {
			testRefusals(t, decision, []refusal{{what + "/" + s, "stages.action.element.location", atLocation(s)}})
		}
	}
}

// What covers by prefix needs no wildcard, in a request as in an action; and
// one that is encoded is one.
func TestLocationsHaveNoWildcard(t *testing.T) {
	for _, s := range []string{"*", "https://erp.example.com/*", "https://erp.example.com/a/*/b", "https://erp.example.com/a*", "urn:example:*", "https://erp.example.com/%2A"} {
		testRefusals(t, decision, []refusal{
			{"done/" + s, "stages.action.element.location", atLocation(s)},
			{"requested/" + s, "stages.intent.requested[0].location", inRequest(func(e *onusv1.ScopeElement) { e.Location = s })},
		})
	}
}
