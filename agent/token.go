package agent

import (
	"context"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
)

// Token is a user's compact ID token, or one exchanged for the log's audience.
// It is a secret: whatever prints or marshals it gets a word in its place.
type Token string

const tokenHidden = "(token, not shown)"

// String returns a word in place of the token, for fmt and slog.
func (t Token) String() string {
	if t == "" {
		return ""
	}
	return tokenHidden
}

// GoString is String, for %#v.
func (t Token) GoString() string { return "agent.Token(" + t.String() + ")" }

// MarshalText is String, for encoding/json.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// TokenUser returns the pseudonyms of the user and the session that a token
// names. The token is read and not verified, and it is not sent: the ledger
// gets the names. A token that cannot be read gives a [*record.Error].
func (c *Client) TokenUser(ctx context.Context, t Token) (user, session string, err error) {
	f, err := credential.ReadFacts(string(t))
	if err != nil {
		return "", "", err
	}
	if user, err = c.User(ctx, verifier.UserName(f)); err != nil {
		return "", "", err
	}
	session, err = c.Session(ctx, verifier.SessionName(f))
	return user, session, err
}

// named fills in the user and the session of a step with a token. What the
// step names already must be the same.
func (c *Client) named(ctx context.Context, step Step) (Step, error) {
	if step.Token == "" {
		return step, nil
	}
	user, session, err := c.TokenUser(ctx, step.Token)
	if err != nil {
		return step, err
	}
	if step.User != "" && step.User != user {
		return step, invalid("user", "is "+step.User+", but the token is that of "+user, "leave it out: the token says whose it is")
	}
	if step.Session != "" && step.Session != session {
		return step, invalid("session", "is "+step.Session+", but the token is of "+session, "leave it out: the token says which it is")
	}
	step.User, step.Session = user, session
	return step, nil
}
