package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// ReasonTokenMismatch: what the record says of the user's token is not what
// the token says.
const ReasonTokenMismatch = "TOKEN_MISMATCH"

// takenToken is a user's token as admission took it. The zero value is none.
type takenToken struct {
	came bool
	// assurance is 0 if the token could not be checked, and why says so; else
	// keySet is the entry with the key set that it was checked with.
	assurance uint8
	keySet    int64
	why       string
	// until is when it ends, by log time in milliseconds.
	until int64
	// sealed is the token under the user's key; nil if it was not checked: of
	// what is not known to be the user's ID token nothing is kept.
	sealed []byte
}

func (t *takenToken) result() *onusv1.TokenResult {
	if !t.came {
		return nil
	}
	return &onusv1.TokenResult{Assurance: int32(t.assurance), Why: t.why}
}

// inForce holds a token that was good at admission to the log time that its
// entry gets.
func (t *takenToken) inForce(logTime int64) error {
	if t.assurance == 0 || logTime < t.until {
		return nil
	}
	return &record.Error{Reason: credential.ReasonExpired, Field: "user_token", Detail: "expired while the record waited", Next: "get a fresh token"}
}

// takeToken checks the user's token that came beside a record. A token that is
// not good is an error of its own kind, and the record is refused: nothing is
// lost, it can be signed without a token. A token that cannot be checked,
// because its issuer's keys cannot be had, leaves the record's word asserted.
func (l *Ledger) takeToken(ctx context.Context, r *record.Record, token string) (takenToken, error) {
	said := r.Msg.GetToken()
	switch {
	case token == "":
		return takenToken{}, nil
	case said == nil:
		return takenToken{}, &record.Error{Reason: ReasonTokenMismatch, Field: "token",
			Detail: "is missing, but a user's token came beside the record", Next: "say in the record's token what the user's token says, or leave that out"}
	}
	hint, err := credential.Peek(token)
	if err != nil {
		return takenToken{}, err
	}
	if said.GetDigest() != credential.TokenDigest(token) {
		return takenToken{}, mismatch("token.digest")
	}
	if said.GetIssuer() != hint.Issuer {
		return takenToken{}, mismatch("token.issuer")
	}
	h := l.head.Load()
	if is, _ := l.registry.Issuer(hint.Issuer, h.size); !is.GetUsers() {
		return takenToken{}, &record.Error{Reason: credential.ReasonIssuer, Field: "token.issuer",
			Detail: fmt.Sprintf("is %.200q, which is not registered as an issuer of users' tokens", hint.Issuer),
			Next:   "send a token of a registered issuer, or have an administrator register this one: onus issuer add"}
	}
	want, err := l.expected(r, h.size)
	if err != nil {
		return takenToken{}, err
	}
	// This, and who acts in the token, is asked again when the record gets its
	// place. Here it is asked of what cannot be checked too.
	if err := l.registry.CheckSession(r, h.size); err != nil {
		return takenToken{}, err
	}
	// Time only goes on in a log, whatever the clock says.
	at := time.UnixMilli(max(l.cfg.Clock().UnixMilli(), h.logTime))
	keys := l.registry.KeySet(hint.Issuer, h.size)
	if keys != nil {
		l.refresh(hint.Issuer, keys)
	}
	facts, err := verifyToken(token, keys, want, at)
	if isUnknownKey(err) {
		var newer *registry.KeySetVersion
		var whyNot error
		l.pause(func() { newer, whyNot = l.newerKeys(ctx, hint.Issuer, keys) })
		var gone *unreachableError
		switch {
		case errors.As(whyNot, &gone):
			if err := l.registry.CheckActors(r, h.size); err != nil {
				return takenToken{}, err
			}
			l.unchecked.Add(1)
			l.cfg.Logger.Warn("a user's token was not checked: the record's word on the user is only asserted",
				"record", r.ID.String(), "issuer", hint.Issuer, "why", gone.Error())
			// What happened is for the log's host: it may tell of the host's
			// network.
			return takenToken{came: true, why: fmt.Sprintf("the keys of %s cannot be had now", hint.Issuer)}, nil
		case whyNot != nil:
			return takenToken{}, whyNot
		}
		keys = newer
		facts, err = verifyToken(token, keys, want, at)
	}
	if err != nil {
		return takenToken{}, err
	}
	if field := verifier.TokenDiffers(said, verifier.UserTokenOf(facts)); field != "" {
		return takenToken{}, mismatch(field)
	}
	if err := l.registry.CheckActors(r, h.size); err != nil {
		return takenToken{}, err
	}
	if err := l.ofUser(r.Msg, facts); err != nil {
		return takenToken{}, err
	}
	t := takenToken{came: true, assurance: 1, keySet: keys.Index, until: facts.Expires.Add(credential.Skew).UnixMilli()}
	if authority.TokenCovers(facts.Details, claimed(r.Msg)) {
		t.assurance = 2
	}
	l.pause(func() { t.sealed, err = l.vault.sealToken(r, token) })
	return t, err
}

// claimed returns the authority that a record says its user gave.
func claimed(m *onusv1.Record) []*onusv1.GrantElement {
	if d := m.GetDelegation(); d != nil {
		return d.GetScope()
	}
	return authority.Requested(m.GetStages().GetIntent().GetRequested())
}

func mismatch(field string) error {
	return &record.Error{Reason: ReasonTokenMismatch, Field: field,
		Detail: "is not what the user's token says that came beside the record", Next: "make the record's token of the token that you send"}
}

var noKeys = func() *credential.KeySet {
	s, err := credential.ParseKeySet([]byte(`{"keys":[]}`))
	if err != nil {
		panic(err)
	}
	return s
}()

// verifyToken checks a token with a key set of the log, or with none: then all
// that can be said without a key is said, and else that the key is not known.
func verifyToken(token string, keys *registry.KeySetVersion, want credential.Expect, at time.Time) (*credential.Facts, error) {
	set := noKeys
	if keys != nil {
		set = keys.Set
	}
	return credential.VerifyToken(token, set, want, at)
}

func isUnknownKey(err error) bool {
	var e *record.Error
	return errors.As(err, &e) && e.Reason == credential.ReasonUnknownKey
}

// ofUser holds the record's user and session, which the record's rules have
// beside a token, to the token's.
func (l *Ledger) ofUser(m *onusv1.Record, f *credential.Facts) error {
	for _, p := range []struct {
		field, pseudonym string
		kind             NameKind
		name, what       string
	}{
		{"user", m.GetUser(), NameUser, verifier.UserName(f), "iss and sub"},
		{"session", m.GetSession(), NameSession, verifier.SessionName(f), "iss and sid, or digest"},
	} {
		ok, err := l.vault.standsFor(p.pseudonym, p.kind, p.name)
		if err != nil {
			return err
		}
		if !ok {
			return &record.Error{Reason: ReasonTokenMismatch, Field: p.field,
				Detail: "is not the pseudonym of the token's " + p.field,
				Next:   fmt.Sprintf("mint it of the token's %s, with a space between them", p.what)}
		}
	}
	return nil
}

// UncheckedTokens returns how many users' tokens could not be checked since
// the ledger was opened, because their issuers' keys could not be had.
func (l *Ledger) UncheckedTokens() int64 { return l.unchecked.Load() }
