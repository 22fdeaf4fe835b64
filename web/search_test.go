package web

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSearch(t *testing.T) {
	for _, c := range []struct {
		field string
		words []string
		by    map[string]string
	}{
		{"", nil, nil},
		{"  laptops  budget ", []string{"laptops", "budget"}, nil},
		{`"hardware shop" x`, []string{"hardware shop", "x"}, nil},
		{"agent:spiffe://example.com/planner", nil, map[string]string{"agent": "spiffe://example.com/planner"}},
		{"spiffe://example.com/planner", []string{"spiffe://example.com/planner"}, nil},
		{"k8s.pods:get", []string{"k8s.pods:get"}, nil},
		{"op:k8s.pods:get", nil, map[string]string{"op": "k8s.pods:get"}},
		{`outcome:"outside authority"`, nil, map[string]string{"outcome": "outside"}},
		{"outcome:outside-authority finding:limit_exceeded", nil, map[string]string{"outcome": "outside", "finding": "LIMIT_EXCEEDED"}},
		{"amount>1000 EUR laptops", []string{"laptops"}, map[string]string{"min": "1000", "currency": "EUR"}},
		{"amount>=1000.50EUR amount<2000 EUR", nil, map[string]string{"min": "1000.50", "max": "2000", "currency": "EUR"}},
		{"operator:it/platform is:open review:false-alarm", nil, map[string]string{"unit": "it/platform", "open": "yes", "review": "false-alarm"}},
		{"since:2026-11-01 until:2026-11-25T18:00", nil, map[string]string{"since": "2026-11-01", "until": "2026-11-25T18:00:00Z"}},
		{"user:a user:a", nil, map[string]string{"user": "a"}},
		{"amounts: x", []string{"amounts:", "x"}, nil},
	} {
		s, err := parseSearch(c.field)
		if err != nil {
			t.Errorf("%q: %v", c.field, err)
			continue
		}
		if d := cmp.Diff(c.words, s.Words); d != "" {
			t.Errorf("%q: words: %s", c.field, d)
		}
		if d := cmp.Diff(c.by, s.by); d != "" {
			t.Errorf("%q: filters: %s", c.field, d)
		}
	}
}

func TestParseSearchRefuses(t *testing.T) {
	for field, want := range map[string]string{
		strings.Repeat("a", 1001):          "1001 bytes",
		strings.Repeat("a ", 25):           "25 parts",
		`"open`:                            "not closed",
		"agent:":                           "nothing comes after",
		"agent: x":                         "nothing comes after",
		`user:""`:                          "nothing comes after",
		"user:a user:b":                    "asked for twice",
		"outcome:fine":                     "none of broken",
		"finding:NO_SUCH":                  "no finding's code",
		"severity:grave":                   "none of critical",
		"amount>1000":                      "in which unit",
		"amount>many EUR":                  "no number",
		"amount> EUR":                      "nothing comes after",
		"since:yesterday":                  "no day",
		"since:2026-02-30":                 "no day",
		"session:x-1":                      "not the pseudonym",
		"review:done":                      "none of open",
		"open:maybe":                       "is yes",
		"user:" + strings.Repeat("a", 201): "201 bytes",
		"amount>1 EUR amount<2 USD":        "asked for twice",
		"amount>" + strings.Repeat("9", 29) + " EUR": "no number",
	} {
		_, err := parseSearch(field)
		if err == nil {
			t.Errorf("%q is taken", field)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", field, err, want)
		}
	}
}

func TestQueryOfSearch(t *testing.T) {
	for field, want := range map[string]string{
		"since:2026-11-02 until:2026-11-01": "ends before it begins",
	} {
		s, err := parseSearch(field)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.query(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", field, err, want)
		}
	}
	s, err := parseSearch("since:2026-11-25 until:2026-11-25")
	if err != nil {
		t.Fatal(err)
	}
	q, err := s.query()
	if err != nil || q.Before-q.Since != 24*60*60*1000 {
		t.Errorf("one day is %d ms: %v", q.Before-q.Since, err)
	}
}

// FuzzParseSearch: whatever is typed is refused, or read into values that are
// read the same again.
func FuzzParseSearch(f *testing.F) {
	for _, s := range []string{"laptops", `agent:"a b" x`, "amount>1000 EUR", "outcome:outside is:open", "since:2026-11-01", "user:", `"`, "op:a:b amount<1.5EUR", "\xff:\x00", "is:open:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		s, err := parseSearch(field)
		if err != nil {
			return
		}
		for name, value := range s.by {
			fl, ok := filterOf(name)
			if !ok {
				t.Fatalf("%q: a filter %q", field, name)
			}
			again, err := fl.check(value)
			if err != nil || again != value {
				t.Fatalf("%q: %s is %q, and read again %q: %v", field, name, value, again, err)
			}
		}
		if len(s.Words) > maxTerms || len(s.by) > len(filters) {
			t.Fatalf("%q: %d words", field, len(s.Words))
		}
		s.query() // must not panic
	})
}
