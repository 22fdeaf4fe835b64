package rpc

import (
	"context"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/verifier/record"
)

// ListGrants lists, for an agent or an operator, what it gave or holds.
func (s *service) ListGrants(ctx context.Context, req *onusv1.ListGrantsRequest) (*onusv1.ListGrantsResponse, error) {
	v := s.view(ctx)
	recorded := s.recordRead(ctx, "ListGrants", "")
	grants, next, err := s.ledger.Grants(ledger.GrantQuery{Agent: req.GetAgent(), User: req.GetUser(), Parent: req.GetParent()},
		int(req.GetPageSize()), req.GetPageToken(), func(e *ledger.Entry) bool { return s.mayReadGrant(v, e) })
	if err != nil {
		return nil, s.fail(err)
	}
	resp := &onusv1.ListGrantsResponse{NextPageToken: next}
	if resp.Grants, err = s.grants(ctx, grants); err != nil {
		return nil, s.fail(err)
	}
	if err := recorded(); err != nil {
		return nil, s.fail(err)
	}
	return resp, nil
}

// GetGrant shows a grant to who gave it or holds it, and of those above it
// that are others' what a chain shows of others' records.
func (s *service) GetGrant(ctx context.Context, req *onusv1.GetGrantRequest) (*onusv1.GetGrantResponse, error) {
	id, err := record.ParseID(req.GetId())
	if err != nil {
		return nil, s.fail(&record.Error{Reason: record.ReasonInvalid, Field: "id", Detail: "is not a record id: " + err.Error(), Next: "use the id of the grant's record"})
	}
	path, err := s.ledger.GrantPath(id)
	if err != nil {
		return nil, s.fail(err)
	}
	if v := s.view(ctx); !s.mayReadGrant(v, path[0].Entry) {
		return nil, s.denied(ctx, onusv1connect.LedgerServiceGetGrantProcedure, &notPermittedError{
			what: fmt.Sprintf("%s neither gave nor holds this grant: reading it needs the role %s", v, listRoles(readers)),
			next: "ask for a grant of your own"})
	}
	recorded := s.recordRead(ctx, "GetGrant", req.GetId())
	resp := &onusv1.GetGrantResponse{}
	if resp.Path, err = s.grants(ctx, path); err != nil {
		return nil, s.fail(err)
	}
	if err := recorded(); err != nil {
		return nil, s.fail(err)
	}
	return resp, nil
}

// grants fills in the records, as far as the caller may read them.
func (s *service) grants(ctx context.Context, grants []*ledger.Grant) (out []*onusv1.GrantStatus, err error) {
	v := s.view(ctx)
	entries, records := make([]*ledger.Entry, len(grants)), make([]*onusv1.LoggedRecord, len(grants))
	for i, g := range grants {
		entries[i] = g.Entry
		if !s.mayReadGrant(v, g.Entry) {
			records[i] = redacted(g.Entry)
			g.Status.Uses = nil
		} else if records[i], err = s.logged(ctx, g.Entry, false); err != nil {
			return nil, err
		}
		g.Status.Record = records[i]
		out = append(out, g.Status)
	}
	return out, s.judge(entries, records)
}

// mayReadGrant: who gave a grant, and whom it was given to, read it as a
// whole, and so do their operators.
func (s *service) mayReadGrant(v view, e *ledger.Entry) bool {
	if !v.Scoped() || v.Owns(e.Record.Msg.GetAuthor()) {
		return true
	}
	grantee := e.Record.Msg.GetDelegation().GetAgent()
	switch v.Role {
	case identity.Agent:
		return v.Scope != "" && v.Scope == grantee
	case identity.Operator:
		class, _ := s.ledger.Registry().Agent(grantee, s.ledger.Size())
		return v.Scope != "" && v.Scope == class.GetOperator()
	}
	return false
}

// judge adds findings to the records of these entries, save the redacted ones:
// it judges over the full entries and shows what belongs to what is shown.
func (s *service) judge(entries []*ledger.Entry, records []*onusv1.LoggedRecord) error {
	found, err := s.ledger.Findings(entries)
	if err != nil {
		return err
	}
	for i, fs := range found {
		if records[i].GetRedacted() {
			continue
		}
		for _, f := range fs {
			of := &onusv1.Finding{Code: f.Code, Severity: string(f.Severity), Text: f.Text}
			if !f.Record.IsZero() {
				of.Record = f.Record.String()
			}
			records[i].Findings = append(records[i].Findings, of)
		}
	}
	return nil
}
