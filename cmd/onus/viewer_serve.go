package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/signin"
	"github.com/spf13/cobra"
)

// viewerFlags are the flags that say how people sign in to the viewer.
type viewerFlags struct {
	off           bool
	issuer        string
	client        string
	secretFile    string
	url           string
	endsWithToken bool
}

func (f *viewerFlags) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.off, "no-viewer", false, "do not serve the viewer's pages")
	fs.StringVar(&f.url, "viewer-url", "", "where browsers reach the viewer, such as https://log.example.com; default on loopback: the address that is listened on")
	fs.StringVar(&f.issuer, "viewer-issuer", "", "URL of the OpenID provider where people sign in to the viewer; who they are is in the token file: oidc:ISSUER#SUB")
	fs.StringVar(&f.client, "viewer-client", "", "the viewer's client id at that provider; its redirect URI there is the viewer's URL and "+signin.CallbackPath)
	fs.StringVar(&f.secretFile, "viewer-client-secret-file", "", "file with the client's secret; default: a public client, with PKCE alone")
	fs.BoolVar(&f.endsWithToken, "viewer-ends-with-token", false, "end a session when the provider's ID token expires, if that is before 12 hours")
}

// conflicts refuses flags that contradict each other, or those of access.
func (f *viewerFlags) conflicts(who *access) error {
	provider := f.issuer != "" || f.client != "" || f.secretFile != "" || f.endsWithToken
	switch {
	case f.off && (provider || f.url != ""):
		return usageError{errors.New("--no-viewer goes with no other --viewer flag")}
	case provider && (f.issuer == "" || f.client == ""):
		return usageError{errors.New("--viewer-issuer and --viewer-client go together: the provider, and the id that this viewer has there")}
	case provider && who.tokens == "":
		return usageError{errors.New("--viewer-issuer goes with --tokens: lines oidc:ISSUER#SUB of that file say who may look, and as what")}
	}
	return nil
}

// provider reads what the flags say of the OpenID provider; nil without one.
func (f *viewerFlags) provider() (*signin.Provider, error) {
	if f.issuer == "" {
		return nil, nil
	}
	p := &signin.Provider{Issuer: f.issuer, Client: f.client}
	if f.secretFile == "" {
		return p, nil
	}
	text, err := os.ReadFile(f.secretFile)
	if err != nil {
		return nil, fmt.Errorf("--viewer-client-secret-file: %w", err)
	}
	if p.Secret = strings.TrimRight(string(text), "\r\n"); p.Secret == "" || len(p.Secret) > 1024 || strings.ContainsAny(p.Secret, "\r\n") {
		return nil, fmt.Errorf("--viewer-client-secret-file %s does not hold one line with a secret", f.secretFile)
	}
	return p, nil
}

// viewer is the viewer of a ledger that is served: its desk, and its pages.
type viewer struct {
	desk    *desk.Desk
	pages   http.Handler
	url     string // of the overview
	how     string // how people sign in, in a few words
	log     *slog.Logger
	stop    context.CancelFunc
	stopped chan struct{}
}

// open makes the viewer of a ledger that is about to be served on ln, and has
// its desk read the log beside it. Close it before the ledger. It returns nil
// with the reason where there is to be none.
func (f *viewerFlags) open(l *ledger.Ledger, d dataDir, who *access, ln net.Listener, secure bool, log *slog.Logger) (v *viewer, why string, err error) {
	if f.off {
		return nil, "--no-viewer", nil
	}
	v = &viewer{url: f.url, log: log, stopped: make(chan struct{})}
	cfg := web.Config{Log: ledgerLog{l}, Officer: ledgerOfficer{l}, Logger: log}
	switch {
	case v.url != "":
	case secure || isLoopback(ln):
		v.url = baseURL(ln, secure)
	}
	switch {
	case !who.controlled():
		v.how = "open: no sign-in"
		if v.url == "" {
			v.url = baseURL(ln, secure)
		}
		cfg.Who = func(*http.Request) (web.Viewer, error) {
			return web.Viewer{Role: v.how, Contents: true, Reviews: true}, nil
		}
	case who.tokenFile == nil:
		return nil, "people sign in by lines of a token file, and --tokens names none", nil
	case v.url == "":
		return nil, "cookies would travel in clear: give --tls-cert and --tls-key or, behind a proxy that has TLS, --viewer-url https://HOST", nil
	case f.issuer != "" && f.url == "" && !isLoopback(ln):
		return nil, "", usageError{errors.New("say where browsers reach the viewer, and the provider sends them back to: --viewer-url https://HOST")}
	default:
		in, err := f.signIn(l, who.tokenFile, v, log)
		if err != nil {
			return nil, "", err
		}
		cfg.Who, cfg.SignIn = in.Who, in
	}
	v.url = strings.TrimSuffix(v.url, "/") + "/"
	if l.RecordsReads() {
		cfg.Reading = recordReading(l, !who.controlled())
	}
	if v.desk, err = desk.Open(d.desk(), cfg.Log); err != nil {
		return nil, "", fmt.Errorf("the viewer's desk: %w: it is made again from the log if you remove %s; or serve with --no-viewer", err, d.desk())
	}
	cfg.Desk = v.desk
	v.pages = slowly(web.New(cfg))
	ctx, stop := context.WithCancel(context.Background())
	v.stop = stop
	go v.run(ctx)
	return v, "", nil
}

