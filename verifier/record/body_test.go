package record_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// The rules for bodies that agents and operators write.

func TestStageRefusals(t *testing.T) {
	elements := func(n int) []*onusv1.ScopeElement {
		es := make([]*onusv1.ScopeElement, n)
		for i := range es {
			es[i] = &onusv1.ScopeElement{Type: "t", Action: "a"}
		}
		return es
	}
	testRefusals(t, decision, []refusal{
		{"no body", "body", func(m *onusv1.Record) { m.Body = nil }},
		{"no stage", "stages", func(m *onusv1.Record) { m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{}} }},
		{"empty intent", "stages.intent", func(m *onusv1.Record) { m.GetStages().Intent = &onusv1.Intent{} }},
		{"intent's text is empty", "stages.intent.text", func(m *onusv1.Record) { m.GetStages().Intent.Text = &onusv1.Text{} }},
		{"too much requested", "stages.intent.requested", func(m *onusv1.Record) { m.GetStages().Intent.Requested = elements(65) }},
		{"interpretation without text", "stages.interpretation.text", func(m *onusv1.Record) { m.GetStages().Interpretation.Text = nil }},
		{"interpretation's text is empty", "stages.interpretation.text", func(m *onusv1.Record) { m.GetStages().Interpretation.Text = &onusv1.Text{} }},
		{"decision's text is empty", "stages.decision.text", func(m *onusv1.Record) { m.GetStages().Decision.Text = &onusv1.Text{} }},
		{"model too long", "stages.interpretation.model", func(m *onusv1.Record) { m.GetStages().Interpretation.Model = strings.Repeat("m", 257) }},
		{"model version with a newline", "stages.interpretation.model_version", func(m *onusv1.Record) { m.GetStages().Interpretation.ModelVersion = "1\n2" }},
		{"decision says nothing", "stages.decision", func(m *onusv1.Record) {
			m.GetStages().Decision = &onusv1.Decision{Rationale: commitment("because")}
		}},
		{"too much chosen", "stages.decision.chosen", func(m *onusv1.Record) { m.GetStages().Decision.Chosen = elements(65) }},
		{"too many alternatives", "stages.decision.alternatives", func(m *onusv1.Record) {
			m.GetStages().Decision.Alternatives = make([]*onusv1.Text, 17)
			for i := range m.GetStages().Decision.Alternatives {
				m.GetStages().Decision.Alternatives[i] = commitment("x")
			}
		}},
		{"empty alternative", "stages.decision.alternatives[0]", func(m *onusv1.Record) { m.GetStages().Decision.Alternatives[0] = &onusv1.Text{} }},
		{"empty rationale", "stages.decision.rationale", func(m *onusv1.Record) { m.GetStages().Decision.Rationale = &onusv1.Text{} }},
		{"action without element", "stages.action.element", func(m *onusv1.Record) { m.GetStages().Action.Element = nil }},
		{"empty arguments", "stages.action.arguments", func(m *onusv1.Record) { m.GetStages().Action.Arguments = &onusv1.Text{} }},
		{"empty result", "stages.action.result", func(m *onusv1.Record) { m.GetStages().Action.Result = &onusv1.Text{} }},
		{"unknown target decision", "stages.action.target_decision", func(m *onusv1.Record) { m.GetStages().Action.TargetDecision = 3 }},
		{"negative target decision", "stages.action.target_decision", func(m *onusv1.Record) { m.GetStages().Action.TargetDecision = -1 }},
		{"external request id too long", "stages.action.external_request_id", func(m *onusv1.Record) {
			m.GetStages().Action.ExternalRequestId = strings.Repeat("x", 257)
		}},
		{"approval is no id", "stages.action.approval", func(m *onusv1.Record) { m.GetStages().Action.Approval = "yes" }},
		{"token's sub is a name", "stages.action.token.sub", func(m *onusv1.Record) { m.GetStages().Action.Token.Sub = "alice" }},
		{"too many actors", "stages.action.token.act", func(m *onusv1.Record) {
			m.GetStages().Action.Token.Act = strings.Split("a b c d e f g h i", " ")
		}},
		{"empty actor", "stages.action.token.act[1]", func(m *onusv1.Record) { m.GetStages().Action.Token.Act[1] = "" }},
		{"actor with a control character", "stages.action.token.act[0]", func(m *onusv1.Record) { m.GetStages().Action.Token.Act[0] = "a\tb" }},
		{"azp too long", "stages.action.token.azp", func(m *onusv1.Record) { m.GetStages().Action.Token.Azp = strings.Repeat("x", 257) }},
	})
	only := func(d *onusv1.DecisionRecord) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.Body = &onusv1.Record_Stages{Stages: d} }
	}
	testAccepted(t, decision, []acceptance{
		{"intent alone", only(&onusv1.DecisionRecord{Intent: &onusv1.Intent{Requested: elements(64)}})},
		{"interpretation alone", only(&onusv1.DecisionRecord{Interpretation: &onusv1.Interpretation{Text: commitment("x")}})},
		{"decision alone", only(&onusv1.DecisionRecord{Decision: &onusv1.Decision{Chosen: elements(1)}})},
		{"action alone", only(&onusv1.DecisionRecord{Action: &onusv1.Action{Element: elements(1)[0]}})},
	})
}

