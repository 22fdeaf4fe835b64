package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A shape is what the records of a run look like.
type shape interface {
	// source returns one that makes records, on its own, with that many chains
	// going on at a time: one record of each comes before the next of the first.
	// It is for one goroutine.
	source(chains int) source
}

type source interface{ next() (draft, error) }

// draft is a record that is not signed yet. Its id is known, since a signature
// is no part of what is hashed.
type draft struct {
	env      record.Envelope
	signer   record.Signer
	contents []*onusv1.Content
}

func newDraft(m *onusv1.Record, signer record.Signer) (draft, error) {
	m.Author.KeyId = signer.Public().ID()
	payload, err := proto.Marshal(m)
	if err != nil {
		return draft{}, fmt.Errorf("marshal record: %w", err)
	}
	return draft{env: record.Envelope{Type: record.TypeProtobuf, Payload: payload}, signer: signer}, nil
}

func (d draft) sign() (ledger.Submission, error) {
	var err error
	d.env.Signature, err = d.signer.Sign(d.env.PAE())
	return ledger.Submission{Envelope: d.env, Contents: d.contents}, err
}

// plain is the shape of the matrix: records of one agent whose entries have
// about EntrySize bytes. Most of a record are commitments, which are hashes, so
// that nothing in it compresses well.
type plain struct{ log *onusLog }

func (p plain) source(int) source { return &plainSource{log: p.log, random: newRandom()} }

type plainSource struct {
	log    *onusLog
	random *random
}

func (s *plainSource) next() (draft, error) {
	d := &onusv1.Decision{Text: s.random.commitment(), Rationale: s.random.commitment()}
	for range 16 {
		d.Alternatives = append(d.Alternatives, s.random.commitment())
	}
	return newDraft(&onusv1.Record{
		Origin: origin, Nonce: s.random.bytes(record.NonceSize),
		Author:  &onusv1.Author{Agent: agentID, Instance: "bench-1", Operator: operator},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
			Decision: d,
			Action: &onusv1.Action{
				Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get", Location: "https://k8s.example.com/shop",
					Identifier: fmt.Sprintf("web-%016x", s.random.Uint64())},
			}}},
	}, s.log.agent)
}

// random makes what has to be random and not secret, as fast as can be. It is
// for one goroutine.
type random struct {
	*mathrand.Rand
	src *mathrand.ChaCha8
}

func newRandom() *random {
	var s [32]byte
	rand.Read(s[:]) // never fails, see crypto/rand
	src := mathrand.NewChaCha8(s)
	return &random{mathrand.New(src), src}
}

func (r *random) bytes(n int) []byte {
	b := make([]byte, n)
	r.src.Read(b) // never fails, see its documentation
	return b
}

func (r *random) commitment() *onusv1.Text {
	return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: r.bytes(record.CommitmentSize)}}
}

// hex returns a number of that many hexadecimal digits, at most 16.
func (r *random) hex(digits int) string {
	return fmt.Sprintf("%016x", binary.BigEndian.Uint64(r.bytes(8)))[:digits]
}

func (r *random) chance(p float64) bool { return r.Float64() < p }
