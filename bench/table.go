package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// markdown is the run as a page: where, how, and the figures, each row the same
// way whoever is ahead in it.
func (r *results) markdown() string {
	var b strings.Builder
	m := &r.Machine
	fmt.Fprintf(&b, "# Onus beside others, %s\n\n", m.when())
	b.WriteString(m.where())
	b.WriteString(r.versions() + "\n")
	fmt.Fprintf(&b, "\nEntries of %d random bytes, fsync on everywhere, submitters in the same process and on the same cores. "+
		"%s, systems alternating, each cell a process of its own: %g s of warm-up, %g s measured. "+
		"Figures are medians of the rounds, with least and greatest in brackets.\n", r.EntrySize, count(r.Rounds, "round"), r.Warm, r.Seconds)

	if done := r.done(); len(done) > 0 {
		s := spreadOf(done, others)
		fmt.Fprintf(&b, "\nDuring the cells %.0f %% of the processors went elsewhere (least %.0f %%, most %.0f %%): to other processes, or to the machine's host. "+
			"Above a few per cent, run it again on an idle machine.\n", 100*s.median, 100*s.min, 100*s.max)
	}

	b.WriteString("\n## Entries a second, durable and with what the system proves in hand\n\n")
	r.table(&b, func(rounds []outcome) string {
		s := spreadOf(rounds, rate)
		return fmt.Sprintf("%s (%s–%s)", thousands(s.median), thousands(s.min), thousands(s.max))
	})
	b.WriteString("\n## Milliseconds from submission to that, p50 / p99\n\n")
	r.table(&b, func(rounds []outcome) string {
		return fmt.Sprintf("%s / %s", digits(spreadOf(rounds, p50).median), digits(spreadOf(rounds, p99).median))
	})
	if _, ok := r.median("onus", r.Submitters[0]); ok {
		b.WriteString("\n## Onus's rate over each system's\n\nBelow 1 the other is faster.\n\n")
		r.table(&b, func(rounds []outcome) string {
			onus, ok := r.median("onus", rounds[0].Submitters)
			if !ok {
				return "no figure"
			}
			return digits(onus/spreadOf(rounds, rate).median) + "×"
		})
	}
	b.WriteString("\n## Processor time, µs an entry, submitters' part included\n\n")
	r.table(&b, func(rounds []outcome) string { return digits(spreadOf(rounds, cpu).median) })

	b.WriteString("\n## What each submitter holds, and the settings\n\n| System | What it holds | Settings |\n|---|---|---|\n")
	for _, name := range r.Systems {
		s := systemNamed(name)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.title, s.proof, r.settings(name))
	}
	if n := r.failed(); n > 0 {
		b.WriteString("\n## Cells without a figure\n\n")
		for _, c := range r.Cells {
			if c.Error != "" {
				fmt.Fprintf(&b, "- %s, %d submitters, round %d: %s\n", systemNamed(c.System).title, c.Submitters, c.Round, c.Error)
			}
		}
	}
	b.WriteString("\n## To be quoted\n\n" + r.quote())
	return b.String()
}

// quote is the run in one table, with what the figures depend on: for a page that
// has no room for more.
func (r *results) quote() string {
	var b strings.Builder
	m := &r.Machine
	fmt.Fprintf(&b, "Measured on %s: %s, %d cores, %s (a write of 4 KB and its fsync: %.2f ms), Linux %s, %s", m.Date.Format("2 January 2006"), m.CPU, m.Cores, m.Disk, m.SyncP50, m.Kernel, m.Go)
	if m.Onus != "" {
		fmt.Fprintf(&b, ", Onus %s", m.Onus)
	}
	fmt.Fprintf(&b, ". Entries of %s bytes, fsync on everywhere, load and system on the same cores; medians of %s of %g s, systems alternating, each in a process of its own. %s\n\n",
		thousands(float64(r.EntrySize)), count(r.Rounds, "round"), r.Seconds, r.versions())
	b.WriteString("Entries a second with the proof in hand (p50 in ms), by number of concurrent submitters:\n\n")
	r.table(&b, func(rounds []outcome) string {
		return fmt.Sprintf("%s (%s)", thousands(spreadOf(rounds, rate).median), digits(spreadOf(rounds, p50).median))
	})
	b.WriteString(r.over("tessera", "immudb", "immudb-batched"))
	return b.String()
}

// versions names the peers' modules.
func (r *results) versions() string {
	var all []string
	for _, path := range slices.Sorted(maps.Keys(r.Machine.Modules)) {
		all = append(all, path+" "+r.Machine.Modules[path])
	}
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, ", ") + "."
}

// over says Onus's rate over some systems in a line each, column by column.
func (r *results) over(systems ...string) string {
	var b strings.Builder
	for _, name := range systems {
		var parts []string
		for _, n := range r.Submitters {
			onus, ok := r.median("onus", n)
			other, ok2 := r.median(name, n)
			if ok && ok2 {
				parts = append(parts, fmt.Sprintf("%s× at %d", digits(onus/other), n))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(&b, "- Onus over %s: %s\n", systemNamed(name).title, strings.Join(parts, ", "))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n" + b.String()
}

func (r *results) table(b *strings.Builder, figure func([]outcome) string) {
	b.WriteString("| Submitters |")
	for _, n := range r.Submitters {
		fmt.Fprintf(b, " %d |", n)
	}
	b.WriteString("\n|---" + strings.Repeat("|---:", len(r.Submitters)) + "|\n")
	for _, name := range r.Systems {
		fmt.Fprintf(b, "| %s |", systemNamed(name).title)
		for _, n := range r.Submitters {
			rounds, failure := r.of(name, n)
			switch {
			case r.Missing[name] != "":
				fmt.Fprintf(b, " %s |", r.Missing[name])
			case len(rounds) > 0 && failure != "":
				fmt.Fprintf(b, " %s, %d of %d rounds |", figure(rounds), len(rounds), r.Rounds)
			case len(rounds) > 0:
				fmt.Fprintf(b, " %s |", figure(rounds))
			case failure != "":
				b.WriteString(" failed |")
			default:
				b.WriteString(" not run |")
			}
		}
		b.WriteByte('\n')
	}
}

func (r *results) median(system string, submitters int) (float64, bool) {
	rounds, _ := r.of(system, submitters)
	if len(rounds) == 0 {
		return 0, false
	}
	return spreadOf(rounds, rate).median, true
}

// settings gives a system's settings, by column where they differ.
func (r *results) settings(system string) string {
	if why := r.Missing[system]; why != "" {
		return why
	}
	var texts []string
	by := map[string][]string{}
	for _, n := range r.Submitters {
		rounds, _ := r.of(system, n)
		if len(rounds) == 0 {
			continue
		}
		t := rounds[0].Settings
		if by[t] == nil {
			texts = append(texts, t)
		}
		by[t] = append(by[t], fmt.Sprint(n))
	}
	if len(texts) == 1 {
		return texts[0]
	}
	for i, t := range texts {
		texts[i] = fmt.Sprintf("at %s: %s", strings.Join(by[t], ", "), t)
	}
	return strings.Join(texts, "; ")
}

// thousands writes a rate as people read it: 9.6, 535, 18,975.
func thousands(f float64) string {
	if f < 100 {
		return digits(f)
	}
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// digits writes two to three significant digits without an exponent.
func digits(f float64) string {
	switch {
	case f < 1:
		return fmt.Sprintf("%.2f", f)
	case f < 100:
		return fmt.Sprintf("%.1f", f)
	default:
		return fmt.Sprintf("%.0f", f)
	}
}
