package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/spf13/cobra"
)

// access are the flags that say who may call a server.
type access struct {
	tokens, clientCA string
	openSubmit, open bool
	// workloadAPI is of serverTLS: it gives authorities, as clientCA does.
	workloadAPI string

	oidcAudience string
	oidcClients  []string
	// tokenFile is that of --tokens, and oidc reads the tokens of OpenID
	// providers by it; both nil without.
	tokenFile *identity.Tokens
	oidc      *identity.OIDC
}

func (a *access) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.tokens, "tokens", "", "who may call: the token file, see onus token new")
	f.StringVar(&a.clientCA, "client-ca", "", "PEM file with the authorities of client certificates (SPIFFE X.509-SVIDs); each is an agent class, unless the token file says otherwise")
	f.StringVar(&a.oidcAudience, "oidc-audience", "", "for whom the OpenID tokens must be that lines of the token file let in, such as the client id that readers log in with (default the log's origin)")
	f.StringSliceVar(&a.oidcClients, "oidc-client", nil, "another OpenID client whose tokens for that audience are taken")
	f.BoolVar(&a.openSubmit, "open-submit", false, "take signed records from callers without a credential")
	f.BoolVar(&a.open, "open", false, "let everybody who reaches the port do everything, even from other machines")
}

// controlled reports whether callers must show who they are.
func (a *access) controlled() bool {
	return a.tokens != "" || a.clientCA != "" || a.workloadAPI != ""
}

// conflicts refuses flags that contradict each other.
func (a *access) conflicts() error {
	switch {
	case a.open && (a.controlled() || a.openSubmit):
		return usageError{errors.New("--open lets everybody in: leave out --tokens, --client-ca, --workload-api and --open-submit, or --open")}
	case a.openSubmit && !a.controlled():
		return usageError{errors.New("--open-submit opens part of what --tokens, --client-ca or --workload-api closes: give one of them")}
	case (a.oidcAudience != "" || len(a.oidcClients) > 0) && a.tokens == "":
		return usageError{errors.New("--oidc-audience and --oidc-client go with --tokens: its lines say whose OpenID tokens let in")}
	case a.clientCA != "" && a.workloadAPI != "":
		return usageError{errors.New("--workload-api gives the authorities of client certificates: leave out --client-ca, or --workload-api")}
	}
	return nil
}

// apply sets up the server, once the flags are known not to contradict each
// other. It asks for client certificates in tc, as the Workload API's own
// configuration does already.
func (a *access) apply(srv *rpc.Server, tc *tls.Config) error {
	switch {
	case a.clientCA != "" && tc == nil:
		return usageError{errors.New("client certificates need TLS: give --tls-cert and --tls-key")}
	case !a.controlled():
		return nil
	}
	var who identity.InOrder
	var tokens *identity.Tokens
	if a.tokens != "" {
		var err error
		if tokens, err = identity.OpenTokens(a.tokens); err != nil {
			return err
		}
		a.tokenFile = tokens
		a.oidc = &identity.OIDC{Tokens: tokens, Issuers: &identity.Issuers{}, Audience: a.oidcAudience, Clients: a.oidcClients}
		who = append(who, tokens, a.oidc)
	}
	if a.clientCA != "" {
		pool, err := keyfile.LoadAuthorities(a.clientCA)
		if err != nil {
			return err
		}
		// A certificate may be shown, a token does as well.
		tc.ClientCAs, tc.ClientAuth = pool, tls.VerifyClientCertIfGiven
	}
	if a.clientCA != "" || a.workloadAPI != "" {
		who = append(who, identity.Certificates{Tokens: tokens})
	}
	srv.Identity, srv.OpenSubmit = who, a.openSubmit
	return nil
}

// forLog says which log is served, before it is: a token for it is for its
// origin, unless a flag says otherwise.
func (a *access) forLog(origin string) {
	if a.oidc != nil && a.oidc.Audience == "" {
		a.oidc.Audience = origin
	}
}

// check refuses to serve openly where other machines can reach the port, and
// says what to do instead.
func (a *access) check(ln net.Listener, instead ...string) error {
	if a.controlled() || a.open || isLoopback(ln) {
		return nil
	}
	instead = append(instead, "or serve with      --open, if everybody who reaches the port may do everything")
	return usageError{fmt.Errorf("not served: %s can be reached from other machines, and without credentials whoever reaches it reads every record and its contents:\n  %s",
		ln.Addr(), strings.Join(instead, "\n  "))}
}

func isLoopback(ln net.Listener) bool {
	a, ok := ln.Addr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// announce says in one line who may call, and warns of what is open.
func (a *access) announce(out, warn io.Writer, srv *rpc.Server, ln net.Listener) {
	switch {
	case a.controlled():
		var kinds []string
		if a.tokens != "" {
			kinds = append(kinds, "tokens of "+a.tokens)
		}
		if a.clientCA != "" {
			kinds = append(kinds, "client certificates of "+a.clientCA)
		}
		if a.workloadAPI != "" {
			kinds = append(kinds, "SVIDs that the Workload API trusts")
		}
		how := strings.Join(kinds, ", ")
		if a.openSubmit {
			how += "; signed records from anybody"
		}
		fmt.Fprintf(out, "  callers  %s\n", how)
		if srv.TLS == nil && !isLoopback(ln) {
			fmt.Fprintf(warn, "onus: WARNING: tokens and records travel to %s in clear, unless something in front of it encrypts: --tls-cert and --tls-key do\n", ln.Addr())
		}
	case isLoopback(ln):
		fmt.Fprintln(out, "  callers  anybody on this machine may do everything; --tokens FILE changes that")
	default:
		fmt.Fprintf(out, "  callers  anybody may do everything (--open)\n")
		fmt.Fprintf(warn, "onus: WARNING: %s is reachable from other machines, and whoever reaches it can read every record and its contents\n", ln.Addr())
	}
}
