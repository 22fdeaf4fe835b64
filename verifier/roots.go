package verifier

import (
	"crypto/sha256"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// Roots is what an auditor has from elsewhere than the log: the keys that an
// issuer has had over time, and the trust bundles that a SPIFFE trust domain
// has had. The log holds its own copies, on the host's word; pinned ones show
// that the host did not make them up.
type Roots struct {
	keys map[string]map[string]bool // by issuer or trust domain: key names
	sets map[string][]*credential.KeySet
}

// AddIssuer pins keys of an issuer, in addition to those pinned before.
func (r *Roots) AddIssuer(url string, set *credential.KeySet) {
	r.add("issuer "+url, set.Keys())
	if r.sets == nil {
		r.sets = map[string][]*credential.KeySet{}
	}
	r.sets[url] = append(r.sets[url], set)
}

// AddDomain pins the roots and keys of a trust domain, in addition to those
// pinned before.
func (r *Roots) AddDomain(b *credential.Bundle) { r.add("trust domain "+b.TrustDomain(), b.Keys()) }

func (r *Roots) add(whose string, keys []*credential.Key) {
	if r.keys == nil {
		r.keys = map[string]map[string]bool{}
	}
	if r.keys[whose] == nil {
		r.keys[whose] = map[string]bool{}
	}
	for _, k := range keys {
		r.keys[whose][keyName(k)] = true
	}
}

// keyName tells keys apart: by use and thumbprint, and a root by its whole
// certificate, since a certificate says more than its key.
func keyName(k *credential.Key) string {
	if cert := k.Certificate(); cert != nil {
		return fmt.Sprintf("certificate %x", sha256.Sum256(cert.Raw))
	}
	return k.Use() + " key " + k.Thumbprint()
}

// keysIn returns whose keys a record of the registry holds, and which.
func keysIn(r *record.Record) (whose string, keys []*credential.Key) {
	switch b := r.Msg.GetBody().(type) {
	case *onusv1.Record_KeySet:
		if set, err := credential.ParseKeySet(b.KeySet.GetJwks()); err == nil { // the registry has read it
			return "issuer " + b.KeySet.GetIssuer(), set.Keys()
		}
	case *onusv1.Record_TrustBundle:
		if set, err := credential.ParseBundle(b.TrustBundle.GetDomain(), b.TrustBundle.GetBundle()); err == nil {
			return "trust domain " + b.TrustBundle.GetDomain(), set.Keys()
		}
	}
	return "", nil
}

// pin compares what an entry says of an issuer or a trust domain with what the
// auditor pinned of it.
func (a *Audit) pin(whose string, keys []*credential.Key, index int64) {
	unpinned, ok := a.roots.unpinned(whose, keys)
	a.unpinned[whose] = !ok || len(unpinned) > 0
	for _, name := range unpinned {
		if len(a.report.Unpinned) < MaxFaults {
			a.report.Unpinned = append(a.report.Unpinned, notPinned(index, whose, name))
		}
	}
}

// unpinned returns the names of the keys that were not pinned, if any key of
// that issuer or trust domain was.
func (r *Roots) unpinned(whose string, keys []*credential.Key) (names []string, ok bool) {
	pinned, ok := r.keys[whose]
	for _, k := range keys {
		if name := keyName(k); ok && !pinned[name] {
			names = append(names, name)
		}
	}
	return names, ok
}

func notPinned(index int64, whose, name string) Fault {
	return Fault{index, UnpinnedKey, fmt.Sprintf("the log has a %s of %s that was not pinned", name, whose)}
}

// countBinding counts a binding that the registry has accepted.
func (a *Audit) countBinding(k *onusv1.KeyBinding, index int64) {
	key, err := record.ParsePublicKey(k.GetPublicKey())
	if err != nil {
		return // the record's rules have read it
	}
	b := a.registry.Key(key.ID(), index+1)
	if b == nil {
		return
	}
	a.report.Bindings[b.Level]++
	if b.User != "" && b.Level == registry.K1 {
		a.report.UserKeys++
		return
	}
	if whose := b.CheckedWith; whose != "" && !a.unpinned[whose] {
		a.report.PinnedBindings[b.Level]++
	}
}
