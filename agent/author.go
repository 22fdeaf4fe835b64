package agent

import (
	"fmt"
	"io"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// AuthorConfig says whose records an [Author] signs.
type AuthorConfig struct {
	// Instance names the instance; empty means a fresh random name.
	Instance string
	// Follows is the last record of the instance before; zero means none.
	Follows record.ID
	// Capture says how the records come to be; 0 means by the agent itself.
	Capture onusv1.Capture
	// Rand is where nonces and salts come from; nil means crypto/rand. What
	// it yields must be secret: who can guess a salt can test guesses at the
	// text. An importer passes a keyed stream to make the same records again.
	Rand io.Reader
	// Clock gives the claimed times; nil means time.Now.
	Clock func() time.Time
}

// Author signs the records of one instance: it counts them from 0 without
// gaps and links each to the one before. It calls nobody. It is not safe for
// concurrent use.
type Author struct {
	cfg             AuthorConfig
	origin          string
	agent, operator string
	signer          record.Signer

	sequence int64  // of the next record
	previous string // id of the record before it
}

// Signed is a signed record with the contents that open its commitments.
type Signed struct {
	Record *record.Record
	// Contents go to the ledger beside the record; Withheld stay here.
	Contents, Withheld []*onusv1.Content

	key   *record.PublicKey // that signed it
	token Token             // travels beside it
}

// Link returns the link by which other records name this one. The link of a
// grant carries the grant.
func (s *Signed) Link() Link {
	m := s.Record.Msg
	l := Link{Record: s.Record.ID, Agent: m.GetAuthor().GetAgent(), Origin: m.GetOrigin()}
	if m.GetDelegation() != nil {
		l.Grant = s.Record.ID
	}
	return l
}

// Sign builds and signs the instance's next record. A step that breaks a rule
// gives a [*record.Error] and takes no number. A zero step.Parent is a root:
// there is no context here. A step with a Token must name the user, and the
// session if there is one, by [Client.TokenUser]: there is no ledger here either.
func (a *Author) Sign(step Step) (*Signed, error) {
	b := &builder{step: step, rand: a.cfg.Rand}
	msg, err := b.message(a)
	if err != nil {
		return nil, err
	}
	rec, err := record.Sign(msg, a.signer)
	if err != nil {
		return nil, err
	}
	a.sequence++
	a.previous = rec.ID.String()
	return &Signed{Record: rec, Contents: b.contents, Withheld: b.withheld, key: a.signer.Public(), token: step.Token}, nil
}

// rewind makes s, which must be the record that was signed last, unsigned: its
// number is free again.
func (a *Author) rewind(s *Signed) {
	a.sequence = s.Record.Msg.GetSequence()
	a.previous = s.Record.Msg.GetPrevious()
}

// check holds the author's names to the rules of records, without a use of
// the key.
func (a *Author) check() error {
	b := &builder{step: Step{Intent: &Intent{Text: "a record to try the names with"}}, rand: zeros{}}
	msg, err := b.message(a)
	if err != nil {
		return err
	}
	msg.Author.KeyId = a.signer.Public().ID()
	payload, err := proto.Marshal(msg)
	if err != nil {
		return fmt.Errorf("marshal record: %w", err)
	}
	_, err = record.Parse(record.Envelope{Type: record.TypeProtobuf, Payload: payload, Signature: []byte{0}})
	return err
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
