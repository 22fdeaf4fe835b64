package tree

import (
	"errors"
	"fmt"
	"slices"
)

// Policy says which logs are trusted and whose cosignatures make a checkpoint
// witnessed. c2sp.org/tlog-policy. [ParsePolicy] reads one:
//
//	log log.example.com/prod+6e2c…+AZk…
//	witness x1 x.example/w1+1f0a…+BAy… https://x.example/w1
//	witness x2 x.example/w2+77b1…+BPq…
//	witness y1 y.example+90cc…+BHm… https://y.example/
//	group x any x1 x2
//	group both all x y1
//	quorum both
//
// The zero Policy trusts nobody: nothing satisfies it.
type Policy struct {
	logs  []PolicyLog
	nodes []node // witnesses and groups; members come before their group
	none  bool   // quorum none
	top   int    // the node that is the quorum, unless none
}

// PolicyLog is a log that the policy names.
type PolicyLog struct {
	Key LogKey
	URL string // where the log is; empty if the policy does not say
}

// Witness is a witness that the policy names.
type Witness struct {
	Name string // known within the policy only
	Key  WitnessKey
	URL  string // where checkpoints are submitted; empty if it does not say
}

// A node is a witness, or a group with members.
type node struct {
	Witness
	rule    string // any, all or a decimal, as the policy has it
	need    int
	members []int
}

// Logs returns the policy's logs. There may be none, if the log is known
// otherwise.
func (p *Policy) Logs() []PolicyLog { return slices.Clone(p.logs) }

// Witnesses returns the policy's witnesses in their order, whether the quorum
// needs them or not.
func (p *Policy) Witnesses() []Witness {
	var ws []Witness
	for _, n := range p.nodes {
		if n.members == nil {
			ws = append(ws, n.Witness)
		}
	}
	return ws
}

// Quorum returns the name of the witness or group that is the quorum, or
// "none".
func (p *Policy) Quorum() string {
	switch {
	case p.none:
		return quorumNone
	case p.isZero():
		return ""
	}
	return p.nodes[p.top].Name
}

func (p *Policy) isZero() bool { return p == nil || !p.none && len(p.nodes) == 0 }

// witness returns the witness whose key has that name and id.
func (p *Policy) witness(name string, id uint32) (Witness, bool) {
	for _, n := range p.nodes {
		if n.members == nil && n.Key.name == name && n.Key.id == id {
			return n.Witness, true
		}
	}
	return Witness{}, false
}

// fits refuses a log's key that the policy does not name among its logs, and
// one that is also a witness's: a log that witnesses itself adds nothing.
func (p *Policy) fits(key LogKey) error {
	if key.IsZero() {
		return errors.New("no log key was given")
	}
	if p.isZero() {
		return errors.New("no policy was given")
	}
	if len(p.logs) > 0 && !slices.ContainsFunc(p.logs, func(l PolicyLog) bool { return l.Key.vkey == key.vkey }) {
		return fmt.Errorf("the policy does not name the log of the key %s: add a log line, or use the policy of that log", key)
	}
	for _, w := range p.Witnesses() {
		if err := w.notLog(key); err != nil {
			return err
		}
	}
	return nil
}

// notLog refuses a witness that is the log, and one whose lines in a note
// could not be told from the log's.
func (w Witness) notLog(key LogKey) error {
	if w.Key.pub == key.public() {
		return fmt.Errorf("witness %q has the public key of the log %q: a log does not witness itself", w.Name, key.Origin())
	}
	if w.Key.name == key.v.Name() && w.Key.id == key.v.KeyHash() {
		return fmt.Errorf("witness %q and the log %q have the same key name and id: their signatures cannot be told apart", w.Name, key.Origin())
	}
	return nil
}
