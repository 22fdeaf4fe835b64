package web

import (
	"time"

	"github.com/onus-ledger/onus/web/desk"
)

// periodNames are the periods that are offered.
var periodNames = []struct{ name, word string }{
	{"today", "Today"}, {"7d", "7 days"}, {"30d", "30 days"}, {"quarter", "Quarter"}, {"all", "All"},
}

const defaultPeriod = "30d"

// period is a span of days, by log time and in UTC.
type period struct {
	desk.Period
	// Name is empty for one with days of its own.
	Name string
	// First and Last are its days; zero if it has no bound there.
	First, Last time.Time
}

// parsePeriod reads what was chosen. Days that somebody typed go before a name.
// today is the day that it ends with, unless it says otherwise.
func parsePeriod(name, from, to string, today time.Time) (period, error) {
	today = today.UTC().Truncate(24 * time.Hour)
	if from != "" || to != "" {
		p := period{}
		var err error
		if from != "" {
			if p.First, err = parseDay(from); err != nil {
				return p, err
			}
		}
		if to != "" {
			if p.Last, err = parseDay(to); err != nil {
				return p, err
			}
		}
		if from != "" && to != "" && p.Last.Before(p.First) {
			return p, badRequest("Choose a day to begin with that is not after the last.", "The period ends before it begins.")
		}
		return p.bound(), nil
	}
	p := period{Name: name, Last: today}
	switch name {
	case "", defaultPeriod:
		p.Name, p.First = defaultPeriod, today.AddDate(0, 0, -29)
	case "today":
		p.First = today
	case "7d":
		p.First = today.AddDate(0, 0, -6)
	case "quarter":
		p.First = time.Date(today.Year(), (today.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	case "all":
		p.Last = time.Time{}
	default:
		return p, badRequest("Choose one from the list.", "There is no period %q.", say(name))
	}
	return p.bound(), nil
}

func parseDay(s string) (time.Time, error) {
	t, err := time.Parse(dayForm, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return t, badRequest("Write days as in 2026-11-25.", "%q is no day.", say(s))
	}
	return t, nil
}

// bound makes log times of the days; the last one counts.
func (p period) bound() period {
	if !p.First.IsZero() {
		p.From = p.First.UnixMilli()
	}
	if !p.Last.IsZero() {
		p.To = p.Last.AddDate(0, 0, 1).UnixMilli()
	}
	return p
}

// String says the period in days.
func (p period) String() string {
	first, last := p.First.Format(dayForm), p.Last.Format(dayForm)
	switch {
	case p.First.IsZero() && p.Last.IsZero():
		return "the whole log"
	case p.First.IsZero():
		return "up to " + last
	case p.Last.IsZero():
		return "from " + first + " on"
	case first == last:
		return first
	}
	return first + " to " + last
}

// Since and Until are the days as addresses and forms have them.
func (p period) Since() string {
	if p.First.IsZero() {
		return ""
	}
	return p.First.Format(dayForm)
}

// Until is the last day.
func (p period) Until() string {
	if p.Last.IsZero() {
		return ""
	}
	return p.Last.Format(dayForm)
}
