package rpc_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
)

var (
	metricLine = regexp.MustCompile(`^([a-z_][a-z0-9_]*)(\{witness="((?:[^"\\\n]|\\[\\"n])*)"\})? (\S+)$`)
	headerLine = regexp.MustCompile(`^# (HELP|TYPE) ([a-z_][a-z0-9_]*) (.+)$`)
)

// parseMetrics reads Prometheus' text format, version 0.0.4, and is stricter: a
// metric has its HELP, its TYPE and then its samples, once, and nothing else is
// there. A sample's key is its name, with its label after a space.
func parseMetrics(text string) (map[string]float64, error) {
	out, seen := map[string]float64{}, map[string]bool{}
	var name, kind string
	state := "SAMPLE"
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line does not end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if h := headerLine.FindStringSubmatch(line); h != nil {
			switch {
			case h[1] == "HELP" && state == "SAMPLE" && !seen[h[2]]:
				name, seen[h[2]] = h[2], true
			case h[1] == "TYPE" && state == "HELP" && h[2] == name && (h[3] == "gauge" || h[3] == "counter"):
				kind = h[3]
			default:
				return nil, fmt.Errorf("%q comes after %s of %s", line, state, name)
			}
			state = h[1]
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil || state == "HELP" || m[1] != name || (kind == "counter") != strings.HasSuffix(name, "_total") {
			return nil, fmt.Errorf("%q comes after %s of the %s %s", line, state, kind, name)
		}
		v, err := strconv.ParseFloat(m[4], 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%q: %v, %v", line, v, err)
		}
		key := name
		if m[2] != "" {
			key += " " + strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(m[3])
		}
		if _, again := out[key]; again {
			return nil, fmt.Errorf("%q is there twice", key)
		}
		out[key], state = v, "SAMPLE"
	}
	if state != "SAMPLE" {
		return nil, fmt.Errorf("%s has no sample", name)
	}
	return out, nil
}

// metrics reads them as anybody.
func (s *server) metrics() map[string]float64 {
	s.t.Helper()
	resp, err := http.Get(s.url + "/metrics")
	must(s.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(s.t, err)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" || resp.Header.Get("Cache-Control") != "no-store" {
		s.t.Fatalf("GET /metrics: %d %v\n%s", resp.StatusCode, resp.Header, b)
	}
	m, err := parseMetrics(string(b))
	if err != nil {
		s.t.Fatalf("%v, in\n%s", err, b)
	}
	return m
}

// until reads the metrics until f is content with them.
func (s *server) until(what string, f func(m map[string]float64) bool) map[string]float64 {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for {
		m := s.metrics()
		if f(m) {
			return m
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			s.t.Fatalf("%s: never, at last %v", what, m)
		}
	}
}

