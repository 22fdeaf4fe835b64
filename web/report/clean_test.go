package report

import (
	"strings"
	"testing"
)

// What is shown as it is needs no look in the tables, and a text that has one sign
// more which does is shown the same but for that.
func TestCleanPlain(t *testing.T) {
	for c := range 0x80 {
		for _, s := range []string{string(rune(c)), "a" + string(rune(c)) + "b"} {
			want, ok := strings.CutSuffix(Clean(s+"é"), "é")
			if !ok {
				t.Fatalf("%q and a letter: %q", s, Clean(s+"é"))
			}
			if got := Clean(s); got != want {
				t.Errorf("%q: %q, want %q", s, got, want)
			}
			if got := Clean(s); isPlain(s) != (got == s) {
				t.Errorf("%q is plain: %t, and becomes %q", s, isPlain(s), got)
			}
		}
	}
	long := strings.Repeat("x", maxWords)
	if got := Clean(long); got != long {
		t.Errorf("the longest text becomes %.20q", got)
	}
	if got, want := Clean(long+"yz"), long+"… [2 more bytes]"; got != want {
		t.Errorf("a longer one ends with %q", got[len(got)-20:])
	}
}
