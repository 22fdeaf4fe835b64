package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/identity/oidctest"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// playDemo makes a ledger in which the demo's scenarios were played.
func playDemo(t *testing.T) dataDir {
	t.Helper()
	d := &demo{dir: dataDir(filepath.Join(t.TempDir(), "ledger")), out: io.Discard, warn: io.Discard}
	must(t, d.run(context.Background(), "127.0.0.1:0", true))
	return d.dir
}

// runLedger opens a ledger and runs it until the test ends.
func runLedger(t *testing.T, d dataDir) *ledger.Ledger {
	t.Helper()
	l, err := d.open(nil)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, l.Close()); err != nil {
			t.Errorf("the ledger: %v", err)
		}
	})
	return l
}

// The viewer sees of a ledger what the ledger says, in the viewer's words for
// what is not there.
func TestLedgerLog(t *testing.T) {
	l := runLedger(t, playDemo(t))
	g := ledgerLog{l}
	actions := 0
	var root record.ID
	for i := range g.Size() {
		e, err := g.Entry(i)
		must(t, err)
		if at, err := g.Index(e.Record.ID); err != nil || at != i {
			t.Errorf("entry %d is at %d, %v", i, at, err)
		}
		if e.Record.Msg.GetStages().GetAction() == nil {
			continue
		}
		actions++
		root = e.Record.ID
		c, err := l.Chain(e.Record.ID, ledger.MaxChain)
		must(t, err)
		want, err := l.Judge(c)
		must(t, err)
		got, err := g.Judge(e.Record.ID)
		must(t, err)
		if !bytes.Equal(got.Judgement.JSON(), want.JSON()) || len(got.Chain.Nodes) != len(c.Entries) || got.Size != l.Size() || got.Cut {
			t.Errorf("the chain of entry %d is judged otherwise than by the ledger", i)
		}
	}
	if actions == 0 {
		t.Fatal("the demo did nothing")
	}
	nobody := record.ID{1}
	for what, ask := range map[string]func() error{
		"entry":    func() error { _, err := g.Entry(g.Size()); return err },
		"bytes":    func() error { _, err := g.Raw(g.Size()); return err },
		"receipt":  func() error { _, err := g.Receipt(g.Size()); return err },
		"contents": func() error { _, err := g.Contents(g.Size()); return err },
		"index":    func() error { _, err := g.Index(nobody); return err },
		"chain":    func() error { _, err := g.Judge(nobody); return err },
		"path":     func() error { _, err := g.GrantPath(nobody); return err },
		"name":     func() error { _, err := g.Name("u-aaaaaaaaaaaaaaaaaaaaaaaaaa"); return err },
		"way back": func() error { _, err := g.Pseudonym("user", "nobody@example.com"); return err },
		"bundle":   func() error { _, err := g.Bundle(context.Background(), []record.ID{nobody}, "", false); return err },
	} {
		if err := ask(); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("%s of what is not there: %v", what, err)
		}
	}
	if _, err := g.Pseudonym("agent", "x"); err == nil || errors.Is(err, desk.ErrNotFound) {
		t.Errorf("a kind of names that there is not: %v", err)
	}

	// Listings, page by page, the newest first; a token is of its query.
	var all []int64
	for token := ""; ; {
		page, next, err := g.Records(web.RecordQuery{}, 7, token)
		must(t, err)
		all = append(all, page...)
		if next == "" {
			break
		}
		if _, _, err := g.Records(web.RecordQuery{Operator: "it/platform"}, 7, next); !errors.Is(err, desk.ErrCursor) {
			t.Errorf("another query's token: %v", err)
		}
		token = next
	}
	if len(all) != int(g.Size()) || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) {
		t.Errorf("%d records are listed of %d", len(all), g.Size())
	}
	grants, _, err := g.Grants(web.GrantQuery{}, 100, "")
	must(t, err)
	if len(grants) == 0 {
		t.Error("the demo gave no grants")
	}
	for _, gr := range grants {
		if gr.Record.Msg.GetDelegation() == nil || gr.Status.GetIssuer() == "" || gr.Time == 0 {
			t.Errorf("grant %d: %v", gr.Index, gr.Status)
		}
	}
	middle := grants[len(grants)/2].Time
	before, _, err := g.Grants(web.GrantQuery{Before: middle}, 100, "")
	must(t, err)
	for _, gr := range grants {
		listed := slices.ContainsFunc(before, func(b *web.Grant) bool { return b.Index == gr.Index })
		if listed != (gr.Time < middle) {
			t.Errorf("grant %d of %d is listed among those before %d: %t", gr.Index, gr.Time, middle, listed)
		}
	}
	if _, _, err := g.Grants(web.GrantQuery{}, 1, "AAAA"); !errors.Is(err, desk.ErrCursor) {
		t.Errorf("a token that is none: %v", err)
	}

	// Evidence with contents and without.
	for _, contents := range []bool{false, true} {
		b, err := g.Bundle(context.Background(), []record.ID{root}, "", contents)
		must(t, err)
		r, err := verifier.CheckBundle(b, verifier.Trust{LogKey: g.Key()})
		must(t, err)
		if r.Standing != verifier.Genuine || (len(r.Opened) > 0) != contents {
			t.Errorf("contents %t: %s, %d contents", contents, r.Standing, len(r.Opened))
		}
	}
}

