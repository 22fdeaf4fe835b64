package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
)

// finding is one line of what follow says.
type finding struct {
	Severity chain.Severity `json:"severity"`
	Code     string         `json:"code"`
	Entry    int64          `json:"entry"`
	Text     string         `json:"text"`
	// Chain is the entry that its chain begins with.
	Chain int64 `json:"chain"`
	// Outcome is that of an action, if it is a verdict.
	Outcome chain.Outcome `json:"outcome,omitempty"`
	// about and limit tell findings of one code and entry apart. What their text
	// says may change as a log grows: a total, a time.
	about string
}

// found remembers what was said, so that each thing is said once.
type found struct {
	said   map[[16]byte]bool
	faults int64
	// unpinned and newer count what the auditor did not pin, and entries of a newer
	// version, as far as they were said.
	unpinned int
	newer    int64
	worst    int // of severities; -1 if nothing was found
	// unjudged says why chains were not judged, if they were not.
	unjudged string
	// A look at every chain takes time, and finds what only time brings about; so
	// it is taken now and then.
	lastFull time.Time
	took     time.Duration
}

func newFound() found { return found{said: map[[16]byte]bool{}, worst: -1} }

// heard marks all that the audit shows by now as said.
func (f *found) heard(a *verifier.Audit) {
	rep := a.Report()
	f.faults, f.unpinned, f.newer = rep.FaultCount, len(rep.Unpinned), rep.NotJudged
	f.collect(a, 0)
}

// look says what is new in the chains that have an entry from that index on, or in
// all.
func (f *found) look(a *verifier.Audit, from int64, all bool, out *events) {
	rep := a.Report()
	for _, fault := range rep.Faults[min(f.faults, int64(len(rep.Faults))):] {
		out.finding(finding{Severity: chain.Critical, Code: fault.Finding, Entry: fault.Index, Text: fault.Detail, Chain: -1})
	}
	if more := rep.FaultCount - max(f.faults, int64(len(rep.Faults))); more > 0 {
		out.finding(finding{Severity: chain.Critical, Code: verifier.BrokenEntry, Entry: -1, Text: fmt.Sprintf("%d more entries are broken", more), Chain: -1})
	}
	f.faults = rep.FaultCount
	say := func(n finding) {
		f.worst = max(f.worst, slices.Index(severities, n.Severity))
		out.finding(n)
	}
	for _, u := range rep.Unpinned[f.unpinned:] {
		say(finding{Severity: chain.Warn, Code: u.Finding, Entry: u.Index, Text: u.Detail, Chain: -1})
	}
	f.unpinned = len(rep.Unpinned)
	if n := rep.NotJudged - f.newer; n > 0 {
		say(finding{Severity: chain.Warn, Code: "NOT_JUDGED", Entry: -1, Text: fmt.Sprintf("%s of a newer version: the hash was checked, and not what they say: a newer onus-verify can tell", entries(n)), Chain: -1})
	}
	f.newer = rep.NotJudged
	// At most a twentieth of the time goes into looks at everything.
	if all || time.Since(f.lastFull) > max(time.Minute, 20*f.took) {
		from = 0
	}
	for _, n := range f.collect(a, from) {
		say(n)
	}
	if f.unjudged != "" {
		out.unjudged(f.unjudged)
	}
}

// collect returns what was not said before, by entries.
func (f *found) collect(a *verifier.Audit, from int64) []finding {
	started := time.Now()
	var fresh []finding
	err := a.JudgeSince(from, func(c verifier.ChainJudgement) {
		for _, n := range findingsOf(c) {
			sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s", n.Code, n.Entry, n.Outcome, n.about))
			if k := [16]byte(sum[:16]); !f.said[k] {
				f.said[k] = true
				fresh = append(fresh, n)
			}
		}
	})
	if err != nil {
		f.unjudged = err.Error()
		return nil
	}
	if from == 0 {
		f.lastFull, f.took = time.Now(), time.Since(started)
	}
	slices.SortStableFunc(fresh, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.Entry, b.Entry), cmp.Compare(a.Code, b.Code), cmp.Compare(a.about, b.about))
	})
	return fresh
}

