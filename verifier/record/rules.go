package record

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
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
		c.registration(b.Registration)
	case *onusv1.Record_Trigger:
		c.want(isName(b.Trigger.GetName(), 64, instanceChars), "trigger.name", "is missing or has characters other than A-Z a-z 0-9 . _ -", "give the trigger a stable name of at most 64 characters")
		c.text("trigger.detail", b.Trigger.GetDetail())
	case *onusv1.Record_Loss:
		l := b.Loss
		c.want(l.GetFirstSequence() >= 0 && l.GetFirstSequence() <= l.GetLastSequence(), "loss.last_sequence", "is before first_sequence", "name the first and the last lost sequence number")
		c.want(l.GetLastSequence() < m.GetSequence(), "loss.last_sequence", "is not before this record's own sequence", "declare only records that came before")
		c.text("loss.reason", l.GetReason())
	case *onusv1.Record_Genesis:
		c.genesis(m, b.Genesis)
	case *onusv1.Record_Revocation:
		c.revocation(m, b.Revocation)
	default:
		c.fail("body", "is missing", "set one of stages, outcome, registration, trigger, loss, genesis, revocation")
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
	c.author(m.GetAuthor())
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

func (c *checker) author(a *onusv1.Author) {
	const next = "name an agent (agent, instance, operator), an operator, or an administrator"
	switch {
	case a == nil:
		c.fail("author", "is missing", next)
	case a.GetAgent() != "":
		c.spiffe("author.agent", a.GetAgent(), false)
		c.instance("author.instance", a.GetInstance())
		c.operatorID("author.operator", a.GetOperator())
		c.want(a.GetAdministrator() == "", "author.administrator", "stands beside an agent", next)
	case a.GetAdministrator() != "":
		c.want(isName(a.GetAdministrator(), 64, adminChars), "author.administrator", "has characters other than a-z 0-9 . _ - or more than 64", "use the name that genesis has")
		c.want(a.GetInstance() == "" && a.GetOperator() == "", "author", "mixes an administrator with another party", next)
	case a.GetOperator() != "":
		c.operatorID("author.operator", a.GetOperator())
		c.want(a.GetInstance() == "", "author.instance", "is set without an agent", next)
	default:
		c.fail("author.agent", "is missing", next)
	}
	c.want(a == nil || isKeyID(a.GetKeyId()), "author.key_id", "is not an RFC 7638 thumbprint", "use the signing key's thumbprint, 43 characters of base64url")
}

