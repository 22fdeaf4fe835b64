package chain_test

import (
	"slices"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What the parties say in these tests, short.

func agentID(name string) string { return "spiffe://example.com/" + name }

// pseudonym makes one out of a name, padded, for people who read a test.
func pseudonym(prefix, name string) string {
	return prefix + (strings.ReplaceAll(name, "-", "") + strings.Repeat("a", 26))[:26]
}
func user(name string) string    { return pseudonym(record.UserPrefix, name) }
func session(name string) string { return pseudonym(record.SessionPrefix, name) }

func admin() *onusv1.Author              { return &onusv1.Author{Administrator: "root"} }
func security() *onusv1.Author           { return &onusv1.Author{Administrator: "security"} }
func operator(id string) *onusv1.Author  { return &onusv1.Author{Operator: id} }
func device(name string) *onusv1.Author  { return &onusv1.Author{User: user(name)} }
func chat() *onusv1.Author               { return &onusv1.Author{Client: "chat"} }
func boss() *onusv1.Author               { return &onusv1.Author{Reviewer: "boss"} }
func service(name string) *onusv1.Author { return &onusv1.Author{Service: agentID(name)} }
func agent(name string) *onusv1.Author   { return instance(name, "1") }
func instance(name, n string) *onusv1.Author {
	return &onusv1.Author{Agent: agentID(name), Instance: "pod-" + n, Operator: operatorOf[name]}
}

func el(typ, action string, edit ...func(*onusv1.ScopeElement)) *onusv1.ScopeElement {
	e := &onusv1.ScopeElement{Type: typ, Action: action}
	for _, f := range edit {
		f(e)
	}
	return e
}
func eur(n string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Amount, e.Unit = n, "EUR" }
}
func quantity(n string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Quantity = n }
}
func at(location string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Location = location }
}
func data(types ...string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Datatypes = types }
}
func to(recipient string) func(*onusv1.ScopeElement) {
	return func(e *onusv1.ScopeElement) { e.Recipient = recipient }
}

// may is one element of a grant, with limits in EUR: an item and in total.
func may(e *onusv1.ScopeElement, item, total string) *onusv1.GrantElement {
	g := &onusv1.GrantElement{Element: e, MaxItem: item, MaxTotal: total}
	if item != "" || total != "" {
		g.Unit = "EUR"
	}
	return g
}
func open(e *onusv1.ScopeElement) *onusv1.GrantElement { return may(e, "", "") }

func text(s string) *onusv1.Text { return &onusv1.Text{Form: &onusv1.Text_Plain{Plain: s}} }

func (d *draft) stages() *onusv1.DecisionRecord {
	if d.GetStages() == nil {
		d.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{}}
	}
	return d.GetStages()
}

func intent(words string, requested ...*onusv1.ScopeElement) func(*draft) {
	return func(d *draft) { d.stages().Intent = &onusv1.Intent{Text: text(words), Requested: requested} }
}
func interprets(words string) func(*draft) {
	return func(d *draft) { d.stages().Interpretation = &onusv1.Interpretation{Text: text(words)} }
}
func decides(words string, chosen ...*onusv1.ScopeElement) func(*draft) {
	return func(d *draft) { d.stages().Decision = &onusv1.Decision{Text: text(words), Chosen: chosen} }
}
func proposes(e *onusv1.ScopeElement) func(*draft) {
	return func(d *draft) { d.stages().Decision = &onusv1.Decision{Proposal: e} }
}
func does(e *onusv1.ScopeElement, edit ...func(*onusv1.Action)) func(*draft) {
	return func(d *draft) {
		a := &onusv1.Action{Element: e}
		for _, f := range edit {
			f(a)
		}
		d.stages().Action = a
	}
}
func request(id string) func(*onusv1.Action) {
	return func(a *onusv1.Action) { a.ExternalRequestId = id }
}
func (w *world) approvedBy(name string) func(*onusv1.Action) {
	return func(a *onusv1.Action) { a.Approval = w.named(name).ID.String() }
}
func showsToken(t *onusv1.TokenFacts) func(*onusv1.Action) {
	return func(a *onusv1.Action) { a.Token = t }
}

// Links, by the names of the records.
func parent(name string) func(*draft) {
	return func(d *draft) { d.Parent = d.w.named(name).ID.String() }
}
func parentLost(d *draft) { d.Parent = strings.Repeat("ab", 32) }
func causes(names ...string) func(*draft) {
	return func(d *draft) {
		for _, n := range names {
			d.Causes = append(d.Causes, d.w.named(n).ID.String())
		}
	}
}
func grant(name string) func(*draft) {
	return func(d *draft) { d.Grant = d.w.named(name).ID.String() }
}
func asks(name string) func(*draft)        { return func(d *draft) { d.Asks = agentID(name) } }
func parentAgent(name string) func(*draft) { return func(d *draft) { d.ParentAgent = agentID(name) } }

func forUser(name string) func(*draft)   { return func(d *draft) { d.User = user(name) } }
func inSession(name string) func(*draft) { return func(d *draft) { d.Session = session(name) } }
func own(d *draft)                       { d.Basis = onusv1.Basis_BASIS_OWN }
func delegated(d *draft)                 { d.Basis = onusv1.Basis_BASIS_DELEGATED }
func capture(c onusv1.Capture) func(*draft) {
	return func(d *draft) { d.Capture = c }
}
func claims(t time.Time) func(*draft) { return func(d *draft) { d.claimed = t } }

