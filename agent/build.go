package agent

import (
	"errors"
	"fmt"
	"io"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// builder turns a step into a message and gathers its contents. It keeps the
// first error.
type builder struct {
	step               Step
	rand               io.Reader
	contents, withheld []*onusv1.Content
	err                error
}

// message builds the author's next record, unsigned.
func (b *builder) message(a *Author) (*onusv1.Record, error) {
	s := &b.step
	if err := b.checkFields(); err != nil {
		return nil, err
	}
	at := s.at
	if at.IsZero() {
		at = a.cfg.Clock()
	}
	m := &onusv1.Record{
		Origin:      a.origin,
		Nonce:       b.random(record.NonceSize),
		Author:      &onusv1.Author{Agent: a.agent, Instance: a.cfg.Instance, Operator: a.operator},
		Capture:     a.cfg.Capture,
		ClaimedTime: timestamppb.New(at),
		Sequence:    a.sequence,
		Previous:    a.previous,
		Asks:        s.Asks,
		User:        s.User,
		Session:     s.Session,
		Grant:       id(s.Grant),
		Basis:       s.Basis,
		Subjects:    slices.Clone(s.Subjects),
	}
	if s.Trace != nil {
		m.Trace = proto.CloneOf(s.Trace)
	}
	if s.Token != "" {
		f, err := credential.ReadFacts(string(s.Token))
		if err != nil {
			return nil, err
		}
		m.Token = verifier.UserTokenOf(f)
	}
	for _, c := range s.Causes {
		m.Causes = append(m.Causes, c.String())
	}
	if p := s.Parent; !p.IsZero() {
		if s.Root {
			return nil, invalid("parent", "is set on a step that is a root", "set Parent or Root, not both")
		}
		if p.Origin != "" && p.Origin != a.origin {
			return nil, invalid("parent", fmt.Sprintf("stands in the log %q, this agent records in %q", p.Origin, a.origin),
				"record in the parent's log, or set Root")
		}
		m.Parent = id(p.Record)
		if p.Agent != a.agent {
			m.ParentAgent = p.Agent
		}
	}
	b.body(m)
	if b.err != nil {
		return nil, b.err
	}
	return m, nil
}

func (b *builder) body(m *onusv1.Record) {
	s := &b.step
	staged := s.Intent != nil || s.Interpretation != nil || s.Decision != nil || s.Action != nil
	switch {
	case s.Outcome != nil && (staged || s.Delegation != nil):
		b.err = invalid("outcome", "stands beside a stage or a delegation", "record the outcome as a step of its own, after the action")
	case s.Delegation != nil && staged:
		b.err = invalid("delegation", "stands beside a stage", "record the decision first, and the delegation with it as the parent")
	case s.Outcome != nil:
		m.Body = &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{
			Status:            s.Outcome.Status,
			Result:            b.text(OutcomeResult, s.Outcome.Result),
			TargetDecision:    s.Outcome.Target,
			ExternalRequestId: s.Outcome.RequestID,
		}}
	case s.Delegation != nil:
		g := s.Delegation.Proto()
		g.Purpose = b.text(DelegationPurpose, s.Delegation.Purpose)
		m.Body = &onusv1.Record_Delegation{Delegation: g}
	case s.loss != nil:
		m.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{
			FirstSequence: s.loss.first,
			LastSequence:  s.loss.last,
			Reason:        b.text(lossReason, s.loss.reason),
		}}
	case s.registration != nil:
		m.Body = &onusv1.Record_Registration{Registration: s.registration}
	case s.revocation != nil:
		v := proto.CloneOf(s.revocation)
		v.Reason = b.text(revocationReason, v.GetReason().GetPlain())
		m.Body = &onusv1.Record_Revocation{Revocation: v}
	default:
		m.Body = &onusv1.Record_Stages{Stages: b.stages()}
	}
}

