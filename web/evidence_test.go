package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/report"
)

// asked is a log that remembers how its evidence was asked for, or refuses it.
type asked struct {
	*bundleLog
	contents []bool
	err      error
}

func (l *asked) Bundle(ctx context.Context, ids []record.ID, where string, contents bool) (*evidence.Bundle, error) {
	l.contents = append(l.contents, contents)
	if l.err != nil {
		return nil, l.err
	}
	return l.bundleLog.Bundle(ctx, ids, where, contents)
}

// TestEvidencePage: all that can be taken of a chain is offered and there, the
// key comes with its warning, and the commands name the file.
func TestEvidencePage(t *testing.T) {
	l := openBundle(t, "S4")
	root := rootIntent(t, l)
	s := chainSite(t, l)
	path := "/chain/" + root.Record.ID.String()
	file := fmt.Sprintf("chain-%d.onus", root.Index)
	a := s.get(path+"/evidence").is(200).has("Take the evidence with you", "It does not hold", "It proves nothing against this server",
		l.Key().String(), report.Fingerprint(l.Key().String()), "onus-verify bundle "+file+" --log-key log.vkey", "Download "+file)
	for _, e := range report.Exits {
		a.has(fmt.Sprintf("%d %s", e.Code, e.Means))
	}
	links := a.links()
	for _, end := range []string{"/evidence.onus", "/evidence.onus?contents=1", "/report.html", "/judgement.json", "/picture.svg"} {
		if !slices.Contains(links, path+end) {
			t.Errorf("the page does not offer %s", end)
			continue
		}
		got := s.get(path + end).is(200)
		if end != "/picture.svg" && !strings.HasPrefix(got.header.Get("Content-Disposition"), `attachment; filename="chain-`) {
			t.Errorf("%s is not sent to be saved: %q", end, got.header.Get("Content-Disposition"))
		}
	}
	if !slices.Contains(links, "/check?chain="+root.Record.ID.String()) {
		t.Error("the page does not lead to the check in the browser")
	}
	// Of any other of its records, the page is the chain's.
	for _, e := range l.entries {
		if e.Record.Msg.GetParent() == root.Record.ID.String() {
			if to := s.get("/chain/" + e.Record.ID.String() + "/evidence").is(303).header.Get("Location"); to != path+"/evidence" {
				t.Errorf("the evidence of a record leads to %s", to)
			}
			break
		}
	}
	for _, end := range []string{"/evidence", "/evidence.onus"} {
		s.get("/chain/nonsense" + end).is(400)
		s.get("/chain/" + strings.Repeat("0", 63) + "1" + end).is(404)
	}
	s.get("/check?chain=nonsense").is(400)
	s.get("/check?chain=" + strings.Repeat("0", 63) + "1").is(404)
}

// TestEvidenceFile: what is downloaded is judged genuine by the verifier, with
// the log's key, under a name that holds nothing foreign.
func TestEvidenceFile(t *testing.T) {
	l := &asked{bundleLog: openBundle(t, "S4")}
	root := rootIntent(t, l.bundleLog)
	s := chainSite(t, l)
	path := "/chain/" + root.Record.ID.String() + "/evidence.onus"
	a := s.get(path).is(200)
	if got, want := a.header.Get("Content-Disposition"), fmt.Sprintf(`attachment; filename="chain-%d.onus"`, root.Index); got != want {
		t.Errorf("it is sent as %s, want %s", got, want)
	}
	b, err := evidence.Read(strings.NewReader(a.body), evidence.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := verifier.CheckBundle(b, verifier.Trust{LogKey: l.Key()})
	if err != nil {
		t.Fatal(err)
	}
	if r.Standing != verifier.Genuine || r.Judgement.Outcome != chain.OutsideAuthority {
		t.Errorf("it is %s, %s", r.Standing, r.Judgement.Outcome)
	}
	s.get(path + "?contents=1").is(200)
	if want := []bool{false, true}; !slices.Equal(l.contents, want) {
		t.Errorf("contents were asked for %v, want %v", l.contents, want)
	}
	s.get(path + "?contents=yes").is(400)
	l.err = &record.Error{Reason: "BUNDLE_TOO_LARGE", Detail: "the chains have too much <b>", Next: "ask for fewer"}
	s.get(path).is(409).has("The chains have too much <b>.", "Ask for fewer.")
	l.err = errors.New("secret of the disk")
	s.get(path).is(500).lacks("secret")
}

// TestEvidenceByRole: who may not see contents is neither offered nor given
// them, and what is taken away is told to who records reads.
func TestEvidenceByRole(t *testing.T) {
	l := &asked{bundleLog: openBundle(t, "S4")}
	root := rootIntent(t, l.bundleLog)
	path := "/chain/" + root.Record.ID.String()
	s := chainSite(t, l, as(auditor))
	if links := s.get(path + "/evidence").is(200).links(); slices.Contains(links, path+"/evidence.onus?contents=1") {
		t.Error("an auditor is offered the contents")
	}
	s.get(path + "/evidence.onus?contents=1").is(403).has("not disclosed to your role")
	if s.get(path + "/evidence.onus").is(200); slices.Contains(l.contents, true) {
		t.Error("an auditor is given the contents")
	}
	var read []string
	failing := false
	s = chainSite(t, l, func(c *web.Config) {
		c.Reading = func(_ context.Context, _ web.Viewer, page string, id record.ID) error {
			read = append(read, page+" "+id.String())
			if failing {
				return errors.New("not recorded")
			}
			return nil
		}
	})
	s.get(path + "/evidence").is(200)
	s.get(path + "/evidence.onus").is(200)
	if want := []string{"chain " + root.Record.ID.String(), "evidence " + root.Record.ID.String()}; !slices.Equal(read, want) {
		t.Errorf("reads %v, want %v", read, want)
	}
	failing = true
	if a := s.get(path + "/evidence.onus").is(500); bytes.HasPrefix([]byte(a.body), []byte(evidence.Magic)) {
		t.Error("what could not be recorded was read")
	}
	s = chainSite(t, l, func(c *web.Config) {
		c.Who = func(*http.Request) (web.Viewer, error) { return web.Viewer{}, web.ErrSignIn }
	})
	for _, p := range []string{path + "/evidence", path + "/evidence.onus", "/check", "/check?chain=" + root.Record.ID.String(), "/verify.html"} {
		s.get(p).is(401)
	}
}
