package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// ledgerLog shows a running ledger to the viewer: web.Log.
type ledgerLog struct{ l *ledger.Ledger }

var _ web.Log = ledgerLog{}

// found says what the ledger does not have, or has damaged, in the viewer's words.
func found(err error) error {
	var damage *ledger.CorruptionError
	switch {
	case errors.As(err, &damage):
		return fmt.Errorf("%w: %w", desk.ErrDamaged, err)
	case errors.Is(err, ledger.ErrNotFound):
		return fmt.Errorf("%w: %w", desk.ErrNotFound, err)
	}
	return err
}

// paged says that a page's token is not of its query in the viewer's words.
func paged(err error) error {
	if errors.Is(err, ledger.ErrPageToken) {
		return fmt.Errorf("%w: %w", desk.ErrCursor, err)
	}
	return err
}

func (g ledgerLog) Origin() string                             { return g.l.LogKey().Origin() }
func (g ledgerLog) Size() int64                                { return g.l.Size() }
func (g ledgerLog) Wait(ctx context.Context, size int64) error { return g.l.Wait(ctx, size) }
func (g ledgerLog) Registry() *registry.Registry               { return g.l.Registry() }
func (g ledgerLog) Key() tree.LogKey                           { return g.l.LogKey() }
func (g ledgerLog) Checkpoint() []byte                         { return g.l.Checkpoint() }

func (g ledgerLog) Entry(index int64) (chain.Entry, error) {
	e, err := g.l.Entry(index)
	if err != nil {
		return chain.Entry{}, found(err)
	}
	return entryOf(e), nil
}

func entryOf(e *ledger.Entry) chain.Entry {
	return chain.Entry{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record, Stamp: &e.Stamp}
}

func (g ledgerLog) Index(id record.ID) (int64, error) {
	i, err := g.l.Index(id)
	return i, found(err)
}

func (g ledgerLog) Raw(index int64) ([]byte, error) {
	b, err := g.l.Raw(index)
	return b, found(err)
}

func (g ledgerLog) Receipt(index int64) (*onusv1.ProvenRecord, error) {
	p, err := g.l.Receipt(index)
	return p, found(err)
}

// Judge asks the ledger, which asks the engine that auditors run. A chain
// beyond the ledger's bound is shown as far as that, and not judged.
func (g ledgerLog) Judge(id record.ID) (*desk.Judged, error) {
	c, err := g.l.Chain(id, ledger.MaxChain)
	if err != nil {
		return nil, found(err)
	}
	last, err := g.l.Entry(c.Size - 1)
	if err != nil {
		return nil, found(err)
	}
	entries := make([]chain.Entry, len(c.Entries))
	for i, e := range c.Entries {
		entries[i] = entryOf(e)
	}
	out := &desk.Judged{Cut: c.Cut, Size: c.Size, Time: last.Stamp.LogTime,
		Chain: chain.Build(entries, c.Elsewhere, g.l.Registry().Genesis().GetPolicy())}
	if !c.Cut {
		if out.Judgement, err = g.l.Judge(c); err != nil {
			return nil, found(err)
		}
	}
	return out, nil
}

func (g ledgerLog) Contents(index int64) ([]*onusv1.Content, error) {
	e, err := g.l.Entry(index)
	if err != nil {
		return nil, found(err)
	}
	return g.l.Contents(e)
}

func (g ledgerLog) Name(pseudonym string) (string, error) {
	name, err := g.l.Name(pseudonym)
	return name, found(err)
}

// kinds are the kinds of names as the viewer calls them.
var kinds = map[string]ledger.NameKind{"user": ledger.NameUser, "subject": ledger.NameSubject, "session": ledger.NameSession}

func (g ledgerLog) Pseudonym(kind, name string) (string, error) {
	k, ok := kinds[kind]
	if !ok {
		return "", fmt.Errorf("names of kind %q have no pseudonyms", kind)
	}
	p, err := g.l.PseudonymOf(k, name)
	return p, found(err)
}

func (g ledgerLog) Records(q web.RecordQuery, limit int, token string) (indices []int64, next string, err error) {
	page, err := g.l.List(ledger.Query{Agent: q.Agent, Instance: q.Instance, Operator: q.Operator, User: q.User, Session: q.Session,
		Subject: q.Subject, Operation: q.Operation, Resource: q.Resource, Since: q.Since, Before: q.Before, NewestFirst: true}, limit, token)
	if err != nil {
		return nil, "", paged(err)
	}
	for _, e := range page.Entries {
		indices = append(indices, e.Index)
	}
	return indices, page.Next, nil
}

func (g ledgerLog) Grants(q web.GrantQuery, limit int, token string) (grants []*web.Grant, next string, err error) {
	all, next, err := g.l.Grants(ledger.GrantQuery{Agent: q.Agent, User: q.User, Parent: q.Parent, Before: q.Before}, limit, token, func(*ledger.Entry) bool { return true })
	return grantsOf(all), next, paged(err)
}

func (g ledgerLog) GrantPath(id record.ID) ([]*web.Grant, error) {
	path, err := g.l.GrantPath(id)
	return grantsOf(path), found(err)
}

func grantsOf(all []*ledger.Grant) (grants []*web.Grant) {
	for _, a := range all {
		grants = append(grants, &web.Grant{Index: a.Entry.Index, Time: a.Entry.Stamp.LogTime, Record: a.Entry.Record, Status: a.Status})
	}
	return grants
}

func (ledgerLog) MakesBundles() bool { return true }

func (g ledgerLog) Bundle(ctx context.Context, ids []record.ID, where string, contents bool) (*evidence.Bundle, error) {
	ask := ledger.Ask{IDs: ids, Where: where}
	if contents {
		ask.Reader.Contents = func(*ledger.Entry) bool { return true }
	}
	b, err := g.l.Bundle(ctx, ask)
	return b, found(err)
}

// ledgerOfficer writes reviews into a running ledger: web.Officer. The host
// signs them, and names the officer by a pseudonym.
type ledgerOfficer struct{ l *ledger.Ledger }

var _ web.Officer = ledgerOfficer{}

// maxOfficer bounds the name of an officer or an assignee.
const maxOfficer = 200

func (o ledgerOfficer) Review(ctx context.Context, by web.Viewer, r web.Review) (int64, error) {
	officer, err := o.pseudonym("officer", by.Name)
	if err != nil {
		return 0, err
	}
	assignee, err := o.pseudonym("assignee", r.Assignee)
	if err != nil {
		return 0, err
	}
	logged, err := o.l.Review(ctx, &onusv1.Review{Record: r.Record.String(), Finding: r.Finding, Disposition: r.Disposition, Assignee: assignee}, r.Note, officer)
	if err != nil {
		return 0, err
	}
	return logged.Receipt.GetIndex(), nil
}

// pseudonym returns that of an officer by name; empty for nobody. Officers have
// names of their own, so that one who is also a user of agents is not the same
// pseudonym in both roles.
func (o ledgerOfficer) pseudonym(field, name string) (string, error) {
	if name = strings.TrimSpace(name); name == "" {
		return "", nil
	}
	if len(name) > maxOfficer || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", &record.Error{Reason: record.ReasonInvalid, Field: field,
			Detail: fmt.Sprintf("has more than %d bytes, or characters that do not print", maxOfficer), Next: "write the name as people do"}
	}
	ps, err := o.l.Mint(ledger.NameUser, []string{ledger.OfficerMark + name})
	if err != nil {
		return "", err
	}
	return ps[0], nil
}