// findingsOf lists what a judgement says, without coverage, which is about what is
// not wired yet and nobody's fault. An action that is not within authority is said
// even where no finding carries its verdict.
func findingsOf(c verifier.ChainJudgement) []finding {
	var out []finding
	add := func(n chain.Finding) {
		if n.Kind != chain.Coverage {
			out = append(out, finding{Severity: n.Severity, Code: n.Code, Entry: n.Index, Text: n.Text, Chain: c.Index, about: n.About.String() + " " + n.Limit})
		}
	}
	for _, n := range c.Judgement.Findings {
		add(n)
	}
	for _, v := range c.Judgement.Actions {
		said := false
		for _, n := range v.Findings {
			said = said || n.Code == string(v.Code)
			add(n)
		}
		if !said && v.Outcome != chain.WithinAuthority {
			out = append(out, finding{Severity: chain.High, Code: string(v.Code), Entry: v.Index, Text: v.Why, Chain: c.Index, Outcome: v.Outcome})
		}
	}
	return out
}

// fails reports whether something was found at or above --fail-on. What was not
// judged counts as high, as everywhere.
func (f *found) fails(floor int) bool {
	return f.worst >= floor || f.unjudged != "" && slices.Index(severities, chain.High) >= floor
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// events prints what happens, a line each.
type events struct {
	w      io.Writer
	asJSON bool
	// unjudgedSaid: that chains are not judged was said.
	unjudgedSaid bool
}

func (e *events) event(name string, fields map[string]any) {
	fields["event"] = name
	line, err := json.Marshal(fields)
	if err != nil {
		panic("onus-verify: an event cannot be written: " + err.Error())
	}
	fmt.Fprintf(e.w, "%s\n", line)
}

func (e *events) finding(n finding) {
	if e.asJSON {
		e.event("finding", map[string]any{"severity": n.Severity, "code": n.Code, "entry": n.Entry, "text": n.Text, "chain": n.Chain, "outcome": n.Outcome})
		return
	}
	where := ""
	if n.Entry >= 0 {
		where = fmt.Sprintf(" entry %d:", n.Entry)
	}
	fmt.Fprintf(e.w, "%-8s %s%s %s\n", strings.ToUpper(string(n.Severity)), n.Code, where, n.Text)
}

func (e *events) checkpoint(h head, was int64, witnesses []string) {
	if e.asJSON {
		e.event("checkpoint", map[string]any{"origin": h.Origin, "size": h.Size, "before": was, "root": h.Root.String(), "cosigned_by": append([]string{}, witnesses...)})
		return
	}
	by := ""
	if len(witnesses) > 0 {
		by = ", cosigned by " + strings.Join(witnesses, ", ")
	}
	fmt.Fprintf(e.w, "VERIFIED log %s: %d entries, %d of them new, root %s%s\n", h.Origin, h.Size, h.Size-was, h.Root, by)
}

func (e *events) unjudged(why string) {
	if e.unjudgedSaid {
		return
	}
	e.unjudgedSaid = true
	if e.asJSON {
		e.event("unjudged", map[string]any{"text": why})
		return
	}
	fmt.Fprintf(e.w, "HIGH     chains are NOT JUDGED any more: %s\n", why)
}

func (e *events) fork(text, path string) {
	if e.asJSON {
		e.event("fork", map[string]any{"text": text, "proof": path})
		return
	}
	fmt.Fprintf(e.w, "%s\nThe proof is in %s: whoever holds the log's key can check it (onus-verify fork %s).\n", text, path, path)
}

// trouble is said on the diary, unless a program listens.
func (e *events) trouble(kind, text string, diary io.Writer) {
	if e.asJSON {
		e.event(kind, map[string]any{"text": text})
		return
	}
	fmt.Fprintln(diary, "onus-verify:", text)
}
