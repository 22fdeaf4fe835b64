package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// What a workload shows when it enrols a key. An SVID, of either form, is its
// trust domain's word for a SPIFFE ID: it counts for the class or the service
// with that very id. The token of a registered issuer counts where the
// registration of the class or the service names the issuer and the subject.

const (
	svidField  = "registration.key.svid"
	tokenField = "registration.key.workload_token"
)

// checkCredential verifies the credential of a binding, if it has one, as of
// the log time, and raises the level.
func (g *Registry) checkCredential(c *candidate, k *onusv1.KeyBinding, b *Binding) error {
	if k.GetCredential() == nil {
		return nil
	}
	p := b.Party() // an agent or a service: the record's own rules
	reg, _ := latest(g.registered[p], end)
	w := &workload{registry: g, party: p, key: b.Key, at: time.UnixMilli(c.stamp.LogTime).UTC(),
		named: slices.Concat(reg.GetAgent().GetWorkloads(), reg.GetService().GetWorkloads())} // one of them
	s := k.GetSvid()
	if s == nil {
		whose, err := w.checkToken(k.GetWorkloadToken())
		if b.Level < K1 { // a key that was shown by an SVID may have signed for it
			b.Level, b.CheckedWith = K1, whose
		}
		return err
	}
	svid, err := w.checkSVID(s)
	if err != nil {
		return err
	}
	b.Level, b.CheckedWith = K2, "trust domain "+w.domain()
	// A key that is the certificate's own is good for as long as that is. One
	// that the certificate vouched for stays bound.
	if after := svid.NotAfter.UnixMilli() + 1; svid.Key.ID() == b.Key.ID() && (b.NotAfter < 0 || after < b.NotAfter) {
		b.NotAfter = after
	}
	return nil
}

// workload is what shows a credential for a key.
type workload struct {
	registry *Registry
	party    Party
	named    []*onusv1.Workload // in the party's registration
	key      *record.PublicKey
	at       time.Time
}

func (w *workload) checkSVID(s *onusv1.X509SVID) (*credential.SVID, error) {
	b, err := w.bundle(svidField)
	if err != nil {
		return nil, err
	}
	svid, err := b.VerifyX509(s.GetChain(), w.at)
	if err != nil {
		return nil, under(err, "svid", svidField+".chain")
	}
	if err := w.isParty(svidField+".chain[0].subjectAltName", svid.ID); err != nil {
		return nil, err
	}
	const field = svidField + ".possession"
	switch sig := s.GetPossession(); {
	case svid.Key.ID() == w.key.ID():
		if len(sig) > 0 {
			return nil, &record.Error{Reason: record.ReasonInvalid, Field: field,
				Detail: "is set, but the certificate's key is the key that is bound", Next: "leave it out"}
		}
	case !svid.Key.Verify(record.BindingStatement(w.registry.logKey.Origin(), w.key.ID(), svid.Key.ID()), sig):
		return nil, &record.Error{Reason: ReasonNoPossession, Field: field,
			Detail: "is missing, or not the signature of the certificate's key over the binding statement",
			Next:   "sign the binding statement with the SVID's private key"}
	}
	return svid, nil
}

// checkToken verifies a JWT-SVID or the token of a registered issuer, and
// returns with whose keys.
func (w *workload) checkToken(token string) (whose string, err error) {
	hint, err := credential.Peek(token)
	if err != nil {
		return "", under(err, "token", tokenField)
	}
	audience := credential.EnrolmentAudience(w.registry.logKey.Origin(), w.key)
	if strings.HasPrefix(hint.Subject, "spiffe://") && !w.isNamed(hint.Issuer, hint.Subject) {
		b, err := w.bundle(tokenField)
		if err != nil {
			return "", err
		}
		facts, err := b.VerifyJWT(token, audience, w.at)
		if err != nil {
			return "", under(err, "token", tokenField)
		}
		return "trust domain " + w.domain(), w.isParty(tokenField+".sub", facts.Subject)
	}
	issuer, keys, err := w.issuer(hint.Issuer)
	if err != nil {
		return "", err
	}
	facts, err := credential.VerifyToken(token, keys, credential.Expect{Issuer: issuer, Audience: audience}, w.at)
	if err != nil {
		return "", under(err, "token", tokenField)
	}
	if !w.isNamed(facts.Issuer, facts.Subject) {
		return "", w.otherWorkload(tokenField+".sub", facts.Subject)
	}
	return Party{KindIssuer, issuer}.String(), nil
}

