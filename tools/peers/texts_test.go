package peers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Our checkpoints, at every size up to 20 and under our own key, are read by
// x/mod, transparency-dev/formats and torchwood; and what they write of the same
// tree are the same bytes.
func TestCheckpoints(t *testing.T) {
	s := serveLog(t, nil)
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(s.verifier()))
	for size := int64(4); size <= 20; size++ {
		s.growTo(size)
		signed := s.ledger.Checkpoint()
		ours, err := s.key.Open(signed)
		must(t, err)

		n, err := note.Open(signed, note.VerifierList(s.verifier()))
		must(t, err)
		if n.Text != ours.String() || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
			t.Errorf("x/mod reads %q with %d signatures", n.Text, len(n.Sigs))
		}
		theirs, rest, _, err := log.ParseCheckpoint(signed, origin, s.verifier())
		must(t, err)
		if theirs.Origin != ours.Origin || int64(theirs.Size) != ours.Size || tree.Hash(theirs.Hash) != ours.Root || len(rest) != 0 {
			t.Errorf("formats/log reads %+v and %q, want %+v", theirs, rest, ours)
		}
		if got := string(theirs.Marshal()); got != ours.String() {
			t.Errorf("formats/log writes %q, we %q", got, ours)
		}
		third, _, err := torchwood.VerifyCheckpoint(signed, policy)
		must(t, err)
		if third.String() != ours.String() {
			t.Errorf("torchwood writes %q, we %q", third, ours)
		}
	}
}

// What x/mod signs with our log's key, we open, and the other way round: the
// bytes are the same, since Ed25519 signs without chance.
func TestNotesByOthers(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	key, err := tree.ParseLogKey(vkey)
	must(t, err)
	c := tree.Checkpoint{Origin: origin, Size: 7, Root: tree.LeafHash([]byte("x"))}
	theirs, err := note.Sign(&note.Note{Text: c.String()}, signer)
	must(t, err)
	if got, err := key.Open(theirs); err != nil || got != c {
		t.Errorf("we read %+v, %v", got, err)
	}
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	own, err := tree.NewLogSigner(origin, priv)
	must(t, err)
	ours, err := own.Sign(c.Size, c.Root)
	must(t, err)
	v, err := fnote.NewVerifier(own.Key().String())
	must(t, err)
	if n, err := note.Open(ours, note.VerifierList(v)); err != nil || n.Text != c.String() {
		t.Errorf("formats/note reads %+v, %v", n, err)
	}
}

// A witness of each implementation, by name.
type cosigner struct {
	vkey   string
	signer note.Signer
}

func cosigners(t *testing.T) map[string]cosigner {
	t.Helper()
	out := map[string]cosigner{}
	for _, name := range []string{"w1.example", "w2.example"} {
		skey, vkey, err := note.GenerateKey(rand.Reader, name)
		must(t, err)
		s, err := fnote.NewSignerForCosignatureV1(skey)
		must(t, err)
		v, err := fnote.VKeyToCosignatureV1(vkey)
		must(t, err)
		out[name] = cosigner{v, s}
	}
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s, err := torchwood.NewCosignatureSigner("w3.example", priv)
	must(t, err)
	out["w3.example"] = cosigner{s.Verifier().String(), s}
	return out
}

