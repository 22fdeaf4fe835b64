package agent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// Credential shows that a party may have a key. Set one way; none is a knock.
type Credential struct {
	// SVID is an X.509-SVID of the workload, the leaf first, without the root.
	// SVIDKey is the leaf's key; nil if that is the very key that enrols: then
	// the key ends with the certificate, by NotAfter.
	SVID    []*x509.Certificate
	SVIDKey crypto.Signer
	// WorkloadToken gets a JWT-SVID, or an OIDC token of the workload such as
	// a Kubernetes service-account token, for an audience. The audience names
	// the log and the key, so the token enrols this key and no other. The
	// token stands in the log.
	WorkloadToken func(ctx context.Context, audience string) (string, error)
	// UserToken is a user's token that is bound to the key of a device: by a
	// nonce that is the key's id, or by cnf.
	UserToken Token
	// NotAfter is until when the key may sign, by log time; zero means until it
	// is replaced or revoked.
	NotAfter time.Time
}

// PendingError says that a key was enrolled without a credential: the ledger
// noted that it knocked, and an administrator may admit it. After that, [New]
// with this key is enough.
type PendingError struct {
	KeyID string
	// Err is the ledger's answer.
	Err error
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("key %s is not registered and brings no credential: ask an administrator of the ledger to admit it (onus agent pending, onus agent admit)", e.KeyID)
}

// Unwrap returns Err.
func (e *PendingError) Unwrap() error { return e.Err }

// reasonPending is the ledger's name for a key that waits.
const reasonPending = "KEY_PENDING"

// Enrol is [New] for a key that the log does not know yet: it registers the key
// for this one instance, on the word of a credential, and returns the agent.
// The enrolment is the instance's record number 0. Without cfg.Signer it makes
// a fresh Ed25519 key, which then lives and ends with the process.
//
// An instance enrols once. A process that starts again is a new instance with a
// new key, and names the old one in cfg.Follows; one that goes on with another
// key rotates ([Agent.Rotate]).
//
// Errors are those of [Agent.Record], and a [*PendingError] without a
// credential.
func Enrol(ctx context.Context, cfg Config, cred Credential) (*Agent, error) {
	if cfg.Signer == nil {
		if len(cred.SVID) > 0 && cred.SVIDKey == nil {
			return nil, errors.New("config: Signer is missing: set it to the SVID's key, or set Credential.SVIDKey")
		}
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		cfg.Signer = key
	}
	a, err := New(cfg)
	if err != nil {
		return nil, err
	}
	party := &onusv1.Author{Agent: a.name, Instance: a.instance, Operator: a.operator}
	if cred.none() {
		return nil, a.knock(ctx, party, a.signs(), cred)
	}
	if cred.UserToken != "" {
		return nil, errors.New("a user's token enrols the key of the user's device, not an agent's")
	}
	reg, err := a.binding(ctx, party, a.signs(), cred)
	if err != nil {
		return nil, err
	}
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.unlock()
	signed, err := a.author.Sign(Step{Root: true, registration: reg})
	if err != nil {
		return nil, err
	}
	if _, err := a.send(ctx, &sending{Signed: signed, enrols: true}); err != nil {
		return nil, err
	}
	return a, nil
}

// EnrolKey registers the key of a service, by the credential of a workload, or
// of a user's device, by the user's token. A key that is bound to that party
// already is no error: then there is no receipt. Agents use [Enrol]; the first
// keys of other parties are for an administrator to register.
func (c *Client) EnrolKey(ctx context.Context, party *onusv1.Author, key crypto.Signer, cred Credential) (*Receipt, error) {
	signer, err := record.NewSigner(key)
	if err != nil {
		return nil, err
	}
	if cred.none() {
		return nil, c.knock(ctx, party, signer, cred)
	}
	reg, err := c.binding(ctx, party, signer, cred)
	if err != nil {
		return nil, err
	}
	m := &onusv1.Record{
		Author: proto.CloneOf(party), User: party.GetUser(),
		Body: &onusv1.Record_Registration{Registration: reg},
	}
	if cred.UserToken != "" {
		if _, m.Session, err = c.TokenUser(ctx, cred.UserToken); err != nil {
			return nil, err
		}
	}
	signed, err := c.Sign(signer, m, cred.UserToken)
	if err != nil {
		return nil, err
	}
	r, err := c.logOne(ctx, &sending{Signed: signed, enrols: true})
	if no := (*RefusedError)(nil); errors.As(err, &no) {
		if k, kerr := c.Key(ctx, signer.Public().ID()); kerr == nil && proto.Equal(k.Party, party) && k.Ended(time.Now()) == "" {
			return nil, nil
		}
	}
	return r, err
}

