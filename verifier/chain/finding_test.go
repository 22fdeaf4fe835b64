package chain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What one entry shows, with the values in the text.
func TestFindingsOfAnEntry(t *testing.T) {
	claims := func(at time.Time) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.ClaimedTime = timestamppb.New(at) }
	}
	capture := func(c onusv1.Capture) func(*onusv1.Record) { return func(m *onusv1.Record) { m.Capture = c } }
	for _, c := range []struct {
		name string
		edit func(*onusv1.Record)
		want []chain.Finding
	}{
		{"nothing", nil, nil},
		{"claims just as much ahead as allowed", claims(logTime.Add(time.Minute)), nil},
		{"claims more ahead", claims(logTime.Add(time.Minute + time.Millisecond)), []chain.Finding{{Code: "CLOCK_SKEW", Severity: chain.Warn, Text: "claims 2026-03-01 12:01:00 UTC, 1m0s later than its log time 2026-03-01 12:00:00 UTC"}}},
		{"claims next year", claims(logTime.AddDate(1, 0, 0)), []chain.Finding{{Code: "CLOCK_SKEW", Severity: chain.Warn, Text: "claims 2027-03-01 12:00:00 UTC, 8760h0m0s later than its log time 2026-03-01 12:00:00 UTC"}}},
		{"just as late as allowed", claims(logTime.Add(-2 * time.Minute)), nil},
		{"later", claims(logTime.Add(-3 * time.Hour)), []chain.Finding{{Code: "LATE_RECORDED", Severity: chain.Warn, Text: "claims 2026-03-01 09:00:00 UTC, but was logged at 2026-03-01 12:00:00 UTC, 3h0m0s later; nothing proves the earlier time"}}},
		{"from a recorder", capture(onusv1.Capture_CAPTURE_RECORDER), []chain.Finding{{Code: "NOT_SELF_RECORDED", Severity: chain.Info, Text: "was not recorded by the agent itself (recorder): its author is asserted"}}},
		{"from telemetry", capture(onusv1.Capture_CAPTURE_TELEMETRY), []chain.Finding{{Code: "NOT_SELF_RECORDED", Severity: chain.Info, Text: "was not recorded by the agent itself (telemetry): its author is asserted"}}},
		{"imported", capture(onusv1.Capture_CAPTURE_IMPORT), []chain.Finding{{Code: "NOT_SELF_RECORDED", Severity: chain.Info, Text: "was not recorded by the agent itself (import): its author is asserted"}}},
		{"loss", func(m *onusv1.Record) {
			m.Sequence, m.Previous = 9, "abababababababababababababababababababababababababababababababab"
			m.Body = &onusv1.Record_Loss{Loss: &onusv1.Loss{FirstSequence: 3, LastSequence: 8}}
		}, []chain.Finding{{Code: "LOSS_DECLARED", Severity: chain.Warn, Text: "says that the records 3 to 8 of this instance are lost"}}},
		{"several", func(m *onusv1.Record) {
			m.Capture = onusv1.Capture_CAPTURE_IMPORT
			m.ClaimedTime = timestamppb.New(logTime.Add(-time.Hour))
		}, []chain.Finding{
			{Code: "LATE_RECORDED", Severity: chain.Warn, Text: "claims 2026-03-01 11:00:00 UTC, but was logged at 2026-03-01 12:00:00 UTC, 1h0m0s later; nothing proves the earlier time"},
			{Code: "NOT_SELF_RECORDED", Severity: chain.Info, Text: "was not recorded by the agent itself (import): its author is asserted"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := chain.Build(logged(5, newMaker(t).record(c.edit)), nil, policy)
			if diff := cmp.Diff(c.want, got.Nodes[0].Findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// However far a claimed time is off, it is found: the distance can be more
// than a time.Duration holds, which is 292 years.
func TestFindingsOfAgesApart(t *testing.T) {
	first, last := time.Unix(0, 0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, c := range []struct {
		claimed, logged time.Time
		want, says      string
	}{
		{first, logTime, "LATE_RECORDED", "492324h0m0s later"},
		{time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), logTime, "CLOCK_SKEW", "h0m0s later"},
		{time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC), logTime, "CLOCK_SKEW", "more than 292 years later"},
		{last, logTime, "CLOCK_SKEW", "more than 292 years later"},
		{last, first, "CLOCK_SKEW", "more than 292 years later"},
		{first, last, "LATE_RECORDED", "more than 292 years later"},
	} {
		r := newMaker(t).record(func(m *onusv1.Record) { m.ClaimedTime = timestamppb.New(c.claimed) })
		got := chain.Build([]chain.Entry{{LogTime: c.logged.UnixMilli(), Record: r}}, nil, policy).Nodes[0].Findings
		if len(got) != 1 || got[0].Code != c.want || !strings.Contains(got[0].Text, c.says) {
			t.Errorf("claims %v, logged at %v: %v, want %s, %q", c.claimed, c.logged, got, c.want, c.says)
		}
	}
}

// A policy may allow more than a time.Duration holds, too.
func TestFindingsOfPatientPolicy(t *testing.T) {
	years := func(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n * 365 * 86400, Nanos: 1} }
	patient := &onusv1.Policy{ClockSkew: years(500), LateAfter: years(400)}
	for _, c := range []struct {
		off  int // in years
		want int
	}{{499, 0}, {501, 1}, {-399, 0}, {-401, 1}} {
		logged := time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)
		r := newMaker(t).record(func(m *onusv1.Record) { m.ClaimedTime = timestamppb.New(logged.AddDate(0, 0, 365*c.off)) })
		got := chain.Build([]chain.Entry{{LogTime: logged.UnixMilli(), Record: r}}, nil, patient).Nodes[0].Findings
		if len(got) != c.want {
			t.Errorf("%d years off: %v, want %d", c.off, got, c.want)
		}
	}
}

// A policy without tolerance finds every difference.
func TestFindingsOfStrictPolicy(t *testing.T) {
	strict := &onusv1.Policy{ClockSkew: durationpb.New(0), LateAfter: durationpb.New(0)}
	for want, by := range map[string]time.Duration{"CLOCK_SKEW": time.Millisecond, "LATE_RECORDED": -time.Millisecond} {
		r := newMaker(t).record(func(m *onusv1.Record) { m.ClaimedTime = timestamppb.New(logTime.Add(by)) })
		got := chain.Build(logged(0, r), nil, strict).Nodes[0].Findings
		if len(got) != 1 || got[0].Code != want {
			t.Errorf("%v off: %v, want %s", by, got, want)
		}
	}
}

func TestCaptureWord(t *testing.T) {
	for c, want := range map[onusv1.Capture]string{
		onusv1.Capture_CAPTURE_SELF: "self", onusv1.Capture_CAPTURE_RECORDER: "recorder",
		onusv1.Capture_CAPTURE_TELEMETRY: "telemetry", onusv1.Capture_CAPTURE_IMPORT: "import",
		onusv1.Capture_CAPTURE_UNSPECIFIED: "unknown", 99: "unknown",
	} {
		if got := chain.CaptureWord(c); got != want {
			t.Errorf("CaptureWord(%v) = %q, want %q", c, got, want)
		}
	}
}