// domain returns the party's trust domain.
func (w *workload) domain() string {
	domain, _, _ := strings.Cut(strings.TrimPrefix(w.party.ID, "spiffe://"), "/")
	return domain
}

// bundle returns the trust bundle in force of the party's trust domain. Another
// domain's word does not count for it.
func (w *workload) bundle(field string) (*credential.Bundle, error) {
	domain := w.domain()
	if b, _ := latest(w.registry.bundles[domain], end); b != nil {
		return b, nil
	}
	return nil, &record.Error{Reason: ReasonNotRegistered, Field: field,
		Detail: fmt.Sprintf("is to be verified with the trust bundle of %q, which is not in the log", domain),
		Next:   "have an administrator log it: onus trust"}
}

// issuer returns whose token it must be, with the newest keys: the issuer that
// the token claims, if the registration names it; otherwise one that it does
// name, so that the token is refused as another's.
func (w *workload) issuer(claimed string) (string, *credential.KeySet, error) {
	if len(w.named) == 0 {
		return "", nil, &record.Error{Reason: ReasonOtherWorkload, Field: tokenField,
			Detail: fmt.Sprintf("is a token, and the registration of %s names no workload", w.party),
			Next:   "have an administrator register the workload's issuer and subject with it, or enrol with an SVID"}
	}
	issuer := w.named[0].GetIssuer()
	for _, n := range w.named {
		if n.GetIssuer() == claimed {
			issuer = claimed
		}
	}
	reg, _ := latest(w.registry.registered[Party{KindIssuer, issuer}], end)
	if !reg.GetIssuer().GetWorkloads() {
		return "", nil, &record.Error{Reason: ReasonNotRegistered, Field: tokenField + ".iss",
			Detail: fmt.Sprintf("is to be %q, which is not registered as an issuer for workloads", issuer),
			Next:   "have an administrator register the issuer: onus issuer"}
	}
	v, _ := latest(w.registry.keySets[issuer], end)
	if v == nil {
		return "", nil, &record.Error{Reason: ReasonNoKeySet, Field: tokenField,
			Detail: fmt.Sprintf("is to be verified with the keys of %q, of which none are in the log", issuer),
			Next:   "try again when the issuer can be reached, or have an administrator log its keys: onus issuer add --jwks"}
	}
	return issuer, v.Set, nil
}

// isParty holds the SPIFFE ID of a verified SVID to the party.
func (w *workload) isParty(field, id string) error {
	if id == w.party.ID {
		return nil
	}
	return w.otherWorkload(field, id)
}

// isNamed reports whether the party's registration names that workload.
func (w *workload) isNamed(issuer, subject string) bool {
	return slices.ContainsFunc(w.named, func(n *onusv1.Workload) bool {
		return n.GetIssuer() == issuer && n.GetSubject() == subject
	})
}

func (w *workload) otherWorkload(field, subject string) error {
	return &record.Error{Reason: ReasonOtherWorkload, Field: field,
		Detail: fmt.Sprintf("is of %.300q, which may not enrol keys for %s", subject, w.party),
		Next:   "use a credential of that party, or have an administrator register the workload with it"}
}

// under says of what package credential refused where in the record it stands:
// prefix is the package's own name for what it was given.
func under(err error, prefix, field string) error {
	var e *record.Error
	if !errors.As(err, &e) {
		return err
	}
	rest := strings.TrimPrefix(e.Field, prefix)
	if rest != "" && rest[0] != '.' && rest[0] != '[' {
		rest = "." + rest
	}
	return &record.Error{Reason: e.Reason, Field: field + rest, Detail: e.Detail, Next: e.Next}
}