// An outage of a witness shows, and its end; names that need quoting are read back.
func TestMetricsOfWitnesses(t *testing.T) {
	const odd = `o"d\d"n\n`
	s, ws, _ := newWatchedServerAs(t, "w0", odd, "w2")
	submit := func() {
		t.Helper()
		_, err := s.client.Submit(t.Context(), &onusv1.SubmitRequest{Envelope: s.next(nil).Envelope.Proto(), Wait: onusv1.Wait_WAIT_WITNESSED})
		must(t, err)
	}
	ready := func(m map[string]float64) bool {
		for _, w := range []string{"w0", odd, "w2"} {
			if m["onus_witness_failing "+w] != 0 || m["onus_witness_lag_entries "+w] != 0 || m["onus_witness_entries "+w] != m["onus_log_entries"] {
				return false
			}
		}
		return m["onus_witnessed_entries"] == m["onus_log_entries"]
	}
	submit()
	s.until("all cosign", ready)

	ws[1].Fault(refuse)
	submit()
	size := s.ledger.Size()
	m := s.until("one fails", func(m map[string]float64) bool {
		return m["onus_witness_failing "+odd] == 1 && m["onus_witness_lag_entries w0"] == 0 && m["onus_witness_lag_entries w2"] == 0
	})
	for key, want := range map[string]float64{
		"onus_log_entries": float64(size), "onus_witness_entries " + odd: float64(size - 1), "onus_witness_lag_entries " + odd: 1,
		"onus_witness_entries w0": float64(size), "onus_witness_failing w0": 0, "onus_witness_failing w2": 0, "onus_witnessed_entries": float64(size),
		"onus_queue_limit_records": 8192, "onus_queue_records": 0, "onus_records_logged_total": float64(size), "onus_records_refused_total": 0,
		"onus_calls_denied_total": 0, "onus_user_tokens_unchecked_total": 0,
	} {
		if got, ok := m[key]; !ok || got != want {
			t.Errorf("%s is %v, %v; want %v", key, got, ok, want)
		}
	}
	now := float64(time.Now().Unix())
	for key, most := range map[string]float64{"onus_log_newest_entry_timestamp_seconds": now + 1, "onus_witnessed_timestamp_seconds": now + 1,
		"onus_witness_last_cosignature_age_seconds w0": 3600, "onus_witness_last_cosignature_age_seconds " + odd: 3600, "onus_last_commit_age_seconds": 3600} {
		if got, ok := m[key]; !ok || got > most || most > 3600 && got < now-3600 {
			t.Errorf("%s is %v, %v", key, got, ok)
		}
	}
	for key := range m {
		if strings.HasPrefix(key, "onus_guard") {
			t.Errorf("there is no guard, and there is %s", key)
		}
	}

	ws[1].Fault(nil)
	s.until("all cosign again", ready)
}

// A witness that never cosigned is behind by the whole log, and has no age.
func TestMetricsOfAWitnessThatNeverCosigned(t *testing.T) {
	s, ws, _ := newWatchedServerAs(t, "w0", "w1", "down2")
	m := s.until("two cosign and one fails", func(m map[string]float64) bool {
		return m["onus_witness_failing down2"] == 1 && m["onus_witnessed_entries"] == m["onus_log_entries"]
	})
	if size, ok := m["onus_witness_entries down2"]; !ok || size != 0 || m["onus_witness_lag_entries down2"] != m["onus_log_entries"] {
		t.Errorf("a witness that never cosigned: %v", m)
	}
	if age, ok := m["onus_witness_last_cosignature_age_seconds down2"]; ok {
		t.Errorf("it cosigned %v seconds ago", age)
	}
	ws[2].Fault(nil)
	s.until("it cosigns", func(m map[string]float64) bool {
		_, ok := m["onus_witness_last_cosignature_age_seconds down2"]
		return ok && m["onus_witness_failing down2"] == 0 && m["onus_witness_lag_entries down2"] == 0
	})
}

// failingGuard works until it is told not to.
type failingGuard struct {
	ledger.Guard
	fails chan struct{} // closed: it does
}

func (g failingGuard) Save(b []byte) error {
	select {
	case <-g.fails:
		return fmt.Errorf("the disk is full")
	default:
		return g.Guard.Save(b)
	}
}

