package desk

import (
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
)

const (
	day   = 24 * time.Hour
	month = 30 * day
	// silentFactor times the longest pause of the month before is silence.
	silentFactor = 5
)

// life is when an agent class recorded. It is never changed once published.
type life struct {
	first, last int64
	// pauses of the month before its last record: those that no later one
	// exceeds, so that the first is the longest. There are few: each is shorter
	// than the one before.
	pauses []pause
}

// pause is a time without records, and when it ended.
type pause struct{ ended, length int64 }

// maxPauses bounds the list. Beyond it the shortest are forgotten, so that a
// silence may be told too early by an agent whose pauses only ever shrink.
const maxPauses = 256

// alive notes that an agent class recorded something.
func (r *round) alive(e chain.Entry) {
	agent := e.Record.Msg.GetAuthor().GetAgent()
	if agent == "" || e.Opaque != chain.Readable {
		return
	}
	t := r.put(kindAgent, agent)
	l := r.lives[t]
	if l == nil {
		if old := r.state.lives[t]; old != nil {
			c := *old
			c.pauses = append([]pause(nil), old.pauses...)
			l = &c
		} else {
			l = &life{first: e.LogTime, last: e.LogTime}
		}
		r.lives[t] = l
	}
	l.add(e.LogTime)
}

func (l *life) add(at int64) {
	p := pause{at, at - l.last}
	l.last = max(l.last, at)
	if p.length > 0 {
		for len(l.pauses) > 0 && l.pauses[len(l.pauses)-1].length <= p.length {
			l.pauses = l.pauses[:len(l.pauses)-1]
		}
		if len(l.pauses) < maxPauses {
			l.pauses = append(l.pauses, p)
		}
	}
	for len(l.pauses) > 0 && l.pauses[0].ended < l.last-month.Milliseconds() {
		l.pauses = l.pauses[1:]
	}
}

// patience is how long after its last record an agent falls silent, if it made
// pauses.
func (l *life) patience() int64 {
	if len(l.pauses) == 0 {
		return 0
	}
	return max(day.Milliseconds(), silentFactor*l.pauses[0].length)
}

// silent reports whether the agent has stopped, by a time: for more than a day
// and for more than five times its longest pause. One that made no pause that
// can be told (a single record, or several at one time) did not use to record.
// Of a time before its last record nothing is told.
func (l *life) silent(at int64) bool { return len(l.pauses) > 0 && at-l.last > l.patience() }

// revokedAgent reports whether an agent class has been revoked: then nobody
// waits for its records.
func (d *Desk) revokedAgent(agent string, at int64) bool {
	reg := d.log.Registry()
	class, _ := reg.Agent(agent, at)
	return len(reg.Revocations(&onusv1.Author{Agent: agent, Operator: class.GetOperator()}, at)) > 0
}
