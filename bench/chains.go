package main

import (
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The lengths of chains are spread evenly over the logarithm: a median of 32,
// and 53 on average.
const (
	shortestChain = 5
	longestChain  = 200
	// triggered is the share of chains that no user began.
	triggered = 1. / 7
)

// source makes records of a world, chain by chain, many chains at a time.
//
// A chain begins with an intent, for a user in a session, or, one in seven, with
// an operator's trigger: work that is done by the clock, for nobody. A coordinator and up
// to three more agents, drawn by popularity (Zipf, exponent 1.2), work on it:
// the coordinator asks each with a decision or, where it holds a grant, with one
// that it hands on. Each is an instance of its class, which counts its records
// and names the one before; nobody else uses the instance until the chain has
// ended.
func (w *world) source(chains int) source {
	r := newRandom()
	return &worldSource{world: w, random: r, popular: mathrand.NewZipf(r.Rand, 1.2, 1, worldAgents-1),
		mark: r.hex(12), chains: make([]*chain, chains), free: map[int][]*instance{}}
}

type worldSource struct {
	*world
	random  *random
	popular *mathrand.Zipf
	mark    string // sets its instances and sessions apart from others'
	chains  []*chain
	turn    int

	free     map[int][]*instance // by agent
	made     int                 // instances
	sessions []string            // minted and not used yet
	minted   int
}

// instance is one process of an agent class.
type instance struct {
	agent    int
	name     string
	sequence int64
	previous string
}

func (s *worldSource) next() (draft, error) {
	s.turn = (s.turn + 1) % len(s.chains)
	c := s.chains[s.turn]
	if c == nil || c.left == 0 {
		var err error
		if c, err = s.begin(c); err != nil {
			return draft{}, err
		}
		s.chains[s.turn] = c
	}
	return c.next()
}

// begin returns a new chain, with the instances of the old one freed.
func (s *worldSource) begin(old *chain) (*chain, error) {
	if old != nil {
		for _, m := range old.members {
			s.free[m.agent] = append(s.free[m.agent], m.instance)
		}
	}
	if len(s.sessions) == 0 {
		var err error
		if s.sessions, err = s.mint(ledger.NameSession, "session "+s.mark+" %d", s.minted, 500); err != nil {
			return nil, err
		}
		s.minted += len(s.sessions)
	}
	c := &chain{worldSource: s, left: int(shortestChain * math.Pow(longestChain/shortestChain, s.random.Float64()))}
	if !s.random.chance(triggered) {
		c.user, c.session = s.users[s.random.IntN(len(s.users))], s.sessions[0]
		s.sessions = s.sessions[1:]
	}
	for range 1 + s.random.IntN(4) {
		agent := int(s.popular.Uint64())
		if slices.ContainsFunc(c.members, func(m *member) bool { return m.agent == agent }) {
			continue
		}
		c.members = append(c.members, &member{instance: s.take(agent)})
	}
	c.members[0].grant = s.agents[c.members[0].agent].grant
	return c, nil
}

func (s *worldSource) take(agent int) *instance {
	if free := s.free[agent]; len(free) > 0 {
		s.free[agent] = free[:len(free)-1]
		return free[len(free)-1]
	}
	s.made++
	return &instance{agent: agent, name: fmt.Sprintf("pod-%s-%d", s.mark, s.made)}
}

// chain is one that is going on.
type chain struct {
	*worldSource
	user, session string // empty: nobody asked for it
	left          int
	members       []*member // the first coordinates
	recent        []string  // ids of the last records
}

// member is an instance at work on a chain.
type member struct {
	*instance
	asked  string // the record that it works under: who asked it to, or its own
	grant  string
	action string // an action whose outcome is not logged yet
}

// next makes the chain's next record.
func (c *chain) next() (draft, error) {
	c.left--
	boss, r := c.members[0], c.random
	if boss.asked == "" {
		if c.user == "" {
			return c.trigger(boss)
		}
		d, err := c.record(boss, c.intent(), nil)
		boss.asked = boss.previous
		return d, err
	}
	if r.chance(0.4) {
		for _, m := range c.members[1:] {
			if m.asked == "" {
				return c.ask(m)
			}
		}
	}
	m := c.members[r.IntN(len(c.members))]
	if m.asked == "" {
		m = boss
	}
	switch {
	case m.action != "" && r.chance(0.5):
		action := m.action
		m.action = ""
		return c.record(m, c.outcome(), func(msg *onusv1.Record) { msg.Parent, msg.ParentAgent = action, "" })
	case r.chance(0.3):
		d, err := c.record(m, c.decision(), nil)
		m.asked = m.previous
		return d, err
	default:
		d, err := c.record(m, c.action(m), nil)
		m.action = m.previous
		return d, err
	}
}

// trigger is what the operator of the coordinator has begin the chain.
func (c *chain) trigger(boss *member) (draft, error) {
	a := &c.agents[boss.agent]
	d, err := newDraft(&onusv1.Record{
		Origin: origin, Nonce: c.random.bytes(record.NonceSize), Author: &onusv1.Author{Operator: a.operator},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(), Asks: a.id,
		Body: &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "nightly"}},
	}, c.operators[a.operator])
	boss.asked = d.env.ID().String()
	return d, err
}

// ask has the coordinator bring in a member.
func (c *chain) ask(m *member) (draft, error) {
	boss, child := c.members[0], c.agents[m.agent].id
	var d draft
	var err error
	if boss.grant != "" {
		d, err = c.record(boss, body{delegation: &onusv1.Grant{Agent: child, Scope: orderScope("100000"), Purpose: c.random.commitment()}}, nil)
		m.grant = boss.previous
	} else {
		d, err = c.record(boss, c.decision(), func(msg *onusv1.Record) { msg.Asks = child })
	}
	m.asked = boss.previous
	return d, err
}

// record makes a record of a member: the instance's count, and what it hangs
// on, unless change says otherwise.
func (c *chain) record(m *member, b body, change func(*onusv1.Record)) (draft, error) {
	a := &c.agents[m.agent]
	msg := &onusv1.Record{
		Origin: origin, Nonce: c.random.bytes(record.NonceSize),
		Author:  &onusv1.Author{Agent: a.id, Instance: m.name, Operator: a.operator},
		Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: timestamppb.Now(),
		Sequence: m.sequence, Previous: m.previous,
		Parent: m.asked, Grant: m.grant, User: c.user, Session: c.session,
	}
	if m.grant != "" {
		msg.Basis = onusv1.Basis_BASIS_OWN
	}
	if boss := c.members[0]; m != boss && m.asked != "" {
		msg.ParentAgent = c.agents[boss.agent].id
	}
	if len(c.recent) > 3 && c.random.chance(0.1) {
		msg.Causes = []string{c.recent[c.random.IntN(len(c.recent)-1)]}
	}
	if c.random.chance(0.1) {
		msg.Subjects = []string{c.subjects[c.random.IntN(len(c.subjects))]}
	}
	if change != nil {
		change(msg)
	}
	b.into(msg)
	c.grow(msg)
	d, err := newDraft(msg, a.signer)
	if err != nil {
		return draft{}, err
	}
	d.contents = b.contents
	m.previous = d.env.ID().String()
	m.sequence++
	if c.recent = append(c.recent, m.previous); len(c.recent) > 16 {
		c.recent = c.recent[1:]
	}
	return d, nil
}
