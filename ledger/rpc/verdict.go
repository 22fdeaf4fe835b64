package rpc

import (
	"context"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// judgement judges a chain over all its entries, and leaves out what it says of
// those that the caller gets redacted.
func (s *service) judgement(c *ledger.Chain, shown []*onusv1.LoggedRecord) ([]byte, error) {
	j, err := s.ledger.Judge(c)
	if err != nil {
		return nil, err
	}
	hidden := map[int64]bool{}
	for _, r := range shown {
		if r.GetRedacted() {
			hidden[r.GetIndex()] = true
		}
	}
	if len(hidden) > 0 {
		j.Actions = slices.DeleteFunc(j.Actions, func(v chain.Verdict) bool { return hidden[v.Index] })
		j.Findings = slices.DeleteFunc(j.Findings, func(f chain.Finding) bool { return hidden[f.Index] })
		j.Evidence.Omissions = slices.DeleteFunc(j.Evidence.Omissions, func(f chain.Finding) bool { return hidden[f.Index] })
	}
	return j.JSON(), nil
}

// Check says what the verdict on an action would be.
func (s *service) Check(_ context.Context, req *onusv1.CheckRequest) (*onusv1.CheckResponse, error) {
	env, err := record.EnvelopeFromProto(req.GetEnvelope())
	if err != nil {
		return nil, s.fail(err)
	}
	size := s.ledger.Size()
	v, err := s.ledger.May(env)
	if err != nil {
		return nil, s.fail(err)
	}
	resp := &onusv1.CheckResponse{Verdict: string(v.Code), Title: v.Title, Outcome: string(v.Outcome), Why: v.Why, Size: size}
	for _, f := range v.Findings {
		resp.Findings = append(resp.Findings, findingOf(f))
	}
	return resp, nil
}

func findingOf(f chain.Finding) *onusv1.Finding {
	of := &onusv1.Finding{Code: f.Code, Severity: string(f.Severity), Text: f.Text}
	if !f.About.IsZero() {
		of.Record = f.About.String()
	}
	return of
}