func TestConfidence(t *testing.T) {
	set := func(s string) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.GetStages().Decision.Confidence = s }
	}
	for _, s := range []string{"0", "1", "0.0", "0.85", "1.0", "1.000000000", "0.123456789"} {
		testAccepted(t, decision, []acceptance{{s, set(s)}})
	}
	for _, s := range []string{
		"-0.5", "+0.5", ".5", "1.", "0.", "00.5", "01", "1.01", "1.000000001", "2", "10", "100", "10.0",
		"1e0", "0,5", "0.5 ", "NaN", "0.1234567890",
	} {
		testRefusals(t, decision, []refusal{{s, "stages.decision.confidence", set(s)}})
	}
}

func TestOutcomeRefusals(t *testing.T) {
	testRefusals(t, outcome, []refusal{
		{"without parent", "parent", func(m *onusv1.Record) { m.Parent, m.ParentAgent = "", "" }},
		{"no status", "outcome.status", func(m *onusv1.Record) { m.GetOutcome().Status = 0 }},
		{"unknown status", "outcome.status", func(m *onusv1.Record) { m.GetOutcome().Status = 4 }},
		{"empty result", "outcome.result", func(m *onusv1.Record) { m.GetOutcome().Result = &onusv1.Text{} }},
		{"unknown target decision", "outcome.target_decision", func(m *onusv1.Record) { m.GetOutcome().TargetDecision = 9 }},
		{"external request id with a newline", "outcome.external_request_id", func(m *onusv1.Record) { m.GetOutcome().ExternalRequestId = "a\n" }},
	})
}

func TestLossRanges(t *testing.T) {
	lost := func(first, last int64) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.GetLoss().FirstSequence, m.GetLoss().LastSequence = first, last }
	}
	const f = "loss.last_sequence"
	testRefusals(t, loss, []refusal{
		{"negative", f, lost(-1, 3)},
		{"last before first", f, lost(4, 3)},
		{"this record itself", f, lost(3, 7)},
		{"records to come", f, lost(8, 9)},
		{"empty reason", "loss.reason", func(m *onusv1.Record) { m.GetLoss().Reason = &onusv1.Text{} }},
	})
	testAccepted(t, loss, []acceptance{
		{"one record", lost(6, 6)},
		{"the first record", lost(0, 0)},
		{"all before this one", lost(0, 6)},
	})
}

func TestTriggerRefusals(t *testing.T) {
	testRefusals(t, trigger, []refusal{
		{"no name", "trigger.name", func(m *onusv1.Record) { m.GetTrigger().Name = "" }},
		{"name with a space", "trigger.name", func(m *onusv1.Record) { m.GetTrigger().Name = "every night" }},
		{"name too long", "trigger.name", func(m *onusv1.Record) { m.GetTrigger().Name = strings.Repeat("n", 65) }},
		{"empty detail", "trigger.detail", func(m *onusv1.Record) { m.GetTrigger().Detail = &onusv1.Text{} }},
	})
	testAccepted(t, trigger, []acceptance{
		{"by an administrator", func(m *onusv1.Record) { m.Author = byAdmin().Author }},
	})
}

// Who may say what.
func TestBodyFitsAuthor(t *testing.T) {
	agent, op, admin := decision().Author, trigger().Author, byAdmin().Author
	as := func(a *onusv1.Author) func(*onusv1.Record) {
		return func(m *onusv1.Record) {
			m.Author = a
			m.Sequence, m.Previous = 0, ""
		}
	}
	testRefusals(t, decision, []refusal{
		{"stages by an operator", "author", as(op)},
		{"stages by an administrator", "author", as(admin)},
	})
	testRefusals(t, outcome, []refusal{
		{"outcome by an operator", "author", as(op)},
		{"outcome by an administrator", "author", as(admin)},
	})
	testRefusals(t, trigger, []refusal{{"trigger by an agent", "author", as(agent)}})
	for name, registration := range map[string]func() *onusv1.Record{"operator": operator, "agent": agentClass} {
		testRefusals(t, registration, []refusal{
			{name + " registered by an operator", "author", as(op)},
			{name + " registered by an agent", "author", as(agent)},
		})
	}
	testRefusals(t, operator, []refusal{
		{"administrator as a recorder", "capture", func(m *onusv1.Record) { m.Capture = onusv1.Capture_CAPTURE_RECORDER }},
	})
	testRefusals(t, trigger, []refusal{
		{"operator from telemetry", "capture", func(m *onusv1.Record) { m.Capture = onusv1.Capture_CAPTURE_TELEMETRY }},
	})
}
