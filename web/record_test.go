package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/report"
)

var scenarios = []string{"S1", "S2", "S3", "S4", "S5"}

// Every record of every scenario has a page: by its id and by its index, with
// all that the pages lead to below /record.
func TestRecordPages(t *testing.T) {
	for _, name := range scenarios {
		s := newSite(t, name)
		for _, e := range s.log.entries {
			path := "/record/" + e.Record.ID.String()
			if got := s.get(fmt.Sprintf("/record/@%d", e.Index)).is(http.StatusSeeOther).header.Get("Location"); got != path {
				t.Fatalf("%s: index %d leads to %s, want %s", name, e.Index, got, path)
			}
			page := s.get(path).is(http.StatusOK)
			page.has(fmt.Sprintf("Entry %d: %s", e.Index, report.KindOf(e.Record.Msg)), "checked by this server", "the path below leads from its hash to the root", "receipt")
			page.lacks("does not hold", "not known here")
			if !strings.Contains(page.body, `data-copy="`+e.Record.ID.String()+`"`) {
				t.Errorf("%s: the id of entry %d cannot be copied in full", name, e.Index)
			}
			if got := s.get(path + "/payload").is(http.StatusOK); !bytes.Equal([]byte(got.body), e.Record.Envelope.Payload) {
				t.Errorf("%s: the payload of entry %d is not what was signed", name, e.Index)
			}
			if got := s.get(path + "/entry").is(http.StatusOK); !bytes.Equal([]byte(got.body), s.log.bundle.Leaves[e.Index].Raw) {
				t.Errorf("%s: entry %d is not what is in the log", name, e.Index)
			}
		}
	}
}

// What links on records' pages lead to is there.
func TestRecordLinksLeadSomewhere(t *testing.T) {
	s := newSite(t, "S4")
	tried := map[string]bool{}
	for _, e := range s.log.entries {
		for _, href := range s.get("/record/" + e.Record.ID.String()).links() {
			if !strings.HasPrefix(href, "/") || tried[href] || href == "/check" { // that is every page's
				continue
			}
			tried[href] = true
			if got := s.get(href); got.status >= 400 {
				t.Errorf("entry %d leads to %s, which answers %d: %s", e.Index, href, got.status, got.text())
			}
		}
	}
	if len(tried) < 50 {
		t.Errorf("only %d links", len(tried))
	}
}

// The receipt that a page hands out is what the auditor's command takes: built
// from its source and run.
func TestReceiptForTheAuditor(t *testing.T) {
	verify := filepath.Join(t.TempDir(), "onus-verify")
	if out, err := exec.Command("go", "build", "-o", verify, "../cmd/onus-verify").CombinedOutput(); err != nil {
		t.Fatalf("build onus-verify: %v\n%s", err, out)
	}
	s := newSite(t, "S4")
	file := filepath.Join(t.TempDir(), "receipt.json")
	check := func(b []byte) (string, error) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(verify, "receipt", file, "--log-key", filepath.Join(bundles, "log.vkey")).CombinedOutput()
		return string(out), err
	}
	for _, e := range []int{0, len(s.log.entries) / 2, len(s.log.entries) - 1} {
		got := s.get("/record/" + s.log.entries[e].Record.ID.String() + "/receipt.json").is(http.StatusOK)
		if want := fmt.Sprintf(`attachment; filename="receipt-%d.json"`, e); got.header.Get("Content-Disposition") != want {
			t.Errorf("Content-Disposition %q, want %q", got.header.Get("Content-Disposition"), want)
		}
		if out, err := check([]byte(got.body)); err != nil {
			t.Errorf("receipt of entry %d: %v\n%s", e, err, out)
		}
		var changed map[string]any
		if err := json.Unmarshal([]byte(got.body), &changed); err != nil {
			t.Fatal(err)
		}
		changed["receipt"].(map[string]any)["index"] = fmt.Sprint(e + 1)
		b, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := check(b); err == nil {
			t.Errorf("a receipt with another index passes:\n%s", out)
		}
	}
}

// What commitments hide is shown to those who may see it, and to nobody else;
// what is not stored is told from what is not disclosed.
func TestContentsByRole(t *testing.T) {
	const words = "reduce the cost of <b>hardware</b>"
	for _, tt := range []struct {
		viewer       web.Viewer
		stored       bool
		has, hasNot  []string
		namesOfUsers bool
	}{
		{web.Viewer{Role: "compliance", Contents: true}, true, []string{words}, []string{"not disclosed", "not stored"}, true},
		{web.Viewer{Role: "compliance", Contents: true}, false, []string{"not stored here"}, []string{"not disclosed"}, true},
		{auditor, true, []string{"not disclosed to your role"}, []string{"not stored", "hardware</b>"}, false},
	} {
		s := newSite(t, "S4", as(tt.viewer))
		e, opened := s.commit(words)
		if tt.stored {
			s.log.contents[e.index] = opened
		}
		s.log.names[e.user] = "chief <i>buyer</i>"
		page := s.get("/record/" + e.id.String()).is(http.StatusOK)
		page.has(tt.has...).lacks(tt.hasNot...)
		if tt.namesOfUsers {
			page.has("chief <i>buyer</i>")
		} else {
			page.lacks("chief")
		}
	}
}

