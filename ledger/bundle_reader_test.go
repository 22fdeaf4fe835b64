package ledger

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// What the reader may not see is withheld, and nothing is added for it; what
// one of several chains shows is shown.
func TestBundleWithholds(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	grant := h.own(&onusv1.Grant{Scope: orders("100")})
	h.log(grant)
	root := h.link(nil)
	gap := h.link(nil)
	hidden := h.record(func(m *onusv1.Record) { m.Parent, m.Grant = root.ID.String(), grant.ID.String() })
	h.log(hidden)
	top := h.link(nil)
	shared := h.link(top, root)
	only := func(seen ...*record.Record) func(*Entry) bool {
		return func(e *Entry) bool {
			return slices.ContainsFunc(seen, func(r *record.Record) bool { return r.ID == e.Record.ID })
		}
	}
	views := map[record.ID]func(*Entry) bool{root.ID: only(root), top.ID: only(top, shared)}
	reader := Reader{Sees: only(), Chain: func(c *Chain) (func(*Entry) bool, error) { return views[c.Entries[0].Record.ID], nil }}
	_, res := h.bundle(Ask{IDs: idsOf(root), Reader: reader})
	want := []string{root.ID.String(), "-" + hidden.ID.String(), "-" + top.ID.String(), "-" + shared.ID.String()}
	if diff := cmp.Diff(want, beside(res)); diff != "" {
		t.Error(diff)
	}
	if got := res.Leaves[len(res.Leaves)-1].Party; got != testOperator || !strings.HasSuffix(res.Scope.Claim, "; 3 entries withheld") {
		t.Errorf("withheld as of %q; %s", got, res.Scope.Claim)
	}
	for _, ids := range [][]record.ID{idsOf(root, top), idsOf(top, root)} {
		_, res = h.bundle(Ask{IDs: ids, Reader: reader})
		want := []string{root.ID.String(), "-" + hidden.ID.String(), top.ID.String(), shared.ID.String()}
		if diff := cmp.Diff(want, beside(res)); diff != "" {
			t.Error(diff)
		}
	}
	no := errors.New("not yours")
	reader.Chain = func(*Chain) (func(*Entry) bool, error) { return nil, no }
	if _, err := h.ledger.Bundle(t.Context(), Ask{IDs: idsOf(gap), Reader: reader}); !errors.Is(err, no) {
		t.Errorf("a chain that the reader may not have: %v", err)
	}
}

// Contents and tokens are those that the reader may see, of what it sees;
// tokens only once they have expired.
func TestBundleDiscloses(t *testing.T) {
	var ahead atomic.Int64
	h, is := newUserHarness(t, func(c *Config) {
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	token := is.token(nil)
	text, content := record.NewText([]byte("why is my pod failing?"))
	before, kept := record.NewText([]byte("of the record before"))
	b := h.record(func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: before}}}
	})
	h.must(h.ledger.Submit(t.Context(), Submission{Envelope: b.Envelope, Contents: []*onusv1.Content{kept}}))
	r, sub := h.intent(token, func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: text}}}
	})
	sub.Contents = []*onusv1.Content{content}
	h.must(h.ledger.Submit(t.Context(), sub))
	h.link(r)
	all := func(*Entry) bool { return true }
	none := func(*Entry) bool { return false }
	for _, after := range []time.Duration{0, 2 * time.Hour} {
		ahead.Store(int64(after))
		for name, c := range map[string]struct {
			reader           Reader
			contents, tokens int
		}{
			"nothing":  {Reader{}, 0, 0},
			"all":      {Reader{Contents: all, Token: all}, 1, 1},
			"neither":  {Reader{Contents: none, Token: none}, 0, 0},
			"contents": {Reader{Contents: all}, 1, 0},
			"not the entry": {Reader{Contents: all, Token: all, Chain: func(*Chain) (func(*Entry) bool, error) {
				return func(e *Entry) bool { return e.Record.ID != r.ID }, nil
			}}, 0, 0},
		} {
			if after == 0 {
				c.tokens = 0
			}
			b, res := h.bundle(Ask{IDs: idsOf(r), Reader: c.reader})
			if len(b.Contents) != c.contents || len(b.Tokens) != c.tokens {
				t.Errorf("%s, %v later: %d contents and %d tokens, want %d and %d", name, after, len(b.Contents), len(b.Tokens), c.contents, c.tokens)
			}
			for i := range res.Leaves {
				if l := &res.Leaves[i]; l.ID == r.ID && (c.contents > 0) != (len(l.Contents) > 0) || l.Token != "" && l.Token != token {
					t.Errorf("%s: entry %d opens %d contents, and has a token of %d bytes", name, l.Index, len(l.Contents), len(l.Token))
				}
			}
		}
	}
}
