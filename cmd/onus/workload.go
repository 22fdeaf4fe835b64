package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/onus-ledger/onus/agent/workload"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/spf13/cobra"
)

// workloadPatience is how long a server waits for its first SVID: a SPIFFE
// agent may start later, and a registration takes a while to reach it.
const workloadPatience = time.Minute

// serverTLS are the flags that say who a server is: a certificate in files, or
// an SVID of the Workload API.
type serverTLS struct {
	cert, key   string
	workloadAPI string
	source      *workload.Source // nil without the Workload API
}

func (s *serverTLS) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.cert, "tls-cert", "", "certificate chain, PEM")
	f.StringVar(&s.key, "tls-key", "", "the certificate's private key, PEM")
	f.StringVar(&s.workloadAPI, "workload-api", "", "socket of the SPIFFE Workload API, unix:///PATH: it gives the server's certificate and the authorities of client certificates, and renews both")
}

// open returns the configuration, nil for none.
func (s *serverTLS) open(ctx context.Context, log *slog.Logger) (*tls.Config, error) {
	switch {
	case s.workloadAPI != "" && (s.cert != "" || s.key != ""):
		return nil, usageError{errors.New("--workload-api gives the server its certificate: leave out --tls-cert and --tls-key, or --workload-api")}
	case (s.cert == "") != (s.key == ""):
		return nil, usageError{errors.New("TLS needs both --tls-cert and --tls-key")}
	case s.workloadAPI != "":
		ctx, cancel := context.WithTimeout(ctx, workloadPatience)
		defer cancel()
		source, err := workload.Open(ctx, workload.Config{Socket: s.workloadAPI, Logger: log})
		if err != nil {
			return nil, err
		}
		s.source = source
		return source.ServerConfig(), nil
	case s.cert != "":
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, fmt.Errorf("TLS certificate: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, nil
	}
	return nil, nil
}

// listener returns what to serve on.
func (s *serverTLS) listener(ln net.Listener) net.Listener {
	if s.source == nil {
		return ln
	}
	return s.source.Listener(ln)
}

// watch tells heard of every trust bundle, and of its changes, until ctx ends.
// It starts nothing without the Workload API.
func (s *serverTLS) watch(ctx context.Context, log *slog.Logger, heard func(domain string, jwks []byte)) {
	if s.source == nil {
		return
	}
	go func() {
		err := s.source.WatchBundles(ctx, heard)
		if ctx.Err() == nil && !errors.Is(err, workload.ErrClosed) {
			log.Error("trust bundles are not watched any more", "err", err)
		}
	}()
}

// logBundle notes which trust bundle is in force: in the server's own log, and,
// where an administrator logged the domain's first bundle, as an entry that the
// host signs.
func logBundle(ctx context.Context, log *slog.Logger, l *ledger.Ledger) func(domain string, jwks []byte) {
	return func(domain string, jwks []byte) {
		if jwks == nil {
			log.Warn("trust domain is trusted no more", "trust_domain", domain)
			return
		}
		log.Info("trust bundle in force", "trust_domain", domain, "sha256", fmt.Sprintf("%x", sha256.Sum256(jwks)))
		index, err := l.LogTrustBundle(ctx, domain, jwks, time.Now())
		var refused *record.Error
		switch {
		case errors.As(err, &refused) && refused.Reason == registry.ReasonNotPermitted:
			log.Info("trust bundle is not in the ledger: an administrator logs the first one of a domain, onus trust add", "trust_domain", domain)
		case err != nil:
			log.Warn("trust bundle is not in the ledger", "trust_domain", domain, "err", err)
		default:
			log.Info("trust bundle is in the ledger", "trust_domain", domain, "index", index)
		}
	}
}

func (s *serverTLS) close() error {
	if s.source == nil {
		return nil
	}
	return s.source.Close()
}
