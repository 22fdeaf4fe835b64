package tree

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A Cosignature is a witness's word, checked: at that time, this tree was the
// largest that it had seen of the log, and an extension of all that it had
// seen before. [OpenCosigned] makes them.
type Cosignature struct {
	Witness string     // as the policy calls it
	Key     WitnessKey // the key that verified it
	Time    int64      // POSIX seconds, by the witness's clock
	Line    string     // the line of the note, its newline included
}

// CosignedMessage returns what a witness signs with Ed25519: two lines of its
// own and the text of the checkpoint. c2sp.org/tlog-cosignature, "Ed25519
// signed message".
func CosignedMessage(c Checkpoint, time int64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", time, c)
}

// verify checks a timestamped signature and returns its time.
// c2sp.org/tlog-cosignature, "Format".
func (k WitnessKey) verify(c Checkpoint, sig []byte) (int64, error) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, fmt.Errorf("it has %d bytes after the key id, and not a time and an Ed25519 signature, %d", len(sig), 8+ed25519.SignatureSize)
	}
	t := binary.BigEndian.Uint64(sig)
	if t > math.MaxInt64 {
		return 0, fmt.Errorf("its time, %d, is past 2^63-1", t)
	}
	if !ed25519.Verify(ed25519.PublicKey(k.pub), CosignedMessage(c, int64(t)), sig[8:]) {
		return 0, errors.New("it does not verify")
	}
	return int64(t), nil
}

// OpenCosigned opens a signed checkpoint as [LogKey.Open] does, and checks the
// cosignatures of the policy's witnesses. They come in the order of the note,
// one for each witness: of several, the earliest, for it bounds the time best
// and the witness stands by all of them.
//
// Signatures by keys that are neither the log's nor a witness's are ignored,
// those with ML-DSA-44 among them. One that claims to be by a known key and
// does not hold refuses the whole note. c2sp.org/signed-note, "Signatures".
//
// Whether the cosignatures are enough is another question: [Policy.Check]
// answers it. No clock is looked at either; a time in the future is for the
// caller to judge.
func OpenCosigned(signed []byte, key LogKey, p *Policy) (Checkpoint, []Cosignature, error) {
	if err := p.fits(key); err != nil {
		return Checkpoint{}, nil, err
	}
	c, lines, err := key.open(signed)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	var out []Cosignature
	at := map[WitnessKey]int{}
	for _, s := range lines {
		w, ok := p.witness(s.Name, s.Hash)
		if !ok {
			continue
		}
		sig, err := signatureBytes(s)
		if err != nil {
			return Checkpoint{}, nil, fmt.Errorf("the cosignature of witness %q is not strict base64: %w", w.Name, err)
		}
		t, err := w.Key.verify(c, sig)
		if err != nil {
			return Checkpoint{}, nil, fmt.Errorf("the cosignature of witness %q, key %s+%08x: %w", w.Name, s.Name, s.Hash, err)
		}
		cs := Cosignature{Witness: w.Name, Key: w.Key, Time: t, Line: "— " + s.Name + " " + s.Base64 + "\n"}
		if i, seen := at[w.Key]; !seen {
			at[w.Key] = len(out)
			out = append(out, cs)
		} else if t < out[i].Time {
			out[i] = cs
		}
	}
	return c, out, nil
}
