package main

import (
	"os"
	"path/filepath"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
)

// fleet is what onus apply's file says: parties, what they are verified with,
// and operators' grants. The order is that in which things are registered:
// each after what it names.
type fleet struct {
	issuers []fleetIssuer
	trust   []fleetTrust
	parties []fleetParty
	grants  []fleetGrant
}

type fleetIssuer struct {
	reg  *onusv1.Registration
	jwks []byte // nil: the host fetches it
}

type fleetTrust struct {
	domain string
	bundle []byte
}

// fleetParty is an operator, agent, service, client or reviewer, with its keys.
type fleetParty struct {
	reg  *onusv1.Registration
	keys []fleetKey
}

type fleetKey struct {
	file    string
	pub     *record.PublicKey
	binding *onusv1.KeyBinding
}

// fleetGrant is what an operator gives, signed with the key in a file.
type fleetGrant struct {
	name, key string
	grant     *onusv1.Grant
	contents  []*onusv1.Content
	purpose   string
}

// fleetReader reads a fleet; its files stand beside it.
type fleetReader struct {
	yamlFile
	dir   string
	fleet fleet
	names map[string]int // subject or grant to the line that has it
}

// readFleet reads a fleet's file, and the files that it names.
func readFleet(path string) (*fleet, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &fleetReader{yamlFile: yamlFile{filepath.Base(path)}, dir: filepath.Dir(path), names: map[string]int{}}
	top, err := r.parse(data)
	if err != nil {
		return nil, err
	}
	fields, err := r.fields(top)
	if err != nil {
		return nil, err
	}
	// In the order of registration, whatever the order in the file.
	sections := []struct {
		name string
		read func(*yaml.Node) error
	}{{"issuers", r.issuer}, {"trust", r.trust}, {"operators", r.operator}, {"agents", r.agent}, {"services", r.service},
		{"clients", r.client}, {"reviewers", r.reviewer}, {"grants", r.grant}}
	found := map[string]field{}
	for _, f := range fields {
		found[f.key.Value] = f
	}
	for _, s := range sections {
		f, ok := found[s.name]
		if !ok {
			continue
		}
		delete(found, s.name)
		elements, err := r.list(f)
		if err != nil {
			return nil, err
		}
		for _, n := range elements {
			if err := s.read(n); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range fields {
		if _, unknown := found[f.key.Value]; unknown {
			return nil, r.errorf(f.key, "there is no section %q: there are issuers, trust, operators, agents, services, clients, reviewers and grants", f.key.Value)
		}
	}
	return &r.fleet, nil
}

// once refuses a second description of the same thing.
func (r *fleetReader) once(n *yaml.Node, name string) error {
	if line, twice := r.names[name]; twice {
		return r.errorf(n, "%s is described in line %d already", name, line)
	}
	r.names[name] = n.Line
	return nil
}

// path returns where a file is that the fleet's file names.
func (r *fleetReader) path(f field) (string, error) {
	s, err := r.text(f)
	if err == nil && !filepath.IsAbs(s) {
		s = filepath.Join(r.dir, s)
	}
	return s, err
}

func (r *fleetReader) issuer(n *yaml.Node) error {
	i := &onusv1.Issuer{}
	left, err := r.message(n, i, "jwks")
	if err != nil {
		return err
	}
	reg := &onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: i}}
	if err := r.once(n, subjectName(reg)); err != nil {
		return err
	}
	fi := fleetIssuer{reg: reg}
	if f, ok := left["jwks"]; ok {
		path, err := r.path(f)
		if err != nil {
			return err
		}
		if fi.jwks, err = loadKeySet(path); err != nil {
			return r.errorf(f.value, "%v", err)
		}
	}
	r.fleet.issuers = append(r.fleet.issuers, fi)
	return nil
}

func (r *fleetReader) trust(n *yaml.Node) error {
	fields, err := r.fields(n)
	if err != nil {
		return err
	}
	var t fleetTrust
	var bundle, roots string
	for _, f := range fields {
		switch f.key.Value {
		case "domain":
			t.domain, err = r.text(f)
		case "bundle":
			bundle, err = r.path(f)
		case "roots":
			roots, err = r.path(f)
		default:
			err = r.errorf(f.key, "there is no field %q here: there are domain, bundle and roots", f.key.Value)
		}
		if err != nil {
			return err
		}
	}
	if (bundle == "") == (roots == "") {
		return r.errorf(n, "say what trust domain %s is verified with: bundle: FILE (a SPIFFE bundle) or roots: FILE.pem", t.domain)
	}
	if err := r.once(n, "trust domain "+t.domain); err != nil {
		return err
	}
	if t.bundle, err = loadBundle(t.domain, bundle, roots); err != nil {
		return r.errorf(n, "%v", err)
	}
	r.fleet.trust = append(r.fleet.trust, t)
	return nil
}

