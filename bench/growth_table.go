package main

import (
	"fmt"
	"strings"
	"time"
)

// markdown is the growth run as a page.
func (r *growthResults) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# How Onus fares as the log grows, %s\n\n", r.Machine.when())
	b.WriteString(r.Machine.where())
	fmt.Fprintf(&b, "\nEach figure is of a process of its own, which opened the ledger as the one before had left it. The load is %d submitters in that process, "+
		"each with one record on its way: %g s of warm-up, %g s measured. Records were signed beforehand and are read from a file. The run took %v.\n\n",
		r.Submitters, r.Warm, r.Seconds, (time.Duration(r.Took) * time.Second).Round(time.Second))
	shapes := r.shapes()
	for _, s := range shapes {
		fmt.Fprintf(&b, "- `%s`: %s\n", s, r.shapeText(s))
	}
	r.load(&b)
	r.disk(&b)
	r.reading(&b)
	if errs := r.errors(); len(errs) > 0 {
		b.WriteString("\n## What failed\n\n" + strings.Join(errs, ""))
	}
	return b.String()
}

func (r *growthResults) shapes() (all []string) {
	for _, p := range r.Points {
		if len(all) == 0 || all[len(all)-1] != p.Shape {
			all = append(all, p.Shape)
		}
	}
	return all
}

// shapeText says what the records are, with the sizes that were logged.
func (r *growthResults) shapeText(shape string) string {
	sum := filled{Smallest: 1 << 20}
	for _, p := range r.Points {
		if f := p.Fill; p.Shape == shape && f != nil && f.Entries > 0 {
			sum.Entries, sum.EntryBytes = sum.Entries+f.Entries, sum.EntryBytes+f.EntryBytes
			sum.Smallest, sum.Largest = min(sum.Smallest, f.Smallest), max(sum.Largest, f.Largest)
		}
	}
	sizes := "no entries yet"
	if sum.Entries > 0 {
		sizes = fmt.Sprintf("entries of %s to %s bytes, %s on average", thousands(float64(sum.Smallest)), thousands(float64(sum.Largest)),
			thousands(float64(sum.EntryBytes)/float64(sum.Entries)))
	}
	if shape == shapePlain {
		return "the records of the peers' matrix, all of one agent; " + sizes + "."
	}
	return fmt.Sprintf("%s (drawn from a logarithmic normal distribution: median %d, σ %g, cut off at %d and %d); %s agent classes, each with its own key, by Zipf's law (exponent 1.2), "+
		"of %d operators; chains of %d to %d records by one to four instances with parents, counts and sessions, for %s users, one chain in seven for nobody; %d operations on 50,000 resources each; "+
		"outcomes; %d agents act under a grant with a limit in total, and hand on parts of it; one record in ten comes with its contents.",
		sizes, medianEntry, spreadEntry, smallestEntry, largestEntry, thousands(worldAgents), worldOperators, shortestChain, longestChain,
		thousands(worldUsers), len(operations), worldGranted)
}

