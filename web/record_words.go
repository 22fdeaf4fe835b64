package web

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/report"
)

// whatOf says what a record is about, by what can be compared and not by words
// in it; what is long is cut.
func whatOf(m *onusv1.Record) string { return cutLine(wholeOf(m)) }

// cutLine shortens what was made harmless to what fits in a line or two.
func cutLine(s string) string {
	n := 0
	for i := range s {
		if n == maxSaid {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

func wholeOf(m *onusv1.Record) string {
	switch b := m.GetBody().(type) {
	case *onusv1.Record_Stages:
		if e := b.Stages.GetAction().GetElement(); e != nil {
			return shortOperation(e)
		}
		if e := b.Stages.GetDecision().GetProposal(); e != nil {
			return "proposes " + shortOperation(e)
		}
		if es := b.Stages.GetIntent().GetRequested(); len(es) > 0 {
			return "asks for " + firstOf(shortOperation(es[0]), len(es))
		}
	case *onusv1.Record_Outcome:
		return enumWord(b.Outcome.GetStatus().Descriptor(), b.Outcome.GetStatus().Number())
	case *onusv1.Record_Delegation:
		if es := b.Delegation.GetScope(); len(es) > 0 {
			return firstOf(shortOperation(es[0].GetElement()), len(es)) + " to " + report.Clean(lastPart(b.Delegation.GetAgent()))
		}
	case *onusv1.Record_Counter:
		return "saw " + shortOperation(b.Counter.GetElement())
	case *onusv1.Record_Registration:
		return registrationWhat(b.Registration)
	case *onusv1.Record_Revocation:
		return revocationWhat(b.Revocation)
	case *onusv1.Record_Trigger:
		return report.Clean(b.Trigger.GetName())
	case *onusv1.Record_KeySet:
		return "of " + report.Clean(b.KeySet.GetIssuer())
	case *onusv1.Record_TrustBundle:
		return "of " + report.Clean(b.TrustBundle.GetDomain())
	case *onusv1.Record_Read:
		return report.Clean(b.Read.GetProcedure())
	case *onusv1.Record_Review:
		s := dispositionWord(b.Review.GetDisposition())
		if c := b.Review.GetFinding(); c != "" {
			s += ": " + report.Clean(chain.TitleOf(c))
		}
		return s
	}
	return ""
}

func firstOf(s string, n int) string {
	if n > 1 {
		s += ", and " + thousands(n-1) + " more"
	}
	return s
}

func registrationWhat(r *onusv1.Registration) string {
	switch s := r.GetSubject().(type) {
	case *onusv1.Registration_Operator:
		return "operator " + report.Clean(s.Operator.GetUnit())
	case *onusv1.Registration_Agent:
		return "agent " + report.Clean(s.Agent.GetDisplayName())
	case *onusv1.Registration_Service:
		return "service " + report.Clean(s.Service.GetDisplayName())
	case *onusv1.Registration_Client:
		return "user client " + report.Clean(s.Client.GetDisplayName())
	case *onusv1.Registration_Reviewer:
		return "reviewer " + report.Clean(s.Reviewer.GetName())
	case *onusv1.Registration_Issuer:
		return "issuer " + report.Clean(s.Issuer.GetUrl())
	case *onusv1.Registration_Key:
		k := s.Key
		for _, o := range []struct{ word, id string }{{"agent", k.GetAgent()}, {"service", k.GetService()}, {"user client", k.GetClient()},
			{"reviewer", k.GetReviewer()}, {"user", k.GetUser()}, {"operator", k.GetOperator()}} {
			if o.id != "" {
				return "key of " + o.word + " " + report.Clean(lastPart(o.id))
			}
		}
		return "key"
	}
	return ""
}

func revocationWhat(r *onusv1.Revocation) string {
	switch t := r.GetTarget().(type) {
	case *onusv1.Revocation_Key:
		return "of key " + report.Clean(shortID(t.Key))
	case *onusv1.Revocation_Instance:
		return "of process " + report.Clean(t.Instance.GetInstance()) + " of " + report.Clean(lastPart(t.Instance.GetAgent()))
	case *onusv1.Revocation_Agent:
		return "of agent " + report.Clean(lastPart(t.Agent))
	case *onusv1.Revocation_Operator:
		return "of operator " + report.Clean(t.Operator)
	case *onusv1.Revocation_Grant:
		return "of grant " + report.Clean(shortID(t.Grant))
	case *onusv1.Revocation_Session:
		return "of session " + report.Clean(shortID(t.Session))
	}
	return ""
}
