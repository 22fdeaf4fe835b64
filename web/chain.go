package web

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

func (s *site) chainRoutes() {
	s.page("GET /chain/{id}", (*visit).chain)
	s.page("GET /chain/{id}/picture.svg", (*visit).chainPicture)
	s.page("GET /chain/{id}/report.html", (*visit).chainReport)
	s.page("GET /chain/{id}/judgement.json", (*visit).chainJSON)
}

// chainView is a chain as one viewer may see it.
type chainView struct {
	*visit
	*desk.Judged
	root *chain.Node
	// nodes by index; verdicts and findings by the index of their record.
	at map[int64]*chain.Node
	// has are the ids of its records.
	has      map[record.ID]bool
	verdicts map[int64]*chain.Verdict
	findings map[int64][]chain.Finding
	marks    report.Marks
	reviews  []report.Review
	opened   map[int64]map[[record.CommitmentSize]byte]*onusv1.Content
}

// chainPage is what the template "chain" shows.
type chainPage struct {
	ID    record.ID
	Index int64
	// Tab is the one that is open.
	Tab  string
	Tabs []chainTab
	// Title says what it is about, by operations.
	Title   string
	User    partyName
	Asked   []chainQuote
	From    int64
	To      int64
	Records int
	Parties int
	// AsOf is the newest entry that was looked at.
	AsOf     int64
	TooLarge bool
	Cut      bool
	// Makes: an evidence file of it can be had here.
	Makes    bool
	Headline []chainLine
	// Review is the newest of the chain as a whole.
	Review *report.Review
	Form   *reviewForm
	// Waits: something in it waits for somebody, by the desk's rule.
	Waits bool
	// History are the newest of Reviewed reviews.
	History  []report.Review
	Reviewed int

	Actions     *chainActions
	Picture     *chainPicture
	Permissions *chainPermissions
	Timeline    *chainTimeline
	List        *chainList
	Unproven    []string
	Coverage    []string
}

type chainTab struct {
	Name, Href string
	Open       bool
}

// chainLine is a sentence of the headline.
type chainLine struct {
	Outcome chain.Outcome
	// Grave: it is about findings, and no outcome.
	Grave bool
	Text  string
}

// The tabs of a chain's page.
var chainTabs = []struct{ name, word string }{
	{"picture", "Who answers"}, {"permissions", "Permissions"}, {"timeline", "Timeline"}, {"records", "All records"},
}

// chain shows a chain. It is known by its root: any other of its records leads
// there.
func (v *visit) chain() error {
	c, err := v.loadChain()
	if err != nil {
		return err
	}
	if c == nil {
		return nil // led elsewhere
	}
	tab := v.r.URL.Query().Get("tab")
	if tab == "" {
		tab = "picture"
	}
	p := &chainPage{ID: c.root.Record.ID, Index: c.root.Index, Tab: tab, AsOf: c.Size - 1, Records: len(c.Chain.Nodes), Cut: c.Cut, TooLarge: c.Judgement == nil,
		Makes: v.Log.MakesBundles()}
	known := false
	for _, t := range chainTabs {
		href := "/chain/" + p.ID.String()
		if t.name != "picture" {
			href += "?tab=" + t.name
		}
		p.Tabs = append(p.Tabs, chainTab{t.word, href, t.name == tab})
		known = known || t.name == tab
	}
	if !known {
		return badRequest("Take one of the chain's tabs: picture, permissions, timeline, records.", "A chain's page has no tab %q.", say(tab))
	}
	c.head(p)
	switch tab {
	case "picture":
		from, err := v.number("from", "A picture begins at an entry: ?from=17.")
		if err != nil {
			return err
		}
		p.Actions = c.actions()
		p.Picture = c.picture(from)
		p.Unproven, p.Coverage = c.unproven(), c.coverage()
	case "permissions":
		p.Permissions, err = c.permissions()
	case "timeline":
		p.Timeline, err = c.timeline()
	case "records":
		p.List, err = c.list()
	}
	if err != nil {
		return err
	}
	f := v.frame(fmt.Sprintf("Chain of entry %d", p.Index), "find", p)
	f.Checked = c.Judgement != nil
	return v.send(http.StatusOK, "chain", f)
}

