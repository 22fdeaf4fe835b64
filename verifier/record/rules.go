package record

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// checker keeps the first rule that is broken. Its methods name the field and
// go on, so that the rules below read as a list. Whatever has to be put
// together for a refusal (a member's name, a count) is put together only then:
// nearly all records are valid.
type checker struct{ err *Error }

func (c *checker) fail(field, detail, next string) {
	if c.err == nil {
		c.err = invalid(field, detail, next)
	}
}

func (c *checker) want(ok bool, field, detail, next string) {
	if !ok {
		c.fail(field, detail, next)
	}
}

// validate checks every rule that needs nothing but the record.
func validate(m *onusv1.Record) error {
	c := &checker{}
	c.header(m)
	switch b := m.GetBody().(type) {
	case *onusv1.Record_Stages:
		c.stages(b.Stages)
	case *onusv1.Record_Outcome:
		c.outcome(m, b.Outcome)
	case *onusv1.Record_Registration:
		c.registration(m, b.Registration)
	case *onusv1.Record_Trigger:
		c.trigger(b.Trigger)
	case *onusv1.Record_Loss:
		c.loss(m, b.Loss)
	case *onusv1.Record_Genesis:
		c.genesis(m, b.Genesis)
	case *onusv1.Record_Delegation:
		c.delegation(m, b.Delegation)
	case *onusv1.Record_Approval:
		c.approval(b.Approval)
	case *onusv1.Record_Denial:
		c.denial(b.Denial)
	case *onusv1.Record_Rejection:
		c.rejection(b.Rejection)
	case *onusv1.Record_Revocation:
		c.revocation(m, b.Revocation)
	case *onusv1.Record_Counter:
		c.counter(b.Counter)
	case *onusv1.Record_KeySet:
		c.keySet(b.KeySet)
	case *onusv1.Record_TrustBundle:
		c.trustBundle(b.TrustBundle)
	case *onusv1.Record_Read:
		c.read(b.Read)
	case *onusv1.Record_Review:
		c.review(m, b.Review)
	default:
		c.fail("body", "is missing", "set one, such as stages, outcome or registration")
	}
	c.bodyFitsAuthor(m)
	if c.err != nil {
		return c.err
	}
	return nil
}

// clip returns at most n of a list that was found to be too long, so that a
// hostile record costs no more to refuse than an honest one to accept.
func clip[T any](list []T, n int) []T { return list[:min(len(list), n)] }

func (c *checker) header(m *onusv1.Record) {
	if why := CheckOrigin(m.GetOrigin()); why != "" {
		c.fail("origin", why, "name the log, as its checkpoint does")
	}
	if n := len(m.GetNonce()); n != NonceSize {
		c.fail("nonce", fmt.Sprintf("has %d bytes", n), "use 16 random bytes")
	}
	c.author("author", m.GetAuthor())
	c.want(m.GetCapture() >= onusv1.Capture_CAPTURE_SELF && m.GetCapture() <= onusv1.Capture_CAPTURE_IMPORT,
		"capture", "is missing or unknown", "say how the record came to be, such as CAPTURE_SELF")
	c.time("claimed_time", m.GetClaimedTime())

	c.want(m.GetSequence() >= 0, "sequence", "is negative", "count the instance's records from 0")
	c.id("previous", m.GetPrevious())
	if m.GetAuthor().GetAgent() != "" {
		c.want(m.GetSequence() == 0 || m.GetPrevious() != "", "previous", "is missing", "name the instance's record before this one")
	} else {
		c.want(m.GetSequence() == 0 && m.GetPrevious() == "", "sequence", "is for agents", "leave sequence and previous out")
	}

	c.id("parent", m.GetParent())
	c.spiffe("parent_agent", m.GetParentAgent(), true)
	c.want(m.GetParentAgent() == "" || m.GetParent() != "", "parent_agent", "is set without parent", "name the parent's record too")
	c.spiffe("asks", m.GetAsks(), true)
	if n := len(m.GetCauses()); n > MaxCauses {
		c.fail("causes", fmt.Sprintf("has %d ids, at most %d are allowed", n, MaxCauses), "name the nearest causes; theirs follow from them")
	}
	for i, id := range clip(m.GetCauses(), MaxCauses) {
		if _, err := ParseID(id); err != nil {
			c.fail(fmt.Sprintf("causes[%d]", i), "is not a record id: "+err.Error(), "use the id that the ledger or the SDK gave")
		} else if slices.Contains(m.GetCauses()[:i], id) {
			c.fail(fmt.Sprintf("causes[%d]", i), "stands there twice", "name each cause once")
		}
	}

	c.pseudonym("user", m.GetUser(), UserPrefix)
	c.pseudonym("session", m.GetSession(), SessionPrefix)
	c.userToken(m)
	c.id("grant", m.GetGrant())
	c.want(m.GetBasis() >= 0 && m.GetBasis() <= onusv1.Basis_BASIS_OWN, "basis", "is unknown", "use BASIS_DELEGATED or BASIS_OWN, or leave it out")
	c.trace(m.GetTrace())
	if n := len(m.GetSubjects()); n > MaxSubjects {
		c.fail("subjects", fmt.Sprintf("has %d, at most %d are allowed", n, MaxSubjects), "split the step")
	}
	for i, s := range clip(m.GetSubjects(), MaxSubjects) {
		if !IsPseudonym(s, SubjectPrefix, UserPrefix) {
			c.fail(fmt.Sprintf("subjects[%d]", i), "is not a pseudonym", "mint one with the ledger's Mint call; names do not go into the log")
		} else if slices.Contains(m.GetSubjects()[:i], s) {
			c.fail(fmt.Sprintf("subjects[%d]", i), "stands there twice", "name each subject once")
		}
	}
}

