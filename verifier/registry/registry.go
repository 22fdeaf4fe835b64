// Package registry says who is bound to which key at which index.
//
// The registry is the part of the log that binds identities: genesis, the
// registrations of operators, agent classes and keys, and revocations. It is folded entry by
// entry, in log order, by the ledger when it admits records, by the auditor
// who walks the log, and by whoever holds the registry entries alone. All of
// them call this package, so all of them give the same answer.
//
// The registry is a history. Every question takes an index "at" and is
// answered as the entries before that index have it: what was in force then
// can be asked for ever, whatever was registered later.
//
// Each entry of the log carries a stamp over the registry before it: the
// number of registry entries and the RFC 6962 root over their leaf hashes. A
// reader who holds the registry and an entry checks the stamp, and so knows
// that no binding was kept from them.
package registry

import (
	"fmt"
	"sync"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Reasons why a record does not fit the registry.
const (
	ReasonNoGenesis       = "NO_GENESIS"
	ReasonWrongOrigin     = "WRONG_ORIGIN"
	ReasonKeyNotBound     = "KEY_NOT_BOUND"
	ReasonNotPermitted    = "NOT_PERMITTED"
	ReasonNotRegistered   = "NOT_REGISTERED"
	ReasonConflict        = "CONFLICT"
	ReasonGenesisMisplace = "GENESIS_MISPLACED"
	ReasonRevoked         = "REVOKED"
)

// Registry is the history of bindings. It may be read by many goroutines
// while one adds to it.
type Registry struct {
	mu       sync.RWMutex
	frontier *tree.Frontier
	// stamps holds, for each registry entry, its index and the root after it.
	stamps    []stamp
	genesis   *onusv1.Genesis
	logKey    tree.LogKey
	keys      map[string]*Binding   // by key id
	agentKeys map[string][]*Binding // by agent class, in log order
	operators map[string][]version[*onusv1.Operator]
	agents    map[string][]version[*onusv1.AgentClass]
	order     []string                // agent ids, in the order of their first registration
	revoked   map[target][]Revocation // in log order
}

type stamp struct {
	index int64
	root  tree.Hash
}

type version[T any] struct {
	index int64
	value T
}

// Binding is a key and who may sign with it. It is immutable.
type Binding struct {
	// Index is that of the entry that binds the key: it counts for entries
	// after it.
	Index int64
	Key   *record.PublicKey
	// Administrator is set for an administrator's key, Agent (and maybe
	// Instance) for an agent's, Operator alone for an operator's.
	Administrator             string
	Agent, Instance, Operator string
}

// New returns an empty registry, whose first entry must be a genesis.
func New() *Registry {
	return &Registry{
		frontier:  tree.NewFrontier(),
		keys:      map[string]*Binding{},
		agentKeys: map[string][]*Binding{},
		operators: map[string][]version[*onusv1.Operator]{},
		agents:    map[string][]version[*onusv1.AgentClass]{},
		revoked:   map[target][]Revocation{},
	}
}

// Concerns reports whether a record is a registry entry.
func Concerns(r *record.Record) bool {
	switch r.Msg.GetBody().(type) {
	case *onusv1.Record_Genesis, *onusv1.Record_Registration, *onusv1.Record_Revocation:
		return true
	}
	return false
}

// Authenticate finds the key that signed r, as bound at that index, and
// checks the signature, the origin and the log's policy on plain text. For
// the genesis, at index 0, it takes the key from the record itself: what
// makes a genesis genuine is the log key that signed a tree which begins with
// it. The error is a *record.Error.
func (g *Registry) Authenticate(r *record.Record, at int64) (*Binding, error) {
	b, err := g.Bound(r, at)
	if err != nil {
		return nil, err
	}
	if err := r.VerifySignature(b.Key); err != nil {
		return nil, err
	}
	return b, nil
}

// Bound is [Registry.Authenticate] without the check of the signature.
func (g *Registry) Bound(r *record.Record, at int64) (*Binding, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if at == 0 {
		return genesisBinding(r)
	}
	if r.Msg.GetGenesis() != nil {
		return nil, &record.Error{Reason: ReasonGenesisMisplace, Field: "genesis",
			Detail: "is the body of entry 0 only", Next: "start another log for another genesis"}
	}
	if g.genesis == nil {
		return nil, &record.Error{Reason: ReasonNoGenesis, Detail: "the log has no genesis", Next: "create the log first"}
	}
	if r.Msg.GetOrigin() != g.logKey.Origin() {
		return nil, &record.Error{Reason: ReasonWrongOrigin, Field: "origin",
			Detail: fmt.Sprintf("is %q, but this log is %q", r.Msg.GetOrigin(), g.logKey.Origin()),
			Next:   "sign the record for this log"}
	}
	a := r.Msg.GetAuthor()
	b := g.keys[a.GetKeyId()]
	if b == nil || b.Index >= at {
		return nil, &record.Error{Reason: ReasonKeyNotBound, Field: "author.key_id",
			Detail: fmt.Sprintf("%s is not registered", a.GetKeyId()),
			Next:   "have an administrator register the key: onus agent register"}
	}
	if why := b.speaksFor(a); why != "" {
		return nil, &record.Error{Reason: ReasonKeyNotBound, Field: "author", Detail: why,
			Next: "sign as the party that the key is bound to, or register a key for this one"}
	}
	if err := r.CheckPlainText(g.genesis.GetPolicy()); err != nil {
		return nil, err
	}
	return b, nil
}

// speaksFor reports what keeps b from signing as a, or "".
func (b *Binding) speaksFor(a *onusv1.Author) string {
	switch {
	case b.Administrator != a.GetAdministrator(), b.Agent != a.GetAgent():
		return fmt.Sprintf("is %s, but the key is %s", party(a), b.holder())
	case b.Operator != a.GetOperator():
		return fmt.Sprintf("names operator %q, but the key is %s, and its operator is %q", a.GetOperator(), b.holder(), b.Operator)
	case b.Instance != "" && b.Instance != a.GetInstance():
		return fmt.Sprintf("names instance %q, but the key is %s", a.GetInstance(), b.holder())
	}
	return ""
}

// party names an author for people.
func party(a *onusv1.Author) string {
	switch {
	case a.GetAdministrator() != "":
		return "administrator " + a.GetAdministrator()
	case a.GetAgent() != "":
		return "agent " + a.GetAgent()
	}
	return "operator " + a.GetOperator()
}

func (b *Binding) holder() string {
	switch {
	case b.Administrator != "":
		return "administrator " + b.Administrator + "'s"
	case b.Instance != "":
		return "bound to instance " + b.Instance + " of " + b.Agent
	case b.Agent != "":
		return "bound to " + b.Agent
	}
	return "operator " + b.Operator + "'s"
}

func genesisBinding(r *record.Record) (*Binding, error) {
	gen := r.Msg.GetGenesis()
	if gen == nil {
		return nil, &record.Error{Reason: ReasonNoGenesis, Field: "body", Detail: "of entry 0 is not a genesis",
			Next: "begin the log with its genesis"}
	}
	first := gen.GetAdministrators()[0]
	key, err := record.ParsePublicKey(first.GetPublicKey())
	if err != nil {
		return nil, err // the record's own rules have checked it
	}
	return &Binding{Index: 0, Key: key, Administrator: first.GetName()}, nil
}

// Check reports whether r, which [Registry.Authenticate] passed, may become
// the next registry entry. A record that does not concern the registry passes.
// The error is a *record.Error.
//
// It answers for the end of the registry: the index says only whether this is
// entry 0, and what was in force before an index in the past is not asked. It
// does not authenticate.
func (g *Registry) Check(r *record.Record, at int64) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.check(r, at)
}

