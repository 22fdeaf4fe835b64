package tree_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/tree"
)

// A shape is a policy over four witnesses with up to two groups. Members are
// bits: witnesses 0 to 3, and 4 for the first group.
type shape struct {
	s1, k1 int // the first group: members, and how many are needed
	s2, k2 int // the second; no members means that it is not there
	quorum string
}

func members(set int) (names []string) {
	for i, n := range []string{"w0", "w1", "w2", "w3", "g"} {
		if set>>i&1 == 1 {
			names = append(names, n)
		}
	}
	return names
}

func (s shape) policy(t *testing.T, ws []cosigner) *tree.Policy {
	var lines []string
	for i, w := range ws {
		lines = append(lines, fmt.Sprintf("witness w%d %s", i, w.key))
	}
	lines = append(lines, fmt.Sprintf("group g %d %s", s.k1, strings.Join(members(s.s1), " ")))
	if s.s2 != 0 {
		lines = append(lines, fmt.Sprintf("group h %d %s", s.k2, strings.Join(members(s.s2), " ")))
	}
	return mustPolicy(t, append(lines, "quorum "+s.quorum)...)
}

// satisfied says by counting names, and by no code of the package, whether
// the witnesses in set make the quorum.
func (s shape) satisfied(name string, set int) bool {
	count := func(of, need int) bool {
		for _, m := range members(of) {
			if s.satisfied(m, set) {
				need--
			}
		}
		return need <= 0
	}
	switch name {
	case "none":
		return true
	case "g":
		return count(s.s1, s.k1)
	case "h":
		return count(s.s2, s.k2)
	}
	return set>>(name[1]-'0')&1 == 1
}

// helps says by trying whether witness i can ever be what a quorum lacks,
// once those in set have signed.
func (s shape) helps(i, set int) bool {
	for more := range 16 {
		if more&set == set && more>>i&1 == 0 && !s.satisfied(s.quorum, more) && s.satisfied(s.quorum, more|1<<i) {
			return true
		}
	}
	return false
}

func everyShape(visit func(shape)) {
	for s1 := 1; s1 < 16; s1++ {
		for k1 := 1; k1 <= len(members(s1)); k1++ {
			for s2 := range 32 {
				if s2&s1 != 0 {
					continue // nobody counts twice
				}
				for k2 := 1; k2 <= max(1, len(members(s2))); k2++ {
					quorums := []string{"h"}
					if s2 == 0 {
						quorums = []string{"none", "w0", "w3", "g"}
					}
					for _, q := range quorums {
						visit(shape{s1, k1, s2, k2, q})
					}
				}
			}
		}
	}
}

// Every policy over four witnesses and two groups, and every set of those who
// signed, against a count that shares no code with ours.
func TestQuorumExhaustive(t *testing.T) {
	ws := cosigners(t, 4)
	shapes := 0
	everyShape(func(s shape) {
		shapes++
		p := s.policy(t, ws)
		for set := range 16 {
			var cosigned []tree.Cosignature
			var want []string
			for i, w := range ws {
				if set>>i&1 == 1 {
					cosigned = append(cosigned, tree.Cosignature{Key: w.key})
				}
				if s.helps(i, set) {
					want = append(want, fmt.Sprintf("w%d", i))
				}
			}
			ok := s.satisfied(s.quorum, set)
			if got := p.Satisfied(cosigned); got != ok {
				t.Fatalf("%04b signed: Satisfied = %v, want %v, of\n%s", set, got, ok, p)
			}
			if got := p.Missing(cosigned); !slices.Equal(got, want) {
				t.Fatalf("%04b signed: Missing = %q, want %q, of\n%s", set, got, want, p)
			}
			if err := p.Check(cosigned); (err == nil) != ok {
				t.Fatalf("%04b signed: Check = %v, want satisfied = %v, of\n%s", set, err, ok, p)
			}
		}
	})
	if shapes < 300 {
		t.Errorf("only %d policies were tried", shapes)
	}
}

