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

// A grant's location covers by path prefix, so a location has one spelling.
func TestLocations(t *testing.T) {
	set := func(s string) func(*onusv1.Record) {
		return inAction(func(e *onusv1.ScopeElement) { e.Location = s })
	}
	for _, s := range []string{
		"https://erp.example.com", "https://erp.example.com/", "https://erp.example.com/orders/",
		"https://erp.example.com:8443/Orders/a%20b", "https://[2001:db8::1]/x",
		"urn:example:orders", "file:///etc/hosts", "arn:aws:s3:::bucket/key", "k8s://cluster/ns", "mailto:orders",
		"git+ssh://host.example/repo", "https://erp.example.com/a..b/...",
	} {
		testAccepted(t, decision, []acceptance{{s, set(s)}})
	}
	for _, s := range []string{
		"orders", "/orders", "//host/orders", ":x", "urn:", "Https://erp.example.com/", "ht tp://x/",
		"https:///orders", "https://", "https://ERP.example.com/", "https://user@erp.example.com/", "https://u:p@erp.example.com/",
		"https://erp.example.com/a/../b", "https://erp.example.com/..", "https://erp.example.com/./a", "https://erp.example.com/a/.",
		"https://erp.example.com//a", "https://erp.example.com/a//b", "https://erp.example.com/a//",
		"https://erp.example.com/%2e%2e/a", "https://erp.example.com/%2E./a", "https://erp.example.com/a%2fb",
		"https://erp.example.com/a%2Fb", "https://erp.example.com/a%5cb", "https://erp.example.com/a%00",
		"https://erp.example.com/a#b", "https://erp.example.com/a?b=c", `https://erp.example.com/a\b`,
		"https://erp.example.com/a b", "https://erp.example.com/a\n", "https://erp.example.com/ä", "https://bücher.example/",
		"urn:example/../x", "urn:../x", "file:../etc/hosts", "file:./x", "urn:..", "file:///a/../b",
		"https://erp.example.com/" + strings.Repeat("a", 1024),
	} {
		testRefusals(t, decision, []refusal{{s, "stages.action.element.location", set(s)}})
	}
}

// Percent-encoding must not give a path a second spelling: "%61dmin" is
// "admin" to a server, and "%zz" is not even an encoding.
func TestLocationPercentEncoding(t *testing.T) {
	for _, path := range []string{"%61dmin", "%7Euser", "%zz", "%", "%2"} {
		testRefusals(t, decision, []refusal{{path, "stages.action.element.location",
			inAction(func(e *onusv1.ScopeElement) { e.Location = "https://erp.example.com/" + path })}})
	}
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
