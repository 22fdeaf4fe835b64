package registry

import (
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// maxAhead is how far after the log time something may say it was fetched.
const maxAhead = 60 * time.Second

// KeySetVersion is a key set as an entry of the log has it. It is immutable.
type KeySetVersion struct {
	Index   int64
	Raw     []byte // as the issuer published it; must not be changed
	Set     *credential.KeySet
	Fetched time.Time
}

// planKeySet checks the keys of an issuer. The host fetches them, so it may
// say only of an issuer that an administrator registered what its keys are.
func (g *Registry) planKeySet(c *candidate, k *onusv1.KeySet) (func(), error) {
	if len(g.registered[Party{KindIssuer, k.GetIssuer()}]) == 0 {
		return nil, notRegistered("key_set.issuer", k.GetIssuer(), "issuer")
	}
	fetched := k.GetFetched().AsTime()
	if err := checkFetched("key_set.fetched", fetched, c.stamp.LogTime); err != nil {
		return nil, err
	}
	set, err := credential.ParseKeySet(k.GetJwks())
	if err != nil {
		return nil, under(err, "key set", "key_set.jwks")
	}
	v := &KeySetVersion{Index: c.index, Raw: k.GetJwks(), Set: set, Fetched: fetched}
	return func() {
		g.keySets[k.GetIssuer()] = append(g.keySets[k.GetIssuer()], version[*KeySetVersion]{c.index, v})
	}, nil
}

// planBundle checks the trust bundle of a trust domain. That the log trusts
// the domain at all is an administrator's decision; how its keys rotate then
// is not.
func (g *Registry) planBundle(c *candidate, t *onusv1.TrustBundle) (func(), error) {
	now, index := latest(g.bundles[t.GetDomain()], end)
	if now == nil && PartyOf(c.author).Kind != KindAdministrator {
		return nil, &record.Error{Reason: ReasonNotPermitted, Field: "trust_bundle.domain",
			Detail: fmt.Sprintf("is %q, of which the log has no bundle yet", t.GetDomain()),
			Next:   "have an administrator sign the first one: onus trust"}
	}
	if err := checkFetched("trust_bundle.fetched", t.GetFetched().AsTime(), c.stamp.LogTime); err != nil {
		return nil, err
	}
	b, err := credential.ParseBundle(t.GetDomain(), t.GetBundle())
	if err != nil {
		return nil, under(err, "key set", "trust_bundle.bundle")
	}
	if now != nil && b.Sequence() < now.Sequence() {
		return nil, &record.Error{Reason: ReasonOlder, Field: "trust_bundle.bundle.spiffe_sequence",
			Detail: fmt.Sprintf("is %d, and entry %d has %d", b.Sequence(), index, now.Sequence()), Next: "fetch the bundle again"}
	}
	return func() {
		g.bundles[t.GetDomain()] = append(g.bundles[t.GetDomain()], version[*credential.Bundle]{c.index, b})
	}, nil
}

func checkFetched(field string, fetched time.Time, logTime int64) error {
	if at := time.UnixMilli(logTime); fetched.After(at.Add(maxAhead)) {
		return &record.Error{Reason: ReasonTime, Field: field,
			Detail: fmt.Sprintf("is %s, after the log time, %s", clock(fetched.UnixMilli()), clock(logTime)), Next: "set the clock of whoever fetched it"}
	}
	return nil
}

// KeySet returns the newest key set of an issuer before that index, or nil.
func (g *Registry) KeySet(issuer string, at int64) *KeySetVersion {
	g.mu.RLock()
	defer g.mu.RUnlock()
	v, _ := latest(g.keySets[issuer], at)
	return v
}

// Bundle returns the trust bundle of a trust domain in force before that
// index, and the index of its entry; nil if there is none.
func (g *Registry) Bundle(domain string, at int64) (*credential.Bundle, int64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return latest(g.bundles[domain], at)
}
