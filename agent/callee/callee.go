// Package callee is for agents and services that are called by agents: it
// checks who calls. Agents authenticate to each other with the keys that they
// are recorded with, and with nothing else.
//
// A caller sends a short-lived proof with each request ([agent.ProofTransport]).
// A [Gate] checks it: that it was made for this callee, this method and URL,
// and the access token that travels along; that it is signed by a key that the
// log binds to the agent that it names; that it was not used before. The
// binding is proven by a receipt under the pinned log key. That the key is not
// revoked is the ledger's word, asked for again every [Config.TTL]: a
// revocation takes effect within that time.
//
// For net/http, and for Connect handlers behind it:
//
//	gate, err := callee.New(callee.Config{Ledger: client, Audience: "spiffe://example.com/buyer", URL: "https://buyer.example.com"})
//	…
//	http.ListenAndServe(addr, gate.Middleware(mux))
//
// or for one Connect handler, [Gate.Interceptor]. The handler asks [From] who
// calls. The link that the caller sent is in the context too, so that an
// agent's records there name it as their parent and act under its grant.
//
// # Whose grant
//
// A link is the caller's word, and not part of the proof. Its parent is taken as
// said; its grant is not, or a caller could have its work done on what somebody
// else granted to the callee. It is taken over if the log says that it was given
// to the callee's class, Config.Agent, and
//
//   - the caller's class gave it ([agent.Agent.Delegate]),
//   - or the operator did that answers for the caller,
//   - or a user or an operator did, and the caller's proof names a grant in force
//     that the same party gave to the caller, on behalf of the same user.
//
// A grant of the callee's that another than those names is refused with 403
// Forbidden. One that is not the callee's, such as the caller's own, is left out
// of the link. Whether a grant is in force and covers what is done under it is
// judged by the log. The log is asked at most every Config.TTL for each grant.
// In the handler, what the callee puts into a step itself (Step.Grant) is not
// touched.
//
// # What is not kept
//
// What was seen of proofs is kept in memory. Behind several processes that
// share a name, or right after a start, a proof that was overheard could be used
// a second time until it expires, which is a minute after it was made: calls go
// over TLS.
package callee

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/verifier/record"
)

// Config says who is called, and which log knows the callers.
type Config struct {
	// Ledger is the line to the log; an agent's own is its Client. It must be
	// set.
	Ledger *agent.Client
	// Audience is the callee as its callers name it: its SPIFFE ID or URL. It
	// must be set.
	Audience string
	// Agent is the class of the agent that acts on what it is called for: a
	// link's grant is taken over only if it was given to that class. Empty means
	// the Audience, if that is a SPIFFE ID; with neither, none is. The Ledger's
	// credential must be one that may read the class's grants.
	Agent string
	// URL is where callers reach it: scheme and host, and what stands before
	// the paths that the handler sees. It comes from the configuration, as a
	// proxy may change what a request says. It must be set.
	URL string
	// TTL is how long what the ledger said of a key or a grant is taken as
	// said; 0 means 10 seconds. A revocation takes effect within it.
	TTL time.Duration
	// Timeout is how long the ledger may take to answer; 0 means 5 seconds.
	// After that the caller gets 503 Service Unavailable.
	Timeout time.Duration
	// CheckGrants also asks the ledger for the grant that a proof names: it
	// must be given to the caller, and be in force. The callee's credential at
	// the ledger must be one that may read it. Whether it covers what is asked
	// for is judged by the log, and may be by the handler. A proof without a
	// grant passes: [Caller] shows it.
	CheckGrants bool
	// Logger hears of questions that the ledger did not answer; nil means
	// silence.
	Logger *slog.Logger
}

// Caller is who calls, as it was proven.
type Caller struct {
	// Agent is the class, Instance the process, Operator who answers for it.
	// Where the key is good for every instance of the class, the instance is
	// the caller's word.
	Agent, Instance, Operator string
	// KeyID is the key that the caller proved to have, and that it signs its
	// records with; Level is how well its binding was established, "K0" to
	// "K2".
	KeyID, Level string
	// Grant is the grant that the caller says it acts under; zero if it names
	// none. With Config.CheckGrants it is the caller's.
	Grant record.ID
	// Link names the record that asks for this; zero if the caller sent none.
	// It is the caller's word, but for its grant, which is left out unless the
	// caller may hand it on.
	Link agent.Link
}

type callerKey struct{}

// From returns who calls, in a handler behind a [Gate].
func From(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

func with(ctx context.Context, c Caller) context.Context {
	ctx = context.WithValue(ctx, callerKey{}, c)
	if !c.Link.IsZero() {
		ctx = agent.WithLink(ctx, c.Link)
	}
	return ctx
}

// Gate lets callers in who prove who they are.
type Gate struct {
	cfg    Config
	keys   *cache[string, *agent.BoundKey]
	grants *cache[record.ID, *agent.Grant]
	seen   *replays
}

// New checks the configuration and returns the gate.
func New(cfg Config) (*Gate, error) {
	switch u, err := url.Parse(cfg.URL); {
	case cfg.Ledger == nil:
		return nil, errors.New("config: Ledger is missing: set it to the agent's Client, or one of NewClient")
	case cfg.Audience == "":
		return nil, errors.New("config: Audience is missing: set it to the SPIFFE ID or URL by which callers name this callee")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("config: URL is %.80q: set it to where callers reach this callee, such as https://buyer.example.com", cfg.URL)
	case cfg.TTL < 0 || cfg.Timeout < 0:
		return nil, errors.New("config: TTL or Timeout is negative")
	}
	if why := record.CheckSPIFFE(cfg.Agent); cfg.Agent != "" && why != "" {
		return nil, fmt.Errorf("config: Agent is no SPIFFE ID: it %s", why)
	}
	if cfg.Agent == "" && record.CheckSPIFFE(cfg.Audience) == "" {
		cfg.Agent = cfg.Audience
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	if cfg.TTL == 0 {
		cfg.TTL = 10 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gate{cfg: cfg, seen: newReplays()}
	g.keys = newCache(cfg.TTL, cfg.Timeout, cfg.Ledger.Key)
	g.grants = newCache(cfg.TTL, cfg.Timeout, cfg.Ledger.Grant)
	return g, nil
}

// call is what is checked of a request.
type call struct {
	header       http.Header
	method, path string
}
