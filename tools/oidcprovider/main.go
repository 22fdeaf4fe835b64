// Oidcprovider is an OpenID provider for tests, on loopback: the certified
// implementation of github.com/zitadel/oidc, with a few users and clients in
// memory.
//
// What a test needs of an identity provider, and gets by the standard's own
// requests: ID tokens by the authorization code flow (OpenID Connect Core, with
// PKCE, behind a login form), with the nonce, the session and the time of the
// login; authorization_details (RFC 9396); a key that the token is bound to
// (dpop_jkt, RFC 9449, section 10); a client's own token for an audience
// (client credentials, with RFC 8707's resource); and token exchange with an
// actor, who joins the actors before (RFC 8693).
//
// When it is ready it prints one line of JSON: where it is, whom it knows, and
// where it is controlled. It ends when its standard input does, so that it
// never outlives the test that started it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oidcprovider:", err)
		os.Exit(1)
	}
}

// ready is the line that is printed.
type ready struct {
	Issuer  string            `json:"issuer"`
	Control string            `json:"control"`
	Clients map[string]client `json:"clients"`
	Users   map[string]user   `json:"users"`
}

func run(in io.Reader, out io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + ln.Addr().String()
	p, err := newProvider()
	if err != nil {
		return err
	}
	handler := p.handler(exampleop.SetupServer(issuer, p, slog.New(slog.DiscardHandler), false))
	failed := make(chan error, 2)
	go func() { failed <- http.Serve(ln, handler) }()
	go func() { failed <- http.Serve(control, p.control()) }()

	if err := json.NewEncoder(out).Encode(ready{issuer, "http://" + control.Addr().String(), clients, users}); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	select {
	case err := <-failed:
		return err
	case err := <-ended:
		return err
	}
}
