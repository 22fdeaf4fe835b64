package agent

import (
	"context"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Answer is what a person said to a proposal. It is proven: the record stands
// in the log, whose rules admit it only from somebody who may answer.
type Answer struct {
	// Approved tells an approval from a denial.
	Approved bool
	// ID is the answer's record: an action that follows an approval names it
	// in Action.Approval.
	ID    record.ID
	Index int64
	// By is the party that signed it.
	By *onusv1.Author
	// Expires is until when an approval may be used, by log time; zero means
	// until the proposal is denied.
	Expires time.Time
}

// maxChain is how much of a chain is searched for an answer: what the server
// shows at most.
const maxChain = 10_000

// AwaitAnswer waits until a proposal, a record with Decision.Proposal, is
// approved or denied, and returns the newest answer that is there then. It asks
// the ledger at growing intervals, of five seconds at most, until the context
// ends; that gives an [*OutageError] with the context's cause. An answer is
// found as a child of the proposal, in its chain; of a chain with more than
// 10,000 records the rest is not seen, which is an error of its own.
func (c *Client) AwaitAnswer(ctx context.Context, proposal record.ID) (*Answer, error) {
	for n := 0; ; n++ {
		answer, err := c.answer(ctx, proposal)
		if answer != nil || err != nil {
			return answer, err
		}
		select {
		case <-time.After(backoff(n, 0)):
		case <-ctx.Done():
			return nil, &OutageError{Err: fmt.Errorf("proposal %s is not answered yet: %w", proposal, context.Cause(ctx))}
		}
	}
}

// answer returns the newest answer in the log; nil if there is none.
func (c *Client) answer(ctx context.Context, proposal record.ID) (*Answer, error) {
	var resp *onusv1.GetChainResponse
	err := c.retry(ctx, new(bool), func(ctx context.Context) (err error) {
		resp, err = c.rpc.GetChain(ctx, &onusv1.GetChainRequest{Id: proposal.String(), Limit: maxChain})
		return err
	})
	if err != nil {
		return nil, err
	}
	var found *onusv1.LoggedRecord
	for _, l := range resp.GetRecords() {
		if l.GetIndex() < found.GetIndex() {
			continue
		}
		if answers(l.GetRecord(), proposal) || hidden(l, proposal) {
			found = l
		}
	}
	switch {
	case found == nil && resp.GetCut():
		return nil, fmt.Errorf("the chain of %s has more than %d records, and no answer among the first: look for it with ListRecords", proposal, maxChain)
	case found == nil:
		return nil, nil
	case hidden(found, proposal):
		return nil, fmt.Errorf("entry %d may answer proposal %s, but the ledger does not show it to this caller: "+
			"ask the ledger's operator for a credential that may read it", found.GetIndex(), proposal)
	}
	r, err := c.prove(ctx, found)
	if err != nil {
		return nil, err
	}
	if !answers(r.Msg, proposal) {
		return nil, &ProofError{ID: r.ID, Err: fmt.Errorf("it is shown as an answer to %s, and is none", proposal)}
	}
	a := &Answer{Approved: r.Msg.GetApproval() != nil, ID: r.ID, Index: found.GetIndex(), By: r.Msg.GetAuthor()}
	if t := r.Msg.GetApproval().GetExpires(); t != nil {
		a.Expires = t.AsTime()
	}
	return a, nil
}

func answers(m *onusv1.Record, proposal record.ID) bool {
	return m.GetApproval().GetProposal() == proposal.String() || m.GetDenial().GetProposal() == proposal.String()
}

// hidden reports whether a record may be an answer that the caller may not
// read: a child of the proposal that no agent signed.
func hidden(l *onusv1.LoggedRecord, proposal record.ID) bool {
	m := l.GetRecord()
	return l.GetRedacted() && m.GetParent() == proposal.String() && m.GetAuthor().GetAgent() == ""
}
