package registry

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/record"
)

// Authenticate finds the key that signed r, as bound at that index, and
// checks the signature, the origin and the log's policy on plain text. For
// the genesis, at index 0, it takes the key from the record itself: what
// makes a genesis genuine is the log key that signed a tree which begins with
// it. It does so too for a key that enrols itself: what makes it the party's
// is the credential, which [Registry.Check] checks. The error is a
// *record.Error.
func (g *Registry) Authenticate(r *record.Record, at int64) (*Binding, error) {
	b, err := g.Bound(r, at)
	if err != nil {
		return nil, err
	}
	if err := r.VerifySignature(b.Key); err != nil {
		return nil, err
	}
	return b, nil
}

// Bound is [Registry.Authenticate] without the check of the signature. It
// asks neither whether the author is revoked nor whether the key has ended:
// see [Registry.Revocations] and [Registry.Ended]. The binding of a key that
// enrols itself is without a level: its credential is not looked at.
func (g *Registry) Bound(r *record.Record, at int64) (*Binding, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if at == 0 {
		bs, err := genesisBindings(r)
		if err != nil {
			return nil, err
		}
		return bs[0], nil
	}
	if r.Msg.GetGenesis() != nil {
		return nil, &record.Error{Reason: ReasonGenesisMisplace, Field: "genesis",
			Detail: "is the body of entry 0 only", Next: "start another log for another genesis"}
	}
	if g.genesis == nil {
		return nil, &record.Error{Reason: ReasonNoGenesis, Detail: "the log has no genesis", Next: "create the log first"}
	}
	if r.Msg.GetOrigin() != g.logKey.Origin() {
		return nil, &record.Error{Reason: ReasonWrongOrigin, Field: "origin",
			Detail: fmt.Sprintf("is %q, but this log is %q", r.Msg.GetOrigin(), g.logKey.Origin()),
			Next:   "sign the record for this log"}
	}
	b, err := g.signerOf(r, at)
	if err != nil {
		return nil, err
	}
	if err := r.CheckPlainText(g.genesis.GetPolicy()); err != nil {
		return nil, err
	}
	return b, nil
}

func (g *Registry) signerOf(r *record.Record, at int64) (*Binding, error) {
	a := r.Msg.GetAuthor()
	if k := record.SelfEnrolment(r.Msg); k != nil {
		key, err := record.ParsePublicKey(k.GetPublicKey())
		if err != nil {
			return nil, err // the record's own rules have checked it
		}
		b := bindingOf(a)
		b.Index, b.Key, b.NotAfter, b.SignedBy = at, key, millis(k.GetNotAfter()), key.ID()
		return b, nil
	}
	b := g.keys[a.GetKeyId()]
	if b == nil || b.Index >= at {
		return nil, &record.Error{Reason: ReasonKeyNotBound, Field: "author.key_id",
			Detail: fmt.Sprintf("%s is not registered", a.GetKeyId()),
			Next:   "have an administrator register the key: onus agent register"}
	}
	if why := b.speaksFor(a); why != "" {
		return nil, &record.Error{Reason: ReasonKeyNotBound, Field: "author", Detail: why,
			Next: "sign as the party that the key is bound to, or register a key for this one"}
	}
	return b, nil
}

// genesisBindings returns the keys that a genesis binds: that of its signer,
// the first administrator, first.
func genesisBindings(r *record.Record) ([]*Binding, error) {
	gen := r.Msg.GetGenesis()
	if gen == nil {
		return nil, &record.Error{Reason: ReasonNoGenesis, Field: "body", Detail: "of entry 0 is not a genesis",
			Next: "begin the log with its genesis"}
	}
	var all []*Binding
	add := func(spki []byte, b Binding) error {
		key, err := record.ParsePublicKey(spki)
		if err != nil {
			return err // the record's own rules have checked it
		}
		b.Key, b.NotAfter, b.SignedBy = key, -1, r.Msg.GetAuthor().GetKeyId()
		all = append(all, &b)
		return nil
	}
	for _, a := range gen.GetAdministrators() {
		if err := add(a.GetPublicKey(), Binding{Administrator: a.GetName()}); err != nil {
			return nil, err
		}
	}
	if len(gen.GetHostKey()) > 0 {
		if err := add(gen.GetHostKey(), Binding{Host: true}); err != nil {
			return nil, err
		}
	}
	return all, nil
}
