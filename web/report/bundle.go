package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
)

// Meta is what a report says of itself.
type Meta struct {
	// Tool and Version are the program's.
	Tool, Version string
	// Command is the full command; empty for a page.
	Command []string
	// File is the evidence file's name, Hash its SHA-256 in hexadecimal.
	File, Hash string
	// PolicyDigest is the SHA-256 of the reader's policy file; empty without
	// one.
	PolicyDigest string
}

// Bundle returns the report of an evidence file.
func Bundle(r *verifier.BundleReport, m Meta) *Page {
	p := Of(r.Judgement, r.Said)
	p.Title = "Evidence report"
	log := Clean(r.Evidence.Checkpoint.Origin)
	switch r.Standing {
	case verifier.Genuine:
		p.Answer, p.Good = "GENUINE", true
		p.AnswerText = fmt.Sprintf("Every entry in this file stands in the log %s, under the key that you gave, and was signed by a key that the log had on record for its author. Genuine does not mean true, complete or allowed: see What was not proven.", log)
	case verifier.NotAnchored:
		p.Answer = "NOT ANCHORED"
		p.AnswerText = fmt.Sprintf("The evidence agrees with itself, and nothing shows that it is of the log %s: anybody can make such a file. Give the log's key.", log)
	case verifier.Forked:
		p.Answer = "THE LOG TELLS TWO HISTORIES"
		p.AnswerText = fmt.Sprintf("The log %s signed two histories that contradict each other. That is proof against who runs it.", log)
	default:
		p.Answer, p.AnswerText = "BROKEN", "The evidence does not hold. Nothing in it can be relied on; whoever supplied it must produce it again."
	}
	for _, f := range r.Faults {
		p.Problems = append(p.Problems, problem(f))
	}
	if more := r.FaultCount - int64(len(r.Faults)); more > 0 {
		p.Problems = append(p.Problems, fmt.Sprintf("and %d more", more))
	}
	for _, g := range r.Gaps {
		p.Gaps = append(p.Gaps, Gap{"That " + Clean(g.What) + ".", prove(g, m)})
	}
	p.Reviews = reviewsOf(r)
	p.Facts = facts(r, m)
	notInFile(p, r.Judgement)
	return p
}

// reviewsOf finds what officers said in the records of a file.
func reviewsOf(r *verifier.BundleReport) []Review {
	var entries []chain.Entry
	for i := range r.Evidence.Leaves {
		l := &r.Evidence.Leaves[i]
		if l.Record == nil || l.Entry == nil {
			continue
		}
		e := chain.Entry{Index: l.Index, LogTime: l.Entry.Stamp.LogTime, Record: l.Record}
		if l.Withheld {
			e.Opaque = chain.Withheld
		}
		entries = append(entries, e)
	}
	return ReviewsIn(entries, r.Said)
}

// notInFile words what the judgement found missing as a file can show it: it
// holds a part of the log, so that a record is missing from the file is all that
// it shows. The verdict itself keeps its words, whoever judges.
func notInFile(p *Page, j *chain.Judgement) {
	say := func(s string) string { return strings.ReplaceAll(s, "is not in the log", "is not in this file") }
	sayAll := func(fs []Finding) {
		for i := range fs {
			switch fs[i].Code {
			case "PARENT_NOT_IN_LOG", "CAUSE_NOT_IN_LOG", "SEQUENCE_GAP", "NO_USER_INTENT_AT_ROOT", "GRANT_MISSING":
				fs[i].Text = say(fs[i].Text)
			}
		}
	}
	for i := range p.Actions {
		if !j.Actions[i].Produce.IsZero() {
			p.Actions[i].Why = say(p.Actions[i].Why)
		}
		sayAll(p.Actions[i].Findings)
	}
	sayAll(p.Others)
}

func problem(f evidence.Fault) string {
	s := Clean(chain.TitleOf(f.Finding))
	if s == f.Finding {
		s = "The evidence is broken"
	}
	if f.Index >= 0 {
		s = fmt.Sprintf("Entry %d: %s", f.Index, s)
	}
	return s + ": " + Clean(f.Detail) + " (" + Clean(f.Finding) + ")"
}

