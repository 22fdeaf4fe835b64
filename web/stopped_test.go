package web_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// illLog cannot be waited for any more once its desk has taken it in.
type illLog struct{ *bundleLog }

var errIll = errors.New("the disk is full\nand this is for the server's own log")

func (l illLog) Wait(ctx context.Context, size int64) error {
	if size < l.Size() {
		return l.bundleLog.Wait(ctx, size)
	}
	return errIll
}

// Where the desk stopped, the overview and the rail of every page say so, and what
// to do. Of the error they say its first line.
func TestPagesTellThatTheOverviewStopped(t *testing.T) {
	l := illLog{openBundle(t, "S1-a")}
	d, err := desk.Open("", l)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); !errors.Is(err, errIll) {
		t.Fatalf("Run: %v", err)
	}
	for _, source := range []string{"", "S1-a.onus"} {
		next := map[string]string{"": "restart the server", "S1-a.onus": "open it again"}[source]
		s := &site{t: t, Handler: web.New(web.Config{Log: l, Desk: d, Source: source})}
		overview := s.get("/").is(200)
		for name, a := range map[string]*answer{"overview": overview, "find": s.get("/find").is(200)} {
			if !strings.Contains(a.body, "The overview stopped there: "+next) || strings.Contains(a.body, "and this is for") {
				t.Errorf("the rail of %s of %q does not say that it stopped, and what to do", name, source)
			}
		}
		overview.has("The overview stopped at entry ", "the disk is full")
	}
}

// A review that is not by whom it names is told of.
func TestOverviewTellsOfForgedReviews(t *testing.T) {
	l := openBundle(t, "S4")
	siteOver(t, l, asFile).get("/").is(200).lacks("not by whom")
	f := forgedLog{l, l.Size() - 1, rootIntent(t, l).Record.ID}
	siteOver(t, f, asFile).get("/").is(200).has("1 review is not by whom it names", fmt.Sprintf("entry %d", f.index))
}

// forgedLog has a review for an entry, which the reviewer that it names never
// signed.
type forgedLog struct {
	*bundleLog
	index int64
	about record.ID
}

func (l forgedLog) Entry(i int64) (chain.Entry, error) {
	e, err := l.bundleLog.Entry(i)
	if err == nil && i == l.index {
		r := *e.Record
		r.Msg = &onusv1.Record{Origin: l.Origin(), Author: &onusv1.Author{Reviewer: "boss"}, Causes: []string{l.about.String()},
			Body: &onusv1.Record_Review{Review: &onusv1.Review{Record: l.about.String(), Disposition: onusv1.Disposition_DISPOSITION_EXPLAINED}}}
		e.Record = &r
	}
	return e, err
}
