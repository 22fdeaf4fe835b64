package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

// chainPicture is the picture of a chain, and the same in words.
type chainPicture struct {
	*report.Drawing
	Names, Plot template.HTML
	Legend      []chainSign
	// Whole leads back from a window to the whole chain.
	Whole string
}

type chainSign struct {
	Picture template.HTML
	Words   string
}

func (c *chainView) picture(from int64) *chainPicture {
	base := "/chain/" + c.root.Record.ID.String()
	c.marks.Beside = c.beside()
	d := report.Draw(c.Chain, c.marks, report.Style{Embedded: true, From: from, Name: c.called,
		Record: recordIndexPath,
		Window: func(from int64) string { return fmt.Sprintf("%s?from=%d#picture", base, from) }})
	// What the picture says is escaped where it is drawn: package report's tests
	// hold it to that.
	p := &chainPicture{Drawing: d, Names: template.HTML(d.Names), Plot: template.HTML(d.SVG)}
	for _, s := range report.Legend() {
		p.Legend = append(p.Legend, chainSign{template.HTML(s.SVG), s.Words})
	}
	if from > 0 {
		p.Whole = base + "#picture"
	}
	return p
}

// maxBeside bounds how many records beside a chain are looked at: a picture has
// no more columns.
const maxBeside = 100

// beside are the records that no link of the chain leads to, and that count for
// it: revocations of what is in it; the approvals that its actions name, and
// what findings are about, where those are approvals, denials or revocations.
func (c *chainView) beside() []report.Beside {
	var out []report.Beside
	taken := map[int64]bool{}
	add := func(index, hits int64) {
		if c.at[index] != nil || taken[index] || len(out) == maxBeside {
			return
		}
		taken[index] = true
		e, err := c.Log.Entry(index)
		if err != nil { // a file need not have it, and the page stands without
			return
		}
		switch m := e.Record.Msg; {
		case e.Opaque != chain.Readable:
		case m.GetRevocation() != nil || hits < 0 && (m.GetApproval() != nil || m.GetDenial() != nil):
			out = append(out, report.Beside{Entry: e, Hits: hits})
		}
	}
	for _, r := range report.RevocationsIn(c.Chain, c.Log.Registry().AllRevocations(c.Size), c.findings) {
		add(r.Index, r.Hits)
	}
	named := func(id record.ID) {
		if id == (record.ID{}) || c.has[id] {
			return
		}
		if index, err := c.Log.Index(id); err == nil && index < c.Size {
			add(index, -1)
		}
	}
	for _, n := range c.Chain.Nodes {
		if len(out) == maxBeside {
			break
		}
		if id, err := record.ParseID(n.Record.Msg.GetStages().GetAction().GetApproval()); err == nil && n.Opaque == chain.Readable {
			named(id)
		}
		for _, f := range c.findings[n.Index] {
			named(f.About)
		}
	}
	return out
}

// called returns what people call a party, for the picture.
func (c *chainView) called(kind, id string) string {
	k := map[string]registry.Kind{"agent": registry.KindAgent, "service": registry.KindService, "client": registry.KindClient,
		"operator": registry.KindOperator, "user": registry.KindUser, "officer": registry.KindUser}[kind]
	if k == "" {
		return ""
	}
	n := c.nameOf(registry.Party{Kind: k, ID: id}, c.Size)
	switch {
	case n.Real != "":
		if kind == "officer" {
			return strings.TrimPrefix(n.Real, officerMark)
		}
		return n.Real
	case kind == "operator" && n.Organisation != "":
		return n.Organisation + ", " + n.Unit
	}
	return n.Name
}

// chainPicture answers with the picture as a file that stands by itself.
func (v *visit) chainPicture() error {
	c, err := v.loadChain()
	if err != nil || c == nil {
		return err
	}
	c.marks.Beside = c.beside()
	d := report.Draw(c.Chain, c.marks, report.Style{})
	return v.attach("image/svg+xml", fmt.Sprintf("chain-%d.svg", c.root.Index), d.SVG)
}