// loadChain gets the chain that the address names and that the viewer may read.
// It returns nil after it has led to the root of the chain.
func (v *visit) loadChain() (*chainView, error) {
	id, err := parseID(v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	j, err := v.judge(id)
	if err != nil {
		return nil, err
	}
	root := rootOf(j.Chain, id)
	if root == nil {
		return nil, fmt.Errorf("chain of %s: %w", id, desk.ErrNotFound)
	}
	if to := root.Record.ID; to != id {
		// What is asked for beside the page is kept: a tab, the picture.
		path := "/chain/" + to.String() + v.r.URL.Path[len("/chain/")+len(id.String()):]
		if q := v.r.URL.RawQuery; q != "" {
			path += "?" + q
		}
		return nil, v.redirect(path)
	}
	if err := v.reading("chain", id); err != nil {
		return nil, err
	}
	c := &chainView{visit: v, Judged: j, root: root, at: map[int64]*chain.Node{}, has: map[record.ID]bool{}, verdicts: map[int64]*chain.Verdict{}, findings: map[int64][]chain.Finding{},
		marks: report.Marks{Cut: j.Cut}, opened: map[int64]map[[record.CommitmentSize]byte]*onusv1.Content{}}
	entries := make([]chain.Entry, len(j.Chain.Nodes))
	for i, n := range j.Chain.Nodes {
		c.at[n.Index], c.has[n.Record.ID], entries[i] = n, true, n.Entry
	}
	if j.Judgement == nil {
		c.reviewed(entries)
		return c, nil
	}
	c.marks = report.MarksOf(j.Judgement)
	c.marks.Cut = j.Cut
	for i := range j.Judgement.Actions {
		a := &j.Judgement.Actions[i]
		c.verdicts[a.Index] = a
		c.findings[a.Index] = append(c.findings[a.Index], a.Findings...)
	}
	for _, f := range slices.Concat(j.Judgement.Findings, j.Judgement.Evidence.Omissions) { // others read them too
		c.findings[f.Index] = append(c.findings[f.Index], f)
	}
	c.reviewed(entries)
	return c, nil
}

// rootOf returns the topmost record above that of an id. A review stands in the
// chain of what it is about.
func rootOf(c *chain.Chain, id record.ID) *chain.Node {
	for _, n := range c.Nodes {
		if n.Record.ID != id {
			continue
		}
		if n.Parent == nil && n.Record.Msg.GetReview() != nil && len(n.Causes) > 0 {
			n = n.Causes[0]
		}
		return topOf(c, n)
	}
	return nil
}

// number reads a number out of the address; 0 if it is not there.
func (v *visit) number(name, next string) (int64, error) {
	s := v.r.URL.Query().Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, badRequest(next, "That is no number of an entry: %s.", say(s))
	}
	return n, nil
}

// said finds the words that a quote points to, for those who may see them.
func (c *chainView) said(q chain.Quote) (string, bool) {
	if q.Commitment == "" {
		return q.Plain, true
	}
	if !c.Contents {
		return "", false
	}
	sum, err := hex.DecodeString(q.Commitment)
	if err != nil || len(sum) != record.CommitmentSize {
		return "", false
	}
	if _, ok := c.opened[q.Index]; !ok {
		c.opened[q.Index] = c.openContents(q.Index)
	}
	content, ok := c.opened[q.Index][[record.CommitmentSize]byte(sum)]
	return string(content.GetData()), ok
}

// openContents returns what is stored behind a record's commitments. What is
// not there, or does not open them, is not disclosed, and not an error of the
// page: the words stand beside the verdict and decide nothing.
func (c *chainView) openContents(index int64) map[[record.CommitmentSize]byte]*onusv1.Content {
	n := c.at[index]
	if n == nil || n.Opaque != chain.Readable {
		return nil
	}
	contents, err := c.Log.Contents(index)
	if err != nil {
		if !errors.Is(err, desk.ErrNotShown) && !errors.Is(err, desk.ErrNotFound) {
			c.Logger.Warn("contents not read", "index", index, "err", err)
		}
		return nil
	}
	opened, err := n.Record.OpenContents(contents)
	if err != nil {
		c.Logger.Warn("contents do not open their record", "index", index, "err", err)
	}
	return opened
}

// author names who signed a record of the chain, or on whose behalf the host
// did.
func (c *chainView) author(n *chain.Node) partyName {
	m := n.Record.Msg
	if a := m.GetAuthor(); m.GetUser() != "" && (a.GetClient() != "" || a.GetHost()) {
		return c.authorName(&onusv1.Author{User: m.GetUser()}, n.Index)
	}
	return c.authorName(m.GetAuthor(), n.Index)
}
