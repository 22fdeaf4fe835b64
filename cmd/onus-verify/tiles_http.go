package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/bearer"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
)

// remote is a log that serves its tiles over HTTP (c2sp.org/tlog-tiles). What it
// sends is bounded in size and time, and believed by nobody.
type remote struct {
	client *http.Client
	url    string // without a slash at the end
	// stall is how long it may be silent within an answer, longest how long an
	// answer may take.
	stall, longest time.Duration
}

func newRemote(at, tokenFlag, ca string) (*remote, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no URL of a log: name it as in https://log.example.com:8787", at)
	}
	client, err := newHTTPClient(at, tokenFlag, ca)
	if err != nil {
		return nil, err
	}
	// A tile is where it is. Elsewhere is somebody else, whom nobody named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &remote{client: client, url: strings.TrimSuffix(at, "/"), stall: stall, longest: 10 * time.Minute}, nil
}

// newHTTPClient is how every command talks to a server.
func newHTTPClient(at, tokenFlag, ca string) (*http.Client, error) {
	token, err := bearer.Load(tokenFlag)
	if err != nil {
		return nil, err
	}
	tc := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		if tc.RootCAs, err = keyfile.LoadAuthorities(ca); err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
	}
	// A server that hangs must not hang us: dialling and answering are timed,
	// and the readers of streams and tiles time each part.
	t, err := bearer.Transport(&http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ResponseHeaderTimeout: time.Minute,
		TLSHandshakeTimeout:   10 * time.Second,
		TLSClientConfig:       tc,
	}, at, token)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: t}, nil
}

// answerError is an answer that is not what was asked for.
type answerError struct {
	path string
	code int
	text string
}

func (e *answerError) Error() string {
	s := fmt.Sprintf("%s: the server answers %d %s", e.path, e.code, http.StatusText(e.code))
	if e.text != "" {
		s += ": " + e.text
	}
	switch e.code {
	case http.StatusUnauthorized:
		s += " (entries are read by auditors: give --token)"
	case http.StatusForbidden:
		s += " (the token's role may not read entries: ask for one of an auditor)"
	}
	return s
}

// refused reports whether asking again is in vain until the reader has another
// token.
func refused(err error) bool {
	var a *answerError
	return errors.As(err, &a) && (a.code == http.StatusUnauthorized || a.code == http.StatusForbidden)
}

// withheld reports whether a log does not give, or not truly, what it signed. It
// proves nothing against it: whoever stands between may be at fault.
func withheld(err error) bool {
	var bad *tiles.BadTile
	return errors.As(err, &bad) || errors.Is(err, tiles.ErrMissing)
}

// checkpoint fetches the signed note.
func (r *remote) checkpoint(ctx context.Context) ([]byte, error) {
	b, err := r.get(ctx, tiles.CheckpointName, tree.MaxCheckpoint)
	var a *answerError
	if errors.As(err, &a) && a.code == http.StatusNotFound {
		return nil, fmt.Errorf("%w: is there a log at %s?", err, r.url)
	}
	return b, err
}

// fetch is a [tiles.Fetch].
func (r *remote) fetch(ctx context.Context, p tree.TilePath) ([]byte, error) {
	most := int64(tiles.MaxBytes)
	if p.Level != tree.EntryLevel {
		most = int64(p.Width) * tree.HashSize
	}
	b, err := r.get(ctx, p.String(), most)
	var a *answerError
	if errors.As(err, &a) && (a.code == http.StatusNotFound || a.code == http.StatusGone) {
		return nil, fmt.Errorf("%s, which the log's size needs: %w (%w)", p, tiles.ErrMissing, err)
	}
	return b, err
}

// get reads at most that many bytes; more of them are an error.
func (r *remote) get(ctx context.Context, path string, most int64) ([]byte, error) {
	ctx, stop := context.WithTimeoutCause(ctx, r.longest, fmt.Errorf("%s: the answer took longer than %v", path, r.longest))
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(r.stall, func() { cancel(fmt.Errorf("%s: the server sent nothing for %v", path, r.stall)) })
	defer watchdog.Stop()
	// Of what ended the context, what says most.
	told := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, told(err)
	}
	defer resp.Body.Close()
	watchdog.Reset(r.stall)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return nil, &answerError{path, resp.StatusCode, printable(string(text))}
	}
	b, err := io.ReadAll(io.LimitReader(&alive{resp.Body, watchdog, r.stall}, most+1))
	if err != nil {
		return nil, told(fmt.Errorf("%s: %w", path, err))
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s: the server sends more than the %d bytes that it can have", path, most)
	}
	return b, nil
}

// alive puts the watchdog off with each read.
type alive struct {
	io.Reader
	watchdog *time.Timer
	stall    time.Duration
}

func (a *alive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n > 0 {
		a.watchdog.Reset(a.stall)
	}
	return n, err
}

// printable is the first line of what a server says, without what would write to
// a terminal.
func printable(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
