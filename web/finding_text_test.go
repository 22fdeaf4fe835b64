package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
	"golang.org/x/net/html"
)

// A record's page words its findings as the chain's page does.
func TestFindingsReadAlike(t *testing.T) {
	s := newSite(t, "S4")
	root := s.caseWith(chain.OutsideAuthority).String()
	var records strings.Builder
	for _, e := range s.log.entries {
		records.WriteString(s.get("/record/"+e.Record.ID.String()).is(http.StatusOK).text() + "\n")
	}
	why := all(s.get("/chain/"+root).is(http.StatusOK).doc, func(n *html.Node) bool {
		class, _ := attr(n, "class")
		return n.Data == "p" && class == "why"
	})
	if len(why) < 3 {
		t.Fatalf("the chain's page has %d findings", len(why))
	}
	for _, n := range why {
		if text := textOf(n); !strings.Contains(records.String(), text) {
			t.Errorf("no record's page says %q", text)
		}
	}
}

// A column's head does not say the zone that its cells say.
func TestZoneOnce(t *testing.T) {
	s := newSite(t, "S4")
	pages := []string{"/agents", "/operators", "/users", "/grants", "/revocations", "/records"}
	for _, path := range slices.Clone(pages) {
		for _, href := range s.get(path).is(http.StatusOK).links() {
			if strings.HasPrefix(href, path+"?id=") {
				pages = append(pages, href)
			}
		}
	}
	zones := 0
	for _, path := range pages {
		page := s.get(path).is(http.StatusOK)
		for _, th := range all(page.doc, func(n *html.Node) bool { return n.Data == "th" }) {
			if text := textOf(th); strings.Contains(text, "UTC") {
				t.Errorf("%s: the column %q, whose cells say it too", path, text)
			}
		}
		zones += strings.Count(page.body, `<span class="zone">UTC</span>`)
	}
	if zones == 0 {
		t.Error("no page says the zone of its times")
	}
}
