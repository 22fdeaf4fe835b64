package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Bundle returns the trust bundle of a domain, such as example.com, as a JWK
// Set (SPIFFE Trust Domain and Bundle, section 4): the authorities of
// X.509-SVIDs, and the keys of JWT-SVIDs if the Workload API gives them. The
// same bundle gives the same bytes, which belong to the caller.
func (s *Source) Bundle(domain string) ([]byte, error) {
	td, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		return nil, fmt.Errorf("workload: trust domain %.200q: %w", domain, err)
	}
	now, _, err := s.bundles()
	if err != nil {
		return nil, err
	}
	b, ok := now[td]
	if !ok {
		var names []string
		for _, known := range slices.SortedFunc(maps.Keys(now), spiffeid.TrustDomain.Compare) {
			names = append(names, known.Name())
		}
		return nil, fmt.Errorf("workload: no bundle of trust domain %s: the Workload API gives those of %s; for another, federate with it", td, strings.Join(names, ", "))
	}
	return marshal(b)
}

// WatchBundles calls f with the bundle of every trust domain, as [Source.Bundle]
// returns it, and again with each that changes, until ctx ends or the source
// is closed; it returns ctx's error or [ErrClosed]. A domain that is trusted
// no more is told with nil. Calls come one after the other; of changes that
// come while f runs, the last is told.
func (s *Source) WatchBundles(ctx context.Context, f func(domain string, jwks []byte)) error {
	told := map[spiffeid.TrustDomain][]byte{}
	for {
		now, changed, err := s.bundles()
		if err != nil {
			return err
		}
		for _, td := range slices.SortedFunc(maps.Keys(now), spiffeid.TrustDomain.Compare) {
			jwks, err := marshal(now[td])
			if err != nil {
				return err
			}
			if !bytes.Equal(told[td], jwks) {
				told[td] = jwks
				f(td.Name(), bytes.Clone(jwks))
			}
		}
		for _, td := range slices.SortedFunc(maps.Keys(told), spiffeid.TrustDomain.Compare) {
			if now[td] == nil {
				delete(told, td)
				f(td.Name(), nil)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bundles returns all bundles, and what is closed when they change.
func (s *Source) bundles() (map[spiffeid.TrustDomain]*spiffebundle.Bundle, <-chan struct{}, error) {
	s.mu.Lock()
	now, changed, closed := s.now, s.changed, s.closed
	s.mu.Unlock()
	if closed {
		return nil, nil, ErrClosed
	}
	all := map[spiffeid.TrustDomain]*spiffebundle.Bundle{}
	for _, b := range now.x509.Bundles() {
		all[b.TrustDomain()] = spiffebundle.FromX509Bundle(b)
	}
	if now.jwt == nil {
		return all, changed, nil
	}
	for _, b := range now.jwt.Bundles() {
		td := b.TrustDomain()
		if all[td] == nil {
			all[td] = spiffebundle.New(td)
		}
		all[td].SetJWTAuthorities(b.JWTAuthorities())
	}
	return all, changed, nil
}

// marshal writes a bundle with its keys in the order of their bytes: go-spiffe
// takes them from a map, and their order says nothing.
func marshal(b *spiffebundle.Bundle) ([]byte, error) {
	text, err := b.Marshal()
	if err != nil {
		return nil, fmt.Errorf("workload: bundle of %s: %w", b.TrustDomain(), err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("workload: bundle of %s: %w", b.TrustDomain(), err)
	}
	slices.SortFunc(set.Keys, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	return json.Marshal(set)
}
