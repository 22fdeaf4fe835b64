package web_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
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
			text := strings.ToLower(a.text())
			if !strings.Contains(text, "the overview stopped there") || !strings.Contains(text, next) || strings.Contains(a.body, "own log") && strings.Contains(a.body, "and this is for") {
				t.Errorf("%s of %q does not say that it stopped, and what to do: %q", name, source, text)
			}
		}
		overview.has("The overview stopped at entry ", "the disk is full")
	}
}

// A review that is not by whom it names is told of.
func TestOverviewTellsOfForgedReviews(t *testing.T) {
	l := openBundle(t, "S4")
	at := int64(-1)
	for i := range l.Size() {
		if e, err := l.Entry(i); err == nil && e.Record.Msg.GetReview() != nil {
			at = i
		}
	}
	if at < 0 {
		t.Fatal("the scenario has no review")
	}
	siteOver(t, l, asFile).get("/").is(200).lacks("not by whom")
	siteOver(t, forgedLog{l, at}, asFile).get("/").is(200).has("1 review is not by whom it names", "entry "+fmt.Sprint(at))
}

// forgedLog has an entry whose signature was changed.
type forgedLog struct {
	*bundleLog
	index int64
}

func (l forgedLog) Entry(i int64) (chain.Entry, error) {
	e, err := l.bundleLog.Entry(i)
	if err == nil && i == l.index {
		r := *e.Record
		r.Envelope.Signature = append([]byte{r.Envelope.Signature[0] ^ 1}, r.Envelope.Signature[1:]...)
		e.Record = &r
	}
	return e, err
}