// An officer's review is in the log, with pseudonyms in place of names, and the
// desk knows of it.
func TestLedgerOfficer(t *testing.T) {
	l := runLedger(t, playDemo(t))
	g, o := ledgerLog{l}, ledgerOfficer{l}
	d, err := desk.Open("", g)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	defer func() {
		cancel()
		must(t, errors.Join(<-ran, d.Close()))
	}()
	must(t, d.CatchUp(ctx, g.Size()))
	found, err := d.Find(desk.Query{Outcome: chain.OutsideAuthority}, 1, "")
	must(t, err)
	if len(found.Cases) != 1 {
		t.Fatal("the demo has no case outside authority")
	}
	about := found.Cases[0].Root
	at, err := o.Review(ctx, web.Viewer{Name: "m.rossi", Role: "compliance", Reviews: true},
		web.Review{Record: about, Disposition: onusv1.Disposition_DISPOSITION_ESCALATED, Note: "who approved it?", Assignee: " j.doe "})
	must(t, err)
	e, err := l.Entry(at)
	must(t, err)
	m := e.Record.Msg
	for pseudonym, want := range map[string]string{m.GetUser(): "officer m.rossi", m.GetReview().GetAssignee(): "officer j.doe"} {
		if name, err := g.Name(pseudonym); err != nil || name != want {
			t.Errorf("%q stands for %q (%v), want %q", pseudonym, name, err, want)
		}
	}
	if strings.Contains(string(e.Raw), "rossi") || strings.Contains(string(e.Raw), "approved") {
		t.Error("names or the note stand in the log in clear")
	}
	if cs, err := g.Contents(at); err != nil || len(cs) != 1 || string(cs[0].GetData()) != "who approved it?" {
		t.Errorf("the note is %v (%v)", cs, err)
	}
	must(t, d.CatchUp(ctx, at+1))
	c, err := d.Case(about)
	must(t, err)
	if c.Review == nil || c.Review.Disposition != onusv1.Disposition_DISPOSITION_ESCALATED || c.Review.Index != at {
		t.Errorf("the desk has %+v", c.Review)
	}

	var refused *record.Error
	for what, r := range map[string]web.Review{
		"no such record":  {Record: record.ID{1}, Disposition: onusv1.Disposition_DISPOSITION_OPEN},
		"no disposition":  {Record: about, Note: "x"},
		"a long assignee": {Record: about, Disposition: onusv1.Disposition_DISPOSITION_OPEN, Assignee: strings.Repeat("x", 201)},
		"a hidden one":    {Record: about, Disposition: onusv1.Disposition_DISPOSITION_OPEN, Assignee: "j\u202edoe"},
		"no note":         {Record: about, Disposition: onusv1.Disposition_DISPOSITION_EXPLAINED},
	} {
		if _, err := o.Review(ctx, web.Viewer{Name: "m.rossi"}, r); !errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestViewerOf(t *testing.T) {
	for role, want := range map[identity.Role]web.Viewer{
		identity.Auditor:       {Name: "x", Role: "auditor"},
		identity.Compliance:    {Name: "x", Role: "compliance", Contents: true, Reviews: true},
		identity.Administrator: {Name: "x", Role: "administrator", Contents: true, Reviews: true},
	} {
		if got, err := viewerOf(identity.Caller{Name: "x", Role: role}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", role, got, err)
		}
	}
	for _, role := range []identity.Role{0, identity.Agent, identity.Operator} {
		if got, err := viewerOf(identity.Caller{Name: "x", Role: role, Scope: "y"}); !errors.Is(err, web.ErrForbidden) || got.Contents || got.Reviews {
			t.Errorf("%s: %+v, %v", role, got, err)
		}
	}
}

func TestProcedureOf(t *testing.T) {
	for page, want := range map[string]string{"chain": "ViewerChain", "": "Viewer", "GET /find.csv": "ViewerGETfindcsv", strings.Repeat("a", 99): "ViewerA" + strings.Repeat("a", 57)} {
		if got := procedureOf(page); got != want {
			t.Errorf("%q: %q, want %q", page, got, want)
		}
	}
}

// newBrowser keeps cookies, and stops where a provider sends its answer.
func newBrowser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/sign-in/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func fetch(t *testing.T, hc *http.Client, address string, form url.Values) (int, string) {
	t.Helper()
	var resp *http.Response
	var err error
	if form == nil {
		resp, err = hc.Get(address)
	} else {
		resp, err = hc.PostForm(address, form)
	}
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(b)
}

// onusCommand is the command as a file, for processes of its own.
func onusCommand(t *testing.T) string {
	t.Helper()
	self, err := os.Executable() // TestMain makes the test the command, by this name
	must(t, err)
	link := filepath.Join(t.TempDir(), "onus")
	must(t, os.Symlink(self, link))
	return link
}

// onus serve shows its viewer to whom the token file names: who signs in at a
// real OpenID provider, and who has an access token. The other door stays shut.
func TestServeViewer(t *testing.T) {
	op := oidctest.Start(t)
	d := playDemo(t)
	tokens, secret := filepath.Join(t.TempDir(), "tokens"), filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte(op.Secret(oidctest.Viewer)+"\n"), 0o600))
	must(t, identity.AppendLine(tokens, identity.Line{Caller: identity.Caller{Name: "alice", Role: identity.Compliance}, Issuer: op.Issuer(), Subject: op.Subject(oidctest.Alice)}))
	tokenOf := func(c identity.Caller) string {
		token, hash := identity.NewToken()
		must(t, identity.AppendLine(tokens, identity.Line{Caller: c, Hash: hash}))
		return token
	}
	auditor := tokenOf(identity.Caller{Name: "audit", Role: identity.Auditor})
	operator := tokenOf(identity.Caller{Name: "platform", Role: identity.Operator, Scope: "it/platform"})

	s := startServe(t, onusCommand(t), string(d), "--tokens", tokens,
		"--viewer-issuer", op.Issuer(), "--viewer-client", oidctest.Viewer, "--viewer-client-secret-file", secret)
	wants := func(status int, body string, want int, text string) {
		t.Helper()
		if status != want || !strings.Contains(body, text) {
			t.Errorf("%d, want %d with %q: %.600s", status, want, text, body)
		}
	}
	hc := newBrowser(t)
	status, body := fetch(t, hc, s.url+"/find", nil)
	wants(status, body, http.StatusOK, "Sign in with")
	if strings.Contains(body, "/chain/") {
		t.Error("who is not signed in sees chains")
	}
	// To the provider and back.
	once := *hc
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := once.Get(s.url + "/sign-in/provider?next=%2Ffind")
	must(t, err)
	resp.Body.Close()
	status, body = fetch(t, hc, op.Browse(hc, resp.Header.Get("Location"), oidctest.Alice), nil)
	wants(status, body, http.StatusOK, "alice")
	for range 500 { // the desk may still be reading the log
		if strings.Contains(body, "/chain/") {
			break
		}
		time.Sleep(20 * time.Millisecond)
		status, body = fetch(t, hc, s.url+"/find", nil)
	}
	wants(status, body, http.StatusOK, "/chain/")
	_, rest, _ := strings.Cut(body, "/chain/")
	if len(rest) < 64 {
		t.Fatal("there is no chain to be seen")
	}
	id := rest[:64]
	review := url.Values{"record": {id}, "disposition": {"explained"}, "note": {"it was agreed"}, "back": {"/chain/" + id}}
	status, body = fetch(t, hc, s.url+"/review", review)
	wants(status, body, http.StatusOK, "Explained")
	status, body = fetch(t, hc, s.url+"/sign-in/out", url.Values{})
	wants(status, body, http.StatusOK, "Sign in with")
	status, body = fetch(t, hc, s.url+"/review", review)
	wants(status, body, http.StatusUnauthorized, "not signed in")

	// With a token: an auditor reads and reviews nothing, an operator has
	// another door.
	hc = newBrowser(t)
	status, body = fetch(t, hc, s.url+"/sign-in/token", url.Values{"token": {auditor}, "next": {"/chain/" + id}})
	wants(status, body, http.StatusOK, "auditor")
	if strings.Contains(body, `action="/review"`) {
		t.Error("an auditor is offered reviews")
	}
	status, body = fetch(t, hc, s.url+"/review", review)
	wants(status, body, http.StatusForbidden, "")
	status, body = fetch(t, newBrowser(t), s.url+"/sign-in/token", url.Values{"token": {operator}})
	wants(status, body, http.StatusForbidden, "whole chains")

	// A deleted line ends it at once; the calls' guard is another.
	must(t, os.WriteFile(tokens, nil, 0o600))
	status, body = fetch(t, hc, s.url+"/find", nil)
	wants(status, body, http.StatusOK, "Access token")
	api, err := (&remote{server: s.url}).client()
	must(t, err)
	if _, err := api.GetRecord(context.Background(), &onusv1.GetRecordRequest{}); err == nil {
		t.Error("without a token a record was read")
	}
	status, _ = fetch(t, http.DefaultClient, s.url+"/checkpoint", nil)
	wants(status, "", http.StatusOK, "")
}