// The cosignatures of two other implementations hold for us, with their times;
// our own reading of a witness's key is theirs.
func TestCosignaturesByOthers(t *testing.T) {
	s := serveLog(t, nil)
	ws := cosigners(t)
	text := "log " + s.key.String() + "\n"
	var signers []note.Signer
	for name, w := range ws {
		key, err := tree.ParseWitnessKey(w.vkey)
		must(t, err)
		if key.Name() != name || key.String() != w.vkey {
			t.Errorf("witness key %s is read as %s", w.vkey, key)
		}
		if v, err := torchwood.NewCosignatureVerifier(key.String()); err != nil || v.KeyHash() != w.signer.KeyHash() {
			t.Errorf("torchwood reads our %s otherwise: %v", key, err)
		}
		text += fmt.Sprintf("witness %s %s\n", strings.TrimSuffix(name, ".example"), w.vkey)
		signers = append(signers, w.signer)
	}
	// One of the kind that we do not know stands among them.
	mldsa, _, err := fnote.GenerateMLDSAKey("w1.example")
	must(t, err)
	unknown, err := fnote.NewSignerForCosignatureV1(mldsa)
	must(t, err)
	text += "group all3 all w1 w2 w3\nquorum all3\n"
	policy, err := tree.ParsePolicy([]byte(text))
	must(t, err)

	v := s.verifier()
	n, err := note.Open(s.ledger.Checkpoint(), note.VerifierList(v))
	must(t, err)
	signed, err := note.Sign(n, append(signers, unknown)...)
	must(t, err)
	c, cosigned, err := tree.OpenCosigned(signed, s.key, policy)
	if err != nil || c.Size != s.ledger.Size() || len(cosigned) != 3 {
		t.Fatalf("%+v, %d cosignatures, %v", c, len(cosigned), err)
	}
	must(t, policy.Check(cosigned))
	reread, err := note.Open(signed, note.VerifierList(v))
	must(t, err)
	for _, sig := range reread.UnverifiedSigs {
		i := slices.IndexFunc(cosigned, func(c tree.Cosignature) bool { return strings.Contains(c.Line, sig.Base64) })
		if i < 0 {
			if sig.Hash != unknown.KeyHash() {
				t.Errorf("the cosignature by %s was passed over", sig.Name)
			}
			continue
		}
		want, err := fnote.CoSigV1Timestamp(sig)
		must(t, err)
		if cosigned[i].Time != want.Unix() {
			t.Errorf("%s cosigned at %d, formats/note reads %d", sig.Name, cosigned[i].Time, want.Unix())
		}
	}
	// The whole note is read by others, with our cosignature lines verbatim.
	for name, w := range ws {
		v, err := fnote.NewVerifierForCosignatureV1(w.vkey)
		must(t, err)
		if got, err := note.Open(signed, note.VerifierList(v)); err != nil || len(got.Sigs) != 1 {
			t.Errorf("x/mod with the key of %s: %v", name, err)
		}
	}
}

// A policy means the same to us, to transparency-dev/formats and to torchwood,
// for every set of witnesses that cosigned.
func TestPolicies(t *testing.T) {
	s := serveLog(t, nil)
	ws := cosigners(t)
	names := []string{"w1.example", "w2.example", "w3.example"}
	var witnesses string
	for i, name := range names {
		witnesses += fmt.Sprintf("witness w%d %s https://%s/\n", i+1, ws[name].vkey, name)
	}
	n, err := note.Open(s.ledger.Checkpoint(), note.VerifierList(s.verifier()))
	must(t, err)
	for _, quorum := range []string{
		"quorum none\n",
		"quorum w1\n",
		"group g any w1 w2 w3\nquorum g\n",
		"group g all w1 w2 w3\nquorum g\n",
		"group g 2 w1 w2 w3\nquorum g\n",
		"group g any w1 w2\ngroup h all g w3\nquorum h\n",
		"group g all w1 w2\ngroup h 1 g w3\nquorum h\n",
	} {
		// Comments and spaces are part of the format.
		text := "# who is trusted\nlog " + s.key.String() + "\n\n" + strings.Replace(witnesses, "witness w2 ", "witness\tw2   ", 1) + quorum
		ours, err := tree.ParsePolicy([]byte(text))
		must(t, err)
		for _, written := range []string{text, ours.String()} {
			theirs, err := witness.ParsePolicy([]byte(written))
			if err != nil {
				t.Fatalf("formats/witness refuses\n%s: %v", written, err)
			}
			third, err := torchwood.ParsePolicy([]byte(written))
			if err != nil {
				t.Fatalf("torchwood refuses\n%s: %v", written, err)
			}
			for set := range 1 << len(names) {
				var signers []note.Signer
				for i, name := range names {
					if set>>i&1 == 1 {
						signers = append(signers, ws[name].signer)
					}
				}
				signed := s.ledger.Checkpoint()
				if len(signers) > 0 {
					signed, err = note.Sign(n, signers...)
					must(t, err)
				}
				_, cosigned, err := tree.OpenCosigned(signed, s.key, ours)
				must(t, err)
				got, want := ours.Satisfied(cosigned), theirs.Satisfied(signed)
				_, _, terr := torchwood.VerifyCheckpoint(signed, third)
				if got != want || got != (terr == nil) {
					t.Errorf("%s with %03b: ours says %v, formats/witness %v, torchwood %v", quorum, set, got, want, terr)
				}
			}
		}
	}
}

