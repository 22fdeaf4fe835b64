package agent

import (
	"context"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Verdict is what the verdict on a step would be, were it logged now. It is the
// server's word: nothing of it is proven, and what others log meanwhile may
// change it.
type Verdict struct {
	// Code is the stable name, such as AGENT_DECIDED; Title what people read.
	Code, Title string
	// Within: the step would be within authority.
	Within bool
	// Outcome is one of "within authority", "outside authority", "cannot be
	// told", "not judged here" and "evidence broken".
	Outcome string
	// Why is the reason, in plain words.
	Why string
	// Findings are what would be found.
	Findings []*onusv1.Finding
	// Size is that of the log judged as of.
	Size int64
}

// May asks what the verdict on a step would be before it is done: the step must
// hold an action, or a decision with a proposal. Nothing is logged, and the step
// takes no number. To have the log show that it was asked, record the decision
// with its proposal first.
//
// It is advice and no gate: the ledger logs what happens, allowed or not.
// Errors are those of [Agent.Record].
func (a *Agent) May(ctx context.Context, step Step) (*Verdict, error) {
	if err := a.mayGoOn(); err != nil {
		return nil, err
	}
	step, err := a.named(ctx, step)
	if err != nil {
		return nil, err
	}
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	// What is kept takes the numbers before this one.
	if err := a.flush(ctx); err != nil {
		a.unlock()
		return nil, err
	}
	signed, err := a.author.Sign(a.linked(ctx, step))
	if err == nil {
		a.author.rewind(signed)
	}
	a.unlock()
	if err != nil {
		return nil, err
	}
	var resp *onusv1.CheckResponse
	err = a.retry(ctx, new(bool), func(ctx context.Context) (err error) {
		resp, err = a.rpc.Check(ctx, &onusv1.CheckRequest{Envelope: signed.Record.Envelope.Proto()})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Verdict{Code: resp.GetVerdict(), Title: resp.GetTitle(), Outcome: resp.GetOutcome(), Within: resp.GetOutcome() == "within authority",
		Why: resp.GetWhy(), Findings: resp.GetFindings(), Size: resp.GetSize()}, nil
}