// rows writes a table with a line for each point that has the figures.
func (r *growthResults) rows(b *strings.Builder, head string, line func(growthPoint) string) {
	cols := strings.Count(head, "|") + 1
	fmt.Fprintf(b, "| Records | Entries | %s |\n|---|---:%s|\n", head, strings.Repeat("|---:", cols))
	for _, p := range r.Points {
		text := line(p)
		if text == "" {
			text = strings.TrimSuffix(strings.Repeat("no figure | ", cols), " | ")
		}
		// Loads on a small ledger may have made it larger than the next size.
		size := p.Size
		if w := p.Window; w != nil && w.From > size+size/20 {
			size = w.From
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", p.Shape, thousands(float64(size)), text)
	}
}

func (r *growthResults) load(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %d submitters, proof in hand\n\n", r.Submitters)
	first := map[string]float64{}
	r.rows(b, "records/s | of the first | p50 ms | p99 ms | CPU µs a record | memory before, MB | most, MB | others' CPU", func(p growthPoint) string {
		w := p.Window
		if w == nil {
			return ""
		}
		if first[p.Shape] == 0 {
			first[p.Shape] = w.Rate
		}
		most := thousands(float64(w.Peak) / 1e6)
		if w.PeakOfAll {
			most += " (signing included)"
		}
		return fmt.Sprintf("%s | %.2f | %s | %s | %s | %s | %s | %.0f %%", thousands(w.Rate), w.Rate/first[p.Shape], digits(w.P50), digits(w.P99), digits(w.CPU),
			thousands(float64(w.Before)/1e6), most, 100*w.Others)
	})
	b.WriteString("\nCPU and memory are the process's, submitters included. Memory is resident memory: just before the load, and the most during it.\n")
}

func (r *growthResults) disk(b *strings.Builder) {
	b.WriteString("\n## Disk, after a clean stop\n\n")
	r.rows(b, "entries then | bytes an entry | contents beside it | on disk | more than these | written in the window | written so far", func(p growthPoint) string {
		w := p.Window
		if w == nil || w.EntryBytes == 0 || p.Hashes == nil || p.Counted == 0 {
			return ""
		}
		n := float64(w.To)
		entry, contents := float64(p.Hashes.Bytes)/float64(p.Hashes.Entries), float64(p.ContentBytes)/float64(p.Counted)
		return fmt.Sprintf("%s | %.0f | %.0f | %.0f | %.0f | %.1f× | %.1f×", thousands(n), entry, contents,
			float64(w.Disk)/n, float64(w.Disk)/n-entry-contents, float64(w.Written)/float64(w.EntryBytes+w.ContentBytes), float64(p.Written)/float64(p.EntryBytes+p.ContentBytes))
	})
	b.WriteString("\nBytes for each entry in the log. What was written is what the kernel counts for the process, over the bytes of entries and contents: " +
		"in the load and the stop after it, and since the log began, filling included. It holds what compaction wrote again in that time. On disk are the files of the write-ahead log too, which small logs see most of.\n")
}

func (r *growthResults) reading(b *strings.Builder) {
	b.WriteString("\n## A random proof, one at a time\n\n")
	r.rows(b, "p50 µs | p99 µs | p50 µs just opened | p99 µs just opened", func(p growthPoint) string {
		q := p.Proofs
		if q == nil {
			return ""
		}
		return fmt.Sprintf("%s | %s | %s | %s", digits(q.Warm.P50), digits(q.Warm.P99), digits(q.Cold.P50), digits(q.Cold.P99))
	})
	b.WriteString("\nThe receipt of a random entry, built and verified by the ledger. Just opened: the first 2,000 after Open, with the ledger's caches empty and the operating system's not.\n")
	b.WriteString("\n## Opening, ms\n\n")
	r.rows(b, "after a clean stop | after SIGKILL at full load | and a first record logged | closing after the load", func(p growthPoint) string {
		if p.Proofs == nil || p.Killed == nil || p.Window == nil {
			return ""
		}
		return fmt.Sprintf("%s | %s | %s | %s", digits(p.Proofs.Open), digits(p.Killed.Open), digits(p.Killed.First), digits(p.Window.Close))
	})
	b.WriteString("\nThe operating system has the files in its cache. What the killed process had acknowledged was in the log, or this page would say so.\n")
	b.WriteString("\n## Verifying the whole log, all cores\n\n")
	r.rows(b, "entries then | hashes only, entries/s | MB/s | with signatures, entries/s | MB/s", func(p growthPoint) string {
		if p.Hashes == nil {
			return ""
		}
		text := fmt.Sprintf("%s | %s | %s | ", thousands(float64(p.Hashes.Entries)), thousands(p.Hashes.Rate), digits(float64(p.Hashes.Bytes)/1e6/p.Hashes.Seconds))
		if p.Audit == nil {
			return text + "not run | not run"
		}
		return text + fmt.Sprintf("%s | %s", thousands(p.Audit.Rate), digits(float64(p.Audit.Bytes)/1e6/p.Audit.Seconds))
	})
	b.WriteString("\nHashes: each entry is read from the ledger and hashed, and the tree over all is the one that was signed. With signatures: `verifier.Audit`, everything but judging chains.\n")
}

func (r *growthResults) errors() (all []string) {
	for _, p := range r.Points {
		if p.Error != "" {
			all = append(all, fmt.Sprintf("- %s, %s entries: %s\n", p.Shape, thousands(float64(p.Size)), p.Error))
		}
	}
	return all
}
