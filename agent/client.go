package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/tree"
)

// ClientConfig says which ledger a [Client] talks to. Its fields are those of
// [Config] with the same names.
type ClientConfig struct {
	Server     string
	HTTPClient *http.Client
	LogKey     string
	OnOutage   Outage
	Patience   time.Duration
	Timeout    time.Duration
	Checkpoint string
	CheckEvery time.Duration
	Logger     *slog.Logger

	Witnesses   string
	WitnessWait time.Duration
}

// Client is the line to one ledger, whose log key is pinned: it submits what
// somebody signed and checks every receipt, mints pseudonyms, and looks up keys
// and grants with their proofs. An [Agent] has one. The other parties that have
// a say in a log (users, reviewers, operators, services) share it: see package
// party and package service. Its methods are safe for concurrent use.
type Client struct {
	cfg ClientConfig
	key tree.LogKey
	rpc onusv1connect.LedgerServiceClient
	// streams is rpc over HTTP/2.
	streams onusv1connect.LedgerServiceClient
	// receipts opens what the ledger answers.
	receipts *verifier.Receipts
	log      *slog.Logger
	names    names
	heads    heads
	// witnesses is the policy that receipts are held to; nil: none.
	witnesses *tree.Policy
}

// maxAnswer bounds what the server may answer: 256 receipts, each with a
// checkpoint of tree.MaxCheckpoint bytes, and no more.
const maxAnswer = 32 << 20

// NewClient checks the configuration and returns the client. It starts nothing
// and calls nobody.
func NewClient(cfg ClientConfig) (*Client, error) {
	u, err := url.Parse(cfg.Server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("config: Server is %.80q: set it to the ledger's URL, such as https://ledger.example.com", cfg.Server)
	}
	// As a file of it has it, with a line break.
	key, err := tree.ParseLogKey(strings.TrimSuffix(cfg.LogKey, "\n"))
	if err != nil {
		return nil, fmt.Errorf("config: LogKey: %w: set it to the log's vkey, from a source that you trust", err)
	}
	if cfg.OnOutage != Wait && cfg.OnOutage != Fail {
		return nil, fmt.Errorf("config: OnOutage is %d: set it to Wait or Fail", cfg.OnOutage)
	}
	if cfg.Patience < 0 || cfg.Timeout < 0 {
		return nil, errors.New("config: Patience or Timeout is negative")
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = http.DefaultClient
	}
	if cfg.Patience == 0 {
		cfg.Patience = 2 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.CheckEvery == 0 {
		cfg.CheckEvery = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		cfg:      cfg,
		key:      key,
		rpc:      onusv1connect.NewLedgerServiceClient(cfg.HTTPClient, cfg.Server, connect.WithReadMaxBytes(maxAnswer)),
		receipts: verifier.NewReceipts(key),
		log:      cfg.Logger,
		names:    names{known: map[name]string{}},
	}
	c.streams = streamClient(&cfg, u.Scheme == "http", c.rpc)
	if err := c.holdToWitnesses(); err != nil {
		return nil, err
	}
	if cfg.Checkpoint != "" {
		if err := c.heads.pin(key, cfg.Checkpoint); err != nil {
			return nil, fmt.Errorf("config: Checkpoint: %w", err)
		}
	}
	return c, nil
}

// Origin returns the name of the log.
func (c *Client) Origin() string { return c.key.Origin() }
