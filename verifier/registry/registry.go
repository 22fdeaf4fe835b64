// Package registry says who is bound to which key at which index.
//
// The registry is the part of the log that binds identities: genesis, the
// registrations of parties and keys, the key sets and trust bundles that
// credentials are checked with, and revocations. It is folded entry by entry,
// in log order, by the ledger when it admits records, by the auditor who walks
// the log, and by whoever holds the registry entries alone. All of them call
// this package, so all of them give the same answer.
//
// The registry is a history. Every question takes an index "at" and is
// answered as the entries before that index have it: what was in force then
// can be asked for ever, whatever was registered later.
//
// The words it uses:
//
//   - a [Party] is who may say something: an agent class, an operator, an
//     administrator, a service, a user client, a user, a reviewer or the host;
//   - a [Binding] is a key and the party that may sign with it. Its [Level]
//     says how well the two were shown to belong together;
//   - an enrolment is a key that registers itself, with a credential of a
//     workload or a user's token beside it; a rotation is a key that another
//     key of the same party registers. Operators and administrators register
//     keys on their word.
//
// Certificates and tokens are checked as of the log time of the entry that
// holds them, with what the log held before it: they expire, and the answer
// does not.
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
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Reasons why a record does not fit the registry. Of a certificate, a token, a
// key set or a trust bundle that is refused, the reason is package
// credential's.
const (
	ReasonNoGenesis       = "NO_GENESIS"
	ReasonWrongOrigin     = "WRONG_ORIGIN"
	ReasonKeyNotBound     = "KEY_NOT_BOUND"
	ReasonNotPermitted    = "NOT_PERMITTED"
	ReasonNotRegistered   = "NOT_REGISTERED"
	ReasonConflict        = "CONFLICT"
	ReasonGenesisMisplace = "GENESIS_MISPLACED"
	ReasonRevoked         = "REVOKED"
	// ReasonKeyEnded: the signing key may sign no more, by log time.
	ReasonKeyEnded = "KEY_ENDED"
	// ReasonNoCredential: a key enrols itself with nothing that was checked.
	ReasonNoCredential = "NO_CREDENTIAL"
	// ReasonNoKeySet: a token of a registered issuer, of which the log has no
	// keys yet.
	ReasonNoKeySet = "NO_KEY_SET"
	// ReasonNoPossession: a signature that shows that a private key is held is
	// missing or not that key's.
	ReasonNoPossession = "NO_POSSESSION"
	// ReasonOtherWorkload: a genuine credential, of a workload that may not
	// enrol keys for this party.
	ReasonOtherWorkload = "OTHER_WORKLOAD"
	// ReasonUnfounded: the ledger's claim that it checked a user's token is
	// not borne out by the log.
	ReasonUnfounded = "ASSURANCE_UNFOUNDED"
	// ReasonSessionRevoked: a user's token of a session that was ended.
	ReasonSessionRevoked = "SESSION_REVOKED"
	// ReasonOtherActor: a user's token with which somebody else acts for the
	// user.
	ReasonOtherActor = "TOKEN_OF_ANOTHER_ACTOR"
	// ReasonOlder: a trust bundle that is older than the one in force.
	ReasonOlder = "OLDER_THAN_IN_FORCE"
	// ReasonTime: a time that does not fit the log time.
	ReasonTime = "TIME_DOES_NOT_FIT"
)

// Registry is the history of bindings. It may be read by many goroutines
// while one adds to it.
type Registry struct {
	// mu guards all below. What they point to is never changed: lists only
	// grow, so a list that was handed out stays as it was.
	mu       sync.RWMutex
	frontier *tree.Frontier
	// stamps holds, for each registry entry, its index and the root after it.
	stamps  []stamp
	genesis *onusv1.Genesis
	logKey  tree.LogKey
	// registered holds everything but keys; order has the same parties in the
	// order of their first registration.
	registered map[Party][]version[*onusv1.Registration]
	order      []version[Party]
	keys       map[string]*Binding  // by key id
	partyKeys  map[Party][]*Binding // in log order
	// replaced holds, by key id, the earliest end that a newer key has set so
	// far.
	replaced map[string][]version[replacement]
	// clients says whose an OAuth client is; the zero Party is nobody.
	clients map[oauthClient][]version[Party]
	keySets map[string][]version[*KeySetVersion]     // by issuer
	bundles map[string][]version[*credential.Bundle] // by trust domain
	revoked map[target][]Revocation                  // in log order
}

type stamp struct {
	index int64
	root  tree.Hash
}

type version[T any] struct {
	index int64
	value T
}