func (c *checker) stages(d *onusv1.DecisionRecord) {
	c.want(d.GetIntent() != nil || d.GetInterpretation() != nil || d.GetDecision() != nil || d.GetAction() != nil,
		"stages", "is empty", "set at least one of intent, interpretation, decision, action")
	if in := d.GetIntent(); in != nil {
		c.want(in.GetText() != nil || len(in.GetRequested()) > 0, "stages.intent", "is empty", "set text or requested")
		c.text("stages.intent.text", in.GetText())
		c.elements("stages.intent.requested", in.GetRequested(), true)
	}
	if in := d.GetInterpretation(); in != nil {
		c.want(in.GetText() != nil, "stages.interpretation.text", "is missing", "say how the goal was understood")
		c.text("stages.interpretation.text", in.GetText())
		c.label("stages.interpretation.model", in.GetModel(), true)
		c.label("stages.interpretation.model_version", in.GetModelVersion(), true)
	}
	if de := d.GetDecision(); de != nil {
		c.want(de.GetText() != nil || len(de.GetChosen()) > 0 || de.GetProposal() != nil, "stages.decision", "says nothing", "set text, chosen or proposal")
		c.text("stages.decision.text", de.GetText())
		c.elements("stages.decision.chosen", de.GetChosen(), true)
		if n := len(de.GetAlternatives()); n > MaxAlternatives {
			c.fail("stages.decision.alternatives", fmt.Sprintf("has %d, at most %d are allowed", n, MaxAlternatives), "name the most serious ones")
		}
		for i, a := range clip(de.GetAlternatives(), MaxAlternatives) {
			if e := checkText(a); e != nil {
				c.fail(fmt.Sprintf("stages.decision.alternatives[%d]%s", i, e.Field), e.Detail, e.Next)
			}
		}
		c.text("stages.decision.rationale", de.GetRationale())
		if s := de.GetConfidence(); s != "" {
			whole, frac, _ := strings.Cut(s, ".")
			c.want(isDecimal(s) && (whole == "0" || whole == "1" && only(frac, "0")), "stages.decision.confidence", "is not a decimal from 0 to 1", `write it as "0.85"`)
		}
		c.element("stages.decision.proposal", de.GetProposal(), false)
	}
	if a := d.GetAction(); a != nil {
		c.want(a.GetElement() != nil, "stages.action.element", "is missing", "say what was done")
		c.element("stages.action.element", a.GetElement(), false)
		c.text("stages.action.arguments", a.GetArguments())
		c.text("stages.action.result", a.GetResult())
		c.targetDecision("stages.action.target_decision", a.GetTargetDecision())
		c.foreignID("stages.action.external_request_id", a.GetExternalRequestId())
		c.id("stages.action.approval", a.GetApproval())
		c.tokenFacts("stages.action.token", a.GetToken())
	}
}

func (c *checker) outcome(m *onusv1.Record, o *onusv1.Outcome) {
	c.want(m.GetParent() != "", "parent", "is missing", "an outcome's parent is the action that it ends")
	c.want(o.GetStatus() >= onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED && o.GetStatus() <= onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN,
		"outcome.status", "is missing or unknown", "say how the action ended, such as OUTCOME_STATUS_SUCCEEDED")
	c.text("outcome.result", o.GetResult())
	c.targetDecision("outcome.target_decision", o.GetTargetDecision())
	c.foreignID("outcome.external_request_id", o.GetExternalRequestId())
}

func (c *checker) trigger(t *onusv1.Trigger) {
	c.want(isName(t.GetName(), 64, instanceChars), "trigger.name", "is missing or has characters other than A-Z a-z 0-9 . _ -", "give the trigger a stable name of at most 64 characters")
	c.text("trigger.detail", t.GetDetail())
}

func (c *checker) loss(m *onusv1.Record, l *onusv1.Loss) {
	c.want(l.GetFirstSequence() >= 0 && l.GetFirstSequence() <= l.GetLastSequence(), "loss.last_sequence", "is before first_sequence", "name the first and the last lost sequence number")
	c.want(l.GetLastSequence() < m.GetSequence(), "loss.last_sequence", "is not before this record's own sequence", "declare only records that came before")
	c.text("loss.reason", l.GetReason())
}