// signIn makes the sign-in by the token file and, if there is one, the provider.
func (f *viewerFlags) signIn(l *ledger.Ledger, tokens *identity.Tokens, v *viewer, log *slog.Logger) (*signin.SignIn, error) {
	p, err := f.provider()
	if err != nil {
		return nil, err
	}
	v.how = "sign in with an access token"
	if p != nil {
		v.how = "sign in at " + p.Issuer + ", or with an access token"
	}
	in, err := signin.New(signin.Config{Directory: tokenDirectory{tokens}, Origin: l.LogKey().Origin(),
		URL: strings.TrimSuffix(v.url, "/"), Provider: p, EndsWithToken: f.endsWithToken, Logger: log})
	if err != nil {
		return nil, usageError{fmt.Errorf("the viewer: %w", err)}
	}
	return in, nil
}

// run keeps the desk up with the log. If it cannot go on, the ledger does: the
// pages say that it stopped, and where.
func (v *viewer) run(ctx context.Context) {
	defer close(v.stopped)
	if err := v.desk.Run(ctx); err != nil { // the pages have it from desk.Err
		v.log.Error("the viewer's desk has stopped: its pages stay as of now until the server is started again", "err", err)
	}
}

// close ends the desk. Nobody is served any more.
func (v *viewer) close() error {
	if v == nil {
		return nil
	}
	v.stop()
	<-v.stopped
	return v.desk.Close()
}

// handler is what the server is given; nil where there is no viewer.
func (v *viewer) handler() http.Handler {
	if v == nil {
		return nil
	}
	return v.pages
}

// announce says where the viewer is, or why there is none.
func (v *viewer) announce(out io.Writer, why string) {
	if v == nil {
		fmt.Fprintf(out, "  viewer   none: %s\n", why)
		return
	}
	fmt.Fprintf(out, "  viewer   %s (%s)\n", v.url, v.how)
}

// Bounds of slow browsers: to send a form, and to take an answer.
const (
	maxSending = 30 * time.Second
	maxTaking  = 10 * time.Minute
)

// slowly bounds how long a browser may take to send a form, and to take the
// answer: an evidence file is in memory until it is taken. Calls on the same
// connection have no such bound, so that it ends with the answer.
func slowly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A writer that cannot do it is none of a network.
		c := http.NewResponseController(w)
		if r.Method == http.MethodPost {
			_ = c.SetReadDeadline(time.Now().Add(maxSending))
		}
		_ = c.SetWriteDeadline(time.Now().Add(maxTaking))
		defer func() { _ = c.SetWriteDeadline(time.Time{}) }()
		next.ServeHTTP(w, r)
	})
}

// recordReading logs who reads a page, where the log's policy has reads
// recorded, as the service does for calls.
func recordReading(l *ledger.Ledger, open bool) func(context.Context, web.Viewer, string, record.ID) error {
	return func(ctx context.Context, v web.Viewer, page string, id record.ID) error {
		read := &onusv1.Read{Caller: v.Name, Role: v.Role, Procedure: procedureOf(page)}
		if open {
			c, err := identity.Open{}.Authenticate(ctx, identity.Request{})
			if err != nil {
				return err
			}
			read.Caller, read.Role = c.Name, c.Role.String()
		}
		if !id.IsZero() {
			read.Record = id.String()
		}
		if err := l.RecordRead(ctx, read); err != nil {
			return fmt.Errorf("this log records who reads, and this read was not recorded: %w", err)
		}
		return nil
	}
}

// procedureOf names the reading of a page as calls are named: ViewerChain.
func procedureOf(page string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, page)
	if name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	return "Viewer" + name[:min(len(name), 58)]
}

// tokenDirectory says who people are by the ledger's token file.
type tokenDirectory struct{ tokens *identity.Tokens }

var _ signin.Directory = tokenDirectory{}

func (d tokenDirectory) Token(token string) (signin.Credential, bool) {
	hash, ok := identity.HashToken(token)
	return signin.Credential{Token: hash}, ok
}

func (d tokenDirectory) Viewer(_ context.Context, c signin.Credential) (web.Viewer, error) {
	var who identity.Caller
	var err error
	if c.Issuer != "" {
		who, err = d.tokens.BySubject(c.Issuer, c.Subject)
	} else {
		who, err = d.tokens.ByHash(c.Token)
	}
	var refused *identity.RefusedError
	switch {
	case errors.As(err, &refused):
		return web.Viewer{}, fmt.Errorf("%w: %w", signin.ErrUnknown, err)
	case err != nil:
		return web.Viewer{}, err
	}
	return viewerOf(who)
}

// viewerOf says what a caller may see and do in the viewer: what the role may
// over the ledger's other door. A page shows a whole chain, so it is for those
// alone who may read all records.
func viewerOf(c identity.Caller) (web.Viewer, error) {
	v := web.Viewer{Name: c.Name, Role: c.Role.String()}
	switch c.Role {
	case identity.Auditor:
		return v, nil
	case identity.Compliance, identity.Administrator:
		v.Contents, v.Reviews = true, true
		return v, nil
	}
	return v, fmt.Errorf("%w, which is %s: the viewer shows whole chains, with records of others in them; onus list and onus chain show yours", web.ErrForbidden, v.Role)
}
