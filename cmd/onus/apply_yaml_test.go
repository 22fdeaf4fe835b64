package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/testing/protocmp"
)

func readAgent(text string) (*onusv1.AgentClass, error) {
	y := yamlFile{"f.yaml"}
	n, err := y.parse([]byte(text))
	if err != nil {
		return nil, err
	}
	a := &onusv1.AgentClass{}
	_, err = y.message(n, a, "keys")
	return a, err
}

// A YAML element is the message, field by field; texts stay as they are written.
func TestYAMLMessage(t *testing.T) {
	got, err := readAgent(`
id: spiffe://example.com/a
display_name: 007
observed: true
catalogue: &c
  - {type: order, action: "*"}
ceiling:
  - {element: {type: order, action: create}, maxItem: 5000.00, unit: EUR}
keys: [left to the caller]
`)
	want := &onusv1.AgentClass{Id: "spiffe://example.com/a", DisplayName: "007", Observed: true,
		Catalogue: []*onusv1.ScopeElement{{Type: "order", Action: "*"}},
		Ceiling:   []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "order", Action: "create"}, MaxItem: "5000.00", Unit: "EUR"}}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestYAMLRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "f.yaml: EOF",
		"- id: a":                         "f.yaml:1: expected fields",
		"id: a\nid: b":                    "f.yaml:2: id stands here twice",
		"display_name: a\ndisplayName: b": "f.yaml:2: displayName stands here twice",
		"id: a\nname: b":                  `f.yaml:2: there is no field "name" here: there are keys, id, operator, displayName`,
		"id: [a]":                         "f.yaml:1: id is a text",
		"id:":                             "f.yaml:1: id is a text",
		"observed: yes please":            "f.yaml:1: observed is true or false",
		"catalogue: {type: a}":            "f.yaml:1: catalogue is a list",
		"id: a\ncatalogue:\n  - {typ: b}": `f.yaml:3: there is no field "typ" here`,
		"a: &x {id: b}\n<<: *x":           "f.yaml:2: << is not read",
		"? [a]\n: b":                      "f.yaml:1: a field's name is a word",
		"id: a\n---\nid: b":               "more than one document",
		"id: \"\\xff\"\nobserved: \t-":    "f.yaml: yaml:",
	} {
		if _, err := readAgent(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever a file holds is read or refused, and a refusal says where.
func FuzzYAML(f *testing.F) {
	f.Add("id: a\ncatalogue:\n  - {type: b, action: c}\n")
	f.Add("a: &x [*x]\n")
	f.Add("oauthClients: [{issuer: a, id: 0x10}, &y {id: 1e3}, *y]\n")
	where := regexp.MustCompile(`^f\.yaml(:\d+)?: .`)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := readAgent(text); err != nil && !where.MatchString(err.Error()) {
			t.Errorf("%q: %v does not say where", text, err)
		}
	})
}
