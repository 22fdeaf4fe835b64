package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// OIDC knows callers by tokens of OpenID providers: an ID token, or an access
// token that is a JWT. Whom it lets in, and whose keys it fetches, is what the
// token file says: oidc:ISSUER#SUB.
type OIDC struct {
	Tokens  *Tokens
	Issuers *Issuers
	// Audience is for whom a token must be: the log's origin, or the client
	// id that the log's readers log in with.
	Audience string
	// Clients are those whose tokens are taken, besides one that is named as
	// Audience is. A token that was issued to any other client is refused:
	// whoever runs that client would otherwise read here as its user.
	Clients []string
}

// Authenticate implements [Authenticator].
func (o *OIDC) Authenticate(ctx context.Context, req Request) (Caller, error) {
	if !strings.Contains(req.Bearer, ".") {
		return Caller{}, ErrNone
	}
	hint, err := credential.Peek(req.Bearer)
	if err != nil {
		return Caller{}, refusedToken(err)
	}
	if _, known, err := o.Tokens.find(func(l Line) bool { return l.Issuer != "" && l.Issuer == hint.Issuer }); err != nil {
		return Caller{}, err
	} else if !known {
		return Caller{}, &RefusedError{"the OIDC token is of an issuer that is not known here", nextSubject}
	}
	f, err := o.verify(ctx, req.Bearer, hint.Issuer)
	if err != nil {
		return Caller{}, err
	}
	// Only now: who is in the file is nobody's business before.
	return o.Tokens.BySubject(f.Issuer, f.Subject)
}

const nextSubject = "ask the ledger's operator for a line oidc:ISSUER#SUB in its token file"

func (o *OIDC) verify(ctx context.Context, token, issuer string) (*credential.Facts, error) {
	want := credential.Expect{Issuer: issuer, Audience: o.Audience}
	f, _, err := o.Issuers.Verify(ctx, token, want, time.Now())
	if reasonOf(err) == credential.ReasonTokenType {
		want.Type = "at+jwt" // RFC 9068, section 2.1
		f, _, err = o.Issuers.Verify(ctx, token, want, time.Now())
	}
	switch {
	case reasonOf(err) != "":
		return nil, refusedToken(err)
	case err != nil:
		return nil, &UnavailableError{"the ledger cannot tell who is calling: the keys of the token's issuer cannot be had", err}
	}
	for _, client := range []string{f.AuthorizedParty, f.ClientID} {
		if client != "" && client != o.Audience && !slices.Contains(o.Clients, client) {
			return nil, &RefusedError{"the OIDC token was issued to a client whose tokens are not taken here", "log in with the client of this ledger"}
		}
	}
	if len(f.Actors) > 0 {
		// What a user may read is not given to all that act for the user.
		return nil, &RefusedError{"the OIDC token is one with which somebody else acts for its subject", "use the caller's own token"}
	}
	return f, nil
}

func reasonOf(err error) string {
	var refused *record.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

// refusedToken says why a token is not good. Of the token it holds what helps
// to get a better one, such as its audience.
func refusedToken(err error) error {
	var refused *record.Error
	if !errors.As(err, &refused) {
		return err
	}
	return &RefusedError{"the OIDC token is refused: " + record.What(refused), refused.Next}
}