// Without credentials the viewer is open on loopback, under its own name alone;
// --no-viewer shuts it.
func TestServeViewerOpen(t *testing.T) {
	d, onus := playDemo(t), onusCommand(t)
	s := startServe(t, onus, string(d))
	status, body := fetch(t, http.DefaultClient, s.url+"/", nil)
	if status != http.StatusOK || !strings.Contains(body, "open: no sign-in") {
		t.Errorf("the overview: %d %.400s", status, body)
	}
	req, err := http.NewRequest(http.MethodGet, s.url+"/", nil)
	must(t, err)
	req.Host = "evil.example.com"
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %s", resp.Status)
	}
	if info, err := os.Stat(d.desk()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the desk's folder: %v, %v", info, err)
	}
	must(t, s.cmd.Process.Signal(os.Interrupt))
	must(t, s.cmd.Wait())

	s = startServe(t, onus, string(d), "--no-viewer")
	if status, _ := fetch(t, http.DefaultClient, s.url+"/", nil); status != http.StatusNotFound {
		t.Errorf("with --no-viewer: %d", status)
	}
}

// Where the log's policy asks for it, a page that was read is in the log before
// it is shown.
func TestServeViewerRecordsReads(t *testing.T) {
	d := dataDir(filepath.Join(t.TempDir(), "ledger"))
	policy := ledger.DefaultPolicy()
	policy.RecordReads = true
	l, err := d.create("log.example.com/agents", "root", nil, policy)
	must(t, err)
	must(t, l.Close())
	tokens := filepath.Join(t.TempDir(), "tokens")
	token, hash := identity.NewToken()
	must(t, identity.AppendLine(tokens, identity.Line{Caller: identity.Caller{Name: "audit", Role: identity.Auditor}, Hash: hash}))
	s := startServe(t, onusCommand(t), string(d), "--tokens", tokens)
	hc := newBrowser(t)
	status, body := fetch(t, hc, s.url+"/sign-in/token", url.Values{"token": {token}, "next": {"/record/@0"}})
	if status != http.StatusOK || !strings.Contains(body, "log.example.com/agents") {
		t.Fatalf("the genesis: %d %.400s", status, body)
	}
	must(t, s.cmd.Process.Signal(os.Interrupt))
	must(t, s.cmd.Wait())
	l = runLedger(t, d)
	var read []*onusv1.Read
	for i := range l.Size() {
		e, err := l.Entry(i)
		must(t, err)
		if r := e.Record.Msg.GetRead(); r != nil {
			read = append(read, r)
		}
	}
	genesis, err := l.Entry(0)
	must(t, err)
	if !slices.ContainsFunc(read, func(r *onusv1.Read) bool {
		return r.GetCaller() == "audit" && r.GetRole() == "auditor" && strings.HasPrefix(r.GetProcedure(), "Viewer") && r.GetRecord() == genesis.Record.ID.String()
	}) {
		t.Errorf("the log has the reads %v", read)
	}
}

func TestViewerFlags(t *testing.T) {
	with := func(tokens string) *access { return &access{tokens: tokens} }
	for what, c := range map[string]struct {
		f   viewerFlags
		who *access
		why string
	}{
		"no client":     {viewerFlags{issuer: "https://login.example.com"}, with("t"), "go together"},
		"no issuer":     {viewerFlags{client: "x"}, with("t"), "go together"},
		"no tokens":     {viewerFlags{issuer: "https://login.example.com", client: "x"}, with(""), "goes with --tokens"},
		"off, with URL": {viewerFlags{off: true, url: "https://log.example.com"}, with("t"), "goes with no other"},
		"good":          {viewerFlags{issuer: "https://login.example.com", client: "x"}, with("t"), ""},
		"none":          {viewerFlags{}, with(""), ""},
	} {
		err := c.f.conflicts(c.who)
		if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why) || exitCode(err) != 2) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
