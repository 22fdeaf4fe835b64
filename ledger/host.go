package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// host signs what the ledger says itself. Its records take the way of all
// others, through the queue, and every auditor holds them to the same rules.
type host struct {
	signer record.Signer
	origin string
	// policy is what genesis asks of it.
	policy *onusv1.Policy
}

// newHost returns the host that a genesis names, or nil if no key is given.
// What the log's policy asks of the host cannot be left undone, so that policy
// needs the key.
func newHost(cfg Config, genesis *onusv1.Record) (*host, error) {
	named, policy := genesis.GetGenesis().GetHostKey(), genesis.GetGenesis().GetPolicy()
	switch {
	case cfg.HostKey == nil && policy.GetRevoked() == onusv1.RevokedRecords_REVOKED_RECORDS_REJECT:
		return nil, errors.New("the log's policy has records of revoked parties rejected, which takes the host key: give it")
	case cfg.HostKey == nil && policy.GetRecordReads():
		return nil, errors.New("the log's policy has reads recorded, which takes the host key: give it")
	case cfg.HostKey == nil:
		return nil, nil
	case len(named) == 0:
		return nil, errors.New("a host key is given, but genesis names none: leave it out; what the host said would be refused")
	}
	signer, err := record.NewSigner(cfg.HostKey)
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	if _, ok := cfg.HostKey.Public().(ed25519.PublicKey); !ok {
		// Others sign with random numbers, and one rejection would become two.
		return nil, fmt.Errorf("the host key is %s, but must be Ed25519", signer.Public().Algorithm())
	}
	if !bytes.Equal(signer.Public().SPKI(), named) {
		return nil, errors.New("the host key given is not the one that genesis names")
	}
	return &host{signer: signer, origin: genesis.GetOrigin(), policy: policy}, nil
}

// sign signs what the host says at that time.
func (h *host) sign(nonce []byte, when *timestamppb.Timestamp, fill func(*onusv1.Record)) (*record.Record, error) {
	m := &onusv1.Record{
		Origin:      h.origin,
		Nonce:       nonce,
		Author:      &onusv1.Author{Host: true},
		Capture:     onusv1.Capture_CAPTURE_SELF,
		ClaimedTime: when,
	}
	fill(m)
	return record.Sign(m, h.signer)
}

// say logs what the host says, and returns its index when it is durable.
func (l *Ledger) say(ctx context.Context, fill func(*onusv1.Record)) (int64, error) {
	// It has no need of a place: what is said so, a call is about that has one.
	l.underway.Add(1)
	return l.speak(ctx, fill)
}

// speak logs what the host says, which has its place, and gives that back.
func (l *Ledger) speak(ctx context.Context, fill func(*onusv1.Record)) (index int64, err error) {
	queued := false
	defer func() {
		if !queued {
			l.leave(1)
		}
	}()
	if l.host == nil {
		return 0, errNoHost
	}
	r, err := l.host.sign(NewNonce(), timestamppb.New(l.cfg.Clock()), fill)
	if err != nil {
		return 0, fmt.Errorf("sign as the host: %w", err)
	}
	key, err := l.registry.Authenticate(r, l.head.Load().size)
	if err != nil {
		return 0, err
	}
	p := newPending(r, key)
	if err := l.enqueue(p); err != nil {
		return 0, err
	}
	queued = true
	select {
	case at := <-p.done:
		return at.index, at.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

var errNoHost = errors.New("the ledger was opened without a host key")

// LogTrustBundle logs the trust bundle of a SPIFFE trust domain as it was
// fetched at that time, signed by the host, and returns its index when it is
// durable: that of the bundle in force, if that is the same.
// The first bundle of a domain is for an administrator to sign: whom the log
// trusts is not for its host to say.
func (l *Ledger) LogTrustBundle(ctx context.Context, domain string, bundle []byte, fetched time.Time) (int64, error) {
	if b, index := l.registry.Bundle(domain, l.head.Load().size); b != nil && b.Digest() == sha256.Sum256(bundle) {
		return index, nil
	}
	return l.say(ctx, func(m *onusv1.Record) {
		m.Body = &onusv1.Record_TrustBundle{TrustBundle: &onusv1.TrustBundle{
			Domain: domain, Bundle: bundle, Fetched: timestamppb.New(fetched)}}
	})
}

// RecordsReads reports whether the log's policy has reads recorded.
func (l *Ledger) RecordsReads() bool { return l.host != nil && l.host.policy.GetRecordReads() }

// RecordRead logs that somebody read, signed by the host, and returns when that
// is durable. Whoever serves the read waits for it: one commit. If it fails,
// the read must not be answered, or there would be one that the log does not
// know of. That a Read record is logged is not itself a read.
func (l *Ledger) RecordRead(ctx context.Context, read *onusv1.Read) error {
	if err := l.enter(); err != nil {
		return err
	}
	_, err := l.speak(ctx, func(m *onusv1.Record) { m.Body = &onusv1.Record_Read{Read: read} })
	return err
}
