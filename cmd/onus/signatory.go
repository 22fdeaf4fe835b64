package main

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
)

// signatory is who signs a command's records.
type signatory struct {
	client onusv1connect.LedgerServiceClient
	key    tree.LogKey
	signer record.Signer
	author *onusv1.Author
	// last is what the ledger answered to the newest record.
	last *onusv1.SubmitResponse
}

// holder returns the party that a key is bound to. The log knows whose key it
// is, and proves it, so nobody has to type it.
func (r *remote) holder(ctx context.Context, keyFile string) (*signatory, error) {
	signer, err := keyfile.LoadRecordSigner(keyFile)
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	client, err := r.client()
	if err != nil {
		return nil, err
	}
	p := &signatory{client: client, key: key, signer: signer}
	p.author, err = p.bound(ctx)
	return p, err
}

// signatory is holder, ready to sign. The instance is for an agent's key that is
// good for every instance.
func (r *remote) signatory(ctx context.Context, keyFile, instance string) (*signatory, error) {
	p, err := r.holder(ctx, keyFile)
	if err != nil {
		return nil, err
	}
	if p.author.GetAgent() != "" && p.author.GetInstance() == "" {
		if instance == "" {
			return nil, usageError{fmt.Errorf("the key is good for every instance of %s: name yours with --instance", p.author.GetAgent())}
		}
		p.author.Instance = instance
	} else if instance != "" && instance != p.author.GetInstance() {
		return nil, usageError{fmt.Errorf("the key is that of %s: leave out --instance", authorName(p.author))}
	}
	return p, nil
}

// bound returns whom the log binds the key to.
func (p *signatory) bound(ctx context.Context) (*onusv1.Author, error) {
	id := p.signer.Public().ID()
	resp, err := p.client.GetKey(ctx, &onusv1.GetKeyRequest{KeyId: id})
	if connect.CodeOf(err) == connect.CodeNotFound {
		return nil, fmt.Errorf("key %s is not registered in this log: an agent enrols with onus enrol, an administrator registers with onus agent register or onus register", id)
	}
	if err != nil {
		return nil, err
	}
	env, err := record.EnvelopeFromProto(resp.GetProven().GetEnvelope())
	if err != nil {
		return nil, fmt.Errorf("what the server says of key %s: %w", id, err)
	}
	proven, err := verifier.OpenReceipt(resp.GetProven().GetReceipt(), env.Type, env.Payload, p.key, nil)
	if err != nil {
		return nil, fmt.Errorf("what the server says of key %s does not verify, do not rely on it: %w", id, err)
	}
	author := boundParty(proven.Record.Msg, p.signer.Public())
	if author == nil {
		return nil, fmt.Errorf("entry %d, which the server names for key %s, does not bind it", proven.Index, id)
	}
	return author, nil
}

// boundParty returns whom a registration or the genesis binds a key to; nil
// for nobody.
func boundParty(m *onusv1.Record, key *record.PublicKey) *onusv1.Author {
	if g := m.GetGenesis(); g != nil {
		for _, a := range g.GetAdministrators() {
			if string(a.GetPublicKey()) == string(key.SPKI()) {
				return &onusv1.Author{Administrator: a.GetName()}
			}
		}
		return nil
	}
	k := m.GetRegistration().GetKey()
	if k == nil || string(k.GetPublicKey()) != string(key.SPKI()) {
		return nil
	}
	return partyOf(k)
}

// sign completes a record, logs it and returns where it stands, proven.
func (p *signatory) sign(ctx context.Context, m *onusv1.Record, contents []*onusv1.Content) (*verifier.Proven, error) {
	return p.signWith(ctx, m, contents, "")
}

// signWith is sign with the user's token beside the record.
func (p *signatory) signWith(ctx context.Context, m *onusv1.Record, contents []*onusv1.Content, userToken string) (*verifier.Proven, error) {
	m.Author = proto.CloneOf(p.author)
	if m.User == "" {
		m.User = p.author.GetUser()
	}
	complete(m, p.key.Origin())
	if err := goOn(ctx, p.client, m); err != nil {
		return nil, err
	}
	r, err := record.Sign(m, p.signer)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Submit(ctx, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto(), Contents: contents, UserToken: userToken})
	if err != nil {
		return nil, err
	}
	p.last = resp
	return openReceipt(resp.GetReceipt(), r, p.key, p.signer)
}

// askedBy names the record that asked for this one, and its agent, as far as we
// may read it. An agent that nobody says otherwise of works on for the same
// user.
func (p *signatory) askedBy(ctx context.Context, m *onusv1.Record, id string) {
	if id == "" {
		return
	}
	m.Parent = id
	asked, err := p.client.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: id}})
	if err != nil {
		return
	}
	parent := asked.GetRecord().GetRecord()
	if agent := parent.GetAuthor().GetAgent(); agent != p.author.GetAgent() {
		m.ParentAgent = agent
	}
	if p.author.GetAgent() != "" && m.GetUser() == "" {
		m.User, m.Session = parent.GetUser(), parent.GetSession()
	}
}

// goOn gives an agent's record its place in the instance's sequence, where the
// author left it open: after the newest record that the log has. Whoever may
// not read there starts at 0, as a new instance does.
func goOn(ctx context.Context, client onusv1connect.LedgerServiceClient, m *onusv1.Record) error {
	a := m.GetAuthor()
	if a.GetAgent() == "" || a.GetInstance() == "" || m.GetSequence() != 0 || m.GetPrevious() != "" {
		return nil
	}
	page, err := client.ListRecords(ctx, &onusv1.ListRecordsRequest{Agent: a.GetAgent(), Instance: a.GetInstance(), NewestFirst: true, PageSize: 1})
	switch connect.CodeOf(err) {
	case connect.CodePermissionDenied, connect.CodeUnauthenticated:
		return nil
	}
	if err != nil {
		return err
	}
	for _, last := range page.GetRecords() {
		if last.GetRecord() == nil {
			return errors.New("the server does not show the instance's last record: set sequence and previous")
		}
		m.Sequence, m.Previous = last.GetRecord().GetSequence()+1, last.GetId()
	}
	return nil
}
