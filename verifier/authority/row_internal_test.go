package authority

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/record"
)

// Each row is written in one way, and read only so.
func FuzzRows(f *testing.F) {
	id := record.ID{1, 2, 3}
	for _, b := range [][]byte{
		version{index: 7, prev: -1, value: []byte("v")}.marshal(),
		limitRow{last: 7, sum: units("12.5")}.marshal(),
		groupRow{counting: 2, confirmed: 1, before: "1.5"}.marshal(),
		actionRow{index: 7, agent: "a", instance: "i", target: target{"t", "a", "l", "i", "r"}, amount: "1.50", limits: []limit{{id, 3}}, again: []string{"12.5"}, own: noneThere}.marshal(),
		proposalRow{index: 7, agent: "a", instance: "i", user: "u", grant: id, element: sumOf("x")}.marshal(),
		answerRow{index: 7, logTime: 8, key: "k", client: "c", proposal: id, expires: -1, user: "u", assurance: 1, why: "w"}.marshal(),
		answeredRow{denies: true, denial: 7}.marshal(),
		usedRow{first: 7}.marshal(),
		tokenRow{index: 7}.marshal(),
		grantRow{index: 7, logTime: 8, assurance: 2, why: "w", env: record.Envelope{Type: record.TypeJSON, Signature: []byte("s"), Payload: []byte("p")}}.marshal(),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		same(t, b, parseVersion)
		same(t, b, parseLimitRow)
		same(t, b, parseGroupRow)
		same(t, b, parseActionRow)
		same(t, b, parseProposalRow)
		same(t, b, parseAnswerRow)
		same(t, b, parseAnsweredRow)
		same(t, b, parseUsedRow)
		same(t, b, parseTokenRow)
		same(t, b, parseGrantRow)
	})
}

func same[T interface{ marshal() []byte }](t *testing.T, b []byte, parse func([]byte) (T, bool)) {
	if v, ok := parse(b); ok && !bytes.Equal(v.marshal(), b) {
		t.Errorf("%x is read as %+v and written as %x", b, v, v.marshal())
	}
}

// Each row that is cut off, or has more at its end, is broken where its end is
// known.
func TestRowsCutOff(t *testing.T) {
	cut := func(name string, b []byte, ok func([]byte) bool) {
		if !ok(b) {
			t.Errorf("%s: not read as written", name)
		}
		for n := range b {
			if ok(b[:n]) {
				t.Errorf("%s: %d of %d bytes are read", name, n, len(b))
			}
		}
		if ok(append(bytes.Clone(b), 0)) {
			t.Errorf("%s: read with a byte after its end", name)
		}
	}
	cut("group", groupRow{counting: 2, confirmed: 2, before: "0"}.marshal(), func(b []byte) bool { _, ok := parseGroupRow(b); return ok })
	cut("proposal", proposalRow{agent: "a", instance: "i", user: "u"}.marshal(), func(b []byte) bool { _, ok := parseProposalRow(b); return ok })
	cut("answer", answerRow{expires: -1, user: "u"}.marshal(), func(b []byte) bool { _, ok := parseAnswerRow(b); return ok })
	cut("answered", answeredRow{denial: -1}.marshal(), func(b []byte) bool { _, ok := parseAnsweredRow(b); return ok })
	cut("used", usedRow{}.marshal(), func(b []byte) bool { _, ok := parseUsedRow(b); return ok })
	// Confirmed effects are counted ones.
	if _, ok := parseGroupRow(groupRow{counting: 1, confirmed: 2, before: "0"}.marshal()); ok {
		t.Error("a group with more confirmed than counted is read")
	}
}

// Decimals are compared with the standard library's fractions.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "1", "0.5", "999999999999999999.999999999", "1.50", "01", "1.", ".1", "-1", "1e3", "", "0.0000000001"} {
		f.Add(s, "3.25")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, ok := parseDecimal(a, 18)
		if !ok {
			return
		}
		rx, ok := new(big.Rat).SetString(a)
		if !ok || strings.ContainsAny(a, "eE/_+-pPxX") {
			t.Fatalf("%q is read as a decimal", a)
		}
		back, ok := parseTotal(decimal(x))
		if !ok || back.Cmp(x) != 0 {
			t.Fatalf("%q is written as %q, which is read as %v", a, decimal(x), back)
		}
		y, ok := parseDecimal(b, 18)
		if !ok {
			return
		}
		ry, _ := new(big.Rat).SetString(b)
		if got, want := x.Cmp(y), rx.Cmp(ry); got != want {
			t.Errorf("%s compared with %s: %d, want %d", a, b, got, want)
		}
		sum := new(big.Rat).SetFrac(new(big.Int).Add(x, y), billion)
		if want := new(big.Rat).Add(rx, ry); sum.Cmp(want) != 0 {
			t.Errorf("%s + %s = %v, want %v", a, b, sum, want)
		}
	})
}

// A sum that no limit can reach still fits a stamp, and still is too much.
func TestTotalBeyond(t *testing.T) {
	most := units("999999999999999999.999999999")
	for _, c := range []struct {
		n    *big.Int
		want string
	}{
		{new(big.Int), "0"},
		{units("48000.50"), "48000.5"},
		{most, "999999999999999999.999999999"},
		{new(big.Int).Add(most, big.NewInt(1)), "1000000000000000000"},
		{new(big.Int).Mul(most, big.NewInt(1000)), "1000000000000000000"},
	} {
		got := total(c.n)
		if got != c.want {
			t.Errorf("total is %s, want %s", got, c.want)
		}
		if n, ok := parseTotal(got); !ok || c.n.Cmp(most) > 0 && n.Cmp(most) <= 0 {
			t.Errorf("total %s is read as %v", got, n)
		}
	}
	for s, want := range map[string]string{"0": "0", "999": "999", "1000": "1,000", "62000.5": "62,000.5", "1234567": "1,234,567"} {
		if got := words(s); got != want {
			t.Errorf("words of %s are %s, want %s", s, got, want)
		}
	}
}
