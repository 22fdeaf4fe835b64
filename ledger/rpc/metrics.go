package rpc

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/onus-ledger/onus/ledger"
)

// metricsProcedure is the name under which the table knows GET /metrics.
const metricsProcedure = "/metrics"

// metrics answers what an operator's monitoring asks, in Prometheus' text format.
// It is for the roles that may call GetStatus.
func (s *service) metrics(w http.ResponseWriter, r *http.Request) {
	if _, err := s.guard.enterPlain(r, metricsProcedure); err != nil {
		plainError(w, err)
		return
	}
	v, err := s.ledger.Vitals()
	if err != nil {
		plainError(w, s.fail(err))
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(writeMetrics(&v, s.guard.denied.Load(), s.ledger.UncheckedTokens(), time.Now()))
}

// writeMetrics writes all that there is to say. What is not there, such as a guard
// or the time of a cosignature that nobody made, has no line.
func writeMetrics(v *ledger.Vitals, denied, unchecked int64, now time.Time) []byte {
	var x exposition
	x.gauge("onus_log_entries", "Durable entries of the log.", value(v.Size))
	x.gauge("onus_log_newest_entry_timestamp_seconds", "Log time of the newest entry.", sample{value: float64(v.LogTime) / 1000})
	x.counter("onus_records_logged_total", "Entries logged since the ledger was opened, the ledger's own among them.", value(v.Logged))
	x.counter("onus_records_refused_total", "Submissions refused since the ledger was opened, those that found the queue full among them.", value(v.Refused))
	x.gauge("onus_queue_records", "Admitted records that wait for a commit.", value(v.Queued))
	x.gauge("onus_queue_limit_records", "How many records may wait; beyond that, submissions are refused.", value(v.QueueBound))
	x.gauge("onus_last_commit_age_seconds", "Time since the newest commit, or since the ledger was opened.", seconds(v.SinceCommit))
	x.counter("onus_calls_denied_total", "Calls denied for want of a credential or of a role.", value(denied))
	x.counter("onus_user_tokens_unchecked_total", "Users' tokens that could not be checked, because their issuer's keys could not be had.", value(unchecked))
	if v.HasGuard {
		x.gauge("onus_guard_entries", "Entries that the rollback guard covers.", value(v.Guarded))
		x.gauge("onus_guard_behind_seconds", "Time since the first entry was logged that the guard does not cover; 0 if it covers all.", seconds(v.GuardBehind))
		x.gauge("onus_guard_failing", "1 if the newest attempt to write the guard failed.", failing(v.GuardErr))
	}
	if v.Quorum == "" {
		return x.b
	}
	var size, lag, age, fails []sample
	for i := range v.Witnesses {
		s := &v.Witnesses[i]
		size = append(size, value(s.Size).of(s.Name))
		// A cosignature may have come between the two looks at the log.
		lag = append(lag, value(max(0, v.Size-s.Size)).of(s.Name))
		fails = append(fails, failing(s.Err).of(s.Name))
		if s.Size > 0 {
			age = append(age, seconds(max(0, now.Sub(time.Unix(s.Time, 0)))).of(s.Name))
		}
	}
	x.gauge("onus_witness_entries", "Size of the newest tree that the witness cosigned.", size...)
	x.gauge("onus_witness_lag_entries", "Entries of the log that the witness has not cosigned.", lag...)
	x.gauge("onus_witness_last_cosignature_age_seconds", "Time since the witness's newest cosignature, which is by the witness's clock.", age...)
	x.gauge("onus_witness_failing", "1 if the newest attempt to have the witness cosign failed.", fails...)
	x.gauge("onus_witnessed_entries", "Size of the newest tree for which the policy's quorum is met.", value(v.WitnessedSize))
	if v.WitnessedTime > 0 {
		x.gauge("onus_witnessed_timestamp_seconds", "When that quorum was met, by the witnesses' clocks.", value(v.WitnessedTime))
	}
	return x.b
}

// exposition is Prometheus' text format, version 0.0.4.
type exposition struct{ b []byte }

// sample is one line of a metric.
type sample struct {
	witness string // its label; empty: none
	value   float64
}

func value[T int | int64](v T) sample { return sample{value: float64(v)} }

func seconds(d time.Duration) sample { return sample{value: d.Seconds()} }

func failing(err error) sample {
	if err != nil {
		return sample{value: 1}
	}
	return sample{}
}

func (s sample) of(witness string) sample {
	s.witness = witness
	return s
}

func (x *exposition) gauge(name, help string, samples ...sample) {
	x.family(name, "gauge", help, samples)
}

func (x *exposition) counter(name, help string, samples ...sample) {
	x.family(name, "counter", help, samples)
}

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// family writes a metric; one without samples is left out.
func (x *exposition) family(name, kind, help string, samples []sample) {
	if len(samples) == 0 {
		return
	}
	x.add("# HELP ", name, " ", escapeHelp.Replace(help), "\n# TYPE ", name, " ", kind, "\n")
	for _, s := range samples {
		x.add(name)
		if s.witness != "" {
			// What is no UTF-8 would spoil the whole answer for its reader.
			x.add(`{witness="`, escapeLabel.Replace(strings.ToValidUTF8(s.witness, "\uFFFD")), `"}`)
		}
		x.add(" ", strconv.FormatFloat(s.value, 'f', -1, 64), "\n")
	}
}

func (x *exposition) add(parts ...string) {
	for _, p := range parts {
		x.b = append(x.b, p...)
	}
}
