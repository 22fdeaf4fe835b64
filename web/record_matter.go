package web

import (
	"errors"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// maxJudgedHere is the most records of a chain that is judged anew for one
// record's page. Of larger ones the desk's summary serves: it has the findings,
// without their sentences.
const maxJudgedHere = 300

// recordMatter is what was found about a record, and what was done about that.
type recordMatter struct {
	// Root is the chain's; zero if the record is part of none.
	Root    record.ID
	Title   string
	Outcome chain.Outcome
	Records int
	// Verdict is the record's own, if it is an action that was judged.
	Verdict *chain.Verdict
	// Why is the verdict's reason.
	Why      string
	Findings []recordFinding
	Reviews  []recordReview
	// Brief: the chain is large, and the findings are without sentences.
	Brief bool
}

// recordFinding is one finding about a record.
type recordFinding struct {
	Code     string
	Severity chain.Severity
	// Text is the sentence with the values; empty where it is not at hand.
	Text string
	// Who must answer.
	Who []chain.Party
	// Said is who must answer, where the parties are not at hand.
	Said string
	// Coverage: it says what is not wired yet, and nothing of conduct.
	Coverage bool
	// Asks: it is for an officer to disposition. Review is the newest.
	Asks   bool
	Review *desk.Review
}

// recordReview is what an officer said of the record.
type recordReview struct {
	ID          record.ID
	Index, Time int64
	Finding     string
	Disposition onusv1.Disposition
	By          partyName
	// Own says that the reviewer belongs to the unit whose matter it is; empty:
	// it does not, as far as the log says.
	Own      string
	Note     *recordField
	Assignee *recordField
}

// matterOf gathers what there is to know of a record beyond itself.
func (v *visit) matterOf(e chain.Entry) (recordMatter, error) {
	var m recordMatter
	if !inChains(e.Record.Msg) {
		return m, nil
	}
	var c *desk.Case
	if v.Desk != nil {
		var err error
		if c, err = v.Desk.Case(e.Record.ID); err != nil && !errors.Is(err, desk.ErrNotFound) {
			return m, err
		}
	}
	if c != nil {
		m.Root, m.Title, m.Outcome, m.Records = c.Root, report.Clean(c.Title), c.Outcome, c.Records
		m.fromCase(c, e)
		if c.TooLarge || c.Records > maxJudgedHere {
			m.Brief = len(m.Findings) > 0
			return m, nil
		}
	}
	j, err := v.judge(e.Record.ID)
	if errors.Is(err, desk.ErrNotShown) || errors.Is(err, desk.ErrNotFound) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if j.Judgement == nil {
		m.Brief = len(m.Findings) > 0
		return m, nil
	}
	m.fromJudgement(j, e)
	v.reviewsOf(&m, j.Chain, e)
	return m, nil
}

// inChains reports whether a record can be part of a chain. The log's own
// bookkeeping is not.
func inChains(m *onusv1.Record) bool {
	switch m.GetBody().(type) {
	case *onusv1.Record_Genesis, *onusv1.Record_Registration, *onusv1.Record_KeySet, *onusv1.Record_TrustBundle,
		*onusv1.Record_Read, *onusv1.Record_Rejection:
		return false
	}
	return true
}

func (m *recordMatter) fromCase(c *desk.Case, e chain.Entry) {
	for _, f := range c.Findings {
		if f.Index == e.Index {
			m.Findings = append(m.Findings, recordFinding{Code: f.Code, Severity: f.Severity, Said: report.Clean(f.Who), Asks: true, Review: f.Review})
		}
	}
}

// fromJudgement takes findings with their sentences, and keeps what the desk
// knows of their reviews.
func (m *recordMatter) fromJudgement(j *desk.Judged, e chain.Entry) {
	if m.Root.IsZero() && len(j.Chain.Roots) > 0 {
		m.Root, m.Outcome, m.Records = j.Chain.Roots[0].Record.ID, j.Judgement.Outcome, len(j.Chain.Nodes)
	}
	known := m.Findings
	m.Findings = nil
	add := func(f chain.Finding) {
		out := recordFinding{Code: f.Code, Severity: f.Severity, Text: findingText(f), Who: f.Parties, Coverage: f.Kind == chain.Coverage,
			Asks: f.Kind != chain.Coverage}
		for _, k := range known {
			if k.Code == f.Code {
				out.Review = k.Review
			}
		}
		m.Findings = append(m.Findings, out)
	}
	for i := range j.Judgement.Actions {
		if a := &j.Judgement.Actions[i]; a.Index == e.Index {
			m.Verdict, m.Why = a, report.Clean(a.Why)
			for _, f := range a.Findings {
				add(f)
			}
		}
	}
	for _, f := range j.Judgement.Findings {
		if f.Index == e.Index {
			add(f)
		}
	}
	for _, f := range j.Judgement.Evidence.Omissions {
		if f.Index == e.Index {
			add(f)
		}
	}
	slices.SortStableFunc(m.Findings, func(a, b recordFinding) int { return severityRank(b.Severity) - severityRank(a.Severity) })
}

func severityRank(s chain.Severity) int {
	return slices.Index([]chain.Severity{chain.Info, chain.Warn, chain.High, chain.Critical}, s)
}

// reviewsOf lists all reviews of the record in its chain, the newest first:
// those that others took the place of stay in the log, and are shown.
func (v *visit) reviewsOf(m *recordMatter, c *chain.Chain, e chain.Entry) {
	reg := v.Log.Registry()
	var about *chain.Node
	units := map[string]bool{}
	if i := slices.IndexFunc(c.Nodes, func(n *chain.Node) bool { return n.Index == e.Index }); i >= 0 {
		about = c.Nodes[i]
		units = unitsByHead(c, reg)[headOf(about, map[*chain.Node]*chain.Node{}).Index]
	}
	for _, n := range slices.Backward(c.Nodes) {
		r := n.Record.Msg.GetReview()
		if r == nil || n.Opaque != chain.Readable || r.GetRecord() != e.Record.ID.String() {
			continue
		}
		out := recordReview{ID: n.Record.ID, Index: n.Index, Time: n.LogTime, Finding: r.GetFinding(), Disposition: r.GetDisposition(),
			By: v.reviewerName(n)}
		if isOwn(reg, n, about, r.GetFinding() != "", units) {
			out.Own = ofOwnUnit
		}
		f := &fieldReader{log: v.Log, at: n.Index, disclosed: v.Contents}
		if r.GetNote() != nil {
			if v.Contents {
				if contents, err := v.Log.Contents(n.Index); err == nil {
					f.contents, _ = n.Record.OpenContents(contents) // one that opens nothing shows nothing
				}
			}
			note := recordField{Label: "Note"}
			f.prose(&note, r.GetNote())
			note.Fields = nil
			out.Note = &note
		}
		if r.GetAssignee() != "" {
			who := recordField{Label: "For"}
			f.pseudonym(&who, r.GetAssignee(), isUser)
			out.Assignee = &who
		}
		m.Reviews = append(m.Reviews, out)
	}
}

// reviewerName names who reviewed: an officer for whom the host signed, or the
// reviewer.
func (v *visit) reviewerName(n *chain.Node) partyName {
	if m := n.Record.Msg; m.GetAuthor().GetHost() && m.GetUser() != "" {
		return v.authorName(&onusv1.Author{User: m.GetUser()}, n.Index)
	}
	return v.authorName(n.Record.Msg.GetAuthor(), n.Index)
}