func (b *builder) stages() *onusv1.DecisionRecord {
	d := &onusv1.DecisionRecord{}
	if in := b.step.Intent; in != nil {
		d.Intent = &onusv1.Intent{Text: b.text(IntentText, in.Text), Requested: elements(in.Requested)}
	}
	if in := b.step.Interpretation; in != nil {
		d.Interpretation = &onusv1.Interpretation{Text: b.text(InterpretationText, in.Text), Model: in.Model, ModelVersion: in.ModelVersion}
	}
	if de := b.step.Decision; de != nil {
		d.Decision = &onusv1.Decision{
			Text:       b.text(DecisionText, de.Text),
			Chosen:     elements(de.Chosen),
			Rationale:  b.text(DecisionRationale, de.Rationale),
			Confidence: de.Confidence,
		}
		if de.Proposal != nil {
			d.Decision.Proposal = de.Proposal.Proto()
		}
		for _, alt := range de.Alternatives {
			if t := b.text(DecisionAlternatives, alt); t != nil {
				d.Decision.Alternatives = append(d.Decision.Alternatives, t)
			}
		}
	}
	if ac := b.step.Action; ac != nil {
		d.Action = &onusv1.Action{
			Element:           ac.Element.Proto(),
			Arguments:         b.text(ActionArguments, ac.Arguments),
			Result:            b.text(ActionResult, ac.Result),
			TargetDecision:    ac.Target,
			ExternalRequestId: ac.RequestID,
			Approval:          id(ac.Approval),
		}
		if ac.Token != nil {
			d.Action.Token = proto.CloneOf(ac.Token)
		}
	}
	return d
}

// text commits to s, unless the step says otherwise. An empty text is nil.
func (b *builder) text(f Field, s string) *onusv1.Text {
	if s == "" || b.err != nil {
		return nil
	}
	if slices.Contains(b.step.Plain, f) {
		return &onusv1.Text{Form: &onusv1.Text_Plain{Plain: s}}
	}
	c := &onusv1.Content{Salt: b.random(record.SaltSize), Data: []byte(s)}
	sum := record.Commit(c.Salt, c.Data)
	if slices.Contains(b.step.Withhold, f) {
		b.withheld = append(b.withheld, c)
	} else {
		c.Subject = b.step.Under[f]
		b.contents = append(b.contents, c)
	}
	return &onusv1.Text{Form: &onusv1.Text_Commitment{Commitment: sum[:]}}
}

func (b *builder) random(n int) []byte {
	p := make([]byte, n)
	if _, err := io.ReadFull(b.rand, p); err != nil && b.err == nil {
		b.err = fmt.Errorf("read random bytes: %w", err)
	}
	return p
}

// checkFields refuses fields that do not exist, so that a slip of the pen does
// not change where a text ends up.
func (b *builder) checkFields() error {
	s := &b.step
	known := record.TextFields()
	check := func(where string, f Field) error {
		if !slices.Contains(known, string(f)) {
			return fmt.Errorf("%s names %.80q, which is no text of a record: use one of the Field constants", where, f)
		}
		return nil
	}
	var err error
	for _, f := range s.Plain {
		err = errors.Join(err, check("Plain", f))
		if slices.Contains(s.Withhold, f) {
			err = errors.Join(err, fmt.Errorf("both Plain and Withhold name %s: choose one", f))
		}
	}
	for _, f := range s.Withhold {
		err = errors.Join(err, check("Withhold", f))
	}
	for f := range s.Under {
		err = errors.Join(err, check("Under", f))
	}
	return err
}

func elements(es []Element) []*onusv1.ScopeElement {
	var out []*onusv1.ScopeElement
	for _, e := range es {
		out = append(out, e.Proto())
	}
	return out
}

// Proto returns the element as a record carries it.
func (e Element) Proto() *onusv1.ScopeElement {
	return &onusv1.ScopeElement{
		Type: e.Type, Action: e.Action, Location: e.Location, Identifier: e.Identifier,
		Datatypes: slices.Clone(e.Datatypes), Amount: e.Amount, Unit: e.Unit, Quantity: e.Quantity,
		Recipient: e.Recipient,
	}
}

// id is empty for the zero id, as the schema wants it.
func id(r record.ID) string {
	if r.IsZero() {
		return ""
	}
	return r.String()
}

func invalid(field, detail, next string) *record.Error {
	return &record.Error{Reason: record.ReasonInvalid, Field: field, Detail: detail, Next: next}
}