// token is the user's, issued to an OAuth client for 15 minutes, and how far
// the ledger checked it.
func token(client string, assurance uint8) func(*draft) {
	return func(d *draft) {
		d.assurance = assurance
		d.Token = &onusv1.UserToken{Digest: strings.Repeat("0123456789", 5)[:43], Issuer: issuer, Audience: []string{client}, Client: client,
			Issued: timestamppb.New(d.w.now), Expires: timestamppb.New(d.w.now.Add(15 * time.Minute))}
	}
}

func gives(name string, scope ...*onusv1.GrantElement) func(*draft) {
	return func(d *draft) {
		d.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: agentID(name), Scope: scope}}
	}
}
func depth(n int32) func(*draft) { return func(d *draft) { d.GetDelegation().MaxDepth = n } }
func until(t time.Time) func(*draft) {
	return func(d *draft) { d.GetDelegation().Expires = timestamppb.New(t) }
}
func from(t time.Time) func(*draft) {
	return func(d *draft) { d.GetDelegation().NotBefore = timestamppb.New(t) }
}
func approves(name string) func(*draft) {
	return func(d *draft) {
		d.Body = &onusv1.Record_Approval{Approval: &onusv1.Approval{Proposal: d.w.named(name).ID.String()}}
	}
}
func denies(name string) func(*draft) {
	return func(d *draft) {
		d.Body = &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: d.w.named(name).ID.String()}}
	}
}
func trigger(name string) func(*draft) {
	return func(d *draft) { d.Body = &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: name}} }
}
func revokes(r *onusv1.Revocation) func(*draft) {
	return func(d *draft) { d.Body = &onusv1.Record_Revocation{Revocation: r} }
}
func theAgent(name string) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: agentID(name)}}
}
func (w *world) theGrant(name string) *onusv1.Revocation {
	return &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: w.named(name).ID.String()}}
}
func ends(action string, s onusv1.OutcomeStatus) func(*draft) {
	return func(d *draft) {
		d.Parent = d.w.named(action).ID.String()
		d.Body = &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: s}}
	}
}
func saw(action string, e *onusv1.ScopeElement, edit ...func(*onusv1.CounterRecord)) func(*draft) {
	return func(d *draft) {
		a := d.w.named(action).Msg.GetAuthor()
		c := &onusv1.CounterRecord{Caller: a.GetAgent(), CallerInstance: a.GetInstance(), Element: e, Decision: onusv1.TargetDecision_TARGET_DECISION_ALLOWED}
		for _, f := range edit {
			f(c)
		}
		d.Parent = d.w.named(action).ID.String()
		d.Body = &onusv1.Record_Counter{Counter: c}
	}
}

// read says a judgement in short lines: each action with its verdict, who
// answers first and who else, and its findings; then the findings of other
// records; then the headline.
func (w *world) read(out *chain.Judgement) string {
	var b strings.Builder
	for _, v := range out.Actions {
		b.WriteString(w.call(v.Record) + " " + string(v.Code) + "\n")
		line := func(what string, all []string) {
			if len(all) > 0 {
				b.WriteString("  " + what + " " + strings.Join(all, "; ") + "\n")
			}
		}
		var first, also []string
		for _, a := range v.Answers {
			s := short(a.Party)
			for _, p := range a.Parts {
				s += ", " + string(p.Role)
				if p.State != chain.Verified {
					s += " (" + string(p.State) + ")"
				}
			}
			if a.First {
				first = append(first, s)
			} else {
				also = append(also, s)
			}
		}
		line("first", first)
		line("also", also)
		if v.DeclaredByOperator {
			line("declared by the operator", []string{""})
		}
		if !v.Produce.IsZero() {
			line("until it produces the missing record", []string{""})
		}
		line("found", w.codes(v.Findings, false))
		line("not wired", w.codes(v.Findings, true))
	}
	var rest []string
	for _, f := range out.Findings {
		i := slices.IndexFunc(w.entries, func(e chain.Entry) bool { return e.Index == f.Index })
		rest = append(rest, w.call(w.entries[i].Record.ID)+" "+f.Code)
	}
	if len(rest) > 0 {
		b.WriteString("besides " + strings.Join(rest, "; ") + "\n")
	}
	return strings.ReplaceAll(b.String()+string(out.Outcome)+"\n", " \n", "\n")
}

func (w *world) codes(fs []chain.Finding, coverage bool) []string {
	var all []string
	for _, f := range fs {
		if (f.Kind == chain.Coverage) != coverage {
			continue
		}
		s := f.Code
		if !f.About.IsZero() {
			s += " on " + w.call(f.About)
		}
		all = append(all, s)
	}
	return all
}

func (w *world) call(id record.ID) string {
	if s := w.called[id]; s != "" {
		return s
	}
	return id.String()[:8]
}

func short(p chain.Party) string {
	id := p.ID[strings.LastIndexByte(p.ID, '/')+1:]
	if p.Unit != nil && string(p.Kind) == "operator" {
		return "operator " + p.Unit.ID
	}
	for _, u := range []string{"sre", "marketing-manager", "hardware-lead", "strategist", "other"} {
		if p.ID == user(u) {
			return "user " + u
		}
	}
	return id
}
