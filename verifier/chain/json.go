package chain

import (
	"bytes"
	"encoding/json"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// VerdictJSON returns the verdict part in its one form: the same bytes for the
// same entries, whoever judges them, and whatever else was at hand.
func (out *Judgement) VerdictJSON() []byte { return encode(out.verdictPart()) }

// JSON returns both parts: {"verdict": …, "evidence": …}.
func (out *Judgement) JSON() []byte {
	return encode(struct {
		Verdict  verdictJSON  `json:"verdict"`
		Evidence evidenceJSON `json:"evidence"`
	}{out.verdictPart(), out.evidencePart()})
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic("chain: a judgement cannot be written: " + err.Error())
	}
	return b.Bytes()
}

type verdictJSON struct {
	RuleVersion int            `json:"rule_version"`
	Size        int64          `json:"size"`
	Outcome     Outcome        `json:"outcome"`
	Counts      []countJSON    `json:"counts"`
	Actions     []actionJSON   `json:"actions"`
	Findings    []findingJSON  `json:"findings"`
	Coverage    []coveringJSON `json:"coverage"`
}

type countJSON struct {
	Outcome Outcome `json:"outcome"`
	Actions int     `json:"actions"`
}

type actionJSON struct {
	Index              int64         `json:"index"`
	Record             string        `json:"record"`
	Verdict            Code          `json:"verdict"`
	Title              string        `json:"title"`
	Outcome            Outcome       `json:"outcome"`
	State              State         `json:"state"`
	Why                string        `json:"why"`
	Element            elementJSON   `json:"element"`
	LogTime            string        `json:"log_time"`
	ClaimedTime        string        `json:"claimed_time"`
	Answers            []answerJSON  `json:"answers"`
	Produce            string        `json:"produce,omitempty"`
	DeclaredByOperator bool          `json:"declared_by_operator,omitempty"`
	Words              []quoteJSON   `json:"users_words"`
	Claims             []quoteJSON   `json:"claims"`
	Findings           []findingJSON `json:"findings"`
}

