package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// registered is what the log has: parties by name, and who has which key.
type registered struct {
	parties map[string]*onusv1.Registered
	bundles map[string]*onusv1.Registered
	holder  map[string]string
}

// readRegistered asks the ledger for all of it.
func readRegistered(ctx context.Context, g *registrar) (*registered, error) {
	have := &registered{map[string]*onusv1.Registered{}, map[string]*onusv1.Registered{}, map[string]string{}}
	err := eachRegistration(ctx, g.client, func(r *onusv1.Registered) bool {
		if b := r.GetTrustBundle(); b != nil {
			have.bundles[b.GetDomain()] = r
			return true
		}
		name := subjectName(r.GetRegistration())
		have.parties[name] = r
		for _, k := range r.GetKeys() {
			have.holder[k.GetKeyId()] = name
		}
		return true
	})
	return have, err
}

// planFleet compares a fleet with what is registered.
func planFleet(ctx context.Context, f *fleet, g *registrar) (*plan, error) {
	have, err := readRegistered(ctx, g)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	for _, i := range f.issuers {
		if err := p.registration(g, have, i.reg); err != nil {
			return nil, err
		}
		url := i.reg.GetIssuer().GetUrl()
		now := have.parties[subjectName(i.reg)].GetKeySet()
		if i.jwks != nil {
			p.blob(now != nil, string(now.GetJwks()) == string(i.jwks), "key set of "+url, i.jwks,
				func(ctx context.Context) error { return g.keySet(ctx, url, i.jwks) })
		}
	}
	for _, t := range f.trust {
		now := have.bundles[t.domain].GetTrustBundle()
		p.blob(now != nil, string(now.GetBundle()) == string(t.bundle), "trust bundle of "+t.domain, t.bundle,
			func(ctx context.Context) error { return g.trustBundle(ctx, t.domain, t.bundle) })
	}
	keys := map[string]*onusv1.KeyBinding{}
	for _, party := range f.parties {
		name := subjectName(party.reg)
		if was := have.parties[name].GetRegistration(); was != nil && operatorOf(was) != operatorOf(party.reg) {
			return nil, fmt.Errorf("%s is of operator %s for good: register another id for operator %s", name, operatorOf(was), operatorOf(party.reg))
		}
		if err := p.registration(g, have, party.reg); err != nil {
			return nil, err
		}
		for _, k := range party.keys {
			id := k.pub.ID()
			holder := have.holder[id]
			if other := keys[id]; holder == "" && other != nil {
				holder = subjectNameOfKey(other)
			}
			if holder != "" && holder != name {
				return nil, fmt.Errorf("key %s (%s) is that of %s: make another for %s with onus key new", id, k.file, holder, name)
			}
			keys[id] = k.binding
			if holder != "" {
				p.add("=", "key "+id+" of "+name, nil, nil)
				continue
			}
			var words []string
			if w := describeBinding(k.binding); w != "" {
				words = []string{w}
			}
			p.add("+", "key "+id+" of "+keyHolder(k.binding), words, func(ctx context.Context) error { return g.bind(ctx, k.binding, k.pub) })
		}
	}
	return p, p.grants(ctx, f, g, keys)
}

func keyHolder(k *onusv1.KeyBinding) string { return authorName(partyOf(k)) }

// subjectNameOfKey names the party of a key as subjectName does.
func subjectNameOfKey(k *onusv1.KeyBinding) string {
	if k.GetAgent() != "" {
		return "agent " + k.GetAgent()
	}
	return authorName(partyOf(k))
}

// operatorOf returns the operator that answers for a party, if it is another.
func operatorOf(r *onusv1.Registration) string {
	switch s := r.GetSubject().(type) {
	case *onusv1.Registration_Agent:
		return s.Agent.GetOperator()
	case *onusv1.Registration_Service:
		return s.Service.GetOperator()
	case *onusv1.Registration_Client:
		return s.Client.GetOperator()
	case *onusv1.Registration_Reviewer:
		return s.Reviewer.GetOperator()
	}
	return ""
}

