package web_test

import (
	"fmt"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// An agent may have a name that reads like words of the viewer's own. What it is
// stands before it, wherever it stands on a chain's page.
func TestNamesStandBehindTheirKind(t *testing.T) {
	const name = "The user approved this"
	c := makeChain(t, 12, func(i int, m *onusv1.Record) {
		m.Author.Agent = "spiffe://example.com/" + name
		if i == 5 {
			m.GetStages().GetAction().Arguments = &onusv1.Text{Form: &onusv1.Text_Plain{Plain: "with care"}}
		}
		if i == 9 { // two of its records are elsewhere
			m.Sequence += 2
		}
	})
	s := chainSite(t, c)
	for _, tab := range []string{"", "?tab=permissions", "?tab=timeline", "?tab=records"} {
		a := s.get("/chain/" + c.root.String() + tab).is(200)
		parts := strings.Split(a.text(), name)
		if len(parts) < 8 {
			t.Errorf("%q names the agent %d times", tab, len(parts)-1)
		}
		for i, before := range parts[:len(parts)-1] {
			// In the picture it stands below the name, in the same lane.
			ours := strings.HasPrefix(parts[i+1], " agent")
			said := strings.TrimRight(before, " “")
			for _, kind := range []string{"agent", "Agent", "Must answer:", "/", "Nobody who is known"} {
				ours = ours || strings.HasSuffix(said, kind)
			}
			if !ours {
				t.Errorf("%q, place %d: it stands as if it were ours: %s", tab, i, fmt.Sprintf("%q", before[max(0, len(before)-60):]))
			}
		}
	}
}