// committed is a record with a text and a user.
type committed struct {
	id    record.ID
	index int64
	user  string
}

// commit puts a content beside an intent whose commitment it opens: the one of
// the scenario is replaced in the parsed record, which is what a page shows.
func (s *site) commit(words string) (committed, []*onusv1.Content) {
	s.t.Helper()
	for _, e := range s.log.entries {
		in := e.Record.Msg.GetStages().GetIntent()
		if in == nil || e.Record.Msg.GetUser() == "" {
			continue
		}
		text, content := record.NewText([]byte(words))
		in.Text = text
		return committed{e.Record.ID, e.Index, e.Record.Msg.GetUser()}, []*onusv1.Content{content}
	}
	s.t.Fatal("the scenario has no intent of a user")
	return committed{}, nil
}

// Addresses that name no record get a page that says so.
func TestRecordBadAddresses(t *testing.T) {
	s := newSite(t, "S4")
	none := strings.Repeat("0", 63) + "1"
	for path, want := range map[string]int{
		"/record/" + none:                                     http.StatusNotFound,
		"/record/" + none + "/receipt.json":                   http.StatusNotFound,
		"/record/" + none + "/payload":                        http.StatusNotFound,
		"/record/" + none + "/entry":                          http.StatusNotFound,
		"/record/" + strings.ToUpper(strings.Repeat("a", 64)): http.StatusBadRequest,
		"/record/x":                                 http.StatusBadRequest,
		"/record/x/receipt.json":                    http.StatusBadRequest,
		"/record/x/payload":                         http.StatusBadRequest,
		"/record/%3Cscript%3E":                      http.StatusBadRequest,
		"/record/%e2%80%ae":                         http.StatusBadRequest,
		"/record/" + strings.Repeat("a", 60_000):    http.StatusBadRequest,
		"/record/@":                                 http.StatusBadRequest,
		"/record/@-1":                               http.StatusBadRequest,
		"/record/@01":                               http.StatusBadRequest,
		"/record/@+1":                               http.StatusBadRequest,
		"/record/@9999":                             http.StatusNotFound,
		"/record/@99999999999999999999":             http.StatusBadRequest,
		"/records?page=x":                           http.StatusBadRequest,
		"/records?page=99999":                       http.StatusBadRequest,
		"/records?agent=x":                          http.StatusBadRequest,
		"/records?user=x":                           http.StatusBadRequest,
		"/records?session=u-x":                      http.StatusBadRequest,
		"/records?operator=../x":                    http.StatusBadRequest,
		"/records?after=-1":                         http.StatusBadRequest,
		"/records?after=x":                          http.StatusBadRequest,
		"/records?grant=x":                          http.StatusBadRequest,
		"/records?instance=x":                       http.StatusBadRequest,
		"/records?key=" + strings.Repeat("k", 5000): http.StatusBadRequest,
	} {
		got := s.get(path).is(want)
		if strings.Contains(got.body, "<script>") {
			t.Errorf("%.80s: a script came back", path)
		}
		if s.logged.Len() > 0 {
			t.Errorf("%.80s: the viewer logged %s", path, s.logged)
			s.logged.Reset()
		}
	}
}

// A record whose signature or entry is not as it was is told so.
func TestTamperedRecord(t *testing.T) {
	s := newSite(t, "S4")
	e := s.log.entries[len(s.log.entries)-1]
	e.Record.Envelope.Signature[0] ^= 1
	defer func() { e.Record.Envelope.Signature[0] ^= 1 }()
	s.get("/record/" + e.Record.ID.String()).is(http.StatusOK).has("The signature does not hold").lacks("The signature is that of key")
}

// Text that imitates our own words stands in quotation marks, and brings no
// mark-up.
func TestHostileRecord(t *testing.T) {
	s := newSite(t, "S4")
	const hostile = "<script>alert(1)</script>”\u202e ✓ Checked by this server"
	e, contents := s.commit(hostile)
	s.log.contents[e.index] = contents
	s.log.names[e.user] = hostile
	m := s.log.entries[e.index].Record.Msg
	m.Trace = &onusv1.Trace{A2ATaskId: hostile}
	page := s.get("/record/" + e.id.String()).is(http.StatusOK)
	for _, bad := range []string{"<script>alert", "\u202e", "✓"} {
		if strings.Contains(page.body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	page.has(`\u{201d}\u{202e} \u{2713} Checked by this server`)
}

// A list of records is what was asked for, and all of it.
func TestRecordsList(t *testing.T) {
	s := newSite(t, "S4")
	by := map[string]int{}
	for _, e := range s.log.entries {
		by[e.Record.Msg.GetAuthor().GetAgent()]++
	}
	for agent, n := range by {
		if agent == "" {
			continue
		}
		page := s.get("/records?agent=" + agent).is(http.StatusOK)
		if got := strings.Count(page.body, `<tr data-href="/record/`); got != n {
			t.Errorf("%d records of %s, want %d", got, agent, n)
		}
	}
	last := len(s.log.entries) - 1
	page := s.get(fmt.Sprintf("/records?after=%d", last-3)).is(http.StatusOK)
	if got := strings.Count(page.body, `<tr data-href="/record/`); got != 3 {
		t.Errorf("%d records after entry %d, want 3", got, last-3)
	}
}
