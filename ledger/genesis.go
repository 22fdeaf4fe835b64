package ledger

import (
	"crypto/rand"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Administrator is a name and the key of who may sign registrations.
type Administrator struct {
	Name string
	Key  *record.PublicKey
}

// DefaultPolicy is the policy of a log that states no other: no plain text,
// claimed times within a minute ahead and two minutes behind, outcomes within
// a quarter of an hour.
func DefaultPolicy() *onusv1.Policy {
	return &onusv1.Policy{
		ClockSkew:     durationpb.New(time.Minute),
		LateAfter:     durationpb.New(2 * time.Minute),
		OutcomeWindow: durationpb.New(15 * time.Minute),
	}
}

// NewGenesis makes the record of entry 0, signed by the first administrator.
// The log's host says nothing itself: see [NewHostedGenesis].
func NewGenesis(key tree.LogKey, admins []Administrator, policy *onusv1.Policy, signer record.Signer, now time.Time) (*record.Record, error) {
	return NewHostedGenesis(key, nil, admins, policy, signer, now)
}

// NewHostedGenesis is [NewGenesis] for a log whose host signs, with that
// Ed25519 key, what it says itself: key sets that it fetched, rejections,
// reads.
func NewHostedGenesis(key tree.LogKey, host *record.PublicKey, admins []Administrator, policy *onusv1.Policy, signer record.Signer, now time.Time) (*record.Record, error) {
	gen := &onusv1.Genesis{LogKey: key.String(), Policy: policy}
	if host != nil {
		gen.HostKey = host.SPKI()
	}
	for _, a := range admins {
		gen.Administrators = append(gen.Administrators, &onusv1.Administrator{Name: a.Name, PublicKey: a.Key.SPKI()})
	}
	return SignGenesis(gen, signer, now)
}

// SignGenesis makes the record of a genesis that says more than
// [NewHostedGenesis] has it say, such as which log it succeeds. signer is the
// first administrator's.
func SignGenesis(gen *onusv1.Genesis, signer record.Signer, now time.Time) (*record.Record, error) {
	key, err := tree.ParseLogKey(gen.GetLogKey())
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	name := ""
	if len(gen.GetAdministrators()) > 0 {
		name = gen.GetAdministrators()[0].GetName()
	}
	return record.Sign(&onusv1.Record{
		Origin:      key.Origin(),
		Nonce:       NewNonce(),
		Author:      &onusv1.Author{Administrator: name},
		Capture:     onusv1.Capture_CAPTURE_SELF,
		ClaimedTime: timestamppb.New(now),
		Body:        &onusv1.Record_Genesis{Genesis: gen},
	}, signer)
}

// NewNonce returns 16 random bytes.
func NewNonce() []byte {
	b := make([]byte, record.NonceSize)
	rand.Read(b)
	return b
}
