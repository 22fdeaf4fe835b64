package desk

import (
	"strings"
	"testing"
)

// A word with the sign that parts a location from an identifier is found across
// it, wherever else the sign stands; and however often it is in the word, the
// texts are gone through once: a thousand passes over a large log would keep the
// desk from its readers for minutes.
func TestWordsAcrossItems(t *testing.T) {
	ts := newTerms()
	shop := ts.add(kindResource, 0, "https://Shop.example/a#b")
	item := ts.add(kindResource, shop, "#C#7")
	other := ts.add(kindResource, ts.add(kindResource, 0, "https://x.example"), "#c#7")
	for word, want := range map[string][2]bool{
		"#c#7": {true, true}, "b#c": {true, false}, "a#b#c#7": {true, false}, "shop.example/a#b#c": {true, false}, "example#c": {false, true},
		"#c#8": {}, "b##c": {}, "a" + strings.Repeat("#", 999): {}, "#": {true, true},
	} {
		set := ts.newSet()
		ts.containing(word, set)
		if got := [2]bool{set.has(item), set.has(other)}; got != want {
			t.Errorf("%.20q: %v, want %v", word, got, want)
		}
	}
}