type elementJSON struct {
	Type       string   `json:"type"`
	Action     string   `json:"action"`
	Location   string   `json:"location,omitempty"`
	Identifier string   `json:"identifier,omitempty"`
	Datatypes  []string `json:"datatypes,omitempty"`
	Amount     string   `json:"amount,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	Quantity   string   `json:"quantity,omitempty"`
	Recipient  string   `json:"recipient,omitempty"`
}

type answerJSON struct {
	Party partyJSON  `json:"party"`
	First bool       `json:"first"`
	Parts []partJSON `json:"parts"`
}

type partJSON struct {
	Role  Role  `json:"role"`
	State State `json:"state"`
}

type partyJSON struct {
	Kind     string    `json:"kind"`
	ID       string    `json:"id,omitempty"`
	Instance string    `json:"instance,omitempty"`
	Name     string    `json:"name"`
	Unit     *unitJSON `json:"operator,omitempty"`
}

type unitJSON struct {
	ID           string `json:"id"`
	Organisation string `json:"organisation"`
	Unit         string `json:"unit"`
	Post         string `json:"accountable_post"`
}

type quoteJSON struct {
	Field      string    `json:"field"`
	Index      int64     `json:"index"`
	Record     string    `json:"record"`
	By         partyJSON `json:"by"`
	User       string    `json:"user,omitempty"`
	State      State     `json:"state"`
	Plain      string    `json:"plain,omitempty"`
	Commitment string    `json:"commitment,omitempty"`
}

type findingJSON struct {
	Code     string      `json:"code"`
	Title    string      `json:"title"`
	Kind     Kind        `json:"kind"`
	Severity Severity    `json:"severity"`
	Forces   Forces      `json:"forces,omitempty"`
	State    State       `json:"state"`
	Index    int64       `json:"index"`
	About    string      `json:"about,omitempty"`
	Text     string      `json:"text"`
	Limit    string      `json:"limit,omitempty"`
	Sum      string      `json:"sum,omitempty"`
	Who      Who         `json:"who_must_answer"`
	Parties  []partyJSON `json:"parties"`
}

type coveringJSON struct {
	Agent partyJSON `json:"agent"`
	Code  string    `json:"code"`
	Found int       `json:"found"`
	Of    int       `json:"of"`
}

type evidenceJSON struct {
	Source       Source        `json:"source"`
	Bounds       []boundJSON   `json:"bounds"`
	Tokens       []tokenJSON   `json:"user_tokens"`
	Totals       State         `json:"running_totals"`
	Omissions    []findingJSON `json:"omissions"`
	ByMaker      []string      `json:"asserted_by_maker"`
	NotLookedFor []string      `json:"not_looked_for"`
	Limits       []string      `json:"limits"`
}

type boundJSON struct {
	Index     int64     `json:"index"`
	NotBefore *seenJSON `json:"not_before,omitempty"`
	NotAfter  *seenJSON `json:"not_after,omitempty"`
	Unbounded string    `json:"unbounded,omitempty"`
}

type seenJSON struct {
	Size int64  `json:"size"`
	Time string `json:"time"`
	By   string `json:"by"`
}

type tokenJSON struct {
	Index int64 `json:"index"`
	State State `json:"state"`
}

func (out *Judgement) verdictPart() verdictJSON {
	return verdictJSON{
		RuleVersion: out.RuleVersion, Size: out.Size, Outcome: out.Outcome,
		Counts:   each(out.Counts, func(c Count) countJSON { return countJSON(c) }),
		Actions:  each(out.Actions, toAction),
		Findings: each(out.Findings, toFinding),
		Coverage: each(out.Coverage, func(c Covering) coveringJSON { return coveringJSON{toParty(c.Agent), c.Code, c.Found, c.Of} }),
	}
}

func (out *Judgement) evidencePart() evidenceJSON {
	e := &out.Evidence
	return evidenceJSON{
		Source: e.Source, Totals: e.Totals,
		Bounds: each(e.Bounds, func(b Bound) boundJSON {
			j := boundJSON{Index: b.Index, NotBefore: toSeen(b.NotBefore), NotAfter: toSeen(b.NotAfter)}
			if b.NotBefore == nil && b.NotAfter == nil {
				j.Unbounded = HostsWord
			}
			return j
		}),
		Tokens:       each(e.Tokens, func(t TokenEvidence) tokenJSON { return tokenJSON(t) }),
		Omissions:    each(e.Omissions, toFinding),
		ByMaker:      each(e.ByMaker, same),
		NotLookedFor: each(e.NotLookedFor, same),
		Limits:       each(e.Limits, same),
	}
}

// each maps a list; the result is never null in JSON.
func each[T, U any](list []T, f func(T) U) []U {
	all := make([]U, len(list))
	for i, x := range list {
		all[i] = f(x)
	}
	return all
}

func same(s string) string { return s }

func toAction(v Verdict) actionJSON {
	return actionJSON{
		Index: v.Index, Record: v.Record.String(), Verdict: v.Code, Title: v.Title, Outcome: v.Outcome, State: v.State, Why: v.Why,
		Element: toElement(v.Element), LogTime: instant(v.LogTime), ClaimedTime: instant(v.Claimed),
		Answers: each(v.Answers, func(a Answer) answerJSON {
			return answerJSON{toParty(a.Party), a.First, each(a.Parts, func(p Part) partJSON { return partJSON(p) })}
		}),
		Produce: idText(v.Produce), DeclaredByOperator: v.DeclaredByOperator,
		Words: each(v.Words, toQuote), Claims: each(v.Claims, toQuote), Findings: each(v.Findings, toFinding),
	}
}

func toElement(e *onusv1.ScopeElement) elementJSON {
	return elementJSON{e.GetType(), e.GetAction(), e.GetLocation(), e.GetIdentifier(), e.GetDatatypes(),
		e.GetAmount(), e.GetUnit(), e.GetQuantity(), e.GetRecipient()}
}

func toQuote(q Quote) quoteJSON {
	return quoteJSON{q.Field, q.Index, q.Record.String(), toParty(q.By), q.User, q.State, q.Plain, q.Commitment}
}

func toFinding(f Finding) findingJSON {
	return findingJSON{f.Code, f.Title, f.Kind, f.Severity, f.Forces, f.State, f.Index, idText(f.About), f.Text, f.Limit, f.Sum, f.Who, each(f.Parties, toParty)}
}

func toParty(p Party) partyJSON {
	j := partyJSON{Kind: string(p.Kind), ID: p.ID, Instance: p.Instance, Name: p.Name}
	if u := p.Unit; u != nil {
		j.Unit = &unitJSON{u.ID, u.Organisation, u.Unit, u.Post}
	}
	return j
}

func toSeen(s *Seen) *seenJSON {
	if s == nil {
		return nil
	}
	return &seenJSON{s.Size, instant(s.Time), s.By}
}

func idText(id record.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

func instant(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
