package tree_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/tree"
)

// The example of c2sp.org/tlog-policy, with keys.
func examplePolicy(t testing.TB) (lines []string, ws []cosigner) {
	ws = cosigners(t, 6)
	return []string{
		"log " + newSigner(t, origin, 1).Key().String(),
		"",
		"witness X1 " + ws[0].key.String(),
		"witness X2 " + ws[1].key.String(),
		"witness X3 " + ws[2].key.String(),
		"group X-witnesses 2 X1 X2 X3",
		"",
		"witness Y1 " + ws[3].key.String(),
		"witness Y2 " + ws[4].key.String(),
		"witness Y3 " + ws[5].key.String(),
		"group Y-witnesses any Y1 Y2 Y3",
		"",
		"group X-and-Y all X-witnesses Y-witnesses",
		"quorum X-and-Y",
	}, ws
}

func TestPolicyExample(t *testing.T) {
	lines, ws := examplePolicy(t)
	p := mustPolicy(t, lines...)
	if got := p.Logs(); len(got) != 1 || got[0].Key.Origin() != origin || got[0].URL != "" {
		t.Errorf("logs %v", got)
	}
	var want []tree.Witness
	for i, name := range []string{"X1", "X2", "X3", "Y1", "Y2", "Y3"} {
		want = append(want, tree.Witness{Name: name, Key: ws[i].key})
	}
	if diff := cmp.Diff(want, p.Witnesses(), sameKey); diff != "" {
		t.Errorf("witnesses (-want +got)\n%s", diff)
	}
	if p.Quorum() != "X-and-Y" {
		t.Errorf("quorum %q", p.Quorum())
	}
	// Without its empty lines, it is as String writes it.
	text := strings.Join(slices.DeleteFunc(lines, func(s string) bool { return s == "" }), "\n") + "\n"
	if diff := cmp.Diff(text, p.String()); diff != "" {
		t.Errorf("String (-want +got)\n%s", diff)
	}
}

func TestPolicyText(t *testing.T) {
	ws := cosigners(t, 3)
	log1, log2 := newSigner(t, origin, 1).Key().String(), newSigner(t, origin, 2).Key().String()
	k0, k1, k2 := ws[0].key.String(), ws[1].key.String(), ws[2].key.String()
	for _, tt := range []struct{ what, text, want string }{
		{"none", "quorum none\n", "quorum none\n"},
		{"spaces, tabs, comments, empty lines",
			"\n \t\n# quorum w\n\t# another\n#\n \twitness\tw  " + k0 + " \t\n quorum \t w\t\n\n# end\n",
			"witness w " + k0 + "\nquorum w\n"},
		{"addresses",
			"log " + log1 + " https://log.example/\nwitness w " + k0 + " http://127.0.0.1:7380/w?x#y\nquorum w\n",
			"log " + log1 + " https://log.example/\nwitness w " + k0 + " http://127.0.0.1:7380/w?x#y\nquorum w\n"},
		{"addresses and comments in UTF-8, and not",
			"# Zürich \xff\nwitness w " + k0 + " https://bücher.example/\nquorum w\n",
			"witness w " + k0 + " https://bücher.example/\nquorum w\n"},
		{"names are octets",
			"witness K " + k0 + "\nwitness \u212a " + k1 + "\nwitness \x80\xff " + k2 + "\ngroup a\u00a0b all K \u212a \x80\xff\nquorum a\u00a0b\n",
			"witness K " + k0 + "\nwitness \u212a " + k1 + "\nwitness \x80\xff " + k2 + "\ngroup a\u00a0b all K \u212a \x80\xff\nquorum a\u00a0b\n"},
		{"keywords are names too",
			"witness all " + k0 + "\nwitness any " + k1 + "\nwitness #1 " + k2 + "\ngroup quorum 2 all any #1\nquorum quorum\n",
			"witness all " + k0 + "\nwitness any " + k1 + "\nwitness #1 " + k2 + "\ngroup quorum 2 all any #1\nquorum quorum\n"},
		{"logs anywhere, and witnesses after the quorum",
			"witness w " + k0 + "\nquorum w\nlog " + log2 + "\nwitness v " + k1 + "\nlog " + log1 + "\n",
			"log " + log2 + "\nlog " + log1 + "\nwitness w " + k0 + "\nwitness v " + k1 + "\nquorum w\n"},
		{"a quorum that leaves a group out",
			"witness w " + k0 + "\nwitness v " + k1 + "\ngroup g any w v\nquorum w\n",
			"witness w " + k0 + "\nwitness v " + k1 + "\ngroup g any w v\nquorum w\n"},
		{"thresholds stay as written",
			"witness w " + k0 + "\nwitness v " + k1 + "\nwitness u " + k2 + "\ngroup g 1 w\ngroup h 3 g u v\nquorum h\n",
			"witness w " + k0 + "\nwitness v " + k1 + "\nwitness u " + k2 + "\ngroup g 1 w\ngroup h 3 g u v\nquorum h\n"},
	} {
		p, err := tree.ParsePolicy([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.what, err)
			continue
		}
		if diff := cmp.Diff(tt.want, p.String()); diff != "" {
			t.Errorf("%s: String (-want +got)\n%s", tt.what, diff)
		}
		again, err := tree.ParsePolicy([]byte(p.String()))
		if err != nil || again.String() != p.String() {
			t.Errorf("%s: does not come back: %v", tt.what, err)
		}
	}
	if s := (&tree.Policy{}).String(); s != "" {
		t.Errorf("the zero policy is written as %q", s)
	}
}