// New returns an empty registry, whose first entry must be a genesis.
func New() *Registry {
	return &Registry{
		frontier:   tree.NewFrontier(),
		registered: map[Party][]version[*onusv1.Registration]{},
		keys:       map[string]*Binding{},
		partyKeys:  map[Party][]*Binding{},
		replaced:   map[string][]version[replacement]{},
		clients:    map[oauthClient][]version[Party]{},
		keySets:    map[string][]version[*KeySetVersion]{},
		bundles:    map[string][]version[*credential.Bundle]{},
		revoked:    map[target][]Revocation{},
	}
}

// Concerns reports whether a record is a registry entry.
func Concerns(r *record.Record) bool {
	switch r.Msg.GetBody().(type) {
	case *onusv1.Record_Genesis, *onusv1.Record_Registration, *onusv1.Record_Revocation,
		*onusv1.Record_KeySet, *onusv1.Record_TrustBundle:
		return true
	}
	return false
}

// A candidate is a record that may become the next registry entry.
type candidate struct {
	*record.Record
	author *onusv1.Author
	index  int64
	stamp  *entry.Stamp
}

// Check reports whether r, which [Registry.Authenticate] passed, may become
// the next registry entry, with the stamp s: its log time decides what has
// expired, and what it says of a user's token whether a user's key may be
// bound. A record that does not concern the registry passes. The error is a
// *record.Error.
//
// It answers for the end of the registry: the index says only whether this is
// entry 0, and what was in force before an index in the past is not asked. It
// does not authenticate.
func (g *Registry) Check(r *record.Record, at int64, s *entry.Stamp) error {
	if !Concerns(r) {
		return nil
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, err := g.plan(&candidate{r, r.Msg.GetAuthor(), at, s})
	return err
}

// Add folds in r, which stands in the log at that index with that leaf hash
// and that stamp. Entries must come in log order. A record that does not
// concern the registry changes nothing.
//
// It holds r to [Registry.Check] and does not authenticate: a registration
// that an administrator is said to have signed binds what it says. Whoever
// adds must have r from [Registry.Authenticate], or from a log whose every
// registry entry passed it.
func (g *Registry) Add(r *record.Record, index int64, leaf tree.Hash, s *entry.Stamp) error {
	if !Concerns(r) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.stamps); n > 0 && g.stamps[n-1].index >= index {
		return fmt.Errorf("registry entry %d comes after entry %d", index, g.stamps[n-1].index)
	}
	apply, err := g.plan(&candidate{r, r.Msg.GetAuthor(), index, s})
	if err != nil {
		return err
	}
	apply()
	g.frontier.Append(leaf, nil)
	g.stamps = append(g.stamps, stamp{index, g.frontier.Root()})
	return nil
}

// plan checks a candidate against the end of the registry and returns what is
// to be done if it is added: what was parsed and verified once serves both.
func (g *Registry) plan(c *candidate) (apply func(), err error) {
	if gen := c.Msg.GetGenesis(); gen != nil {
		return g.planGenesis(c, gen)
	}
	if g.genesis == nil {
		return nil, &record.Error{Reason: ReasonNoGenesis, Detail: "the log has no genesis", Next: "create the log first"}
	}
	if rev := c.Msg.GetRevocation(); rev != nil {
		return g.planRevocation(c, rev)
	}
	if err := g.inForce(c); err != nil {
		return nil, err
	}
	switch b := c.Msg.GetBody().(type) {
	case *onusv1.Record_KeySet:
		return g.planKeySet(c, b.KeySet)
	case *onusv1.Record_TrustBundle:
		return g.planBundle(c, b.TrustBundle)
	}
	reg := c.Msg.GetRegistration()
	if k := reg.GetKey(); k != nil {
		return g.planKey(c, k)
	}
	return g.planRegistration(c, reg)
}

func (g *Registry) planGenesis(c *candidate, gen *onusv1.Genesis) (func(), error) {
	if c.index != 0 || g.genesis != nil {
		return nil, &record.Error{Reason: ReasonGenesisMisplace, Field: "genesis", Detail: "is not at index 0",
			Next: "start another log for another genesis"}
	}
	logKey, err := tree.ParseLogKey(gen.GetLogKey())
	if err != nil {
		return nil, err // the record's own rules have checked it
	}
	bindings, err := genesisBindings(c.Record)
	if err != nil {
		return nil, err
	}
	return func() {
		g.genesis, g.logKey = gen, logKey
		for _, b := range bindings {
			g.bind(b)
		}
	}, nil
}

func (g *Registry) bind(b *Binding) {
	g.keys[b.Key.ID()] = b
	g.partyKeys[b.Party()] = append(g.partyKeys[b.Party()], b)
}

func notRegistered(field, id, what string) error {
	return &record.Error{Reason: ReasonNotRegistered, Field: field,
		Detail: fmt.Sprintf("names %s %q, which is not registered", what, id), Next: "register the " + what + " first"}
}

func conflict(field, detail, next string) error {
	return &record.Error{Reason: ReasonConflict, Field: field, Detail: detail, Next: next}
}
