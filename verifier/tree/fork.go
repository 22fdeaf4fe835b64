package tree

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	// ForkHeader is the first line of a [Fork] as a text.
	ForkHeader = "onus/v1 fork"
	// MaxFork is the most bytes it may have.
	MaxFork = len(ForkHeader) + 64 + MaxProof*45 + 2*(MaxCheckpoint+2)
)

// A Fork is proof that a log signed two histories, which whoever holds the log's
// key can check alone. It is one of two things:
//
//   - two signed checkpoints of one size with different roots;
//   - two signed checkpoints of different sizes, and a consistency proof into the
//     newer one that holds from another root at the older size than was signed.
//
// A proof that merely fails is no fork: anybody can make one that fails.
//
// As a text it has the header; where the sizes differ, a line "root" with the
// root that the newer checkpoint has at the older's size, and the hashes of the
// proof (RFC 6962, section 2.1.2), one a line; then, each behind an empty line,
// the older and the newer checkpoint as they were signed and cosigned.
type Fork struct {
	Older, Newer []byte
	// Root and Proof are zero where the sizes are the same.
	Root  Hash
	Proof []Hash
}

// Check reports whether it is a proof, under that key: nil if it is.
func (f *Fork) Check(key LogKey) error {
	a, err := key.Open(f.Older)
	if err != nil {
		return fmt.Errorf("the first checkpoint: %w", err)
	}
	b, err := key.Open(f.Newer)
	if err != nil {
		return fmt.Errorf("the second checkpoint: %w", err)
	}
	sized := f.Root != Hash{} || len(f.Proof) > 0
	switch {
	case a.Size == b.Size && sized:
		return fmt.Errorf("both checkpoints are of %d entries: there is nothing that a proof could join", a.Size)
	case a.Size == b.Size && a.Root == b.Root:
		return fmt.Errorf("both checkpoints are of %d entries and have one root: they do not contradict each other", a.Size)
	case a.Size == b.Size:
		return nil
	case a.Size > b.Size:
		return fmt.Errorf("the older checkpoint comes first: these are of %d and %d entries", a.Size, b.Size)
	case a.Size == 0:
		return errors.New("every history extends the empty one: these checkpoints do not contradict each other")
	case !sized:
		return fmt.Errorf("checkpoints of %d and %d entries, without a proof, do not contradict each other", a.Size, b.Size)
	case f.Root == a.Root:
		return fmt.Errorf("the newer history has the root that was signed for %d entries: they do not contradict each other", a.Size)
	}
	if err := VerifyConsistency(a.Size, b.Size, f.Root, b.Root, f.Proof); err != nil {
		return fmt.Errorf("the proof does not show that the newer history has another root at %d entries: %w", a.Size, err)
	}
	return nil
}

// Marshal returns the text. It refuses what [ParseFork] would.
func (f *Fork) Marshal() ([]byte, error) {
	if len(f.Proof) > MaxProof {
		return nil, fmt.Errorf("a proof has at most %d hashes, this has %d", MaxProof, len(f.Proof))
	}
	for _, signed := range [][]byte{f.Older, f.Newer} {
		n, err := readNote(signed)
		if err != nil {
			return nil, err
		}
		if _, err := ParseCheckpoint(n.Text); err != nil {
			return nil, err
		}
	}
	b := []byte(ForkHeader + "\n")
	if f.Root != (Hash{}) || len(f.Proof) > 0 {
		b = fmt.Appendf(b, "root %s\n", f.Root)
	}
	for _, h := range f.Proof {
		b = fmt.Appendf(b, "%s\n", h)
	}
	b = append(append(b, '\n'), f.Older...)
	return append(append(b, '\n'), f.Newer...), nil
}

// ParseFork reads what [Fork.Marshal] writes, and nothing else. That it proves
// anything is not checked: [Fork.Check] does.
func ParseFork(text []byte) (*Fork, error) {
	if len(text) > MaxFork {
		return nil, fmt.Errorf("the proof of a fork has at most %d bytes, this has %d", MaxFork, len(text))
	}
	// A checkpoint has three lines, an empty one, and its signatures.
	parts := bytes.Split(text, []byte("\n\n"))
	if len(parts) != 5 {
		return nil, errors.New("the proof of a fork is a header and two signed checkpoints, each behind an empty line")
	}
	lines := strings.Split(string(parts[0]), "\n")
	if lines[0] != ForkHeader {
		return nil, fmt.Errorf("the proof of a fork begins with the line %q, this with %.40q", ForkHeader, lines[0])
	}
	f := &Fork{
		Older: []byte(string(parts[1]) + "\n\n" + string(parts[2]) + "\n"),
		Newer: []byte(string(parts[3]) + "\n\n" + string(parts[4])),
	}
	hash := func(s string) (h Hash, err error) {
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil {
			return Hash{}, err
		}
		return ParseHash(b)
	}
	var err error
	if lines = lines[1:]; len(lines) > 0 {
		root, ok := strings.CutPrefix(lines[0], "root ")
		if !ok {
			return nil, fmt.Errorf("the line after the header names a root, as in \"root HASH\"; this is %.40q", lines[0])
		}
		if f.Root, err = hash(root); err != nil {
			return nil, fmt.Errorf("the root: %w", err)
		}
		if lines = lines[1:]; len(lines) > MaxProof {
			return nil, fmt.Errorf("a proof has at most %d hashes, this has %d", MaxProof, len(lines))
		}
		for i, s := range lines {
			h, err := hash(s)
			if err != nil {
				return nil, fmt.Errorf("proof hash %d: %w", i, err)
			}
			f.Proof = append(f.Proof, h)
		}
	}
	// Base64 may hide a carriage return; there is one text for each proof.
	again, err := f.Marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, errors.New("the proof of a fork is not in its one canonical form")
	}
	return f, nil
}
