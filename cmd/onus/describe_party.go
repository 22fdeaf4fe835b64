package main

import (
	"fmt"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// authorName names a party, for people. Where it comes from somebody who is
// not registered it is still safe to show: it is cut and escaped.
func authorName(a *onusv1.Author) string {
	plain := func(s string) string { return strings.Trim(quote(s, 256), "“”") }
	switch {
	case a.GetAgent() != "" && a.GetInstance() != "":
		return plain(a.GetAgent()) + " (" + plain(a.GetInstance()) + ")"
	case a.GetAgent() != "":
		return plain(a.GetAgent())
	case a.GetOperator() != "":
		return "operator " + plain(a.GetOperator())
	case a.GetAdministrator() != "":
		return "administrator " + plain(a.GetAdministrator())
	case a.GetService() != "":
		return "service " + plain(a.GetService())
	case a.GetClient() != "":
		return "client " + plain(a.GetClient())
	case a.GetReviewer() != "":
		return "reviewer " + plain(a.GetReviewer())
	case a.GetUser() != "":
		return "user " + plain(a.GetUser())
	case a.GetHost():
		return "the log's host"
	}
	return "nobody"
}

// partyOf returns the party that a key is bound to.
func partyOf(k *onusv1.KeyBinding) *onusv1.Author {
	return &onusv1.Author{Agent: k.GetAgent(), Instance: k.GetInstance(), Operator: k.GetOperator(),
		Service: k.GetService(), Client: k.GetClient(), Reviewer: k.GetReviewer(), User: k.GetUser()}
}

// describeSubject says what a registration says, without the name.
func describeSubject(r *onusv1.Registration, limit int) string {
	of := func(operator string, words ...string) string {
		var parts []string
		for _, w := range words {
			if w != "" {
				parts = append(parts, quote(w, limit))
			}
		}
		if operator != "" {
			parts = append(parts, "of "+operator)
		}
		return strings.Join(parts, ", ")
	}
	switch s := r.GetSubject().(type) {
	case *onusv1.Registration_Operator:
		return of("", s.Operator.GetAccountablePost(), s.Operator.GetUnit())
	case *onusv1.Registration_Agent:
		return of(s.Agent.GetOperator(), s.Agent.GetDisplayName())
	case *onusv1.Registration_Service:
		return of(s.Service.GetOperator(), s.Service.GetDisplayName())
	case *onusv1.Registration_Client:
		return of(s.Client.GetOperator(), s.Client.GetDisplayName())
	case *onusv1.Registration_Reviewer:
		return of(s.Reviewer.GetOperator(), s.Reviewer.GetPost())
	case *onusv1.Registration_Issuer:
		return "issues tokens of " + issues(s.Issuer)
	case *onusv1.Registration_Key:
		return describeBinding(s.Key)
	}
	return ""
}

// describeBinding says what a key's registration says beyond whose it is.
func describeBinding(k *onusv1.KeyBinding) string {
	var parts []string
	switch {
	case k.GetSvid() != nil:
		parts = append(parts, "shown by an SVID")
	case k.GetWorkloadToken() != "":
		parts = append(parts, "shown by a workload token")
	}
	if k.GetReplaces() != "" {
		s := "in place of key " + k.GetReplaces()
		if k.GetReplacedUntil() != nil {
			s += ", which may sign until " + describeTime(k.GetReplacedUntil())
		}
		parts = append(parts, s)
	}
	if k.GetNotAfter() != nil {
		parts = append(parts, "until "+describeTime(k.GetNotAfter()))
	}
	return strings.Join(parts, ", ")
}

// describeTime shows a time to the second.
func describeTime(t *timestamppb.Timestamp) string {
	return t.AsTime().Truncate(time.Second).Format("2006-01-02 15:04:05 UTC")
}

// describeGrantElement says what may be done, and how much of it.
func describeGrantElement(e *onusv1.GrantElement) string {
	s := describeElement(e.GetElement())
	if e.GetMaxItem() != "" {
		s += ", at most " + e.GetMaxItem() + " " + e.GetUnit() + " an item"
	}
	if e.GetMaxTotal() != "" {
		s += ", at most " + e.GetMaxTotal() + " " + e.GetUnit() + " in total"
	}
	return s
}

// describeApproval says what needs a person's approval.
func describeApproval(r *onusv1.ApprovalRule) string {
	s := strings.Join(r.GetOperations(), ", ")
	if r.GetAbove() != "" {
		s += " above " + r.GetAbove() + " " + r.GetUnit()
	}
	who := "the user"
	if len(r.GetApprovers()) > 0 {
		who = strings.Join(r.GetApprovers(), " or ")
	}
	s += ", by " + who
	if r.GetAssurance() > 1 {
		s += fmt.Sprintf(", L%d or more (%s)", r.GetAssurance(), assuranceWord(r.GetAssurance()))
	}
	return s
}