func (g *Registry) check(r *record.Record, at int64) error {
	if r.Msg.GetGenesis() != nil {
		if at != 0 || g.genesis != nil {
			return &record.Error{Reason: ReasonGenesisMisplace, Field: "genesis", Detail: "is not at index 0"}
		}
		return nil
	}
	if !Concerns(r) {
		return nil
	}
	if g.genesis == nil {
		return &record.Error{Reason: ReasonNoGenesis, Detail: "the log has no genesis", Next: "create the log first"}
	}
	if rev := r.Msg.GetRevocation(); rev != nil {
		return g.checkRevocation(r.Msg.GetAuthor(), rev)
	}
	reg := r.Msg.GetRegistration()
	if err := g.notRevoked("author", r.Msg.GetAuthor()); err != nil {
		return err
	}
	switch s := reg.GetSubject().(type) {
	case *onusv1.Registration_Operator:
		return nil
	case *onusv1.Registration_Agent:
		if len(g.operators[s.Agent.GetOperator()]) == 0 {
			return notRegistered("registration.agent.operator", s.Agent.GetOperator(), "operator")
		}
		if vs := g.agents[s.Agent.GetId()]; len(vs) > 0 && vs[0].value.GetOperator() != s.Agent.GetOperator() {
			return conflict("registration.agent.operator", fmt.Sprintf("differs from %q, which answers for the agent", vs[0].value.GetOperator()),
				"register the agent under another id for another operator")
		}
		return nil
	case *onusv1.Registration_Key:
		return g.checkKey(s.Key)
	}
	return nil
}

