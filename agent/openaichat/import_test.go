package openaichat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/openaichat"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/chain"
)

// describe writes a step as one line: number, what it hangs on and why, what it
// is.
func describe(i int, s openaichat.Step) string {
	out := fmt.Sprintf("%d<%d%v ", i, s.After, s.Because)
	switch {
	case s.Intent != nil:
		return out + "intent " + s.Intent.Text
	case s.Interpretation != nil:
		return out + "interpretation " + s.Interpretation.Text
	case s.Decision != nil:
		return out + "decision " + s.Decision.Text
	case s.Action != nil:
		e := s.Action.Element
		return out + e.Type + ":" + e.Action + " " + e.Location + " " + s.Action.Arguments + " " + s.Action.RequestID
	}
	return out + strings.ToLower(strings.TrimPrefix(s.Outcome.Status.String(), "OUTCOME_STATUS_")) + " " + s.Outcome.Result + " " + s.Outcome.RequestID
}

func TestSteps(t *testing.T) {
	all, err := read(small)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, s := range all[0].Steps("airline/1", openaichat.DefaultTools) {
		got = append(got, describe(i, s))
	}
	want := []string{
		"0<-1[] intent book a flight",
		"1<0[] interpretation from where?",
		"2<1[] intent JFK\nto SEA",
		"3<2[] tool:search urn:tool:search {} airline/1/4/c1",
		"4<2[] tool:weather urn:tool:weather {} airline/1/4/c2",
		"5<4[] failed Error: no weather airline/1/4/c2",
		"6<3[] succeeded HAT1 airline/1/4/c1",
		"7<2[5 6] decision I book HAT1",
		`8<7[] tool:book urn:tool:book {"id":1} airline/1/7/c1`,
		"9<8[] unknown  airline/1/7/c1",
		"10<7[9] decision that took too long",
		"11<10[] intent bye",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

var secret = bytes.Repeat([]byte{7}, openaichat.SecretSize)

func options(a *agent.Agent) openaichat.Options {
	return openaichat.Options{Agent: a, Name: "airline", Secret: secret, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func TestImportSmall(t *testing.T) {
	l := newLog(t)
	file := small + "\n" + small + "\n"
	o := options(must(agent.New(l.config)))
	var heard openaichat.Summary
	o.Progress = func(s openaichat.Summary) { heard = s }
	got, err := openaichat.Import(t.Context(), strings.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	want := openaichat.Summary{Conversations: 2, Messages: 22, Records: 24, Actions: 6, Succeeded: 2, Failed: 2, Unknown: 2}
	if got != want || heard != want {
		t.Errorf("Import gives %+v, and told %+v, want %+v", got, heard, want)
	}
	// Another process, and the same again: nothing new.
	size := l.Size()
	again, err := openaichat.Import(t.Context(), strings.NewReader(file), options(must(agent.New(l.config))))
	want.Duplicates = want.Records
	if err != nil || again != want || l.Size() != size {
		t.Errorf("Import again gives %+v, %v, and the log grew by %d", again, err, l.Size()-size)
	}
	// All texts are off the log, under the user's key; nothing is withheld.
	e := must(l.Entry(4))
	m := e.Record.Msg
	if m.GetCapture() != onusv1.Capture_CAPTURE_IMPORT || m.GetClaimedTime().AsTime() != o.Time || m.GetStages().GetIntent().GetText().GetCommitment() == nil {
		t.Errorf("record is %v", m)
	}
	cs := must(l.Contents(e))
	if len(cs) != 1 || string(cs[0].GetData()) != "book a flight" || cs[0].GetSubject() != m.GetUser() || must(l.Name(m.GetUser())) != "mia" {
		t.Errorf("contents are %v of user %s", cs, m.GetUser())
	}
	// Nothing is common to two imports with different secrets, lines or logs.
	seen := map[string]string{}
	collect := func(what string, l *testLog) {
		for i := int64(4); i < l.Size(); i++ {
			r := must(l.Entry(i)).Record
			for _, f := range r.Texts() {
				c := string(f.Text.GetCommitment())
				if seen[c] != "" {
					t.Errorf("%s entry %d has the commitment of %s", what, i, seen[c])
				}
				seen[c] = fmt.Sprintf("%s entry %d", what, i)
			}
		}
	}
	collect("first", l)
	other := newLog(t)
	o = options(must(agent.New(other.config)))
	o.Secret = bytes.Repeat([]byte{8}, openaichat.SecretSize)
	must(openaichat.Import(t.Context(), strings.NewReader(file), o))
	collect("another secret", other)
	l.audit()
}

func TestImportRefuses(t *testing.T) {
	l := newLog(t)
	for name, edit := range map[string]func(*openaichat.Options){
		"no agent":     func(o *openaichat.Options) { o.Agent = nil },
		"no name":      func(o *openaichat.Options) { o.Name = "" },
		"bad name":     func(o *openaichat.Options) { o.Name = "a/b" },
		"short secret": func(o *openaichat.Options) { o.Secret = secret[:31] },
		"no time":      func(o *openaichat.Options) { o.Time = time.Time{} },
	} {
		o := options(must(agent.New(l.config)))
		edit(&o)
		if _, err := openaichat.Import(t.Context(), strings.NewReader(small), o); err == nil {
			t.Errorf("%s: Import goes on", name)
		}
	}
	// A bad line stops the import; what came before is logged and counted.
	o := options(must(agent.New(l.config)))
	got, err := openaichat.Import(t.Context(), strings.NewReader(small+"\n{}\n"+small), o)
	var e *openaichat.Error
	if !errors.As(err, &e) || e.Line != 2 || got.Conversations != 1 {
		t.Errorf("Import gives %+v, %v", got, err)
	}
	// What breaks a rule of records names its line.
	o.Tools = "no location "
	if _, err := openaichat.Import(t.Context(), strings.NewReader(small), o); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("Import gives %v", err)
	}
}

// An import that loses answers on its way ends with the same log.
func TestImportThroughOutages(t *testing.T) {
	l := newLog(t)
	var calls atomic.Int64
	cfg := l.config
	next := cfg.HTTPClient.Transport
	cfg.HTTPClient = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		n := calls.Add(1)
		if n%3 == 1 {
			return nil, errors.New("request lost")
		}
		resp, err := next.RoundTrip(req)
		if err == nil && n%3 == 2 {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return nil, errors.New("answer lost")
		}
		return resp, err
	})}
	got, err := openaichat.Import(t.Context(), strings.NewReader(small+"\n"+small), options(must(agent.New(cfg))))
	if err != nil || got.Records != 24 || got.Duplicates != 24 || l.Size() != 4+24 {
		t.Errorf("Import gives %+v, %v, the log has %d entries", got, err, l.Size())
	}
	l.audit()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The real conversations of the tau-bench airline benchmark.
func TestRealConversations(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "tau-bench-airline.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		if os.Getenv("ONUS_CI") == "1" {
			t.Fatalf("the real transcripts are missing: %v", err)
		}
		t.Skipf("SKIPPED: the real transcripts are not at shared/data/tau-bench-airline.jsonl beside the checkout: %v", err)
	}
	l := newLog(t)
	a := must(agent.New(l.config))
	got, err := openaichat.Import(t.Context(), bytes.NewReader(data), options(a))
	if err != nil {
		t.Fatal(err)
	}
	// 1,490 user messages, 1,380 texts of the assistant, 1,164 calls, as many
	// results; 200 system messages make no record. 73 results are errors.
	want := openaichat.Summary{Conversations: 200, Messages: 5308, Records: 1490 + 1380 + 2*1164, Actions: 1164, Succeeded: 1164 - 73, Failed: 73}
	if got != want {
		t.Errorf("Import gives %+v, want %+v", got, want)
	}
	l.audit()

	all, err := read(string(data))
	if err != nil {
		t.Fatal(err)
	}
	outcomes := 0
	for _, c := range all {
		session := must(a.Session(t.Context(), fmt.Sprintf("airline/%d", c.Line)))
		page := must(l.List(ledger.Query{Session: session, Agent: airline}, 1000, ""))
		steps := c.Steps(fmt.Sprintf("airline/%d", c.Line), openaichat.DefaultTools)
		if len(page.Entries) != len(steps) || page.Next != "" {
			t.Fatalf("line %d: its session lists %d records, want %d", c.Line, len(page.Entries), len(steps))
		}
		got := must(l.Chain(page.Entries[len(page.Entries)/2].Record.ID, 0))
		var entries []chain.Entry
		for _, e := range got.Entries {
			entries = append(entries, chain.Entry{Index: e.Index, LogTime: e.Stamp.LogTime, Record: e.Record})
		}
		ch := chain.Build(entries, nil, ledger.DefaultPolicy())
		if got.Cut || len(ch.Nodes) != len(steps) || len(ch.Roots) != 1 || len(ch.Missing) != 0 {
			t.Errorf("line %d: a chain of %d records with %d roots, %d missing; want %d, 1, 0", c.Line, len(ch.Nodes), len(ch.Roots), len(ch.Missing), len(steps))
		}
		if u := ch.Roots[0].Record.Msg.GetUser(); must(l.Name(u)) != c.UserID {
			t.Errorf("line %d: user %s is not %s", c.Line, u, c.UserID)
		}
		for i, n := range ch.Nodes {
			m := n.Record.Msg
			if m.GetSequence() != int64(i) || m.GetUser() == "" || m.GetCapture() != onusv1.Capture_CAPTURE_IMPORT {
				t.Errorf("line %d: record %d is %v", c.Line, i, m)
			}
			if m.GetStages().GetAction() == nil {
				continue
			}
			ends := 0
			for _, child := range n.Children {
				if child.Record.Msg.GetOutcome() != nil {
					ends++
				}
			}
			if ends != 1 {
				t.Errorf("line %d: action %d has %d outcomes", c.Line, i, ends)
			}
			outcomes += ends
		}
		// Every text is opened by what is stored, and is the transcript's.
		for i := range ch.Nodes {
			if want, have := texts(steps[i]), opened(t, l, got.Entries[i]); want != have {
				t.Errorf("line %d: record %d opens to %.60q, want %.60q", c.Line, i, have, want)
			}
		}
	}
	if outcomes != 1164 {
		t.Errorf("%d tool calls have an outcome, want 1164", outcomes)
	}

	size := l.Size()
	again, err := openaichat.Import(context.Background(), bytes.NewReader(data), options(must(agent.New(l.config))))
	want.Duplicates = want.Records
	if err != nil || again != want || l.Size() != size {
		t.Errorf("the second import gives %+v, %v, and the log grew by %d", again, err, l.Size()-size)
	}
}

func texts(s openaichat.Step) string {
	switch {
	case s.Intent != nil:
		return s.Intent.Text
	case s.Interpretation != nil:
		return s.Interpretation.Text
	case s.Decision != nil:
		return s.Decision.Text
	case s.Action != nil:
		return s.Action.Arguments
	}
	return s.Outcome.Result
}

func opened(t *testing.T, l *testLog, e *ledger.Entry) string {
	t.Helper()
	var s string
	for _, c := range must(l.Contents(e)) {
		s += string(c.GetData())
	}
	if n := len(e.Record.Texts()); n > 1 {
		t.Errorf("record %s has %d texts", e.Record.ID, n)
	}
	return s
}
