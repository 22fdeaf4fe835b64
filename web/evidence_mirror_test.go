package web_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// mirrored is a log that makes no evidence files.
type mirrored struct{ *bundleLog }

func (mirrored) MakesBundles() bool { return false }

func (mirrored) Bundle(context.Context, []record.ID, string, bool) (*evidence.Bundle, error) {
	return nil, fmt.Errorf("%w: none is made", desk.ErrNotShown)
}

// Where no evidence file can be had, the pages say so and offer none.
func TestNoEvidenceFileIsOfferedOfAMirror(t *testing.T) {
	l := openBundle(t, "S4")
	root := "/chain/" + rootIntent(t, l).Record.ID.String()
	with, without := siteOver(t, l, asFile), siteOver(t, mirrored{l}, asFile)
	with.get(root).is(200).has("Take the evidence").lacks("The mirror is the evidence")
	without.get(root).is(200).has("The mirror is the evidence").lacks("Take the evidence")
	with.get(root+"/evidence").is(200).has("Download chain-", "Check in this browser").lacks("no evidence file is made")
	without.get(root+"/evidence").is(200).has("no evidence file is made", "onus-verify log FOLDER").lacks("Download chain-").lacks("Check in this browser")
}
