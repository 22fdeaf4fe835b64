// Package where reads the expressions by which people choose records: fields of
// a listing with their values, all of which must match.
//
//	operation=order:create,operator=it/platform,since=2026-01-31T00:00:00Z
package where

import (
	"fmt"
	"slices"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Expr is an expression. As a request it asks a server for the records that it
// matches.
type Expr struct {
	*onusv1.ListRecordsRequest
}

// Parse reads an expression of one field at least.
func Parse(s string) (Expr, error) {
	q := &onusv1.ListRecordsRequest{}
	fields := map[string]*string{"agent": &q.Agent, "instance": &q.Instance, "operator": &q.Operator, "user": &q.User, "session": &q.Session,
		"subject": &q.Subject, "operation": &q.Operation, "resource": &q.Resource}
	times := map[string]**timestamppb.Timestamp{"since": &q.Since, "before": &q.Before}
	seen := map[string]bool{}
	for _, part := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok || value == "":
			return Expr{}, fmt.Errorf("%q is not field=value", part)
		case seen[name]:
			return Expr{}, fmt.Errorf("%s stands there twice, and all must match", name)
		case fields[name] != nil:
			*fields[name] = value
		case times[name] != nil:
			t, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return Expr{}, fmt.Errorf("%s %q is not a time such as 2026-01-31T12:00:00Z", name, value)
			}
			*times[name] = timestamppb.New(t)
		default:
			return Expr{}, fmt.Errorf("%q is no field: use agent, instance, operator, user, session, subject, operation, resource, since or before", name)
		}
		seen[name] = true
	}
	return Expr{q}, nil
}

// Matches reports whether a record that was logged at that time, in
// milliseconds since 1970, is one of those that a server lists.
func (e Expr) Matches(m *onusv1.Record, logTime int64) bool {
	a, at := m.GetAuthor(), time.UnixMilli(logTime)
	done := m.GetStages().GetAction().GetElement()
	is := func(want, got string) bool { return want == "" || want == got }
	return is(e.GetAgent(), a.GetAgent()) && is(e.GetInstance(), a.GetInstance()) && is(e.GetOperator(), a.GetOperator()) &&
		is(e.GetUser(), m.GetUser()) && is(e.GetSession(), m.GetSession()) &&
		(e.GetSubject() == "" || slices.Contains(m.GetSubjects(), e.GetSubject())) &&
		(e.GetOperation() == "" || done != nil && record.Operation(done) == e.GetOperation()) &&
		(e.GetResource() == "" || done != nil && slices.Contains(record.Resources(done), e.GetResource())) &&
		(e.GetSince() == nil || !at.Before(e.GetSince().AsTime())) &&
		(e.GetBefore() == nil || at.Before(e.GetBefore().AsTime()))
}