func (g *Registry) checkKey(k *onusv1.KeyBinding) error {
	if err := g.notRevoked("registration.key", &onusv1.Author{Agent: k.GetAgent(), Instance: k.GetInstance(), Operator: k.GetOperator()}); err != nil {
		return err
	}
	if len(g.operators[k.GetOperator()]) == 0 {
		return notRegistered("registration.key.operator", k.GetOperator(), "operator")
	}
	if k.GetAgent() != "" {
		vs := g.agents[k.GetAgent()]
		if len(vs) == 0 {
			return notRegistered("registration.key.agent", k.GetAgent(), "agent")
		}
		if op := vs[0].value.GetOperator(); op != k.GetOperator() {
			return conflict("registration.key.operator", fmt.Sprintf("differs from %q, which answers for the agent", op), "name the agent's own operator")
		}
	}
	key, err := record.ParsePublicKey(k.GetPublicKey())
	if err != nil {
		return err // the record's own rules have checked it
	}
	if b := g.keys[key.ID()]; b != nil {
		return conflict("registration.key.public_key", "is already "+b.holder(), "use a new key")
	}
	return nil
}

// Add folds in r, which stands in the log at that index with that leaf hash.
// Entries must come in log order. A record that does not concern the registry
// changes nothing.
//
// It holds r to [Registry.Check] and does not authenticate: a registration
// that an administrator is said to have signed binds what it says. Whoever
// adds must have r from [Registry.Authenticate], or from a log whose every
// registry entry passed it.
func (g *Registry) Add(r *record.Record, index int64, leaf tree.Hash) error {
	if !Concerns(r) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.stamps); n > 0 && g.stamps[n-1].index >= index {
		return fmt.Errorf("registry entry %d comes after entry %d", index, g.stamps[n-1].index)
	}
	if err := g.check(r, index); err != nil {
		return err
	}
	if gen := r.Msg.GetGenesis(); gen != nil {
		if err := g.addGenesis(gen); err != nil {
			return err
		}
	}
	if rev := r.Msg.GetRevocation(); rev != nil {
		g.addRevocation(rev, r.ID, index)
	}
	switch s := r.Msg.GetRegistration().GetSubject().(type) {
	case *onusv1.Registration_Operator:
		g.operators[s.Operator.GetId()] = append(g.operators[s.Operator.GetId()], version[*onusv1.Operator]{index, s.Operator})
	case *onusv1.Registration_Agent:
		id := s.Agent.GetId()
		if len(g.agents[id]) == 0 {
			g.order = append(g.order, id)
		}
		g.agents[id] = append(g.agents[id], version[*onusv1.AgentClass]{index, s.Agent})
	case *onusv1.Registration_Key:
		key, err := record.ParsePublicKey(s.Key.GetPublicKey())
		if err != nil {
			return err
		}
		b := &Binding{Index: index, Key: key,
			Agent: s.Key.GetAgent(), Instance: s.Key.GetInstance(), Operator: s.Key.GetOperator()}
		g.keys[key.ID()] = b
		if b.Agent != "" {
			g.agentKeys[b.Agent] = append(g.agentKeys[b.Agent], b)
		}
	}
	g.frontier.Append(leaf, nil)
	g.stamps = append(g.stamps, stamp{index, g.frontier.Root()})
	return nil
}

func (g *Registry) addGenesis(gen *onusv1.Genesis) error {
	key, err := tree.ParseLogKey(gen.GetLogKey())
	if err != nil {
		return err
	}
	for _, a := range gen.GetAdministrators() {
		k, err := record.ParsePublicKey(a.GetPublicKey())
		if err != nil {
			return err
		}
		g.keys[k.ID()] = &Binding{Index: 0, Key: k, Administrator: a.GetName()}
	}
	g.genesis, g.logKey = gen, key
	return nil
}

func notRegistered(field, id, what string) error {
	return &record.Error{Reason: ReasonNotRegistered, Field: field,
		Detail: fmt.Sprintf("names %s %q, which is not registered", what, id), Next: "register the " + what + " first"}
}

func conflict(field, detail, next string) error {
	return &record.Error{Reason: ReasonConflict, Field: field, Detail: detail, Next: next}
}
