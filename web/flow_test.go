package web

import (
	"html/template"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
)

// Lines break at the joints of long words, never in a pseudonym, and no tag
// gets through.
func TestFlow(t *testing.T) {
	const user = "u-iebr5bxkyrhaag7khbn3ecvxra"
	for in, want := range map[string]string{
		"":                                      "",
		"order:create at shop.example.com":      "order:create at shop.example.com",
		"48000.50 e.g. well-known":              "48000.50 e.g. well-known",
		"k8s.example.com/api/v1/pods/check-100": "k8s.<wbr>example.<wbr>com/<wbr>api/<wbr>v1/<wbr>pods/<wbr>check-<wbr>100",
		"https://shop.example.com/orders/":      "https://<wbr>shop.<wbr>example.<wbr>com/<wbr>orders/",
		"by “" + user + "”, who":                `by <span class="nowrap">“` + user + `”,</span> who`,
		"<b>/<script>alert(1)</script>":         "&lt;b&gt;/<wbr>&lt;script&gt;alert(1)&lt;/<wbr>script&gt;",
		"ä-ä/äääääääääääääääääääää":             "ä-<wbr>ä/<wbr>äääääääääääääääääääää",
	} {
		if got := string(flow(in)); got != want {
			t.Errorf("flow(%q) = %q, want %q", in, got, want)
		}
	}
	if got := string(idHTML(user)); !strings.Contains(got, `class="id nowrap"`) {
		t.Errorf("a pseudonym may break: %s", got)
	}
}

// Beside a severity stands how many findings are of it, and not how many there
// are in all.
func TestTallied(t *testing.T) {
	mark := func(s chain.Severity) string { return string(severityMark(s)) }
	for _, x := range []struct {
		t    tally
		want string
	}{
		{nil, "0"},
		{tally{chain.High: 0}, "0"},
		{tally{chain.Info: 33}, `<span class="tally">33 ` + mark(chain.Info) + `</span>`},
		{tally{chain.High: 6, chain.Warn: 1, chain.Info: 659}, `<span class="tally">6 ` + mark(chain.High) + `</span> <span class="sub">and 660 lesser</span>`},
		{tally{chain.Critical: 1, chain.High: 12000}, `<span class="tally">1 ` + mark(chain.Critical) + `</span> <span class="sub">and 12` + thin + `000 lesser</span>`},
	} {
		if got := tallied(x.t); got != template.HTML(x.want) {
			t.Errorf("%v: %s, want %s", x.t, got, x.want)
		}
	}
}

func TestBegun(t *testing.T) {
	for in, want := range map[string]string{
		"was logged after it.":                   "Was logged after it",
		"élève wrote":                            "Élève wrote",
		"“x” was said":                           "“x” was said",
		"prices:read is outside it":              "prices:read is outside it",
		"u-" + strings.Repeat("a", 26) + " gave": "u-" + strings.Repeat("a", 26) + " gave",
		"3 grants end.":                          "3 grants end",
		"":                                       "",
	} {
		if got := begun(in); got != want {
			t.Errorf("begun(%q) = %q, want %q", in, got, want)
		}
	}
}
