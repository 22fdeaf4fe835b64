package web

import (
	"net/http"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
)

// checkView is what the template "check" shows.
type checkView struct {
	Verifier *browserVerifier // nil: this program has none
	// Chain is the one whose evidence is fetched from here; nil: only files.
	Chain *checkChain
	Texts bool // its texts may be fetched too
	Key   logKey
	// The marks that the page's module shows a result with.
	Standings  []standingMark
	Outcomes   []chain.Outcome
	Severities []chain.Severity
	Check      withoutUs
}

type checkChain struct {
	ID    record.ID
	Index int64
	File  string
}

// standingMark says how the standing of evidence is shown: in a word, and with the
// shape of an outcome that is as grave.
type standingMark struct {
	Standing    verifier.Standing
	Word, Shape string
}

var standings = []standingMark{
	{verifier.Genuine, "Genuine", "within"},
	{verifier.NotAnchored, "Not anchored", "untold"},
	{verifier.Broken, "Broken", "broken"},
	{verifier.Forked, "The log tells two histories", "broken"},
}

// checkPage is where a reader checks evidence in the browser. The server has no
// part in the check but that it sent the code for it, and the page says so.
func (v *visit) checkPage(b *browserVerifier) error {
	p := &checkView{Verifier: b, Texts: v.Contents, Key: v.logKey(), Standings: standings,
		Outcomes: append(chain.Outcomes(), chain.NothingDone), Severities: severities, Check: withoutUs{"evidence.onus", b, report.Exits}}
	if s := v.r.URL.Query().Get("chain"); s != "" {
		id, err := parseID(s)
		if err != nil {
			return err
		}
		index, err := v.Log.Index(id)
		if err != nil {
			return err
		}
		if v.Log.MakesBundles() { // else the reader brings a file
			p.Chain = &checkChain{id, index, evidenceName(index)}
			p.Check.File = p.Chain.File
		}
	}
	if b != nil {
		v.allowWasm()
	}
	f := v.frame("Check evidence", "evidence", p)
	f.Checked = false // that is what the page is for
	return v.send(http.StatusOK, "check", f)
}
