package tree

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	// ProofHeader is the first line of a [TextProof].
	ProofHeader = "c2sp.org/tlog-proof@v1"
	// ProofSuffix is how its files end.
	ProofSuffix = ".tlog-proof"
	// MaxExtra is the most extra data it may carry. Readers that read by lines
	// take none of 64 KiB or more.
	MaxExtra = 47 << 10
	// MaxTextProof is the most bytes it may have.
	MaxTextProof = len(ProofHeader) + 64 + MaxExtra*4/3 + 8 + MaxProof*45 + MaxCheckpoint
)

// A TextProof is an inclusion proof with its checkpoint as a text, which anybody
// can check offline who has the log's key and the entry.
// c2sp.org/tlog-proof.
type TextProof struct {
	Index  int64
	Hashes []Hash
	// Checkpoint is the signed note as the log gave it, with the cosignatures
	// of witnesses.
	Checkpoint []byte
	// Extra is data that nobody signed. Onus writes none: an entry may be larger
	// than what fits here, so it stands in a file of its own.
	Extra []byte
}

// Marshal returns the text. It refuses what [ParseTextProof] would.
func (p TextProof) Marshal() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b := []byte(ProofHeader + "\n")
	if len(p.Extra) > 0 {
		b = fmt.Appendf(b, "extra %s\n", base64.StdEncoding.EncodeToString(p.Extra))
	}
	b = fmt.Appendf(b, "index %d\n", p.Index)
	for _, h := range p.Hashes {
		b = fmt.Appendf(b, "%s\n", h)
	}
	b = append(b, '\n')
	return append(b, p.Checkpoint...), nil
}

func (p TextProof) check() error {
	switch {
	case p.Index < 0:
		return fmt.Errorf("a proof's index is not negative, this is %d", p.Index)
	case len(p.Hashes) > MaxProof:
		return fmt.Errorf("a proof has at most %d hashes, this has %d", MaxProof, len(p.Hashes))
	case len(p.Extra) > MaxExtra:
		return fmt.Errorf("a proof has at most %d bytes of extra data, this has %d", MaxExtra, len(p.Extra))
	}
	_, err := readNote(p.Checkpoint)
	return err
}

// ParseTextProof reads what [TextProof.Marshal] writes, and nothing else. That
// the checkpoint is a signed note is checked, by whom it is signed is not:
// [TextProof.Verify] does.
func ParseTextProof(text []byte) (TextProof, error) {
	if len(text) > MaxTextProof {
		return TextProof{}, fmt.Errorf("a tlog-proof has at most %d bytes, this has %d", MaxTextProof, len(text))
	}
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return TextProof{}, errors.New("a tlog-proof has an empty line before its checkpoint, this has none")
	}
	lines := strings.Split(string(head), "\n")
	line := func() (s string) {
		if len(lines) > 0 {
			s, lines = lines[0], lines[1:]
		}
		return s
	}
	if got := line(); got != ProofHeader {
		return TextProof{}, fmt.Errorf("a tlog-proof begins with the line %q, this with %.40q", ProofHeader, got)
	}
	p := TextProof{Checkpoint: bytes.Clone(checkpoint)}
	next := line()
	if s, ok := strings.CutPrefix(next, "extra "); ok {
		extra, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil || len(extra) == 0 {
			return TextProof{}, errors.New("the proof's extra data is not base64, or is empty")
		}
		p.Extra, next = extra, line()
	}
	s, ok := strings.CutPrefix(next, "index ")
	if !ok {
		return TextProof{}, fmt.Errorf("a tlog-proof names its index in a line such as \"index 5\", this has %.40q", next)
	}
	index, err := decimal(s)
	if err != nil {
		return TextProof{}, fmt.Errorf("the proof's index is %.40q, not a decimal", s)
	}
	p.Index = index
	if len(lines) > MaxProof {
		return TextProof{}, fmt.Errorf("a proof has at most %d hashes, this has %d", MaxProof, len(lines))
	}
	for i, s := range lines {
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil {
			return TextProof{}, fmt.Errorf("proof hash %d is not base64: %w", i, err)
		}
		h, err := ParseHash(b)
		if err != nil {
			return TextProof{}, fmt.Errorf("proof hash %d: %w", i, err)
		}
		p.Hashes = append(p.Hashes, h)
	}
	if err := p.check(); err != nil {
		return TextProof{}, err
	}
	// Base64 may hide a carriage return; there is one text for each proof.
	if again, err := p.Marshal(); err != nil || !bytes.Equal(again, text) {
		return TextProof{}, errors.New("the tlog-proof is not in its one canonical form")
	}
	return p, nil
}

// Verify opens the proof's checkpoint with the log's key, and checks that leaf
// stands at the proof's index in the tree that it is of. Whose cosignatures the
// checkpoint carries is for [OpenCosigned] to say.
func (p TextProof) Verify(leaf Hash, key LogKey) (Checkpoint, error) {
	c, err := key.Open(p.Checkpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := VerifyInclusion(p.Index, c.Size, leaf, p.Hashes, c.Root); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}