func (r *fleetReader) operator(n *yaml.Node) error {
	o := &onusv1.Operator{}
	return r.party(n, o, func() (*onusv1.Registration, *onusv1.KeyBinding) {
		return &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: o}}, &onusv1.KeyBinding{Operator: o.Id}
	})
}

func (r *fleetReader) agent(n *yaml.Node) error {
	a := &onusv1.AgentClass{}
	return r.party(n, a, func() (*onusv1.Registration, *onusv1.KeyBinding) {
		return &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: a}}, &onusv1.KeyBinding{Agent: a.Id, Operator: a.Operator}
	})
}

func (r *fleetReader) service(n *yaml.Node) error {
	s := &onusv1.Service{}
	return r.party(n, s, func() (*onusv1.Registration, *onusv1.KeyBinding) {
		return &onusv1.Registration{Subject: &onusv1.Registration_Service{Service: s}}, &onusv1.KeyBinding{Service: s.Id}
	})
}

func (r *fleetReader) client(n *yaml.Node) error {
	c := &onusv1.UserClient{}
	return r.party(n, c, func() (*onusv1.Registration, *onusv1.KeyBinding) {
		return &onusv1.Registration{Subject: &onusv1.Registration_Client{Client: c}}, &onusv1.KeyBinding{Client: c.Id}
	})
}

func (r *fleetReader) reviewer(n *yaml.Node) error {
	v := &onusv1.Reviewer{}
	return r.party(n, v, func() (*onusv1.Registration, *onusv1.KeyBinding) {
		return &onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: v}}, &onusv1.KeyBinding{Reviewer: v.Name}
	})
}

// party reads one party: its description, and its keys.
func (r *fleetReader) party(n *yaml.Node, m proto.Message, subject func() (*onusv1.Registration, *onusv1.KeyBinding)) error {
	left, err := r.message(n, m, "keys")
	if err != nil {
		return err
	}
	reg, binding := subject()
	if err := r.once(n, subjectName(reg)); err != nil {
		return err
	}
	p := fleetParty{reg: reg}
	if f, ok := left["keys"]; ok {
		elements, err := r.list(f)
		if err != nil {
			return err
		}
		for _, k := range elements {
			key, err := r.key(k, proto.CloneOf(binding))
			if err != nil {
				return err
			}
			p.keys = append(p.keys, key)
		}
	}
	r.fleet.parties = append(r.fleet.parties, p)
	return nil
}

// key reads a key: its file alone, or with fields of the binding beside it.
func (r *fleetReader) key(n *yaml.Node, of *onusv1.KeyBinding) (fleetKey, error) {
	k := fleetKey{binding: of}
	f := field{&yaml.Node{Value: "file"}, n}
	if n.Kind == yaml.MappingNode {
		said := &onusv1.KeyBinding{}
		left, err := r.message(n, said, "file")
		if err != nil {
			return k, err
		}
		if !proto.Equal(said, &onusv1.KeyBinding{Instance: said.GetInstance(), NotAfter: said.GetNotAfter()}) || said.GetInstance() != "" && of.GetAgent() == "" {
			return k, r.errorf(n, "of a key there are file, notAfter and, for an agent's, instance")
		}
		of.Instance, of.NotAfter = said.GetInstance(), said.GetNotAfter()
		var ok bool
		if f, ok = left["file"]; !ok {
			return k, r.errorf(n, "the key has no file: file: NAME.pub")
		}
	}
	var err error
	if k.file, err = r.path(f); err != nil {
		return k, err
	}
	if k.pub, err = keyfile.LoadPublic(k.file); err != nil {
		return k, r.errorf(n, "%v", err)
	}
	of.PublicKey = k.pub.SPKI()
	return k, nil
}

func (r *fleetReader) grant(n *yaml.Node) error {
	g := fleetGrant{grant: &onusv1.Grant{}}
	left, err := r.message(n, g.grant, "name", "key", "purpose")
	if err != nil {
		return err
	}
	for name, to := range map[string]*string{"name": &g.name, "purpose": &g.purpose} {
		if f, ok := left[name]; ok {
			if *to, err = r.text(f); err != nil {
				return err
			}
		}
	}
	f, ok := left["key"]
	if !ok || g.name == "" {
		return r.errorf(n, "a grant needs a name, and the private key of the operator that gives it: name: …, key: FILE")
	}
	if g.key, err = r.path(f); err != nil {
		return err
	}
	if err := r.once(n, "grant "+g.name); err != nil {
		return err
	}
	g.grant.Purpose, g.contents = newText(g.purpose)
	r.fleet.grants = append(r.fleet.grants, g)
	return nil
}
