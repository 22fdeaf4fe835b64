package record_test

import (
	"fmt"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// What a reader of a report cannot see, or what makes one name look like
// another, stands in no name.
var unseen = map[string]string{
	"a newline":               "a\nb",
	"DEL":                     "a\x7fb",
	"C1 control":              "a\u0085b",
	"soft hyphen":             "a\u00adb",
	"zero width space":        "a\u200bb",
	"zero width joiner":       "a\u200db",
	"right-to-left mark":      "a\u200fb",
	"right-to-left override":  "a\u202eb",
	"first strong isolate":    "a\u2068b",
	"word joiner":             "a\u2060b",
	"byte order mark":         "\ufeffab",
	"tag":                     "a\U000e0041b",
	"interlinear annotation":  "a\ufff9b",
	"line separator":          "a\u2028b",
	"paragraph separator":     "a\u2029b",
	"Hangul filler":           "a\u3164b",
	"private":                 "a\ue000b",
	"private, plane 16":       "a\U00100000b",
	"noncharacter":            "a\ufdd0b",
	"noncharacter, end":       "a\uffffb",
	"noncharacter, plane 1":   "a\U0001fffeb",
	"space in front":          " ab",
	"space behind":            "ab ",
	"no-break space in front": "\u00a0ab",
	"wide space behind":       "ab\u3000",
	"blank":                   " ",
	"blank, wide":             "\u3000\u2003",
	"tab":                     "a\tb",
}

func TestNamesAreSeen(t *testing.T) {
	for name, s := range unseen {
		testRefusals(t, decision, []refusal{
			{"model/" + name, "stages.interpretation.model", func(m *onusv1.Record) { m.GetStages().Interpretation.Model = s }},
			{"request id/" + name, "stages.action.external_request_id", func(m *onusv1.Record) { m.GetStages().Action.ExternalRequestId = s }},
			{"identifier/" + name, "stages.action.element.identifier", inAction(func(e *onusv1.ScopeElement) { e.Identifier = s })},
			{"data type/" + name, "stages.action.element.datatypes[0]", inAction(func(e *onusv1.ScopeElement) { e.Datatypes[0] = s })},
			{"actor/" + name, "stages.action.token.act[0]", func(m *onusv1.Record) { m.GetStages().Action.Token.Act[0] = s }},
			{"trace/" + name, "trace.mcp_session_id", func(m *onusv1.Record) { m.Trace.McpSessionId = s }},
		})
		testRefusals(t, operator, []refusal{
			{"post/" + name, "registration.operator.accountable_post", func(m *onusv1.Record) { m.GetRegistration().GetOperator().AccountablePost = s }},
			{"contact/" + name, "registration.operator.contact", func(m *onusv1.Record) { m.GetRegistration().GetOperator().Contact = s }},
		})
	}
	registered := func(set func(*onusv1.Registration)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { set(m.GetRegistration()) }
	}
	for name, s := range unseen {
		testRefusals(t, intent, []refusal{
			{"token's issuer/" + name, "token.issuer", inToken(func(t *onusv1.UserToken) { t.Issuer = s })},
			{"token's audience/" + name, "token.audience[0]", inToken(func(t *onusv1.UserToken) { t.Audience[0] = s })},
			{"token's client/" + name, "token.client", inToken(func(t *onusv1.UserToken) { t.Client = s })},
			{"token's id/" + name, "token.id", inToken(func(t *onusv1.UserToken) { t.Id = s })},
			{"token's acr/" + name, "token.acr", inToken(func(t *onusv1.UserToken) { t.Acr = s })},
			{"token's amr/" + name, "token.amr[0]", inToken(func(t *onusv1.UserToken) { t.Amr[0] = s })},
			{"token's actor/" + name, "token.actors[0].subject", inToken(func(t *onusv1.UserToken) { t.Actors[0].Subject = s })},
		})
		testRefusals(t, counter, []refusal{
			{"request id/" + name, "counter.external_request_id", func(m *onusv1.Record) { m.GetCounter().ExternalRequestId = s }},
			{"actor/" + name, "counter.token.act[0]", func(m *onusv1.Record) { m.GetCounter().Token.Act[0] = s }},
		})
		testRefusals(t, reading, []refusal{
			{"caller/" + name, "read.caller", func(m *onusv1.Record) { m.GetRead().Caller = s }},
			{"role/" + name, "read.role", func(m *onusv1.Record) { m.GetRead().Role = s }},
		})
		testRefusals(t, fullAgentClass, []refusal{
			{"owner/" + name, "registration.agent.owner", registered(func(r *onusv1.Registration) { r.GetAgent().Owner = s })},
			{"risk class/" + name, "registration.agent.risk_class", registered(func(r *onusv1.Registration) { r.GetAgent().RiskClass = s })},
			{"OAuth client/" + name, "registration.agent.oauth_clients[0].id", registered(func(r *onusv1.Registration) { r.GetAgent().OauthClients[0].Id = s })},
			{"workload/" + name, "registration.agent.workloads[0].subject", registered(func(r *onusv1.Registration) { r.GetAgent().Workloads[0].Subject = s })},
		})
		testRefusals(t, service, []refusal{
			{"service/" + name, "registration.service.display_name", registered(func(r *onusv1.Registration) { r.GetService().DisplayName = s })},
		})
		testRefusals(t, userClient, []refusal{
			{"client/" + name, "registration.client.display_name", registered(func(r *onusv1.Registration) { r.GetClient().DisplayName = s })},
		})
		testRefusals(t, reviewer, []refusal{
			{"post/" + name, "registration.reviewer.post", registered(func(r *onusv1.Registration) { r.GetReviewer().Post = s })},
		})
		testRefusals(t, issuer, []refusal{
			{"issuer/" + name, "registration.issuer.url", registered(func(r *onusv1.Registration) { r.GetIssuer().Url = "https://" + s })},
			{"keys/" + name, "registration.issuer.jwks_uri", registered(func(r *onusv1.Registration) { r.GetIssuer().JwksUri = "https://" + s })},
		})
	}
	for _, s := range []string{"Head of Platform", "Müller & Söhne", "東京 支社", "Çalışan", "العربية", "한국", "a\u00a0b", "a  b", "é (e\u0301)", "\U0001f600"} {
		testAccepted(t, operator, []acceptance{{s, func(m *onusv1.Record) { m.GetRegistration().GetOperator().AccountablePost = s }}})
	}
}

// Text is what people wrote; but it must not command the terminal that shows
// it.
func TestPlainTextControls(t *testing.T) {
	set := func(s string) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.GetStages().Intent.Text = plain(s) }
	}
	for c := range 0x80 {
		s := "a" + string(rune(c)) + "b"
		if c >= ' ' && c != 0x7f || c == '\n' || c == '\t' {
			testAccepted(t, decision, []acceptance{{fmt.Sprintf("%#02x", c), set(s)}})
		} else {
			testRefusals(t, decision, []refusal{{fmt.Sprintf("%#02x", c), "stages.intent.text.plain", set(s)}})
		}
	}
	testAccepted(t, decision, []acceptance{{"beyond ASCII", set("“ordre” \u202e \u200b\n\tü")}})
	testRefusals(t, decision, []refusal{{"in a list", "stages.decision.alternatives[0].plain", func(m *onusv1.Record) {
		m.GetStages().Decision.Alternatives[0] = plain("\x1b[2J")
	}}})
}
