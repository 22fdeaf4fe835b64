package web

import (
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/onus-ledger/onus/verifier/tree"
)

// logHealth is what the log's newest checkpoint says of it.
type logHealth struct {
	Origin, Root, KeyID string
	Size                int64
	// Checked: the signature holds under the key that this server has, or that
	// the reader of a file gave.
	Checked bool
	// Fault says what is wrong with the checkpoint.
	Fault     string
	Witnesses []witness
}

// witness is a cosignature as the note has it. Whether it holds is for whoever
// has a policy that names the witness: here it is its word.
type witness struct {
	Name string
	Time int64 // milliseconds; 0 if the signature says no time
}

func (v *visit) logHealth() logHealth {
	note := v.Log.Checkpoint()
	h := logHealth{Origin: v.Log.Origin()}
	text, signatures, ok := strings.Cut(string(note), "\n\n")
	if !ok {
		h.Fault = "There is no signed checkpoint."
		return h
	}
	c, err := tree.ParseCheckpoint(text + "\n")
	if err != nil {
		h.Fault = "The checkpoint cannot be read."
		return h
	}
	h.Size, h.Root = c.Size, c.Root.String()
	if key := v.Log.Key(); !key.IsZero() {
		if _, err := key.Open(note); err != nil {
			h.Fault = "The checkpoint is not signed by the log's key."
		} else {
			h.Checked = true
		}
	}
	h.Witnesses = cosigners(signatures, c.Origin)
	return h
}

// cosigners reads the lines of a note that are not the log's own.
// c2sp.org/signed-note, and c2sp.org/tlog-cosignature for the time.
func cosigners(signatures, origin string) []witness {
	var all []witness
	for line := range strings.SplitSeq(signatures, "\n") {
		name, sig, ok := strings.Cut(strings.TrimPrefix(line, "— "), " ")
		if !ok || !strings.HasPrefix(line, "— ") || name == origin || len(all) == tree.MaxSignatures {
			continue
		}
		w := witness{Name: name}
		// key hash 4, time 8, Ed25519 signature 64
		if b, err := base64.StdEncoding.DecodeString(sig); err == nil && len(b) == 4+8+64 {
			if s := binary.BigEndian.Uint64(b[4:12]); s < 1<<38 {
				w.Time = int64(s) * 1000
			}
		}
		all = append(all, w)
	}
	return all
}