func TestPolicyRefusals(t *testing.T) {
	ws := cosigners(t, 3)
	log := newSigner(t, origin, 1).Key().String()
	a, b := "witness a "+ws[0].key.String()+"\n", "witness b "+ws[1].key.String()+"\n"
	ab := a + b
	renamed := newCosigner(t, "impostor.example", 100).key.String()
	self := newCosigner(t, "w.example", 1).key.String()
	for _, tt := range []struct{ text, want string }{
		{"", "the policy has no quorum line: end it with quorum and the name of a witness or group, or none"},
		{"# nothing\n" + a, "the policy has no quorum line: end it with quorum and the name of a witness or group, or none"},
		{"quorum none", "policy line 1: the last line does not end in a newline: the file may be cut"},
		{"quorum none\n# x", "policy line 2: the last line does not end in a newline: the file may be cut"},
		{"quorum none\n ", "policy line 2: the last line does not end in a newline: the file may be cut"},

		{"\n#\nquorum none\r\n", "policy line 3: a carriage return is not allowed: lines end in a newline alone"},
		{"# \x00\nquorum none\n", "policy line 1: the control character 0x00 is not allowed"},
		{"# \x0b\nquorum none\n", "policy line 1: the control character 0x0b is not allowed"},
		{"# \x1f\nquorum none\n", "policy line 1: the control character 0x1f is not allowed"},
		{"# \x7f\nquorum none\n", "policy line 1: the control character 0x7f is not allowed"},
		{"\ufeffquorum none\n", `policy line 1: "\ufeffquorum" begins no line of a policy: use log, witness, group or quorum, and # for a comment`},
		{"Quorum none\n", `policy line 1: "Quorum" begins no line of a policy: use log, witness, group or quorum, and # for a comment`},

		{"log\nquorum none\n", "policy line 1: a log has a key and perhaps an address, this has 0 words"},
		{"log " + log + " https://x.example/ y\nquorum none\n", "policy line 1: a log has a key and perhaps an address, this has 3 words"},
		{"log x\nquorum none\n", "policy line 1: log: not a verifier key: malformed verifier id"},
		{"log " + ws[0].key.String() + "\nquorum none\n", "policy line 1: log: not a verifier key: unknown verifier algorithm"},
		{"log " + log + "\n\nlog " + newSigner(t, "other.example", 1).Key().String() + "\nquorum none\n", "policy line 3: the log has the public key of the log of line 1"},
		{"log " + log + " log.example\nquorum none\n", `policy line 1: "log.example" is no http or https address`},
		{"log " + log + " ftp://log.example/\nquorum none\n", `policy line 1: "ftp://log.example/" is no http or https address`},
		{"log " + log + " https:///x\nquorum none\n", `policy line 1: "https:///x" is no http or https address`},
		{"log " + log + " https://[x/\nquorum none\n", `policy line 1: "https://[x/" is no http or https address`},
		{"log " + log + " #comment\nquorum none\n", `policy line 1: "#comment" is no http or https address`},

		{"witness a\nquorum none\n", "policy line 1: a witness has a name, a key and perhaps an address, this has 1 words"},
		{strings.TrimSpace(a) + " https://a.example/ # ours\nquorum a\n", "policy line 1: a witness has a name, a key and perhaps an address, this has 5 words"},
		{strings.TrimSpace(a) + " #ours\nquorum a\n", `policy line 1: "#ours" is no http or https address`},
		{"witness a x\nquorum none\n", `policy line 1: witness "a": not a verifier key: it has three parts, name+id+key`},
		{"witness a " + log + "\nquorum a\n", `policy line 1: witness "a": the verifier key has type 0x01, which signs notes, as logs do: a witness cosigns with type 0x04`},
		{"witness none " + ws[0].key.String() + "\nquorum none\n", `policy line 1: the name "none" is reserved for a quorum without witnesses`},
		{ab + "witness a " + ws[2].key.String() + "\nquorum a\n", `policy line 3: the name "a" is taken, by line 1`},
		{ab + "witness c " + ws[0].key.String() + "\nquorum a\n", `policy line 3: witness "c" has the public key of witness "a", of line 1`},
		{ab + "witness c " + renamed + "\nquorum a\n", `policy line 3: witness "c" has the public key of witness "a", of line 1`},
		{"log " + log + "\nwitness a " + self + "\nquorum a\n", `policy line 2: witness "a" has the public key of the log "` + origin + `": a log does not witness itself`},
		{"witness a " + self + "\nlog " + log + "\nquorum a\n", `policy line 2: witness "a" has the public key of the log "` + origin + `": a log does not witness itself`},

		{ab + "group g any\nquorum g\n", "policy line 3: a group has a name, a rule (all, any or a number) and members, this has 2 words"},
		{ab + "group g a b\nquorum g\n", `policy line 3: the rule of group "g" is "a", not all, any or a decimal`},
		{ab + "group g All a b\nquorum g\n", `policy line 3: the rule of group "g" is "All", not all, any or a decimal`},
		{ab + "group g 01 a b\nquorum g\n", `policy line 3: the rule of group "g" is "01", not all, any or a decimal`},
		{ab + "group g +1 a b\nquorum g\n", `policy line 3: the rule of group "g" is "+1", not all, any or a decimal`},
		{ab + "group g 0x1 a b\nquorum g\n", `policy line 3: the rule of group "g" is "0x1", not all, any or a decimal`},
		{ab + "group g 99999999999999999999 a b\nquorum g\n", `policy line 3: the rule of group "g" is "99999999999999999999", not all, any or a decimal`},
		{ab + "group g 0 a b\nquorum g\n", `policy line 3: group "g" asks for 0 of 2 members: it can be 1 to 2`},
		{ab + "group g -1 a b\nquorum g\n", `policy line 3: group "g" asks for -1 of 2 members: it can be 1 to 2`},
		{ab + "group g 3 a b\nquorum g\n", `policy line 3: group "g" asks for 3 of 2 members: it can be 1 to 2`},
		{ab + "group none any a\nquorum none\n", `policy line 3: the name "none" is reserved for a quorum without witnesses`},
		{ab + "group a any b\nquorum a\n", `policy line 3: the name "a" is taken, by line 1`},
		{ab + "group g any a\ngroup g any b\nquorum g\n", `policy line 4: the name "g" is taken, by line 3`},
		{ab + "group g any a none\nquorum g\n", `policy line 3: group "g": "none" is no member of a group`},
		{ab + "group g any a x\nquorum g\n", `policy line 3: group "g": no line before this one defines "x"`},
		{ab + "group g any a g\nquorum g\n", `policy line 3: group "g": no line before this one defines "g"`},
		{a + "group g any a b\n" + b + "quorum g\n", `policy line 2: group "g": no line before this one defines "b"`},
		{ab + "group g 2 a a\nquorum g\n", `policy line 3: group "g": "a" is a member of group "g" already: nobody counts twice`},
		{ab + "group g any a b\ngroup h all g a\nquorum h\n", `policy line 4: group "h": "a" is a member of group "g" already: nobody counts twice`},

		{ab + "quorum\n", "policy line 3: a quorum is one name, this has 0 words"},
		{ab + "quorum a b\n", "policy line 3: a quorum is one name, this has 2 words"},
		{ab + "quorum a # and nobody else\n", "policy line 3: a quorum is one name, this has 5 words"},
		{ab + "quorum x\n", `policy line 3: quorum: no line before this one defines "x"`},
		{a + "quorum b\n" + b, `policy line 2: quorum: no line before this one defines "b"`},
		{ab + "quorum a\nquorum a\n", "policy line 4: there is a quorum already, of line 3: a policy has one"},
		{ab + "quorum none\nquorum a\n", "policy line 4: there is a quorum already, of line 3: a policy has one"},
	} {
		p, err := tree.ParsePolicy([]byte(tt.text))
		if err == nil || p != nil {
			t.Errorf("%q was accepted as\n%s", tt.text, p)
		} else if err.Error() != tt.want {
			t.Errorf("%q:\ngot  %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

// c2sp.org/tlog-policy asks for 32 of each; 64 are read, and no more.
func TestPolicyLimits(t *testing.T) {
	ws := cosigners(t, 65)
	file := func(logs, wits, groups int) string {
		var b strings.Builder
		for i := range logs {
			fmt.Fprintf(&b, "log %s\n", newSigner(t, fmt.Sprint("log.example/", i), byte(i+1)).Key())
		}
		for i := range wits {
			fmt.Fprintf(&b, "witness w%d %s\n", i, ws[i].key)
		}
		for i := range groups { // each in the next: as deep as can be
			if i == 0 {
				b.WriteString("group g0 any w0\n")
			} else {
				fmt.Fprintf(&b, "group g%d all g%d\n", i, i-1)
			}
		}
		if groups > 0 {
			fmt.Fprintf(&b, "quorum g%d\n", groups-1)
		} else {
			b.WriteString("quorum none\n")
		}
		return b.String()
	}
	p := mustPolicy(t, strings.TrimSuffix(file(64, 64, 64), "\n"))
	if len(p.Logs()) != 64 || len(p.Witnesses()) != 64 || !p.Satisfied([]tree.Cosignature{{Key: ws[0].key}}) || p.Satisfied([]tree.Cosignature{{Key: ws[1].key}}) {
		t.Errorf("the largest policy reads as\n%s", p)
	}
	for _, tt := range []struct{ text, want string }{
		{file(65, 0, 0), "policy line 65: a policy has at most 64 logs"},
		{file(0, 65, 0), "policy line 65: a policy has at most 64 witnesses"},
		{file(0, 1, 65), "policy line 66: a policy has at most 64 groups"},
		{"quorum none\n" + strings.Repeat("#", tree.MaxPolicy), "a policy has at most 65536 bytes, this has 65548"},
	} {
		if _, err := tree.ParsePolicy([]byte(tt.text)); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	if _, err := tree.ParsePolicy([]byte("quorum none\n#" + strings.Repeat("x", tree.MaxPolicy-14) + "\n")); err != nil {
		t.Errorf("a policy of the largest size: %v", err)
	}
}