// registration adds the step for one party or issuer. What the record's own
// rules refuse is refused before anything is registered.
func (p *plan) registration(g *registrar, have *registered, reg *onusv1.Registration) error {
	name := subjectName(reg)
	if err := g.try(&onusv1.Record{Body: &onusv1.Record_Registration{Registration: reg}}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	do := func(ctx context.Context) error { return g.register(ctx, name, reg) }
	switch was := have.parties[name].GetRegistration(); {
	case was == nil:
		p.add("+", name, diff(nil, subject(reg)), do)
	case proto.Equal(was, reg):
		p.add("=", name, nil, nil)
	default:
		p.add("~", name, diff(subject(was), subject(reg)), do)
	}
	return nil
}

// try holds a record to the rules, and sends it nowhere.
func (p *signatory) try(m *onusv1.Record) error {
	m = proto.CloneOf(m)
	m.Author = p.author
	complete(m, p.key.Origin())
	_, err := record.Sign(m, p.signer)
	return err
}

// blob adds the step for a key set or a trust bundle.
func (p *plan) blob(known, same bool, what string, data []byte, do func(context.Context) error) {
	change := "+"
	switch {
	case same && known:
		change = "="
	case known:
		change = "~"
	}
	p.add(change, what, []string{fmt.Sprintf("SHA-256 %x…", first8(data))}, do)
}

// grants adds the steps for operators' grants. One that is in force with the
// same words, from the same operator, is there already; its purpose is not
// compared, since the log holds a commitment to it.
func (p *plan) grants(ctx context.Context, f *fleet, g *registrar, keys map[string]*onusv1.KeyBinding) error {
	for _, fg := range f.grants {
		signer, err := keyfile.LoadRecordSigner(fg.key)
		if err != nil {
			return fmt.Errorf("grant %s: %w", fg.name, err)
		}
		by := &signatory{client: g.client, key: g.key, signer: signer}
		operator, err := operatorOfKey(ctx, by, keys)
		if err != nil {
			return fmt.Errorf("grant %s: %w", fg.name, err)
		}
		by.author = &onusv1.Author{Operator: operator}
		m := &onusv1.Record{Body: &onusv1.Record_Delegation{Delegation: fg.grant}}
		if err := by.try(m); err != nil {
			return fmt.Errorf("grant %s: %w", fg.name, err)
		}
		there, err := inForce(ctx, g, operator, fg.grant)
		if err != nil {
			return fmt.Errorf("grant %s: %w", fg.name, err)
		}
		what := fmt.Sprintf("grant %s: operator %s to %s", fg.name, operator, grantee(fg.grant))
		if there {
			p.add("=", what, nil, nil)
			continue
		}
		shown := proto.CloneOf(fg.grant)
		shown.Purpose = nil // a commitment
		words := diff(nil, shown)
		if fg.purpose != "" {
			words = append(words, "purpose: "+quoteName(fg.purpose))
		}
		p.add("+", what, words, func(ctx context.Context) error {
			proven, err := by.sign(ctx, m, fg.contents)
			if err != nil {
				return fmt.Errorf("grant %s: %w", fg.name, err)
			}
			fmt.Fprintf(g.out, "issued grant %s: entry %d, proven: %s\n", fg.name, proven.Index, proven.Record.ID)
			return nil
		})
	}
	return nil
}

// operatorOfKey returns the operator whose key it is, as the file or the log
// says.
func operatorOfKey(ctx context.Context, p *signatory, keys map[string]*onusv1.KeyBinding) (string, error) {
	author := partyOf(keys[p.signer.Public().ID()])
	if keys[p.signer.Public().ID()] == nil {
		var err error
		if author, err = p.bound(ctx); err != nil {
			return "", err
		}
	}
	if author.GetOperator() == "" || author.GetAgent() != "" {
		return "", fmt.Errorf("the key is that of %s: a file holds what operators grant; users and agents use onus grant issue", authorName(author))
	}
	return author.GetOperator(), nil
}

// inForce reports whether the operator has given just that already.
func inForce(ctx context.Context, g *registrar, operator string, want *onusv1.Grant) (bool, error) {
	q := &onusv1.ListGrantsRequest{Agent: want.GetAgent(), PageSize: 1000}
	for {
		page, err := g.client.ListGrants(ctx, q)
		// Of an agent that the same file registers there is nothing yet.
		if connect.CodeOf(err) == connect.CodeNotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, s := range page.GetGrants() {
			m := s.GetRecord().GetRecord()
			if s.Revoked != nil || m.GetGrant() != "" || m.GetAuthor().GetOperator() != operator || m.GetAuthor().GetAgent() != "" {
				continue
			}
			is, wanted := proto.CloneOf(m.GetDelegation()), proto.CloneOf(want)
			is.Purpose, wanted.Purpose = nil, nil
			if proto.Equal(is, wanted) {
				return true, nil
			}
		}
		if q.PageToken = page.GetNextPageToken(); q.PageToken == "" {
			return false, nil
		}
	}
}

// subject returns the message that a registration holds.
func subject(r *onusv1.Registration) proto.Message {
	m := r.ProtoReflect()
	fd := m.WhichOneof(m.Descriptor().Oneofs().ByName("subject"))
	if fd == nil {
		return r
	}
	return m.Get(fd).Message().Interface()
}

// diff says which fields differ; of a new message, all that are set.
func diff(was, is proto.Message) []string {
	var out []string
	n := is.ProtoReflect()
	fields := n.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case was == nil && n.Has(fd):
			out = append(out, fd.JSONName()+": "+fieldText(n, fd))
		case was != nil && !n.Get(fd).Equal(was.ProtoReflect().Get(fd)):
			out = append(out, fmt.Sprintf("%s: %s → %s", fd.JSONName(), fieldText(was.ProtoReflect(), fd), fieldText(n, fd)))
		}
	}
	return out
}

// fieldText shows a field's value as JSON, on one line.
func fieldText(m protoreflect.Message, fd protoreflect.FieldDescriptor) string {
	if !m.Has(fd) {
		return "(nothing)"
	}
	one := m.New()
	one.Set(fd, m.Get(fd))
	b, err := protojson.Marshal(one.Interface())
	var compact bytes.Buffer // protojson spaces its output at random
	if err != nil || json.Compact(&compact, b) != nil {
		return "(not shown)"
	}
	s := strings.TrimSuffix(strings.TrimPrefix(compact.String(), "{"), "}")
	_, s, _ = strings.Cut(s, ":")
	return quoteName(s)
}
