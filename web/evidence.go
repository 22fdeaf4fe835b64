package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
)

func (s *site) evidenceRoutes() {
	b, err := embedded()
	if err != nil {
		s.Logger.Error("no browser check", "err", err)
	}
	s.evidencePages(b)
}

// evidencePages registers the pages about evidence, with a verifier for browsers
// or, where none was built, nil.
func (s *site) evidencePages(b *browserVerifier) {
	s.page("GET /chain/{id}/evidence", func(v *visit) error { return v.evidence(b) })
	s.page("GET /chain/{id}/evidence.onus", (*visit).evidenceFile)
	s.page("GET /check", func(v *visit) error { return v.checkPage(b) })
	s.page("GET /verify.html", func(v *visit) error { return v.verifyPage(b) })
	if b != nil {
		b.register(s.mux)
	}
}

// withoutUs says how to check evidence without this server: the dot of the
// template "withoutus".
type withoutUs struct {
	// File is the evidence file in the commands.
	File     string
	Verifier *browserVerifier // nil: this program has none
	Exits    []report.Exit
}

// logKey is the log's verifier key as this server names it.
type logKey struct {
	Key, Fingerprint string // empty: it names none
	Origin           string
}

func (v *visit) logKey() logKey {
	k := v.Log.Key()
	if k.IsZero() {
		return logKey{Origin: v.Log.Origin()}
	}
	return logKey{k.String(), report.Fingerprint(k.String()), v.Log.Origin()}
}

// evidencePage is what the template "evidence" shows.
type evidencePage struct {
	ID      record.ID
	Index   int64
	Records int
	// Judged: there is a report, a picture and a judgement of the chain.
	Judged bool
	Texts  bool // its texts may be taken along
	// Makes: there is an evidence file to be had; else the folder that is shown
	// is the evidence.
	Makes bool
	File  string
	Key   logKey
	Check withoutUs
}

// evidence says what can be taken away of a chain, what it shows, and how to
// check it without this server.
func (v *visit) evidence(b *browserVerifier) error {
	c, err := v.loadChain()
	if err != nil || c == nil {
		return err
	}
	file := evidenceName(c.root.Index)
	return v.render("evidence", fmt.Sprintf("Evidence for the chain of entry %d", c.root.Index), "find", &evidencePage{
		ID: c.root.Record.ID, Index: c.root.Index, Records: len(c.Chain.Nodes), Judged: c.Judgement != nil, Texts: v.Contents,
		Makes: v.Log.MakesBundles(), File: file, Key: v.logKey(), Check: withoutUs{file, b, report.Exits}})
}

// evidenceName is the file's name; it holds nothing foreign.
func evidenceName(index int64) string { return fmt.Sprintf("chain-%d.onus", index) }

// evidenceFile sends the evidence for the chain that a record is part of.
func (v *visit) evidenceFile() error {
	id, err := parseID(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	texts, err := v.withTexts()
	if err != nil {
		return err
	}
	index, err := v.Log.Index(id)
	if err != nil {
		return err
	}
	if err := v.reading("evidence", id); err != nil {
		return err
	}
	leave, err := v.files.enter(v.r.Context())
	if err != nil {
		return err
	}
	defer leave()
	if err := v.costly(); err != nil {
		return err
	}
	b, err := v.Log.Bundle(v.r.Context(), []record.ID{id}, "", texts)
	var refused *record.Error
	if errors.As(err, &refused) {
		return &problem{http.StatusConflict, sentence(report.Clean(refused.Detail)) + ".", sentence(report.Clean(refused.Next)) + "."}
	}
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if _, err := b.WriteTo(&file); err != nil {
		return fmt.Errorf("write the evidence for %s: %w", id, err)
	}
	return v.attach("application/octet-stream", evidenceName(index), file.Bytes())
}

// withTexts reads whether the texts behind commitments are asked for, which is
// not for every role.
func (v *visit) withTexts() (bool, error) {
	switch s := v.r.URL.Query().Get("contents"); s {
	case "":
		return false, nil
	case "1":
		if !v.Contents {
			return false, forbidden("Take the evidence without the texts: it proves the same. Or ask somebody who may read them.", "The texts of records are not disclosed to your role.")
		}
		return true, nil
	default:
		return false, badRequest("Leave it out, or write contents=1.", "Evidence is with contents or without: contents=%s is neither.", say(s))
	}
}

// verifyPage sends verify.html, to be opened from disk.
func (v *visit) verifyPage(b *browserVerifier) error {
	if b == nil {
		return notFound("Take verify.html from a release of Onus, or make it out of the sources with make dist. The command onus-verify does the same.", "This program was built without verify.html.")
	}
	return v.attach(types[".html"], "verify.html", b.page)
}
