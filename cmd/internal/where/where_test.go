package where_test

import (
	"strings"
	"testing"

	"github.com/onus-ledger/onus/cmd/internal/where"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

func TestMatches(t *testing.T) {
	m := &onusv1.Record{Author: &onusv1.Author{Agent: "spiffe://example.com/a", Instance: "i", Operator: "it"}, User: "u-1", Session: "x-1", Subjects: []string{"s-1", "s-2"},
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{Element: &onusv1.ScopeElement{
			Type: "order", Action: "create", Location: "https://shop.example.com", Identifier: "7"}}}}}
	const at = 1769860800000 // 2026-01-31T12:00:00Z
	for expr, want := range map[string]bool{
		"agent=spiffe://example.com/a": true, "agent=spiffe://example.com/b": false,
		"instance=i,operator=it": true, "instance=i,operator=hr": false,
		"user=u-1": true, "user=u-2": false, "session=x-1": true, "session=x-2": false,
		"subject=s-2": true, "subject=s-3": false,
		"operation=order:create": true, "operation=order:delete": false,
		"resource=https://shop.example.com": true, "resource=https://shop.example.com#7": true, "resource=https://shop.example.com#8": false,
		"since=2026-01-31T12:00:00Z": true, "since=2026-01-31T12:00:01Z": false,
		"before=2026-01-31T12:00:00Z": false, "before=2026-01-31T12:00:01Z": true,
	} {
		e, err := where.Parse(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		if got := e.Matches(m, at); got != want {
			t.Errorf("%s: %t, want %t", expr, got, want)
		}
	}
	e, err := where.Parse("operation=order:create")
	if err != nil || e.Matches(&onusv1.Record{}, at) {
		t.Errorf("a record without an action matches, %v", err)
	}
}

func TestParseRefusals(t *testing.T) {
	for expr, why := range map[string]string{
		"": "is not field=value", "agent": "is not field=value", "agent=": "is not field=value", "agent=a,agent=b": "twice",
		"colour=red": "is no field", "since=yesterday": "is not a time", "agent=a,": "is not field=value",
	} {
		if _, err := where.Parse(expr); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", expr, err, why)
		}
	}
}