// bodyFitsAuthor: what a kind of party may say.
func (c *checker) bodyFitsAuthor(m *onusv1.Record) {
	a := m.GetAuthor()
	agent, admin := a.GetAgent() != "", a.GetAdministrator() != ""
	switch m.GetBody().(type) {
	case *onusv1.Record_Stages, *onusv1.Record_Outcome, *onusv1.Record_Loss:
		c.want(agent, "author", "is not an agent, but the body is an agent's", "sign it as an agent")
	case *onusv1.Record_Registration, *onusv1.Record_Genesis:
		c.want(admin, "author", "is not an administrator", "have an administrator sign it")
	case *onusv1.Record_Trigger:
		c.want(!agent, "author", "is an agent", "have the operator or an administrator sign the trigger")
	}
	if !agent {
		c.want(m.GetCapture() == onusv1.Capture_CAPTURE_SELF, "capture", "is not CAPTURE_SELF", "operators and administrators record their own doing")
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
		c.want(de.GetText() != nil || len(de.GetChosen()) > 0, "stages.decision", "says nothing", "set text or chosen")
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
	}
	if a := d.GetAction(); a != nil {
		c.want(a.GetElement() != nil, "stages.action.element", "is missing", "say what was done")
		c.element("stages.action.element", a.GetElement(), false)
		c.text("stages.action.arguments", a.GetArguments())
		c.text("stages.action.result", a.GetResult())
		c.targetDecision("stages.action.target_decision", a.GetTargetDecision())
		c.foreignID("stages.action.external_request_id", a.GetExternalRequestId())
		c.id("stages.action.approval", a.GetApproval())
		if t := a.GetToken(); t != nil {
			c.pseudonym("stages.action.token.sub", t.GetSub(), UserPrefix)
			c.want(len(t.GetAct()) <= 8, "stages.action.token.act", "has more than 8 actors", "keep the outermost")
			for i, s := range clip(t.GetAct(), 8) {
				if s == "" || !isForeignID(s) {
					c.fail(fmt.Sprintf("stages.action.token.act[%d]", i), "is empty, or "+badForeignID, "use the actor's id, or a hash of it")
				}
			}
			c.foreignID("stages.action.token.azp", t.GetAzp())
		}
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

func (c *checker) registration(r *onusv1.Registration) {
	switch s := r.GetSubject().(type) {
	case *onusv1.Registration_Operator:
		o := s.Operator
		c.operatorID("registration.operator.id", o.GetId())
		c.label("registration.operator.organisation", o.GetOrganisation(), false)
		c.label("registration.operator.unit", o.GetUnit(), false)
		c.label("registration.operator.accountable_post", o.GetAccountablePost(), false)
		c.label("registration.operator.contact", o.GetContact(), true)
	case *onusv1.Registration_Agent:
		a := s.Agent
		c.spiffe("registration.agent.id", a.GetId(), false)
		c.operatorID("registration.agent.operator", a.GetOperator())
		c.label("registration.agent.display_name", a.GetDisplayName(), false)
		c.label("registration.agent.purpose", a.GetPurpose(), true)
		c.label("registration.agent.model", a.GetModel(), true)
		c.elements("registration.agent.catalogue", a.GetCatalogue(), true)
	case *onusv1.Registration_Key:
		k := s.Key
		c.key("registration.key.public_key", k.GetPublicKey())
		c.operatorID("registration.key.operator", k.GetOperator())
		c.spiffe("registration.key.agent", k.GetAgent(), true)
		if k.GetInstance() != "" {
			c.want(k.GetAgent() != "", "registration.key.instance", "is set without an agent", "name the agent class too")
			c.instance("registration.key.instance", k.GetInstance())
		}
	default:
		c.fail("registration", "is empty", "set one of operator, agent, key")
	}
}

func (c *checker) genesis(m *onusv1.Record, g *onusv1.Genesis) {
	key, err := tree.ParseLogKey(g.GetLogKey())
	if err != nil {
		c.fail("genesis.log_key", "is not a verifier key: "+err.Error(), "use the vkey that onus init printed")
	} else {
		c.want(key.Origin() == m.GetOrigin(), "genesis.log_key", "has a name that is not the origin", "name the log key after the origin")
	}
	n := len(g.GetAdministrators())
	if n < 1 || n > 16 {
		c.fail("genesis.administrators", fmt.Sprintf("has %d entries", n), "name 1 to 16")
	}
	for i, a := range clip(g.GetAdministrators(), 16) {
		f := fmt.Sprintf("genesis.administrators[%d]", i)
		c.want(isName(a.GetName(), 64, adminChars), f+".name", "is missing or has characters other than a-z 0-9 . _ -", "use at most 64 of them")
		c.key(f+".public_key", a.GetPublicKey())
		for _, b := range g.GetAdministrators()[:i] {
			c.want(b.GetName() != a.GetName() && !slices.Equal(b.GetPublicKey(), a.GetPublicKey()), f, "has the name or the key of another", "give each administrator an own name and key")
		}
	}
	if n > 0 {
		c.want(g.GetAdministrators()[0].GetName() == m.GetAuthor().GetAdministrator(), "author.administrator", "is not the first administrator", "have the first administrator sign the genesis")
	}
	p := g.GetPolicy()
	c.want(p != nil, "genesis.policy", "is missing", "state the log's policy")
	c.duration("genesis.policy.clock_skew", p.GetClockSkew())
	c.duration("genesis.policy.late_after", p.GetLateAfter())
	c.duration("genesis.policy.outcome_window", p.GetOutcomeWindow())
	c.want(len(p.GetPlainText()) <= len(TextFields()), "genesis.policy.plain_text", "has too many fields", "name each field once")
	for i, f := range clip(p.GetPlainText(), len(TextFields())) {
		if f != "*" && !slices.Contains(TextFields(), f) {
			c.fail(fmt.Sprintf("genesis.policy.plain_text[%d]", i), fmt.Sprintf("is %.80q, which is no text field", f), `name a field such as "stages.intent.text", or "*"`)
		}
	}
}
