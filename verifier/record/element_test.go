package record_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// inAction and inRequest change the one element of an action, which is one
// thing, and of a request, which may be open.
func inAction(change func(*onusv1.ScopeElement)) func(*onusv1.Record) {
	return func(m *onusv1.Record) { change(m.GetStages().Action.Element) }
}

func inRequest(change func(*onusv1.ScopeElement)) func(*onusv1.Record) {
	return func(m *onusv1.Record) { change(m.GetStages().Intent.Requested[0]) }
}

func TestElementRefusals(t *testing.T) {
	type E = onusv1.ScopeElement
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprint("d", i)
	}
	tests := []struct {
		name, field string
		change      func(*E)
	}{
		{"no type", "type", func(e *E) { e.Type = "" }},
		{"type with a space", "type", func(e *E) { e.Type = "k8s pod" }},
		{"type too long", "type", func(e *E) { e.Type = strings.Repeat("t", 129) }},
		{"no action", "action", func(e *E) { e.Action = "" }},
		{"action with a colon", "action", func(e *E) { e.Action = "a:b" }},
		{"action too long", "action", func(e *E) { e.Action = strings.Repeat("a", 65) }},
		{"identifier too long", "identifier", func(e *E) { e.Identifier = strings.Repeat("i", 257) }},
		{"identifier with a newline", "identifier", func(e *E) { e.Identifier = "1\n2" }},
		{"too many data types", "datatypes", func(e *E) { e.Datatypes = many }},
		{"empty data type", "datatypes[1]", func(e *E) { e.Datatypes[1] = "" }},
		{"data type too long", "datatypes[0]", func(e *E) { e.Datatypes[0] = strings.Repeat("d", 129) }},
		{"data type with a control character", "datatypes[0]", func(e *E) { e.Datatypes[0] = "a\x00" }},
		{"data type with a space in front", "datatypes[0]", func(e *E) { e.Datatypes[0] = " a" }},
		{"data type with a space behind", "datatypes[0]", func(e *E) { e.Datatypes[0] = "a " }},
		{"data type with two spaces", "datatypes[0]", func(e *E) { e.Datatypes[0] = "a  b" }},
		{"blank data type", "datatypes[0]", func(e *E) { e.Datatypes[0] = " " }},
		{"data type with a tab", "datatypes[0]", func(e *E) { e.Datatypes[0] = "a\tb" }},
		{"data type beyond ASCII", "datatypes[0]", func(e *E) { e.Datatypes[0] = "prix réel" }},
		{"data type with another space", "datatypes[0]", func(e *E) { e.Datatypes[0] = "own\u00a0campaigns" }},
		{"data type stands there twice", "datatypes[1]", func(e *E) { e.Datatypes[1] = e.Datatypes[0] }},
		{"amount without unit", "unit", func(e *E) { e.Unit = "" }},
		{"unit without amount", "unit", func(e *E) { e.Amount = "" }},
		{"unit with a space", "unit", func(e *E) { e.Unit = "kg m" }},
		{"unit too long", "unit", func(e *E) { e.Unit = strings.Repeat("u", 33) }},
		{"recipient is a name", "recipient", func(e *E) { e.Recipient = "bob@example.com" }},
		{"recipient is a session", "recipient", func(e *E) { e.Recipient = pseudonym("x-", 'a') }},
	}
	for _, tt := range tests {
		testRefusals(t, decision, []refusal{
			{"action/" + tt.name, "stages.action.element." + tt.field, inAction(tt.change)},
			{"request/" + tt.name, "stages.intent.requested[0]." + tt.field, inRequest(tt.change)},
		})
	}
}

func TestDatatypes(t *testing.T) {
	for _, s := range []string{"price", "own campaigns", "public prices", "a b c", "PII/health", strings.Repeat("d", 128)} {
		testAccepted(t, decision, []acceptance{{s, inAction(func(e *onusv1.ScopeElement) { e.Datatypes = []string{s} })}})
	}
}

// A wildcard may be asked for, never done.
func TestWildcards(t *testing.T) {
	for field, change := range map[string]func(*onusv1.ScopeElement){
		"type":         func(e *onusv1.ScopeElement) { e.Type = "*" },
		"action":       func(e *onusv1.ScopeElement) { e.Action = "*" },
		"identifier":   func(e *onusv1.ScopeElement) { e.Identifier = "*" },
		"datatypes[0]": func(e *onusv1.ScopeElement) { e.Datatypes = []string{"*"} },
	} {
		testRefusals(t, decision, []refusal{{"done/" + field, "stages.action.element." + field, inAction(change)}})
		testAccepted(t, decision, []acceptance{
			{"requested/" + field, inRequest(change)},
			{"chosen/" + field, func(m *onusv1.Record) { change(m.GetStages().Decision.Chosen[0]) }},
		})
	}
	// It stands for a whole value, not for a part of one.
	testRefusals(t, decision, []refusal{
		{"prefix", "stages.intent.requested[0].type", inRequest(func(e *onusv1.ScopeElement) { e.Type = "k8s.*" })},
	})
}

func TestDecimals(t *testing.T) {
	bad := []string{
		"-1", "+1", "1.", ".5", "01", "00", "1e3", "1,000", " 1", "1 ", "0x10", "1_000", "NaN", "Inf", "1.1.1",
		"1234567890123456789", "1.1234567890", "١",
	}
	good := []string{"1", "0.01", "48000.00", "123456789012345678", "0.123456789", "1.10"}
	set := map[string]func(string) func(*onusv1.ScopeElement){
		"amount":   func(s string) func(*onusv1.ScopeElement) { return func(e *onusv1.ScopeElement) { e.Amount = s } },
		"quantity": func(s string) func(*onusv1.ScopeElement) { return func(e *onusv1.ScopeElement) { e.Quantity = s } },
	}
	for field, to := range set {
		for _, s := range bad {
			testRefusals(t, decision, []refusal{{field + "/" + s, "stages.action.element." + field, inAction(to(s))}})
		}
		for _, s := range good {
			testAccepted(t, decision, []acceptance{{field + "/" + s, inAction(to(s))}})
		}
	}
	// Nothing can be paid, but not for no items.
	for _, zero := range []string{"0", "0.0"} {
		testAccepted(t, decision, []acceptance{{"amount/" + zero, inAction(set["amount"](zero))}})
		testRefusals(t, decision, []refusal{{"quantity/" + zero, "stages.action.element.quantity", inAction(set["quantity"](zero))}})
	}
	testAccepted(t, decision, []acceptance{
		{"percent", inAction(func(e *onusv1.ScopeElement) { e.Unit = "%" })},
		{"neither amount nor unit", inAction(func(e *onusv1.ScopeElement) { e.Amount, e.Unit = "", "" })},
	})
}

func TestOperationAndResources(t *testing.T) {
	tests := []struct {
		location, identifier string
		want                 []string
	}{
		{"", "", nil},
		{"urn:a", "", []string{"urn:a"}},
		{"", "4711", []string{"#4711"}},
		{"urn:a", "4711", []string{"urn:a", "urn:a#4711"}},
	}
	for _, tt := range tests {
		e := &onusv1.ScopeElement{Type: "order", Action: "create", Location: tt.location, Identifier: tt.identifier}
		if got, want := record.Operation(e), "order:create"; got != want {
			t.Errorf("Operation = %q, want %q", got, want)
		}
		if diff := cmp.Diff(tt.want, record.Resources(e)); diff != "" {
			t.Errorf("Resources(%q, %q): (-want +got)\n%s", tt.location, tt.identifier, diff)
		}
	}
}