// Our tlog-proofs are read and verified by transparency-dev/formats and by
// torchwood, and theirs by us, byte for byte the same.
func TestTextProofs(t *testing.T) {
	s := serveLog(t, nil)
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(s.verifier()))
	for _, size := range []int64{4, 5, 8, 255, 256, 257} {
		s.growTo(size)
		for _, index := range []int64{0, 1, size / 2, size - 1} {
			_, hashes, err := s.ledger.Inclusion(index, size)
			must(t, err)
			ours := tree.TextProof{Index: index, Hashes: hashes, Checkpoint: s.ledger.Checkpoint()}
			text, err := ours.Marshal()
			must(t, err)
			entry, err := s.ledger.Raw(index)
			must(t, err)

			var theirs proof.TLogProof
			must(t, theirs.Unmarshal(text))
			if int64(theirs.Index) != index || !sameHashes(hashes, theirs.Hashes) || !bytes.Equal(theirs.Checkpoint, ours.Checkpoint) {
				t.Errorf("formats/proof reads %+v of %s", theirs, text)
			}
			if got := theirs.Marshal(); !bytes.Equal(got, text) {
				t.Errorf("formats/proof writes\n%s\nwe\n%s", got, text)
			}
			if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), text); err != nil {
				t.Errorf("torchwood refuses the proof of %d in %d: %v", index, size, err)
			}
			if err := torchwood.VerifyProof(policy, tlog.RecordHash(append(entry, 0)), text); err == nil {
				t.Errorf("torchwood takes the proof of %d in %d for another entry", index, size)
			}

			converted := make(tlog.RecordProof, len(hashes))
			for i, h := range hashes {
				converted[i] = tlog.Hash(h)
			}
			for _, extra := range [][]byte{nil, []byte("out of band")} {
				third := torchwood.FormatProof(index, converted, ours.Checkpoint)
				theirs.ExtraData = extra
				if extra != nil {
					third = torchwood.FormatProofWithExtraData(index, extra, converted, ours.Checkpoint)
				}
				for _, text := range [][]byte{third, theirs.Marshal()} {
					p, err := tree.ParseTextProof(text)
					must(t, err)
					if _, err := p.Verify(tree.LeafHash(entry), s.key); err != nil || !bytes.Equal(p.Extra, extra) {
						t.Errorf("%d in %d as others write it: %v, extra %q", index, size, err, p.Extra)
					}
				}
			}
		}
	}
}

// The largest text that we write is one that a reader by lines takes.
func TestLargestTextProof(t *testing.T) {
	s := serveLog(t, nil)
	p := tree.TextProof{Hashes: make([]tree.Hash, tree.MaxProof), Checkpoint: s.ledger.Checkpoint(), Extra: make([]byte, tree.MaxExtra)}
	text, err := p.Marshal()
	must(t, err)
	var theirs proof.TLogProof
	if err := theirs.Unmarshal(text); err != nil || len(theirs.ExtraData) != tree.MaxExtra {
		t.Errorf("formats/proof: %v", err)
	}
}
