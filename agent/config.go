package agent

import (
	"crypto"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Config says who the agent is and which log it records in.
type Config struct {
	// Server is the ledger's URL, such as https://ledger.example.com. It must
	// be set.
	Server string
	// HTTPClient makes the calls; nil means http.DefaultClient. Credentials
	// for the server are its transport's business.
	HTTPClient *http.Client
	// LogKey is the log's verifier key (a vkey, as onus serve prints it). It
	// must be set, from a source other than the server: every receipt is
	// checked against it. Its name is the origin that records are made for.
	LogKey string

	// Signer is the agent's key: Ed25519, ECDSA P-256 or P-384, or RSA. It
	// must be set, and be registered for Agent; [Enrol] registers one that is
	// not, such as the key of an SVID.
	Signer crypto.Signer
	// Agent is the agent's class, a SPIFFE ID such as
	// spiffe://example.com/planner. It must be set.
	Agent string
	// Operator is the id of the unit that answers for the agent. It must be
	// set.
	Operator string
	// Instance names this process; empty means a fresh random name, which is
	// right unless the key is bound to one instance. A name must not be used
	// again by another process.
	Instance string
	// Follows is the last record of the instance that this process replaces,
	// as [Agent.Last] returned it there; zero means that it follows none.
	Follows record.ID

	// OnOutage says what happens while the ledger cannot be reached; zero
	// means [Wait].
	OnOutage Outage
	// Patience is how long [Fail] goes on trying; 0 means 2 seconds. [Wait]
	// does not use it.
	Patience time.Duration
	// Timeout is how long one attempt may take before it is made again;
	// 0 means 10 seconds.
	Timeout time.Duration

	// Checkpoint is a signed checkpoint that an earlier process saw, as
	// [Agent.Checkpoint] returned it there: the log must have grown from it.
	// Empty means that the first checkpoint seen is taken as it is.
	Checkpoint string
	// CheckEvery is how often, at most, the agent has the log prove that it
	// grew from the checkpoint before; 0 means a second, less than 0 means at
	// every receipt. See [ForkError] for what is seen in between.
	CheckEvery time.Duration

	// Witnesses is a policy in the form of c2sp.org/tlog-policy, your own and
	// not the server's: with it, each record waits until the ledger's witnesses
	// have cosigned a tree that holds it, and the receipt says whether the
	// cosignatures satisfy the policy. See [Receipt.Unwitnessed]. Empty: a record
	// does not wait for witnesses.
	Witnesses string
	// WitnessWait is how long a record waits for them at most; 0 means 5
	// seconds. It must be less than Timeout, and at most a minute.
	WitnessWait time.Duration

	// Logger hears about attempts that are made again and checks that could
	// not be made; nil means silence.
	Logger *slog.Logger
}

// Outage says what an agent does while its ledger cannot be reached.
type Outage int

const (
	// Wait tries again until the call's context ends. Nothing is done
	// unrecorded: while the ledger is down, the agent stands still.
	Wait Outage = iota
	// Fail gives up after Config.Patience with an [*OutageError]. The author
	// then decides whether the agent goes on without a record; nobody will
	// be able to prove later that it went on for that reason.
	Fail
)

// client returns the part of the configuration that is the ledger's.
func (cfg *Config) client() ClientConfig {
	return ClientConfig{
		Server: cfg.Server, HTTPClient: cfg.HTTPClient, LogKey: cfg.LogKey,
		OnOutage: cfg.OnOutage, Patience: cfg.Patience, Timeout: cfg.Timeout,
		Checkpoint: cfg.Checkpoint, CheckEvery: cfg.CheckEvery, Logger: cfg.Logger,
		Witnesses: cfg.Witnesses, WitnessWait: cfg.WitnessWait,
	}
}

// Agent is one instance of an agent, which records in one log. Its methods
// are safe for concurrent use; because an instance's records form one
// sequence, they go to the ledger one after the other.
type Agent struct {
	// Client is the line to the ledger. What it can do, the agent can.
	*Client

	name, operator, instance string

	// turn is a lock that a context can stop waiting for: who has sent into
	// it owns author and pending.
	turn    chan struct{}
	author  *Author
	pending *sending // a record whose fate is unknown; the next comes after it

	mu      sync.Mutex
	signer  record.Signer // under mu: changes with [Agent.Rotate]
	owed    []Step        // under mu: outcomes that are to be recorded, not signed yet
	last    record.ID     // under mu: of the newest record that was delivered
	revoked *RevokedError // under mu: sticky
}

// New checks the configuration and returns the agent. It starts nothing and
// calls nobody: the first call goes out with the first record. For a key that
// is not registered yet, see [Enrol].
func New(cfg Config) (*Agent, error) {
	c, err := NewClient(cfg.client())
	if err != nil {
		return nil, err
	}
	if cfg.Signer == nil {
		return nil, errors.New("config: Signer is missing: set it to the agent's registered key")
	}
	signer, err := record.NewSigner(cfg.Signer)
	if err != nil {
		return nil, fmt.Errorf("config: Signer: %w", err)
	}
	a := &Agent{
		Client:   c,
		name:     cfg.Agent,
		operator: cfg.Operator,
		turn:     make(chan struct{}, 1),
		signer:   signer,
	}
	a.author, err = a.Author(AuthorConfig{Instance: cfg.Instance, Follows: cfg.Follows})
	if err != nil {
		return nil, err
	}
	a.instance = a.author.cfg.Instance
	return a, nil
}

// Author returns what signs the records of another instance of this agent,
// without submitting them: [Agent.Submit] does that, many at a time. Importers
// use it; an agent that records its own steps wants [Agent.Record].
func (a *Agent) Author(cfg AuthorConfig) (*Author, error) {
	if cfg.Instance == "" {
		cfg.Instance = newInstance()
	}
	if cfg.Capture == 0 {
		cfg.Capture = onusv1.Capture_CAPTURE_SELF
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	s := &Author{cfg: cfg, origin: a.key.Origin(), agent: a.name, operator: a.operator, signer: a.signs()}
	if !cfg.Follows.IsZero() {
		s.previous = cfg.Follows.String()
	}
	return s, s.check()
}

// signs returns the key that signs now.
func (a *Agent) signs() record.Signer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.signer
}

// newInstance returns a name that no other process has: 80 random bits.
func newInstance() string {
	var b [10]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// Name returns the agent's class.
func (a *Agent) Name() string { return a.name }

// Instance returns the name of this instance.
func (a *Agent) Instance() string { return a.instance }

// KeyID returns the id of the key that signs now.
func (a *Agent) KeyID() string { return a.signs().Public().ID() }