// prove says which command would prove what was not proven.
func prove(g verifier.Gap, m Meta) string {
	file := shell(m.File)
	again := "onus-verify bundle " + file + " --log-key KEY "
	switch g.By {
	case verifier.ByLogKey:
		return "Get the log's key from who runs it, by another way than this file: onus-verify bundle " + file + " --log-key KEY"
	case verifier.ByWholeLog:
		return "onus-verify log URL --log-key KEY"
	case verifier.ByWitnesses:
		return again + "--policy POLICY, with a policy that names witnesses who have cosigned"
	case verifier.ByIssuerKeys:
		return again + "--issuer-keys " + shell(g.Of) + "=KEYS.json, with the issuer's keys of that time"
	case verifier.ByTrustBundle:
		return again + "--trust-bundle " + shell(g.Of) + "=BUNDLE"
	case verifier.ByContents:
		return "onus bundle ID -o FILE, by a reader who may see contents"
	case verifier.ByTokens:
		return "onus bundle ID --user-tokens -o FILE, once they have expired; then " + "onus-verify bundle FILE --log-key KEY --issuer-keys ISSUER=KEYS.json"
	case verifier.ByItsChain:
		return "onus bundle ID -o FILE, with the ids of those actions too"
	case verifier.ByOtherReader:
		return "onus bundle ID -o FILE, by a reader who may see all of it: an auditor"
	case verifier.ByConsistency:
		return again + "--against CHECKPOINT --server URL"
	case verifier.ByNewer:
		return "A newer version of onus-verify."
	}
	return "Nothing can."
}

