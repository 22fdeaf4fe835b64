package tree_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

// A WitnessKey is compared with ==.
var sameKey = cmpopts.EquateComparable(tree.WitnessKey{})

func mustPolicy(t testing.TB, lines ...string) *tree.Policy {
	t.Helper()
	p, err := tree.ParsePolicy([]byte(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// anyOf is the policy that any of the witnesses satisfies. Theirs are the
// names w0, w1 and so on.
func anyOf(t testing.TB, ws ...cosigner) *tree.Policy {
	t.Helper()
	var lines []string
	group := "group g any"
	for i, w := range ws {
		lines = append(lines, fmt.Sprintf("witness w%d %s", i, w.key))
		group += fmt.Sprintf(" w%d", i)
	}
	return mustPolicy(t, append(lines, group, "quorum g")...)
}

// What a witness signs, to the byte, and a signature over it that OpenSSL made.
func TestCosignatureKnownAnswer(t *testing.T) {
	c, err := tree.ParseCheckpoint(katText)
	if err != nil {
		t.Fatal(err)
	}
	// The example of c2sp.org/tlog-cosignature, "Ed25519 signed message".
	want := "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	if got := string(tree.CosignedMessage(c, katTime)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	key, err := tree.ParseLogKey(katLog)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tree.ParseWitnessKey(katWitness)
	if err != nil {
		t.Fatal(err)
	}
	p := mustPolicy(t, "log "+katLog, "witness W1 "+katWitness, "quorum W1")
	got, cosigned, err := tree.OpenCosigned([]byte(katText+"\n"+katLogLine+katLine), key, p)
	if err != nil || got != c {
		t.Fatalf("OpenCosigned = %+v, %v; want %+v", got, err, c)
	}
	if diff := cmp.Diff([]tree.Cosignature{{Witness: "W1", Key: w, Time: katTime, Line: katLine}}, cosigned, sameKey); diff != "" {
		t.Errorf("cosignatures (-want +got)\n%s", diff)
	}
}

// A noteVerifier tells x/mod what a cosignature is.
type noteVerifier struct{ w cosigner }

func (v noteVerifier) Name() string { return v.w.key.Name() }
func (v noteVerifier) KeyHash() uint32 {
	id := v.w.id()
	return uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
}
func (v noteVerifier) Verify(msg, sig []byte) bool {
	var t uint64
	for _, b := range sig[:8] {
		t = t<<8 | uint64(b)
	}
	m := fmt.Sprintf("cosignature/v1\ntime %d\n%s", t, msg)
	return ed25519.Verify(v.w.priv.Public().(ed25519.PublicKey), []byte(m), sig[8:])
}

// The lines of a note come in their order, whoever signed first, and x/mod
// sees the same ones.
func TestCosignaturesInOrder(t *testing.T) {
	s, ws := newSigner(t, origin, 1), cosigners(t, 3)
	signed := string(sign(t, s, 7, tree.LeafHash([]byte("x"))))
	text, logLine, _ := strings.Cut(signed, "\n\n")
	text += "\n"
	p := anyOf(t, ws...)
	lines := []string{ws[2].line(text, 30), logLine, sigLine("other.example", 1), ws[0].line(text, 10), ws[1].line(text, math.MaxInt64)}
	b := []byte(text + "\n" + strings.Join(lines, ""))
	c, got, err := tree.OpenCosigned(b, s.Key(), p)
	if err != nil || c.String() != text {
		t.Fatalf("OpenCosigned = %+v, %v", c, err)
	}
	want := []tree.Cosignature{
		{Witness: "w2", Key: ws[2].key, Time: 30, Line: lines[0]},
		{Witness: "w0", Key: ws[0].key, Time: 10, Line: lines[3]},
		{Witness: "w1", Key: ws[1].key, Time: math.MaxInt64, Line: lines[4]},
	}
	if diff := cmp.Diff(want, got, sameKey); diff != "" {
		t.Errorf("cosignatures (-want +got)\n%s", diff)
	}
	v, err := note.NewVerifier(s.Key().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(b, note.VerifierList(v, noteVerifier{ws[0]}, noteVerifier{ws[1]}, noteVerifier{ws[2]}))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, sig := range n.Sigs {
		names = append(names, sig.Name)
	}
	if diff := cmp.Diff([]string{"w2.example", origin, "w0.example", "w1.example"}, names); diff != "" || len(n.UnverifiedSigs) != 1 {
		t.Errorf("x/mod verifies (-want +got), and leaves %d\n%s", len(n.UnverifiedSigs), diff)
	}
	// A log-signed checkpoint is one still, with no witness's word.
	if _, got, err := tree.OpenCosigned([]byte(signed), s.Key(), p); err != nil || len(got) != 0 {
		t.Errorf("without cosignatures: %v, %v", got, err)
	}
}

// The policy has neither these names nor these keys.
func TestUnknownCosignersAreIgnored(t *testing.T) {
	s, ws := newSigner(t, origin, 1), cosigners(t, 2)
	signed := string(sign(t, s, 7, tree.LeafHash([]byte("x"))))
	text := strings.SplitAfter(signed, "\n\n")[0]
	text = text[:len(text)-1]
	p := anyOf(t, ws[0])
	namesake := newCosigner(t, ws[0].key.Name(), 50)
	otherName := cosigner{newCosigner(t, "other.example", 100).key, ws[0].priv}
	mldsa := newCosigner(t, ws[0].key.Name(), 51) // a key id of its own
	asLog := newSigner(t, ws[0].key.Name(), 100)
	logged, err := note.Sign(&note.Note{Text: text}, skey(t, asLog, 100))
	if err != nil {
		t.Fatal(err)
	}
	for what, line := range map[string]string{
		"a witness that is not in the policy":        ws[1].line(text, 5),
		"another key of the same name":               namesake.line(text, 5),
		"the same key under another name":            otherName.line(text, 5),
		"a signature that would not hold, unknown":   spoil(t, ws[1].line(text, 5)),
		"ML-DSA-44 by the same name":                 mldsa.raw(make([]byte, 8+2420)),
		"ML-DSA-44 by several":                       mldsa.raw(make([]byte, 8+2420)) + ws[1].raw(bytes.Repeat([]byte{9}, 8+2420)),
		"the witness's key as a log's, of type 0x01": strings.SplitN(string(logged), "\n\n", 2)[1],
	} {
		_, got, err := tree.OpenCosigned([]byte(signed+line+ws[0].line(text, 9)), s.Key(), p)
		if err != nil || len(got) != 1 || got[0].Time != 9 {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

// One line that claims a known key and does not hold refuses the note, whatever
// else stands in it.
func TestBadCosignatures(t *testing.T) {
	s, ws := newSigner(t, origin, 1), cosigners(t, 2)
	signed := string(sign(t, s, 7, tree.LeafHash([]byte("x"))))
	text, _, _ := strings.Cut(signed, "\n\n")
	text += "\n"
	other := strings.Replace(text, "\n7\n", "\n8\n", 1)
	good := ws[0].line(text, 5)
	sig := func(time uint64, msg string) string {
		b := []byte{byte(time >> 56), byte(time >> 48), byte(time >> 40), byte(time >> 32), byte(time >> 24), byte(time >> 16), byte(time >> 8), byte(time)}
		return ws[0].raw(append(b, ed25519.Sign(ws[0].priv, []byte(msg))...))
	}
	i := strings.LastIndex(good, "==") - 1 // four bits of this digit are unused
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	respelt := good[:i] + string(digits[strings.IndexByte(digits, good[i])+1]) + good[i+1:]

	id := fmt.Sprintf("%x", ws[0].id())
	fails := `the cosignature of witness "w0", key w0.example+` + id + `: it does not verify`
	length := func(n int) string {
		return fmt.Sprintf(`the cosignature of witness "w0", key w0.example+%s: it has %d bytes after the key id, and not a time and an Ed25519 signature, 72`, id, n)
	}
	for _, tt := range []struct{ what, line, want string }{
		{"spoilt", spoil(t, good), fails},
		{"of another checkpoint", ws[0].line(other, 5), fails},
		{"by another key with this id", cosigner{ws[0].key, ws[1].priv}.line(text, 5), fails},
		{"another time than was signed", sig(6, "cosignature/v1\ntime 5\n"+text), fails},
		{"a time with a leading zero signed", sig(5, "cosignature/v1\ntime 05\n"+text), fails},
		{"no header signed", sig(5, text), fails},
		{"no time signed", sig(5, "cosignature/v1\n"+text), fails},
		{"other version signed", sig(5, "cosignature/v2\ntime 5\n"+text), fails},
		{"the whole note signed", sig(5, "cosignature/v1\ntime 5\n"+signed), fails},
		{"a time past 2^63-1", ws[0].line(text, math.MaxInt64+1), `the cosignature of witness "w0", key w0.example+` + id + `: its time, 9223372036854775808, is past 2^63-1`},
		{"the largest time", ws[0].line(text, math.MaxUint64), `the cosignature of witness "w0", key w0.example+` + id + `: its time, 18446744073709551615, is past 2^63-1`},
		{"a byte", ws[0].raw([]byte{1}), length(1)},
		{"a time alone", ws[0].raw(make([]byte, 8)), length(8)},
		{"a signature without a time", ws[0].raw(ed25519.Sign(ws[0].priv, []byte(text))), length(64)},
		{"a byte too few", ws[0].raw(make([]byte, 71)), length(71)},
		{"a byte too many", ws[0].raw(make([]byte, 73)), length(73)},
		{"ML-DSA-44 with an Ed25519 key's id", ws[0].raw(make([]byte, 2428)), length(2428)},
		{"spelt otherwise", respelt, `the cosignature of witness "w0" is not strict base64: illegal base64 data at input byte 102`},
	} {
		p := anyOf(t, ws...)
		for _, lines := range []string{tt.line, ws[1].line(text, 5) + tt.line, tt.line + good, good + tt.line} {
			c, got, err := tree.OpenCosigned([]byte(signed+lines), s.Key(), p)
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s: got  %v\nwant %s", tt.what, err, tt.want)
			}
			if c != (tree.Checkpoint{}) || got != nil {
				t.Errorf("%s: refused, but returned %+v, %v", tt.what, c, got)
			}
		}
		if _, got, err := tree.OpenCosigned([]byte(signed+tt.line), s.Key(), anyOf(t, ws[1])); err != nil || len(got) != 0 {
			t.Errorf("%s, by a key that is not known: %v, %v", tt.what, got, err)
		}
	}
}

// A witness counts once, with the earliest of its times.
func TestWitnessThatSignsTwice(t *testing.T) {
	s, ws := newSigner(t, origin, 1), cosigners(t, 2)
	signed := string(sign(t, s, 7, tree.LeafHash([]byte("x"))))
	text, logLine, _ := strings.Cut(signed, "\n\n")
	text += "\n"
	a5, a9, b7 := ws[0].line(text, 5), ws[0].line(text, 9), ws[1].line(text, 7)
	for _, lines := range [][]string{{a5, b7, a5}, {a5, b7, a9}, {a9, b7, a5}, {a9, b7, a5, a9, a5}} {
		_, got, err := tree.OpenCosigned([]byte(signed+strings.Join(lines, "")), s.Key(), anyOf(t, ws...))
		if err != nil {
			t.Fatal(err)
		}
		want := []tree.Cosignature{
			{Witness: "w0", Key: ws[0].key, Time: 5, Line: a5},
			{Witness: "w1", Key: ws[1].key, Time: 7, Line: b7},
		}
		if diff := cmp.Diff(want, got, sameKey); diff != "" {
			t.Errorf("cosignatures (-want +got)\n%s", diff)
		}
	}
	// x/mod skips what a key signs again; here it must hold as well.
	twice := []byte(signed + a5 + spoil(t, a9))
	v, err := note.NewVerifier(s.Key().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(twice, note.VerifierList(v, noteVerifier{ws[0]})); err != nil {
		t.Errorf("x/mod refuses it; the rule may have lost its reason: %v", err)
	}
	if _, _, err := tree.OpenCosigned(twice, s.Key(), anyOf(t, ws...)); err == nil {
		t.Error("a second cosignature that does not hold was accepted")
	}
	if c, err := s.Key().Open([]byte(signed + spoil(t, logLine))); err == nil {
		t.Errorf("signed twice by the log, the second time wrongly: opened as %+v", c)
	}
}

// c2sp.org/signed-note asks for at least 16 signatures.
func TestManySignatures(t *testing.T) {
	s, ws := newSigner(t, origin, 1), cosigners(t, 64)
	signed := string(sign(t, s, 7, tree.LeafHash([]byte("x"))))
	text, _, _ := strings.Cut(signed, "\n\n")
	text += "\n"
	noted := func(witnesses, others int) []byte {
		b := signed
		for _, w := range ws[:witnesses] {
			b += w.line(text, 5)
		}
		for i := range others {
			b += sigLine(fmt.Sprint("other.example/", i), byte(i))
		}
		return []byte(b)
	}
	for _, tt := range []struct{ witnesses, others int }{{15, 0}, {16, 0}, {64, 0}, {16, 83}, {64, 35}} {
		_, got, err := tree.OpenCosigned(noted(tt.witnesses, tt.others), s.Key(), anyOf(t, ws...))
		if err != nil || len(got) != tt.witnesses {
			t.Errorf("%d witnesses and %d others: %d cosignatures, %v", tt.witnesses, tt.others, len(got), err)
		}
	}
	want := "a checkpoint has at most 100 signatures, this has 101"
	for _, tt := range []struct{ witnesses, others int }{{0, 100}, {64, 36}} {
		if _, _, err := tree.OpenCosigned(noted(tt.witnesses, tt.others), s.Key(), anyOf(t, ws...)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := s.Key().Open(noted(tt.witnesses, tt.others)); err == nil || err.Error() != want {
			t.Errorf("Open: got %v, want %s", err, want)
		}
	}
	// 16 lines of ML-DSA-44 have room, a hundred do not.
	mldsa := ws[0].raw(make([]byte, 2428))
	if _, _, err := tree.OpenCosigned([]byte(signed+strings.Repeat(mldsa, 16)), s.Key(), anyOf(t, ws[1])); err != nil {
		t.Errorf("16 signatures with ML-DSA-44: %v", err)
	}
	if _, _, err := tree.OpenCosigned([]byte(signed+strings.Repeat(mldsa, 99)), s.Key(), anyOf(t, ws[1])); err == nil || !strings.HasPrefix(err.Error(), "a signed checkpoint has at most 65536 bytes") {
		t.Errorf("99 signatures with ML-DSA-44: %v", err)
	}
}

// Cosignatures do not stand in for the log's signature, nor a policy for its key.
func TestOpenCosignedNeedsTheLog(t *testing.T) {
	s, w := newSigner(t, origin, 1), newCosigner(t, "w.example", 9)
	signed := sign(t, s, 7, tree.LeafHash([]byte("x")))
	text, _, _ := strings.Cut(string(signed), "\n\n")
	text += "\n"
	p := anyOf(t, w)
	same := newCosigner(t, "w.example", 1)
	logs := mustPolicy(t, "log "+newSigner(t, origin, 2).Key().String(), "quorum none")
	for _, tt := range []struct {
		what string
		b    []byte
		key  tree.LogKey
		p    *tree.Policy
		want string
	}{
		{"no key", signed, tree.LogKey{}, p, "no log key was given"},
		{"no policy", signed, s.Key(), nil, "no policy was given"},
		{"the zero policy", signed, s.Key(), &tree.Policy{}, "no policy was given"},
		{"no note", []byte(text), s.Key(), p, "the checkpoint is not a signed note: malformed note"},
		{"cosigned only", []byte(text + "\n" + w.line(text, 5)), s.Key(), p,
			fmt.Sprintf("the checkpoint is signed by w.example+%x, the key given is %s+%08x: the wrong key, or not that log", w.id(), origin, keyHash(t, 1))},
		{"a log that the policy does not name", signed, s.Key(), logs,
			"the policy does not name the log of the key " + s.Key().String() + ": add a log line, or use the policy of that log"},
		{"a log that is its own witness", signed, s.Key(), anyOf(t, same),
			`witness "w0" has the public key of the log "` + origin + `": a log does not witness itself`},
	} {
		_, got, err := tree.OpenCosigned(tt.b, tt.key, tt.p)
		if err == nil || err.Error() != tt.want || got != nil {
			t.Errorf("%s: got  %v, %v\nwant %s", tt.what, got, err, tt.want)
		}
	}
	// Lines that a witness answers with are put after the note. They cannot
	// move its end.
	for _, answer := range []string{"\n" + w.line(text, 5), "x\n\n" + w.line(text, 5), w.line(text, 5) + "\n", "\n\n\n"} {
		if _, got, err := tree.OpenCosigned(slices.Concat(signed, []byte(answer)), s.Key(), p); err == nil {
			t.Errorf("after %q: %v", answer, got)
		}
	}
}
