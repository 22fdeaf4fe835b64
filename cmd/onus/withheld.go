package main

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// withheld makes an entry of what the server shows of a record that we may not
// read: its place in the chain, on the server's word.
func withheld(lr *onusv1.LoggedRecord) (chain.Entry, error) {
	id, err := record.ParseID(lr.GetId())
	m := lr.GetRecord()
	for _, link := range append([]string{m.GetParent()}, m.GetCauses()...) {
		if err == nil && link != "" {
			_, err = record.ParseID(link)
		}
	}
	if err != nil {
		return chain.Entry{}, fmt.Errorf("withheld entry %d as the server sent it: %w", lr.GetIndex(), err)
	}
	return chain.Entry{Index: lr.GetIndex(), Record: &record.Record{ID: id, Msg: &onusv1.Record{
		Author: m.GetAuthor(), Parent: m.GetParent(), Causes: m.GetCauses()}}}, nil
}

// isWithheld tells such records: there are no bytes that anybody signed.
func isWithheld(r *record.Record) bool { return len(r.Envelope.Payload) == 0 }

// unjudged drops what was found about records that we have not read.
func unjudged(c *chain.Chain) {
	for _, n := range c.Nodes {
		if isWithheld(n.Record) {
			n.Findings = nil
		}
	}
}

// withheldParty names who answers for a withheld record.
func withheldParty(m *onusv1.Record) string {
	a := m.GetAuthor()
	switch {
	case a.GetAgent() != "":
		return quoteIf(lastSegment(a.GetAgent())) + ", operator " + quoteIf(a.GetOperator())
	case a.GetOperator() != "":
		return "operator " + quoteIf(a.GetOperator())
	case a.GetService() != "" || a.GetClient() != "" || a.GetReviewer() != "" || a.GetUser() != "" || a.GetHost():
		return authorName(a)
	}
	return "an administrator"
}
