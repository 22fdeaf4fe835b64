// Package identity says who is calling, and what credentials show it.
//
// A caller has a name, for the log of the server, a role, and for two roles a
// scope: an agent is of one agent class, an operator is one operator. What a
// role may do is decided where it is done, in ledger/rpc.
//
// Credentials are bearer tokens, client certificates and tokens of OpenID
// providers. Who holds which is in one text file, the token file:
//
//	# name         role[=scope]                             credential
//	auditor-2026   auditor                                  sha256:9f86d0818…
//	platform-ci    operator=it/platform                     sha256:60303ae22…
//	k8s-agent      agent=spiffe://example.com/k8s-agent     sha256:fd61a03af…
//	dashboard      compliance                               spiffe://example.com/dashboard
//	m.rossi        auditor                                  oidc:https://login.example.com#248289761001
//
// The file holds hashes, never tokens. A workload with a certificate and
// without a line is the agent class that its certificate names. To revoke a
// credential, delete its line: the file is read again when it changes.
//
// Other kinds of credential are other implementations of [Authenticator].
package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Role says what a caller is to the ledger. The zero role may do nothing.
type Role uint8

// The roles.
const (
	// Agent is an agent class: it reads its own records and chains.
	Agent Role = iota + 1
	// Operator answers for agents: it reads their records and chains.
	Operator
	// Auditor reads all records, and no contents.
	Auditor
	// Compliance reads all records and their contents.
	Compliance
	// Administrator may do everything.
	Administrator
)

var roleNames = [...]string{Agent: "agent", Operator: "operator", Auditor: "auditor", Compliance: "compliance", Administrator: "administrator"}

// String returns the name of the role.
func (r Role) String() string {
	if r == 0 || int(r) >= len(roleNames) {
		return "nobody"
	}
	return roleNames[r]
}

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	for r := Agent; int(r) < len(roleNames); r++ {
		if s == roleNames[r] {
			return r, nil
		}
	}
	return 0, fmt.Errorf("unknown role %.40q: use agent, operator, auditor, compliance or administrator", s)
}

// Caller is who makes a call. The zero caller is nobody.
type Caller struct {
	// Name is for the server's log.
	Name string
	Role Role
	// Scope is the agent class (a SPIFFE ID) of an [Agent], the id of an
	// [Operator], and empty for the other roles.
	Scope string
}

// Scoped reports whether the caller reads only what is its own.
func (c Caller) Scoped() bool { return c.Role < Auditor }

// Owns reports whether a record by that author is the caller's own. Nobody
// but agents and operators owns any.
func (c Caller) Owns(author *onusv1.Author) bool {
	switch c.Role {
	case Agent:
		return c.Scope != "" && author.GetAgent() == c.Scope
	case Operator:
		return c.Scope != "" && author.GetOperator() == c.Scope
	}
	return false
}

// String says role and scope as the token file does.
func (c Caller) String() string {
	if c.Scope != "" {
		return c.Role.String() + "=" + c.Scope
	}
	return c.Role.String()
}

// Request is what a call brings to show who makes it.
type Request struct {
	// Bearer is the token of the Authorization header; empty without one.
	Bearer string
	// TLS is the connection; nil if it is not encrypted.
	TLS *tls.ConnectionState
}

// Authenticator finds out who makes a call. It is safe for concurrent use.
//
// It returns [ErrNone] for a call without a credential of its kind, a
// [*RefusedError] for one with a credential that is not good, and a
// [*UnavailableError] while it cannot tell.
type Authenticator interface {
	Authenticate(context.Context, Request) (Caller, error)
}

// ErrNone says that a call brings no credential.
var ErrNone = errors.New("the call brings no credential")

// RefusedError says that a credential is not good. It holds no part of it that
// would let anybody in.
type RefusedError struct{ Why, Next string }

func (e *RefusedError) Error() string { return e.Why }

// UnavailableError says that it cannot be found out now who is calling. Then
// nobody is let in.
type UnavailableError struct {
	// What the caller may know.
	What string
	// Err is for the server's log.
	Err error
}

func (e *UnavailableError) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *UnavailableError) Unwrap() error { return e.Err }

// InOrder tries one after the other; the first that finds a credential of its
// kind decides, be it good or bad.
type InOrder []Authenticator

// Authenticate implements [Authenticator].
func (as InOrder) Authenticate(ctx context.Context, req Request) (Caller, error) {
	for _, a := range as {
		if c, err := a.Authenticate(ctx, req); !errors.Is(err, ErrNone) {
			return c, err
		}
	}
	if req.Bearer != "" {
		// No kind of token that is known here looks like this one.
		return Caller{}, errUnknownToken
	}
	return Caller{}, ErrNone
}

// Open lets everybody do everything.
type Open struct{}

// Authenticate implements [Authenticator].
func (Open) Authenticate(context.Context, Request) (Caller, error) {
	return Caller{Name: "anyone", Role: Administrator}, nil
}

// maxBearer bounds the tokens that are looked at.
const maxBearer = 16 << 10

// ParseAuthorization returns the bearer token of the Authorization headers of
// a call, or "" if there is none. RFC 9110, section 11.4; RFC 6750, section
// 2.1.
func ParseAuthorization(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", nil
	}
	const next = "send one header, Authorization: Bearer TOKEN"
	if len(headers) > 1 {
		return "", &RefusedError{"the call has several Authorization headers", next}
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", &RefusedError{"the Authorization header is not of the scheme Bearer", next}
	}
	if token == "" || len(token) > maxBearer || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &RefusedError{"the Authorization header holds no token", next}
	}
	return token, nil
}
