package chain

import "slices"

// Outcomes returns the outcomes that an action may have, the worst first.
func Outcomes() []Outcome { return slices.Clone(outcomeOrder) }

// All returns every finding of the verdict part: those of actions and the
// rest.
func (out *Judgement) All() []Finding {
	all := slices.Clone(out.Findings)
	for _, v := range out.Actions {
		all = append(all, v.Findings...)
	}
	return all
}

// TitleOf returns what people read for a finding; the code itself if it is not
// known here.
func TitleOf(code string) string {
	if r := ruleOf[code]; r != nil {
		return r.Title
	}
	return code
}
