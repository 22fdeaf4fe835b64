package tree

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Limits of a policy. c2sp.org/tlog-policy asks for at least 32 of each.
const (
	// MaxPolicy is the most bytes that a policy may have.
	MaxPolicy = 64 << 10
	// MaxPolicyLines is the most logs that it may name; and the most
	// witnesses; and the most groups.
	MaxPolicyLines = 64
)

// quorumNone is the name that asks for no cosignature.
const quorumNone = "none"

// ParsePolicy reads a policy file. c2sp.org/tlog-policy. Names are octets, as
// there; errors name the line. Beyond the specification it refuses what makes
// a policy weaker than it reads: a file whose last line is cut, a witness with
// a log's key, keys that [ParseLogKey] and [ParseWitnessKey] refuse, numbers
// with leading zeros, and addresses that are not http or https.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, fmt.Errorf("a policy has at most %d bytes, this has %d", MaxPolicy, len(text))
	}
	r := policyReader{p: &Policy{}, defined: map[string]definition{}}
	for rest := string(text); rest != ""; {
		r.line++
		line, after, ended := strings.Cut(rest, "\n")
		rest = after
		err := r.read(line)
		if err == nil && !ended {
			// "quorum g12" must not be read as "quorum g1".
			err = errors.New("the last line does not end in a newline: the file may be cut")
		}
		if err != nil {
			return nil, fmt.Errorf("policy line %d: %w", r.line, err)
		}
	}
	if r.quorum == 0 {
		return nil, errors.New("the policy has no quorum line: end it with quorum and the name of a witness or group, or none")
	}
	return r.p, nil
}

// A definition is a witness's or group's.
type definition struct {
	node     int
	line     int
	memberOf string // the group that has it
}

type policyReader struct {
	p        *Policy
	line     int
	quorum   int // its line
	defined  map[string]definition
	logLines []int // of p.logs
	groups   int
	wits     int
}

func (r *policyReader) read(line string) error {
	// c2sp.org/tlog-policy, "Character set".
	for i := range len(line) {
		switch b := line[i]; {
		case b == '\r':
			return errors.New("a carriage return is not allowed: lines end in a newline alone")
		case b < 0x20 && b != '\t' || b == 0x7f:
			return fmt.Errorf("the control character 0x%02x is not allowed", b)
		}
	}
	f := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(f) == 0 || f[0][0] == '#' {
		return nil
	}
	switch keyword, f := f[0], f[1:]; keyword {
	case "log":
		return r.log(f)
	case "witness":
		return r.witness(f)
	case "group":
		return r.group(f)
	case "quorum":
		return r.setQuorum(f)
	default:
		return fmt.Errorf("%.60q begins no line of a policy: use log, witness, group or quorum, and # for a comment", keyword)
	}
}

func (r *policyReader) log(f []string) error {
	if len(f) < 1 || len(f) > 2 {
		return fmt.Errorf("a log has a key and perhaps an address, this has %d words", len(f))
	}
	if len(r.p.logs) == MaxPolicyLines {
		return fmt.Errorf("a policy has at most %d logs", MaxPolicyLines)
	}
	key, err := ParseLogKey(f[0])
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	for i, l := range r.p.logs {
		if l.Key.public() == key.public() {
			return fmt.Errorf("the log has the public key of the log of line %d", r.logLines[i])
		}
	}
	for _, w := range r.p.Witnesses() {
		if err := w.notLog(key); err != nil {
			return err
		}
	}
	u, err := address(f[1:])
	if err != nil {
		return err
	}
	r.p.logs = append(r.p.logs, PolicyLog{Key: key, URL: u})
	r.logLines = append(r.logLines, r.line)
	return nil
}

func (r *policyReader) witness(f []string) error {
	if len(f) < 2 || len(f) > 3 {
		return fmt.Errorf("a witness has a name, a key and perhaps an address, this has %d words", len(f))
	}
	if r.wits++; r.wits > MaxPolicyLines {
		return fmt.Errorf("a policy has at most %d witnesses", MaxPolicyLines)
	}
	key, err := ParseWitnessKey(f[1])
	if err != nil {
		return fmt.Errorf("witness %.60q: %w", f[0], err)
	}
	w := Witness{Name: f[0], Key: key}
	for _, o := range r.p.Witnesses() {
		if o.Key.pub == key.pub {
			return fmt.Errorf("witness %.60q has the public key of witness %q, of line %d", w.Name, o.Name, r.defined[o.Name].line)
		}
		if o.Key.name == key.name && o.Key.id == key.id {
			return fmt.Errorf("witness %.60q has the key name and id of witness %q, of line %d: their signatures cannot be told apart", w.Name, o.Name, r.defined[o.Name].line)
		}
	}
	for _, l := range r.p.logs {
		if err := w.notLog(l.Key); err != nil {
			return err
		}
	}
	if w.URL, err = address(f[2:]); err != nil {
		return err
	}
	return r.define(node{Witness: w})
}