// shell spells a word as it is typed, where it is harmless.
func shell(s string) string {
	if s == "" {
		return "FILE"
	}
	s = Clean(s)
	if strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '/' || r == '.' || r == '-' || r == '_' || r == ':' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func facts(r *verifier.BundleReport, m Meta) []Fact {
	res := r.Evidence
	var fs []Fact
	add := func(name, format string, args ...any) {
		fs = append(fs, Fact{name, fmt.Sprintf(format, args...)})
	}
	if m.File != "" {
		add("File", "%s", Clean(m.File))
	}
	if m.Hash != "" {
		add("SHA-256 of the file", "%s", m.Hash)
	}
	add("Made by", "%s %s", m.Tool, m.Version)
	if len(m.Command) > 0 {
		words := make([]string, len(m.Command))
		for i, w := range m.Command {
			words[i] = shell(w)
		}
		add("Command", "%s", strings.Join(words, " "))
	}
	if res.LogKey.IsZero() {
		add("Log key", "none")
	} else if res.Anchored {
		add("Log key", "%s", Clean(res.LogKey.String()))
	} else {
		add("Log key", "none of yours; the file itself names %s", Clean(res.LogKey.String()))
	}
	policy := "none: no cosignature counts"
	if r.Policy != nil {
		policy = "SHA-256 " + m.PolicyDigest
	}
	add("Policy", "%s", policy)
	add("Checkpoint", "%s, %d entries, numbered from 0, root %s", Clean(res.Checkpoint.Origin), res.Checkpoint.Size, res.Checkpoint.Root)
	for _, c := range r.Cosigned {
		add("Witness", "%s saw it at %s", Clean(c.Witness), time.Unix(c.Time, 0).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	for _, g := range r.Growth {
		add("Saved checkpoint", "%s", Clean(g.Text))
	}
	add("Rules", "version %d", r.Judgement.RuleVersion)
	add("Asked for", "%s", scope(res.Scope))
	add("In the file", "%s", held(r))
	for _, f := range r.Unpinned {
		add("Not pinned", "%s", Clean(f.String()))
	}
	return fs
}

// held counts what the file holds: the parts add up to all of it.
func held(r *verifier.BundleReport) string {
	res := r.Evidence
	unreadable := 0
	for i := range res.Leaves {
		if l := &res.Leaves[i]; l.ID.IsZero() && !l.Withheld && l.NotJudged == "" {
			unreadable++
		}
	}
	rest := len(res.Leaves) - r.Chained - r.Beside - int(res.Withheld+res.NotJudged) - unreadable
	s := fmt.Sprintf("%d entries: %d of these chains, %d that they rest on, %d of the registry, %d withheld, %d that this version cannot judge",
		len(res.Leaves), r.Chained, r.Beside, rest, res.Withheld, res.NotJudged)
	if unreadable > 0 {
		s += fmt.Sprintf(", %d not readable", unreadable)
	}
	return s
}

// scope is the word of the bundle's maker.
func scope(s evidence.Scope) string {
	var parts []string
	for i, id := range s.Asked {
		if i == 3 && len(s.Asked) > 4 {
			parts = append(parts, fmt.Sprintf("and %d more", len(s.Asked)-i))
			break
		}
		parts = append(parts, id.String())
	}
	out := strings.Join(parts, ", ")
	if out == "" {
		out = "no record: the registry alone"
	}
	if s.Where != "" {
		out += "; chosen, its maker says, by “" + Clean(s.Where) + "”"
	}
	if s.Claim != "" {
		out += "; its maker says: “" + Clean(s.Claim) + "”"
	}
	return out
}

// JSON returns the report for programs, in two parts: the verdict, which is the
// same from everybody who judges these entries, and the evidence; and a third,
// where officers have said something about it.
func JSON(r *verifier.BundleReport, m Meta) ([]byte, error) {
	var judged struct {
		Verdict, Evidence json.RawMessage
	}
	if err := json.Unmarshal(r.Judgement.JSON(), &judged); err != nil {
		return nil, err
	}
	res := r.Evidence
	e := evidenceJSON{Standing: string(r.Standing), Anchored: res.Anchored, LogKey: res.LogKey.String(), Origin: res.Checkpoint.Origin,
		Size: res.Checkpoint.Size, Root: res.Checkpoint.Root.String(), File: fileJSON{m.File, m.Hash}, Tool: m.Tool + " " + m.Version, Command: append([]string{}, m.Command...),
		PolicyDigest: m.PolicyDigest, RegistryProven: res.RegistryProven, Chained: r.Chained, Beside: r.Beside, Withheld: res.Withheld, NotJudged: res.NotJudged,
		Asked: []string{}, Where: res.Scope.Where, Claim: res.Scope.Claim, Faults: []faultJSON{}, FaultCount: r.FaultCount, NotProven: []gapJSON{}, Judged: judged.Evidence}
	for _, id := range res.Scope.Asked {
		e.Asked = append(e.Asked, id.String())
	}
	for _, f := range r.Faults {
		e.Faults = append(e.Faults, faultJSON{f.Index, f.Finding, f.Detail})
	}
	for _, g := range r.Gaps {
		e.NotProven = append(e.NotProven, gapJSON{g.Index, "that " + g.What, prove(g, m)})
	}
	for _, c := range r.Cosigned {
		e.Witnesses = append(e.Witnesses, c.Witness)
	}
	if r.Quorum != nil {
		e.Quorum = r.Quorum.Error()
	}
	for _, g := range r.Growth {
		e.Saved = append(e.Saved, savedJSON{g.Saved.Size, g.State.String(), g.Text})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Verdict  json.RawMessage `json:"verdict"`
		Evidence evidenceJSON    `json:"evidence"`
		Reviews  []reviewJSON    `json:"reviews,omitempty"`
	}{judged.Verdict, e, reviewsJSON(reviewsOf(r))})
	return b.Bytes(), err
}

type evidenceJSON struct {
	Standing       string          `json:"standing"`
	Anchored       bool            `json:"anchored"`
	Origin         string          `json:"origin"`
	LogKey         string          `json:"log_key"`
	Size           int64           `json:"size"`
	Root           string          `json:"root"`
	File           fileJSON        `json:"file"`
	Tool           string          `json:"tool"`
	Command        []string        `json:"command"`
	PolicyDigest   string          `json:"policy_sha256,omitempty"`
	RegistryProven int64           `json:"registry_proven_before"`
	Chained        int             `json:"chain_entries"`
	Beside         int             `json:"entries_beside"`
	Withheld       int64           `json:"withheld"`
	NotJudged      int64           `json:"not_judged"`
	Asked          []string        `json:"asked"`
	Where          string          `json:"where,omitempty"`
	Claim          string          `json:"claim,omitempty"`
	Faults         []faultJSON     `json:"faults"`
	FaultCount     int64           `json:"fault_count"`
	NotProven      []gapJSON       `json:"not_proven"`
	Witnesses      []string        `json:"witnesses,omitempty"`
	Quorum         string          `json:"quorum_lacks,omitempty"`
	Saved          []savedJSON     `json:"saved_checkpoints,omitempty"`
	Judged         json.RawMessage `json:"judged"`
}

type reviewJSON struct {
	Index       int64  `json:"index"`
	Of          int64  `json:"of"`
	Finding     string `json:"finding,omitempty"`
	Disposition string `json:"disposition"`
	By          string `json:"by"`
	When        string `json:"when"`
	Assignee    string `json:"assignee,omitempty"`
	Note        string `json:"note,omitempty"`
	Latest      bool   `json:"latest"`
}

func reviewsJSON(rs []Review) []reviewJSON {
	var all []reviewJSON
	for _, r := range rs {
		all = append(all, reviewJSON{r.Entry, r.Of, r.Code, r.Disposition, r.By, r.When, r.Assignee, r.Note.Words, r.Latest})
	}
	return all
}

type fileJSON struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

type faultJSON struct {
	Index   int64  `json:"index"`
	Finding string `json:"finding"`
	Detail  string `json:"detail"`
}

type gapJSON struct {
	Index int64  `json:"index"`
	What  string `json:"what"`
	Prove string `json:"prove"`
}

type savedJSON struct {
	Size  int64  `json:"size"`
	State string `json:"state"`
	Text  string `json:"text"`
}
