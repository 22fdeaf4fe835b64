package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/bearer"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
)

// remote is a ledger that a command talks to.
type remote struct {
	server, ca, logKey string
	// token shows who calls: a token, @FILE, or empty.
	token string
	// http2 speaks HTTP/2 only, without TLS too (h2c): streams of records need it.
	http2 bool
}

// flags adds the flags of commands that read.
func (r *remote) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.server, "server", "http://"+defaultListen, "the ledger's URL")
	cmd.Flags().StringVar(&r.token, "token", "", bearer.Usage)
	cmd.Flags().StringVar(&r.ca, "tls-ca", "", "PEM file with the authority that the server's certificate must come from; default: the system's")
}

// writeFlags adds those of commands that write, and so verify a receipt.
func (r *remote) writeFlags(cmd *cobra.Command) {
	r.flags(cmd)
	cmd.Flags().StringVar(&r.logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
}

func (r *remote) httpClient() (*http.Client, error) {
	u, err := url.Parse(r.server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, usageError{fmt.Errorf("--server %q is not a URL such as http://%s", r.server, defaultListen)}
	}
	t := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ResponseHeaderTimeout: time.Minute,
		MaxIdleConnsPerHost:   1024,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if r.http2 {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP2(true)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	if r.ca != "" {
		if t.TLSClientConfig.RootCAs, err = keyfile.LoadAuthorities(r.ca); err != nil {
			return nil, err
		}
	}
	token, err := bearer.Load(r.token)
	if err != nil {
		return nil, usageError{err}
	}
	withToken, err := bearer.Transport(t, r.server, token)
	if err != nil {
		return nil, usageError{err}
	}
	return &http.Client{Transport: withToken}, nil
}

func (r *remote) client() (onusv1connect.LedgerServiceClient, error) {
	hc, err := r.httpClient()
	if err != nil {
		return nil, err
	}
	return onusv1connect.NewLedgerServiceClient(hc, r.server), nil
}

func (r *remote) key() (tree.LogKey, error) {
	k, err := keyfile.LoadLogKey(r.logKey)
	if err != nil && r.logKey == "" {
		return k, usageError{err}
	}
	return k, err
}

// openReceipt verifies what the server answered before anybody believes it.
func openReceipt(rec *onusv1.Receipt, r *record.Record, key tree.LogKey, signer record.Signer) (*verifier.Proven, error) {
	p, err := verifier.OpenReceipt(rec, r.Envelope.Type, r.Envelope.Payload, key, signer.Public())
	if err != nil {
		return nil, unverified(err)
	}
	return p, nil
}

func unverified(err error) error {
	return fmt.Errorf("the server's receipt does not verify, do not rely on it: %w", err)
}

// needOne returns the one argument, or says what it is.
func needOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{errors.New("name " + what)}
		}
		return nil
	}
}
