package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/devissuer"
	"github.com/spf13/cobra"
)

func newDemoIssuer() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "issuer",
		Short: "Serve an OpenID provider that signs any token: for learning only",
		Long: `Serve a small OpenID provider on this machine, to try things out: it publishes
its keys as real ones do, and signs whatever token it is asked for. Whoever
reaches it can be anybody, so never register it in a log that matters.

  curl "$ISSUER/token?sub=anna&aud=chat"    an ID token; each parameter is a claim
  curl "$ISSUER/keys"                       its key set`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ln, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			if !isLoopback(ln) {
				ln.Close()
				return usageError{fmt.Errorf("not served: %s can be reached from other machines, and this issuer lets everybody be anybody: use --listen 127.0.0.1:0", ln.Addr())}
			}
			issuer, err := devissuer.New(baseURL(ln, false))
			if err != nil {
				ln.Close()
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Serving an issuer at %s\n  It signs any token, for anybody who asks: for learning only.\n", issuer.URL())
			return serveUntil(cmd.Context().Done(), ln, issuer.Handler())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8788", "address to listen on, of this machine only; port 0 takes a free one")
	return cmd
}

// serveUntil serves HTTP until done.
func serveUntil(done <-chan struct{}, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-done:
		return srv.Close()
	}
}