// The guard shows, and what is refused and denied is counted; without witnesses
// nothing is said of them.
func TestMetricsOfGuardAndCalls(t *testing.T) {
	g := failingGuard{ledger.FileGuard(t.TempDir() + "/guard"), make(chan struct{})}
	w := newWorldWith(t, nil, func(c *ledger.Config) { c.Guard = g }, nil)
	read := func() map[string]float64 {
		t.Helper()
		resp, body := w.fetch("administrator", "/metrics")
		m, err := parseMetrics(body)
		if resp.StatusCode != http.StatusOK || err != nil {
			t.Fatalf("%d, %v\n%s", resp.StatusCode, err, body)
		}
		return m
	}
	until := func(f func(m map[string]float64) bool) map[string]float64 {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if m := read(); f(m) || time.Now().After(end) {
				return m
			}
		}
	}
	m := until(func(m map[string]float64) bool { return m["onus_guard_entries"] == m["onus_log_entries"] })
	if m["onus_guard_entries"] != float64(w.ledger.Size()) || m["onus_guard_behind_seconds"] != 0 || m["onus_guard_failing"] != 0 {
		t.Errorf("a guard that works: %v", m)
	}
	for key := range m {
		if strings.HasPrefix(key, "onus_witness") {
			t.Errorf("there are no witnesses, and there is %s", key)
		}
	}

	close(g.fails)
	before := m
	w.growTo(w.ledger.Size() + 3)
	env := w.next(nil).Envelope
	env.Signature = append([]byte(nil), env.Signature...)
	env.Signature[3] ^= 1
	if _, err := w.as("agent").Submit(t.Context(), &onusv1.SubmitRequest{Envelope: env.Proto()}); err == nil {
		t.Fatal("a spoilt signature was logged")
	}
	w.fetch("nobody", "/metrics")
	w.fetch("agent", "/metrics")
	m = until(func(m map[string]float64) bool {
		return m["onus_guard_failing"] == 1 && m["onus_guard_behind_seconds"] > 0
	})
	for key, more := range map[string]float64{"onus_log_entries": 3, "onus_records_logged_total": 3, "onus_records_refused_total": 1, "onus_calls_denied_total": 2, "onus_guard_entries": 0, "onus_guard_failing": 1} {
		if m[key] != before[key]+more {
			t.Errorf("%s is %v, it was %v; want %v more", key, m[key], before[key], more)
		}
	}
	if m["onus_guard_behind_seconds"] <= 0 {
		t.Errorf("a guard that fails: %v", m)
	}
}

// Who may call GetStatus may read them, and where everybody may do everything,
// everybody.
func TestWhoMayReadMetrics(t *testing.T) {
	w := newWorld(t, func(srv *rpc.Server) { srv.OpenSubmit = true })
	w.tokens["unknown"] = "onus_" + strings.Repeat("A", 43)
	for caller, want := range map[string]int{"nobody": 401, "unknown": 401, "agent": 403, "operator": 403, "strange agent": 403, "auditor": 200, "compliance": 200, "administrator": 200} {
		resp, body := w.fetch(caller, "/metrics")
		if resp.StatusCode != want || resp.Header.Get("Cache-Control") != "no-store" || strings.Contains(body, "onus_log_entries") != (want == 200) {
			t.Errorf("%s: %d, want %d: %s", caller, resp.StatusCode, want, body)
		}
		if got := resp.Header.Get("WWW-Authenticate"); (got != "") != (want == 401) {
			t.Errorf("%s: WWW-Authenticate %q", caller, got)
		}
	}
	if _, body := w.fetch("agent", "/metrics"); !strings.Contains(body, "metrics needs the role auditor, compliance or administrator") {
		t.Errorf("the denial says %q", body)
	}
	w.checkLog()
	newServer(t, nil).metrics()
}

// The parser of these tests refuses what is out of order.
func TestParseMetricsIsStrict(t *testing.T) {
	const good = "# HELP a Help.\n# TYPE a gauge\na 1\n"
	if _, err := parseMetrics(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		"a 1\n", "# HELP a Help.\na 1\n", "# TYPE a gauge\na 1\n", "# HELP a Help.\n# TYPE a gauge\n", good + good, good + "b 1\n", good + "\n", good + "a 2\n",
		"# HELP a Help.\n# TYPE a gauge\na one\n", "# HELP a Help.\n# TYPE a counter\na 1\n", "# HELP a_total Help.\n# TYPE a_total gauge\na_total 1\n",
		"# HELP a Help.\n# TYPE a gauge\na{witness=\"w\"w\"} 1\n", "# HELP a Help.\n# TYPE a gauge\na{witness=\"w\\\"} 1\n", "# HELP a Help.\n# TYPE a gauge\na 1", "# HELP a Help.\n# TYPE a gauge\na  1\n",
	} {
		if m, err := parseMetrics(bad); err == nil {
			t.Errorf("%q: %v", bad, m)
		}
	}
}