func (r *policyReader) group(f []string) error {
	if len(f) < 3 {
		return fmt.Errorf("a group has a name, a rule (all, any or a number) and members, this has %d words", len(f))
	}
	if r.groups++; r.groups > MaxPolicyLines {
		return fmt.Errorf("a policy has at most %d groups", MaxPolicyLines)
	}
	g := node{Witness: Witness{Name: f[0]}, rule: f[1]}
	members := f[2:]
	switch g.rule {
	case "any":
		g.need = 1
	case "all":
		g.need = len(members)
	default:
		k, err := strconv.Atoi(g.rule)
		if err != nil || strconv.Itoa(k) != g.rule {
			return fmt.Errorf("the rule of group %.60q is %.40q, not all, any or a decimal", g.Name, g.rule)
		}
		if k < 1 || k > len(members) {
			return fmt.Errorf("group %.60q asks for %d of %d members: it can be 1 to %d", g.Name, k, len(members), len(members))
		}
		g.need = k
	}
	for _, m := range members {
		d, err := r.lookUp(m)
		if err != nil {
			return fmt.Errorf("group %.60q: %w", g.Name, err)
		}
		// A witness must not count twice, whichever way round.
		if d.memberOf != "" {
			return fmt.Errorf("group %.60q: %q is a member of group %q already: nobody counts twice", g.Name, m, d.memberOf)
		}
		d.memberOf = g.Name
		r.defined[m] = d
		g.members = append(g.members, d.node)
	}
	return r.define(g)
}

func (r *policyReader) setQuorum(f []string) error {
	if len(f) != 1 {
		return fmt.Errorf("a quorum is one name, this has %d words", len(f))
	}
	if r.quorum != 0 {
		return fmt.Errorf("there is a quorum already, of line %d: a policy has one", r.quorum)
	}
	r.quorum = r.line
	if f[0] == quorumNone {
		r.p.none = true
		return nil
	}
	d, err := r.lookUp(f[0])
	if err != nil {
		return fmt.Errorf("quorum: %w", err)
	}
	r.p.top = d.node
	return nil
}

// define adds a node whose name nothing else has: witnesses and groups share
// their names.
func (r *policyReader) define(n node) error {
	if n.Name == quorumNone {
		return errors.New(`the name "none" is reserved for a quorum without witnesses`)
	}
	if d, ok := r.defined[n.Name]; ok {
		return fmt.Errorf("the name %.60q is taken, by line %d", n.Name, d.line)
	}
	r.defined[n.Name] = definition{node: len(r.p.nodes), line: r.line}
	r.p.nodes = append(r.p.nodes, n)
	return nil
}

func (r *policyReader) lookUp(name string) (definition, error) {
	if name == quorumNone {
		return definition{}, errors.New(`"none" is no member of a group`)
	}
	d, ok := r.defined[name]
	if !ok {
		return definition{}, fmt.Errorf("no line before this one defines %.60q", name)
	}
	return d, nil
}

// address reads the optional last word of a line. A comment after a line would
// stand there too, and is no address.
func address(f []string) (string, error) {
	if len(f) == 0 {
		return "", nil
	}
	u, err := url.Parse(f[0])
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%.60q is no http or https address", f[0])
	}
	return f[0], nil
}

// String returns the policy as a file that [ParsePolicy] reads as the same
// policy: logs first, then witnesses and groups in their order, then the
// quorum; no comments.
func (p *Policy) String() string {
	if p.isZero() {
		return ""
	}
	var b strings.Builder
	write := func(words ...string) {
		b.WriteString(strings.TrimSuffix(strings.Join(words, " "), " ") + "\n") // without an address
	}
	for _, l := range p.logs {
		write("log", l.Key.String(), l.URL)
	}
	for _, n := range p.nodes {
		if n.members == nil {
			write("witness", n.Name, n.Key.String(), n.URL)
			continue
		}
		words := []string{"group", n.Name, n.rule}
		for _, m := range n.members {
			words = append(words, p.nodes[m].Name)
		}
		write(words...)
	}
	write("quorum", p.Quorum())
	return b.String()
}
