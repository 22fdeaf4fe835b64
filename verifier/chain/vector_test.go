package chain_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// vector shows one finding, for whoever writes these rules again: a log, and
// what is to be said about one chain of it.
type vector struct {
	// Entries are leaves, after those of testdata/findings/log.json.
	Entries [][]byte `json:"entries"`
	// Of is a record of the chain that is judged, Time the log's time then.
	Of   string `json:"of"`
	Time int64  `json:"time"`
	// Faults are what is wrong with the evidence.
	Faults []fault `json:"faults,omitempty"`
	// Want is what [told] tells.
	Want []string `json:"want"`
}

type fault struct {
	Index int64  `json:"index"`
	Code  string `json:"code"`
}

// told lists verdicts and findings by index: what a vector wants.
func told(out *chain.Judgement) []string {
	var lines []string
	say := func(what string, fs []chain.Finding) {
		for _, f := range fs {
			l := fmt.Sprintf("%s %d %s %s %s", what, f.Index, f.Code, f.Kind, f.Severity)
			if f.Forces != "" {
				l += " forces " + string(f.Forces)
			}
			lines = append(lines, l+" "+string(f.State))
		}
	}
	for _, v := range out.Actions {
		lines = append(lines, fmt.Sprintf("verdict %d %s %s", v.Index, v.Code, v.State))
		say("finding", v.Findings)
	}
	say("finding", out.Findings)
	say("omission", out.Evidence.Omissions)
	return append(lines, "outcome "+string(out.Outcome))
}

// reader is a log that is read from its leaves alone, as an auditor does.
type reader struct {
	t       testing.TB
	reg     *registry.Registry
	s       *authority.State
	whole   *chain.WholeLog
	entries []chain.Entry
}

func newReader(t testing.TB, leaves [][]byte) *reader {
	t.Helper()
	reg := registry.New()
	r := &reader{t: t, reg: reg, s: authority.New(reg, authority.NewMemory()), whole: chain.NewWholeLog()}
	for _, raw := range leaves {
		r.add(raw)
	}
	return r
}

func (r *reader) add(raw []byte) {
	r.t.Helper()
	at := int64(len(r.entries))
	e, err := entry.Parse(raw)
	if err != nil {
		r.t.Fatalf("entry %d: %v", at, err)
	}
	rec, err := record.Parse(e.Envelope)
	read := chain.Entry{Index: at, LogTime: e.Stamp.LogTime, Record: rec, Stamp: &e.Stamp}
	switch {
	case record.IsNewer(err):
		read.Record, read.Opaque = &record.Record{ID: e.Envelope.ID()}, chain.Newer
	case err != nil:
		r.t.Fatalf("entry %d: %v", at, err)
	default:
		if _, err := r.reg.Authenticate(rec, at); err != nil {
			r.t.Fatalf("entry %d: %v", at, err)
		}
		if err := r.reg.CheckAssurance(rec, at, &e.Stamp); err != nil {
			r.t.Fatalf("entry %d: %v", at, err)
		}
		if diff := cmp.Diff(e.Stamp.Uses, r.s.Uses(rec, at, e.Stamp.LogTime)); diff != "" {
			r.t.Fatalf("entry %d: the stamp has other uses:\n%s", at, diff)
		}
		if err := r.reg.Add(rec, at, tree.LeafHash(raw), &e.Stamp); err != nil {
			r.t.Fatalf("entry %d: %v", at, err)
		}
		r.s.Add(rec, at, &e.Stamp)
	}
	r.whole.Add(read)
	r.entries = append(r.entries, read)
}

func (r *reader) judge(of record.ID, now int64, faults map[int64][]chain.Fault) *chain.Judgement {
	c := chain.Build(chainOf(r.entries, of), elsewhere(r.entries), r.reg.Genesis().GetPolicy())
	return chain.Judge(c, chain.Basis{Registry: r.reg, Authority: r.s, Size: int64(len(r.entries)), Time: now, Faults: faults,
		Hand: chain.Hand{Source: chain.FromLog, Log: r.whole}})
}

// Every finding has a vector, and every vector says what it wants: read from
// the files alone.
func TestFindingVectors(t *testing.T) {
	dir := filepath.Join("testdata", "findings")
	var base [][]byte
	readJSON(t, filepath.Join(dir, "log.json"), &base)
	wanted := 1 // the log
	for _, r := range chain.Rules {
		if r.Pending {
			continue
		}
		wanted++
		t.Run(r.Code, func(t *testing.T) {
			var v vector
			readJSON(t, filepath.Join(dir, r.Code+".json"), &v)
			of, err := record.ParseID(v.Of)
			if err != nil {
				t.Fatal(err)
			}
			faults := map[int64][]chain.Fault{}
			for _, f := range v.Faults {
				faults[f.Index] = append(faults[f.Index], chain.Fault{Code: f.Code, Text: "does not verify"})
			}
			out := newReader(t, append(slices.Clone(base), v.Entries...)).judge(of, v.Time, faults)
			if diff := cmp.Diff(v.Want, told(out)); diff != "" {
				t.Errorf("judgement (-want +got):\n%s", diff)
			}
			if !slices.ContainsFunc(v.Want, func(l string) bool { return strings.Contains(l, " "+r.Code+" ") }) {
				t.Errorf("the vector of %s does not want it", r.Code)
			}
		})
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*.json")); err != nil || len(files) != wanted {
		t.Errorf("%d files, want %d: a vector for each finding that is not pending (%v)", len(files), wanted, err)
	}
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
