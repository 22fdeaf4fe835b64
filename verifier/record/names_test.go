package record_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// SPIFFE-ID, section 2.
var (
	goodSPIFFE = []string{
		"spiffe://example.com/planner",
		"spiffe://example.com/ns/prod/sa/planner",
		"spiffe://a/b",
		"spiffe://1.2.3.4/service",
		"spiffe://a_b-c.d/E.f_G-9",
		"spiffe://example.com/...",
		"spiffe://" + strings.Repeat("t", 255) + "/p",
		"spiffe://t/" + strings.Repeat("p", 2048-len("spiffe://t/")),
	}
	badSPIFFE = []string{
		"planner",
		"https://example.com/planner",
		"SPIFFE://example.com/planner",
		"spiffe:/example.com/planner",
		"spiffe:example.com/planner",
		" spiffe://example.com/planner",
		"spiffe://",
		"spiffe:///planner",
		"spiffe://./planner",
		"spiffe://.../planner",
		"spiffe://example.com",
		"spiffe://example.com/",
		"spiffe://Example.com/planner",
		"spiffe://EXAMPLE.COM/planner",
		"spiffe://example.com:8443/planner",
		"spiffe://user@example.com/planner",
		"spiffe://user:pw@example.com/planner",
		"spiffe://exämple.com/planner",
		"spiffe://example%2ecom/planner",
		"spiffe://[::1]/planner",
		"spiffe://example.com/planner?x=1",
		"spiffe://example.com?x=1",
		"spiffe://example.com/planner#a",
		"spiffe://example.com/planner/",
		"spiffe://example.com//planner",
		"spiffe://example.com/a//planner",
		"spiffe://example.com/.",
		"spiffe://example.com/..",
		"spiffe://example.com/./planner",
		"spiffe://example.com/../planner",
		"spiffe://example.com/a/../planner",
		"spiffe://example.com/a/..",
		"spiffe://example.com/%70lanner",
		"spiffe://example.com/pl%2Fanner",
		"spiffe://example.com/pl anner",
		"spiffe://example.com/planner\n",
		"spiffe://example.com/plänner",
		`spiffe://example.com/pl\anner`,
		"spiffe://example.com/pl*",
		"spiffe://example.com/pl:anner",
		"spiffe://example.com/pl+anner",
		"spiffe://example.com/pl~anner",
		"spiffe://" + strings.Repeat("t", 256) + "/p",
		"spiffe://t/" + strings.Repeat("p", 2049-len("spiffe://t/")),
	}
)

func TestSPIFFE(t *testing.T) {
	for _, s := range goodSPIFFE {
		if why := record.CheckSPIFFE(s); why != "" {
			t.Errorf("CheckSPIFFE(%.80q) = %q, want none", s, why)
		}
	}
	for _, s := range append(badSPIFFE, "") {
		if record.CheckSPIFFE(s) == "" {
			t.Errorf("CheckSPIFFE(%.80q) found nothing wrong", s)
		}
	}
	for _, s := range badSPIFFE {
		testRefusals(t, decision, []refusal{
			{"author/" + s, "author.agent", func(m *onusv1.Record) { m.Author.Agent = s }},
			{"parent/" + s, "parent_agent", func(m *onusv1.Record) { m.ParentAgent = s }},
			{"asks/" + s, "asks", func(m *onusv1.Record) { m.Asks = s }},
		})
	}
}

func TestPseudonyms(t *testing.T) {
	for _, s := range []string{"u-abcdefghijklmnopqrstuvwxyz", "u-22222222222222777777777777"} {
		if !record.IsPseudonym(s, record.UserPrefix) {
			t.Errorf("IsPseudonym(%q) = false", s)
		}
		if record.IsPseudonym(s, record.SessionPrefix, record.SubjectPrefix) {
			t.Errorf("IsPseudonym(%q) under other prefixes = true", s)
		}
		if !record.IsPseudonym(s, record.SubjectPrefix, record.UserPrefix) {
			t.Errorf("IsPseudonym(%q) under the second of two prefixes = false", s)
		}
		if record.IsPseudonym(s) {
			t.Errorf("IsPseudonym(%q) under no prefix = true", s)
		}
	}
	for _, s := range []string{"", "u-", "alice", "U-abcdefghijklmnopqrstuvwxyz", "u-abcdefghijklmnopqrstuvwxy", "u-abcdefghijklmnopqrstuvwxyz2", "u-abcdefghijklmnopqrstuvwxy0", "u-abcdefghijklmnopqrstuvwxy\n"} {
		if record.IsPseudonym(s, record.UserPrefix) {
			t.Errorf("IsPseudonym(%q) = true", s)
		}
	}
}
