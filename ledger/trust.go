package ledger

import onusv1 "github.com/onus-ledger/onus/gen/onus/v1"

// keySetOf adds to an issuer's registration what its tokens are checked with.
func (l *Ledger) keySetOf(h *head, of *onusv1.Registered) error {
	k := l.registry.KeySet(of.GetRegistration().GetIssuer().GetUrl(), h.size)
	if k == nil {
		return nil
	}
	r, err := l.recordAt(k.Index)
	if err != nil {
		return err
	}
	of.KeySet, of.KeySetIndex = r.Msg.GetKeySet(), &k.Index
	return nil
}

// trustBundles returns the trust bundles in force, each as its entry has it.
func (l *Ledger) trustBundles(h *head) ([]*onusv1.Registered, error) {
	var all []*onusv1.Registered
	for _, domain := range l.registry.Domains(h.size) {
		_, index := l.registry.Bundle(domain, h.size)
		r, err := l.recordAt(index)
		if err != nil {
			return nil, err
		}
		all = append(all, &onusv1.Registered{Index: index, TrustBundle: r.Msg.GetTrustBundle()})
	}
	return all, nil
}
