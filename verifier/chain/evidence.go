package chain

import (
	"cmp"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Source is where the entries of a judgement come from.
type Source string

// The sources.
const (
	// FromServer: a server judges, or says what its log holds.
	FromServer Source = "server"
	// FromBundle: an evidence bundle, made by somebody.
	FromBundle Source = "bundle"
	// FromLog: the whole log was read.
	FromLog Source = "log"
)

// Hand says what was at hand besides the entries. The zero value is a server
// without anything else.
type Hand struct {
	Source Source
	// Log is the whole log, or nil: then what is missing from it is not told.
	Log Log
	// Seen are sizes of the log that somebody outside has seen: cosignatures,
	// and checkpoints that were saved.
	Seen []Seen
	// Tokens are the records whose user's token was disclosed, and verified
	// here with keys that the reader trusts.
	Tokens map[record.ID]bool
	// Uses says that the chains of uses of all limits were added up here.
	Uses bool
}

// Seen is a size of the log that an outsider has seen.
type Seen struct {
	Size int64
	// Time is the outsider's, in milliseconds since 1970.
	Time int64
	By   string
}

// Evidence says what a judgement rests on, and what was not looked at. It is
// the part that differs by what was at hand.
type Evidence struct {
	Source Source
	// Bounds says per action, in log order, what outsiders show of its time.
	Bounds []Bound
	// Tokens says of each record with a user's token that the ledger checked
	// what that rests on here.
	Tokens []TokenEvidence
	// Totals says what running totals rest on.
	Totals State
	// Omissions are what the whole log shows to be missing. They force nothing.
	Omissions []Finding
	// ByMaker are the findings here that need the whole log, and rest on the
	// word of whoever chose the entries: the maker of a bundle, or the server.
	ByMaker []string
	// NotLookedFor are the findings that were not looked for, or not everywhere:
	// they need the whole log, which is not at hand, or would take more reading of
	// it than it does for one judgement.
	NotLookedFor []string
	// Limits is what no log can show.
	Limits []string
}

// Bound is what outsiders show of when an entry was made: after NotBefore,
// which does not include it, and not after NotAfter, which does. Without
// either, order and times are the host's word.
type Bound struct {
	Index               int64
	NotBefore, NotAfter *Seen
}

// TokenEvidence says what it rests on that a user's token was checked.
type TokenEvidence struct {
	Index int64
	State State
}

// HostsWord is said of an entry that no outsider's sight bounds.
const HostsWord = "order and times are the host's word"

var (
	// fromWholeLog are told only with the whole log at hand.
	fromWholeLog = []string{"SEQUENCE_GAP", "INSTANCE_NOT_CLOSED", "DELEGATE_SILENT"}
	limits       = []string{
		"No log can show what was never submitted to it.",
		"Nothing shows what a process did after its last record.",
		"A signature proves who said something and when it was logged, not that it is true.",
	}
)

func (j *judge) evidence(out *Judgement) Evidence {
	ev := Evidence{Source: cmp.Or(j.Hand.Source, FromServer), Limits: limits, Totals: Attested}
	if j.Hand.Uses {
		ev.Totals = Verified
	}
	for _, v := range out.Actions {
		ev.Bounds = append(ev.Bounds, j.bound(v.Index))
	}
	for _, n := range j.chain.Nodes {
		if n.Opaque == Readable && n.Record.Msg.GetToken() != nil {
			t := TokenEvidence{n.Index, Asserted}
			switch {
			case j.Hand.Tokens[n.Record.ID]:
				t.State = Verified
			case stampOf(n).Assurance > 0:
				t.State = Attested
			}
			ev.Tokens = append(ev.Tokens, t)
		}
	}
	if j.Hand.Log != nil {
		ev.Omissions, ev.NotLookedFor = j.omissions(j.Hand.Log)
	} else {
		ev.NotLookedFor = fromWholeLog
	}
	if ev.Source != FromLog {
		ev.ByMaker = needingLog(out)
	}
	return ev
}

func (j *judge) bound(index int64) Bound {
	b := Bound{Index: index}
	seen := slices.SortedFunc(slices.Values(j.Hand.Seen), func(a, b Seen) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Size, b.Size), cmp.Compare(a.By, b.By))
	})
	for i := range seen {
		switch s := &seen[i]; {
		case s.Size <= index:
			b.NotBefore = s
		case b.NotAfter == nil:
			b.NotAfter = s
		}
	}
	return b
}

// needingLog lists the codes of findings that the whole log decides.
func needingLog(out *Judgement) []string {
	found := map[string]bool{}
	note := func(fs []Finding) {
		for _, f := range fs {
			if r := ruleOf[f.Code]; r != nil && r.Needs == NeedsLog {
				found[f.Code] = true
			}
		}
	}
	note(out.Findings)
	for _, v := range out.Actions {
		note(v.Findings)
	}
	var codes []string
	for _, r := range Rules {
		if found[r.Code] {
			codes = append(codes, r.Code)
		}
	}
	return codes
}

// Covering says for an agent how often something that is not wired yet was
// found.
type Covering struct {
	Agent Party
	Code  string
	// Found of Of: records, intents, decisions or actions, as the finding is
	// about.
	Found, Of int
}

// coverage counts the coverage findings of each agent.
func (j *judge) coverage(out *Judgement) []Covering {
	type key struct{ agent, code string }
	found, of := map[key]int{}, map[key]int{}
	newest := map[string]int64{}
	var agents []string
	for _, n := range j.chain.Nodes {
		m := n.Record.Msg
		agent := m.GetAuthor().GetAgent()
		if n.Opaque != Readable || agent == "" {
			continue
		}
		if _, ok := newest[agent]; !ok {
			agents = append(agents, agent)
		}
		newest[agent] = n.Index
		for _, c := range coverageOf(m) {
			of[key{agent, c}]++
		}
		for _, f := range j.places[n].findings {
			if f.Kind == Coverage {
				found[key{agent, f.Code}]++
			}
		}
	}
	slices.Sort(agents)
	var all []Covering
	for _, a := range agents {
		for _, r := range Rules {
			if k := (key{a, r.Code}); found[k] > 0 {
				all = append(all, Covering{j.classParty(a, newest[a]), r.Code, found[k], max(of[k], found[k])})
			}
		}
	}
	return all
}

// coverageOf returns the coverage findings that a record could have.
func coverageOf(m *onusv1.Record) []string {
	codes := []string{"NOT_SELF_RECORDED", "UNWITNESSED"}
	s := m.GetStages()
	if s.GetIntent() != nil {
		codes = append(codes, "INTENT_NOT_BOUND_TO_TOKEN")
	}
	if s.GetDecision() != nil {
		codes = append(codes, "DECISION_WITHOUT_INTERPRETATION")
	}
	if s.GetAction() != nil {
		codes = append(codes, "GRANT_MISSING", "NO_COUNTER_RECORD")
	}
	return codes
}

func (j *judge) classParty(agent string, at int64) Party {
	class, _ := j.Registry.Agent(agent, at)
	return j.party(&onusv1.Author{Agent: agent, Operator: class.GetOperator()}, at)
}
