package main

import "slices"

// results is one run of the matrix; it is written as JSON, with every raw
// figure, and as a table and a plot made from that.
type results struct {
	Machine    machine           `json:"machine"`
	Rounds     int               `json:"rounds"`
	Took       float64           `json:"took_seconds"`
	Seconds    float64           `json:"seconds"`
	Warm       float64           `json:"warm_seconds"`
	EntrySize  int               `json:"entry_bytes"`
	Submitters []int             `json:"submitters"`
	Systems    []string          `json:"systems"`
	Missing    map[string]string `json:"missing,omitempty"`
	Cells      []outcome         `json:"cells"`
}

// write replaces base.json, base.md and base.svg.
func (r *results) write(base string) error {
	return writeResults(base, r, r.markdown(), r.plot())
}

func (r *results) failed() int {
	n := 0
	for _, c := range r.Cells {
		if c.Error != "" {
			n++
		}
	}
	return n
}

// done returns the cells that have figures.
func (r *results) done() []outcome {
	return slices.DeleteFunc(slices.Clone(r.Cells), func(c outcome) bool { return c.Error != "" })
}

// spread is a median with the least and the greatest.
type spread struct{ min, median, max float64 }

// of returns the rounds of one cell that have a figure, and an error of one that
// has none.
func (r *results) of(system string, submitters int) (rounds []outcome, failure string) {
	for _, c := range r.Cells {
		switch {
		case c.System != system || c.Submitters != submitters:
		case c.Error != "":
			failure = c.Error
		default:
			rounds = append(rounds, c)
		}
	}
	return rounds, failure
}

func spreadOf(rounds []outcome, figure func(outcome) float64) spread {
	all := make([]float64, len(rounds))
	for i, o := range rounds {
		all[i] = figure(o)
	}
	slices.Sort(all)
	n := len(all)
	return spread{all[0], (all[(n-1)/2] + all[n/2]) / 2, all[n-1]}
}

func rate(o outcome) float64   { return o.Rate }
func p50(o outcome) float64    { return o.P50 }
func p99(o outcome) float64    { return o.P99 }
func cpu(o outcome) float64    { return o.CPU }
func others(o outcome) float64 { return o.Others }
