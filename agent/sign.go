package agent

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Sign completes and signs a record of a party that is no agent: one record by
// itself, without a sequence. [Client.Submit] logs it. Message must have author
// and body, and what else the party says; origin, nonce, capture and claimed
// time are filled in. Its texts, which stand there plain, are committed to, all
// but those of the fields in plain. With a token, the message must name the
// user, by [Client.TokenUser]; what the token says is filled in.
//
// The message is not to be used afterwards. One that breaks a rule gives a
// [*record.Error]. Agents sign with [Agent.Record].
func (c *Client) Sign(signer record.Signer, m *onusv1.Record, token Token, plain ...Field) (*Signed, error) {
	if m.GetAuthor().GetAgent() != "" {
		return nil, errors.New("an agent's records form a sequence: record them with an Agent")
	}
	s := &Signed{key: signer.Public(), token: token}
	m.Origin = c.Origin()
	m.Nonce = make([]byte, record.NonceSize)
	rand.Read(m.Nonce) // never fails
	m.Capture = onusv1.Capture_CAPTURE_SELF
	if m.ClaimedTime == nil {
		m.ClaimedTime = timestamppb.New(time.Now())
	}
	if token != "" {
		f, err := credential.ReadFacts(string(token))
		if err != nil {
			return nil, err
		}
		m.Token = verifier.UserTokenOf(f)
	}
	for _, f := range record.Texts(m) {
		text, ok := f.Text.GetForm().(*onusv1.Text_Plain)
		if !ok || slices.Contains(plain, Field(f.Path)) {
			continue
		}
		sealed, content := record.NewText([]byte(text.Plain))
		f.Text.Form = sealed.Form
		s.Contents = append(s.Contents, content)
	}
	var err error
	s.Record, err = record.Sign(m, signer)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Plain returns a text as [Client.Sign] expects it; nil for an empty one.
func Plain(text string) *onusv1.Text {
	if text == "" {
		return nil
	}
	return &onusv1.Text{Form: &onusv1.Text_Plain{Plain: text}}
}