func (cr *Credential) none() bool {
	return len(cr.SVID) == 0 && cr.WorkloadToken == nil && cr.UserToken == ""
}

// binding makes the registration of a key by itself.
func (c *Client) binding(ctx context.Context, party *onusv1.Author, key record.Signer, cred Credential) (*onusv1.Registration, error) {
	ways := 0
	for _, set := range []bool{len(cred.SVID) > 0, cred.WorkloadToken != nil, cred.UserToken != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		return nil, errors.New("credential: it shows the same thing in more than one way: set one of SVID, WorkloadToken and UserToken")
	}
	b := keyBinding(party, key.Public())
	switch {
	case len(cred.SVID) > 0:
		svid, err := c.svid(key.Public(), cred)
		if err != nil {
			return nil, fmt.Errorf("credential: %w", err)
		}
		b.Credential = &onusv1.KeyBinding_Svid{Svid: svid}
		if cred.SVIDKey == nil && cred.NotAfter.IsZero() {
			cred.NotAfter = cred.SVID[0].NotAfter
		}
	case cred.WorkloadToken != nil:
		token, err := cred.WorkloadToken(ctx, credential.EnrolmentAudience(c.Origin(), key.Public()))
		if err != nil {
			return nil, fmt.Errorf("get a workload token: %w", err)
		}
		b.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: token}
	}
	b.NotAfter = timestamp(cred.NotAfter)
	return &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: b}}, nil
}

// keyBinding binds a key to a party, without saying why.
func keyBinding(party *onusv1.Author, key *record.PublicKey) *onusv1.KeyBinding {
	return &onusv1.KeyBinding{
		PublicKey: key.SPKI(), Agent: party.GetAgent(), Instance: party.GetInstance(), Operator: party.GetOperator(),
		Service: party.GetService(), Client: party.GetClient(), Reviewer: party.GetReviewer(), User: party.GetUser(),
	}
}

// svid shows that the key's holder holds the SVID's key too.
func (c *Client) svid(key *record.PublicKey, cred Credential) (*onusv1.X509SVID, error) {
	out := &onusv1.X509SVID{}
	for _, cert := range cred.SVID {
		out.Chain = append(out.Chain, cert.Raw)
	}
	leaf, err := record.NewPublicKey(cred.SVID[0].PublicKey)
	if err != nil {
		return nil, fmt.Errorf("the SVID's key: %w", err)
	}
	switch {
	case leaf.ID() == key.ID():
		return out, nil
	case cred.SVIDKey == nil:
		return nil, errors.New("the SVID is for another key than the one that enrols: set SVIDKey")
	}
	holder, err := record.NewSigner(cred.SVIDKey)
	if err != nil {
		return nil, fmt.Errorf("SVIDKey: %w", err)
	}
	if holder.Public().ID() != leaf.ID() {
		return nil, errors.New("SVIDKey is not the key of the SVID's first certificate")
	}
	out.Possession, err = holder.Sign(record.BindingStatement(c.Origin(), key.ID(), leaf.ID()))
	return out, err
}

// knock makes the ledger note a key. What is sent is no valid record, as it
// brings no credential, and is not logged: so it is signed here, by hand, and
// takes no number of a sequence.
func (c *Client) knock(ctx context.Context, party *onusv1.Author, key record.Signer, cred Credential) error {
	b := keyBinding(party, key.Public())
	b.NotAfter = timestamp(cred.NotAfter)
	m := &onusv1.Record{
		Origin: c.Origin(), Nonce: make([]byte, record.NonceSize), Author: proto.CloneOf(party),
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamp(time.Now()),
		Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: b}}},
	}
	rand.Read(m.Nonce) // never fails
	m.Author.KeyId = key.Public().ID()
	payload, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("marshal record: %w", err)
	}
	env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
	if env.Signature, err = key.Sign(env.PAE()); err != nil {
		return fmt.Errorf("sign record: %w", err)
	}
	err = c.retry(ctx, new(bool), func(ctx context.Context) error {
		_, err := c.rpc.Enrol(ctx, &onusv1.EnrolRequest{Envelope: env.Proto()})
		if err == nil {
			err = connect.NewError(connect.CodeInternal, errors.New("the ledger took a key without a credential"))
		}
		return err
	})
	if no := (*RefusedError)(nil); errors.As(err, &no) && no.Problem.GetReason() == reasonPending {
		return &PendingError{KeyID: key.Public().ID(), Err: err}
	}
	return err
}