// The bound is the first second by which those who had signed are enough, in
// whatever order they come.
func TestEarliestCosignedExhaustive(t *testing.T) {
	ws := cosigners(t, 4)
	for _, s := range []shape{
		{0b0001, 1, 0, 1, "w0"}, {0b0001, 1, 0, 1, "none"}, {0b0111, 2, 0, 1, "g"}, {0b1111, 1, 0, 1, "g"}, {0b1111, 4, 0, 1, "g"},
		{0b0011, 2, 0b11100, 2, "h"}, {0b0110, 1, 0b11001, 3, "h"}, {0b0111, 2, 0b11000, 1, "h"},
	} {
		p := s.policy(t, ws)
		for times := range 256 { // two bits each: 0 is nothing signed
			var cosigned []tree.Cosignature
			by := [4]int{} // who had signed by then
			for i, w := range ws {
				when := times >> (2 * i) & 3
				if when == 0 {
					continue
				}
				cosigned = append(cosigned, tree.Cosignature{Key: w.key, Time: int64(when)})
				for u := when; u < 4; u++ {
					by[u] |= 1 << i
				}
			}
			want := int64(0)
			for u := 3; u > 0 && s.quorum != "none"; u-- {
				if s.satisfied(s.quorum, by[u]) {
					want = int64(u)
				}
			}
			for range 2 {
				got, ok := p.EarliestCosigned(cosigned)
				if got != want || ok != (want > 0) {
					t.Fatalf("%04o: EarliestCosigned = %d, %v, want %d, of\n%s", times, got, ok, want, p)
				}
				slices.Reverse(cosigned)
			}
		}
	}
	// One witness with several times counts from its first.
	p := shape{0b0011, 2, 0, 1, "g"}.policy(t, ws)
	got, ok := p.EarliestCosigned([]tree.Cosignature{{Key: ws[0].key, Time: 9}, {Key: ws[1].key, Time: 5}, {Key: ws[0].key, Time: 3}})
	if got != 5 || !ok {
		t.Errorf("signed twice: %d, %v, want 5", got, ok)
	}
}

// Who counts is who holds the key, not who bears the name.
func TestQuorumCountsKeys(t *testing.T) {
	ws := cosigners(t, 3)
	p := anyOf(t, ws[0], ws[1])
	for _, tt := range []struct {
		what string
		c    tree.Cosignature
		want bool
	}{
		{"the witness", tree.Cosignature{Witness: "w0", Key: ws[0].key}, true},
		{"its key under another policy's name", tree.Cosignature{Witness: "other", Key: ws[1].key}, true},
		{"its name with another key", tree.Cosignature{Witness: "w0", Key: ws[2].key}, false},
		{"its name alone", tree.Cosignature{Witness: "w0"}, false},
		{"nobody", tree.Cosignature{}, false},
	} {
		if got := p.Satisfied([]tree.Cosignature{tt.c}); got != tt.want {
			t.Errorf("%s: satisfied = %v, want %v", tt.what, got, tt.want)
		}
	}
	both := mustPolicy(t, strings.TrimSuffix(strings.NewReplacer("any", "all").Replace(p.String()), "\n"))
	if both.Satisfied([]tree.Cosignature{{Key: ws[0].key, Time: 1}, {Key: ws[0].key, Time: 2}}) {
		t.Error("one witness counted twice")
	}
	for _, zero := range []*tree.Policy{nil, {}} {
		if _, ok := zero.EarliestCosigned([]tree.Cosignature{{}}); ok || zero.Satisfied([]tree.Cosignature{{}}) || zero.Check(nil) == nil || zero.Missing(nil) != nil {
			t.Error("no policy at all is satisfied")
		}
	}
}

func TestQuorumCheckSaysWhatIsMissing(t *testing.T) {
	lines, ws := examplePolicy(t)
	example := mustPolicy(t, lines...)
	single := mustPolicy(t, "witness W\u202e "+ws[0].key.String(), "quorum W\u202e")
	for _, tt := range []struct {
		p       *tree.Policy
		signed  []int
		want    string
		missing []string
	}{
		{example, nil, `the quorum is not met: group "X-and-Y" has 0 of 2, without "X-witnesses", "Y-witnesses"; group "Y-witnesses" has 0 of 1, without "Y1", "Y2", "Y3"; group "X-witnesses" has 0 of 2, without "X1", "X2", "X3"`,
			[]string{"X1", "X2", "X3", "Y1", "Y2", "Y3"}},
		{example, []int{0, 4}, `the quorum is not met: group "X-and-Y" has 1 of 2, without "X-witnesses"; group "X-witnesses" has 1 of 2, without "X2", "X3"`,
			[]string{"X2", "X3"}},
		{example, []int{0, 1}, `the quorum is not met: group "X-and-Y" has 1 of 2, without "Y-witnesses"; group "Y-witnesses" has 0 of 1, without "Y1", "Y2", "Y3"`,
			[]string{"Y1", "Y2", "Y3"}},
		{example, []int{0, 1, 5}, "", nil},
		{single, []int{1}, `the quorum is not met: witness "W\u202e" has not cosigned`, []string{"W\u202e"}},
		{single, []int{0}, "", nil},
	} {
		var cosigned []tree.Cosignature
		for _, i := range tt.signed {
			cosigned = append(cosigned, tree.Cosignature{Key: ws[i].key})
		}
		got := ""
		if err := tt.p.Check(cosigned); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%v signed:\ngot  %s\nwant %s", tt.signed, got, tt.want)
		}
		if diff := cmp.Diff(tt.missing, tt.p.Missing(cosigned)); diff != "" {
			t.Errorf("%v signed: Missing (-want +got)\n%s", tt.signed, diff)
		}
	}
}
