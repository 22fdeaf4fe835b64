package ledger

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// bundle makes a bundle, has it go through a file, and verifies it as a reader
// does who has the log's key.
func (h *harness) bundle(ask Ask) (*evidence.Bundle, *evidence.Result) {
	h.t.Helper()
	b := h.bundleFile(ask)
	res, err := b.Verify(evidence.Trust{LogKey: h.key})
	if err != nil {
		h.t.Fatalf("Verify: %v", err)
	}
	h.wantGenuine(res)
	return b, res
}

func (h *harness) bundleFile(ask Ask) *evidence.Bundle {
	h.t.Helper()
	b, err := h.ledger.Bundle(context.Background(), ask)
	if err != nil {
		h.t.Fatalf("Bundle: %v", err)
	}
	got, err := evidence.Read(bytes.NewReader(fileOf(h.t, b)), evidence.Limits{})
	if err != nil {
		h.t.Fatalf("Read: %v", err)
	}
	return got
}

func (h *harness) wantGenuine(res *evidence.Result) {
	h.t.Helper()
	if err := res.Err(); err != nil || !res.Anchored || res.NotJudged > 0 {
		h.t.Fatalf("the bundle is not genuine: %v (anchored %t, %d not judged)", err, res.Anchored, res.NotJudged)
	}
}

func fileOf(t testing.TB, b *evidence.Bundle) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := b.WriteTo(&file); err != nil {
		t.Fatalf("WriteTo: %v", err)
	}
	return file.Bytes()
}

// end logs that an action succeeded.
func (h *harness) end(action *record.Record) {
	h.t.Helper()
	h.log(h.record(func(m *onusv1.Record) {
		m.Parent, m.Body = action.ID.String(), &onusv1.Record_Outcome{Outcome: &onusv1.Outcome{Status: onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED}}
	}))
}

func idsOf(rs ...*record.Record) (ids []record.ID) {
	for _, r := range rs {
		ids = append(ids, r.ID)
	}
	return ids
}

// beside returns the records of a bundle that are not of the registry, in log
// order; one that is withheld has a minus before it.
func beside(res *evidence.Result) (ids []string) {
	for i := range res.Leaves {
		switch c := &res.Leaves[i]; {
		case c.Withheld:
			ids = append(ids, "-"+c.ID.String())
		case c.Record.Msg.GetRegistration() == nil && c.Record.Msg.GetGenesis() == nil && c.Record.Msg.GetRevocation() == nil && c.Record.Msg.GetKeySet() == nil:
			ids = append(ids, c.ID.String())
		}
	}
	return ids
}

func wantBeside(t *testing.T, name string, res *evidence.Result, want ...*record.Record) {
	t.Helper()
	var ids []string
	for _, r := range want {
		ids = append(ids, r.ID.String())
	}
	got := beside(res)
	// The log's last entry stands there for its time, where an action is open.
	if n := len(res.Leaves); n > 0 && res.Leaves[n-1].Index == res.Checkpoint.Size-1 && len(got) == len(ids)+1 && got[len(got)-1] == res.Leaves[n-1].ID.String() {
		got = got[:len(got)-1]
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// A bundle shows what time it is, where that decides: it is judged as the
// ledger judges, also when an outcome is overdue.
func TestBundleKnowsTheTime(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	root, trigger := h.own(&onusv1.Grant{Scope: orders("100")}), h.trigger()
	h.log(root, trigger)
	h.log(h.orderFor(trigger, root, "60"))
	for _, ahead := range []time.Duration{0, time.Hour} {
		h.cfg.Clock = func() time.Time { return time.Now().Add(ahead) }
		h.reopen()
		h.link(nil) // apart
		b, _ := h.bundle(Ask{IDs: idsOf(trigger)})
		r, err := verifier.CheckBundle(b, verifier.Trust{LogKey: h.ledger.LogKey()})
		if err != nil {
			t.Fatal(err)
		}
		j := h.judged(trigger.ID)
		if diff := cmp.Diff(string(j.VerdictJSON()), string(r.Judgement.VerdictJSON())); diff != "" || r.Standing != verifier.Genuine {
			t.Errorf("after %v: %s: the ledger (-) and the bundle (+) differ:\n%s", ahead, r.Standing, diff)
		}
		overdue := strings.Contains(codesOf(j.All()), "OUTCOME_MISSING")
		if overdue != (ahead > 0) {
			t.Errorf("after %v: overdue is %t", ahead, overdue)
		}
	}
}

// A bundle holds the chains that were asked for, each once and whole, the
// registry up to the highest entry, and nothing of other chains.
func TestBundleHoldsChains(t *testing.T) {
	h := newHarness(t, nil, nil)
	apart := h.link(nil)
	root := h.link(nil) // apart is the one before it
	a := h.link(root)
	b := h.link(a)
	other := h.link(nil) // above effect, in another chain
	before := h.link(nil)
	effect := h.link(other, a)
	last := h.link(nil)
	h.must(h.register(h.registration().GetRegistration()))

	_, res := h.bundle(Ask{IDs: idsOf(b), Where: `agent == "k8s-agent"`})
	wantBeside(t, "one chain", res, apart, root, a, b, other, before, effect)
	want := evidence.Scope{Asked: idsOf(b), Where: `agent == "k8s-agent"`, Claim: "the chains of these records are whole: 4 entries, as of 13 entries"}
	if diff := cmp.Diff(want, res.Scope); diff != "" {
		t.Error(diff)
	}
	if res.Checkpoint.Size != h.ledger.Size() || res.Registry.Count() != 5 || res.RegistryProven != res.Checkpoint.Size-1 {
		t.Errorf("as of %d, a registry of %d proven before %d", res.Checkpoint.Size, res.Registry.Count(), res.RegistryProven)
	}

	asked := idsOf(b, root, a, b)
	_, res = h.bundle(Ask{IDs: asked})
	wantBeside(t, "asked for three times", res, apart, root, a, b, other, before, effect)
	if !slices.Equal(asked, idsOf(b, root, a, b)) || len(res.Scope.Asked) != 3 {
		t.Errorf("asked is %v, the scope %v", asked, res.Scope.Asked)
	}
	_, res = h.bundle(Ask{IDs: idsOf(last, root)})
	wantBeside(t, "two chains", res, apart, root, a, b, other, before, effect, last)
	// The chain of an effect goes up to its own root.
	_, res = h.bundle(Ask{IDs: idsOf(root, effect)})
	if !strings.HasPrefix(res.Scope.Claim, "the chains of these records are whole: 5 entries") {
		t.Errorf("with the chain of the effect: %s", res.Scope.Claim)
	}

	var re *record.Error
	for field, ask := range map[string]Ask{
		"where":              {IDs: idsOf(a), Where: "a\nb"},
		"ids":                {IDs: make([]record.ID, evidence.MaxAsked+1)},
		"registry_reference": {RegistryReference: true},
	} {
		if _, err := h.ledger.Bundle(t.Context(), ask); !errors.As(err, &re) || re.Field != field || re.Reason != record.ReasonInvalid || re.Next == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	for where, want := range map[string]bool{strings.Repeat("a", evidence.MaxWords): true, strings.Repeat("a", evidence.MaxWords+1): false, "\xff": false} {
		if _, err := h.ledger.Bundle(t.Context(), Ask{IDs: idsOf(a), Where: where}); (err == nil) != want {
			t.Errorf("where of %d bytes: %v", len(where), err)
		}
	}
	if _, err := h.ledger.Bundle(t.Context(), Ask{IDs: []record.ID{a.ID, {7}}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown record: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.ledger.Bundle(ctx, Ask{IDs: idsOf(a)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// No changed byte of a file passes for the ledger's.
func TestBundleWithAChangedByteIsNeverClean(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.grow(20)
	r, _ := h.submit(nil)
	b, err := h.ledger.Bundle(t.Context(), Ask{IDs: idsOf(r)})
	if err != nil {
		t.Fatal(err)
	}
	file := fileOf(t, b)
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 1 << (i % 8)
		if got, err := evidence.Read(bytes.NewReader(changed), evidence.Limits{}); err == nil {
			t.Fatalf("byte %d of %d was changed, and the file reads as %d entries", i, len(file), len(got.Leaves))
		}
	}
	// Nor what is made anew around a changed entry.
	for i := range b.Leaves {
		forged := *b
		forged.Leaves = slices.Clone(b.Leaves)
		raw := bytes.Clone(b.Leaves[i].Raw)
		raw[len(raw)-1] ^= 1
		forged.Leaves[i].Raw = raw
		if res, err := forged.Verify(evidence.Trust{LogKey: h.key}); err == nil && res.Err() == nil {
			t.Errorf("entry %d was changed, and the bundle is clean", b.Leaves[i].Index)
		}
	}
}

// A bundle without records is the registry, and serves bundles that refer to it.
func TestBundleThatRefersToTheRegistry(t *testing.T) {
	h := newHarness(t, nil, nil)
	r, _ := h.submit(nil)
	h.end(r)
	_, whole := h.bundle(Ask{})
	if whole.Registry.Count() != 4 || len(whole.Leaves) != 4 || whole.Scope.Claim != "the registry of the log, as of 6 entries" {
		t.Errorf("the registry has %d of %d entries: %s", whole.Registry.Count(), len(whole.Leaves), whole.Scope.Claim)
	}
	h.must(h.register(h.registration().GetRegistration()))
	later, _ := h.submit(nil)

	b := h.bundleFile(Ask{IDs: idsOf(r), RegistryReference: true})
	if b.Reference == nil || b.Reference.Count != 4 || len(b.Leaves) != 2 {
		t.Fatalf("refers to %v, and has %d entries", b.Reference, len(b.Leaves))
	}
	res, err := b.Verify(evidence.Trust{LogKey: h.key, Registry: whole.Registry})
	if err != nil {
		t.Fatal(err)
	}
	h.wantGenuine(res)

	// The two files are held to the bounds one by one.
	bounds := bundleBounds{entries: 5}
	if _, err := h.ledger.Bundle(t.Context(), Ask{IDs: idsOf(later), RegistryReference: true, bounds: bounds}); err != nil {
		t.Errorf("a registry of 5, and 2 entries beside it: %v", err)
	}
	_, err = h.ledger.Bundle(t.Context(), Ask{IDs: idsOf(later), bounds: bounds})
	wantReason(t, err, ReasonTooLarge)
	bounds.entries--
	_, err = h.ledger.Bundle(t.Context(), Ask{IDs: idsOf(later), RegistryReference: true, bounds: bounds})
	wantReason(t, err, ReasonTooLarge)

	b = h.bundleFile(Ask{IDs: idsOf(later), RegistryReference: true})
	var needed *evidence.RegistryNeededError
	if _, err := b.Verify(evidence.Trust{LogKey: h.key, Registry: whole.Registry}); !errors.As(err, &needed) || needed.Reference.Count != 5 {
		t.Errorf("with the registry of before: %v", err)
	}
	_, grown := h.bundle(Ask{})
	if res, err = b.Verify(evidence.Trust{LogKey: h.key, Registry: grown.Registry}); err != nil {
		t.Fatal(err)
	}
	h.wantGenuine(res)
}

// What is more than a bundle holds is an error that says how much it holds.
func TestBundleLimits(t *testing.T) {
	h := newHarness(t, nil, nil)
	root := h.link(nil)
	all := []*record.Record{root}
	for range 4 {
		all = append(all, h.link(all[len(all)-1]))
	}
	text, content := record.NewText([]byte(strings.Repeat("why ", 100)))
	why := h.record(func(m *onusv1.Record) {
		m.Parent = root.ID.String()
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Decision: &onusv1.Decision{Text: text}}}
	})
	h.must(h.ledger.Submit(t.Context(), Submission{Envelope: why.Envelope, Contents: []*onusv1.Content{content}}))
	shows := Reader{Contents: func(*Entry) bool { return true }}
	size := 0
	for i := range h.ledger.Size() {
		raw, err := h.ledger.Raw(i)
		if err != nil {
			t.Fatal(err)
		}
		size += entryRoom + len(raw)
	}
	for name, c := range map[string]struct {
		bounds bundleBounds
		says   string // empty: it fits
	}{
		"chain":          {bundleBounds{chain: 6}, ""},
		"chain too long": {bundleBounds{chain: 5}, "whose chain has more than 5 records"},
		"chain too deep": {bundleBounds{chain: 3}, "whose chain has more than 3 records"},
		"entries":        {bundleBounds{entries: 10}, ""},
		"one entry more": {bundleBounds{entries: 9}, "more than the 9 entries"},
		"entries alone":  {bundleBounds{entries: 4}, "more than the 4 entries"},
		"bytes":          {bundleBounds{bytes: size}, ""},
		"one byte more":  {bundleBounds{bytes: size - 1}, "bytes of entries"},
	} {
		_, err := h.ledger.Bundle(t.Context(), Ask{IDs: idsOf(all[4]), Reader: shows, bounds: c.bounds})
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantReason(t, err, ReasonTooLarge)
		if err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want that it says %q", name, err, c.says)
		}
	}
	c := &collector{l: h.ledger, h: h.ledger.head.Load(), ask: &Ask{Reader: shows}, bounds: bundleBounds{bytes: 443}}
	e := h.entryOf(why)
	c.entries = map[int64]*collected{e.Index: {Entry: e, seen: true}}
	wantReason(t, c.disclose(&evidence.Bundle{Leaves: []evidence.Leaf{{Index: e.Index, Raw: e.Raw}}}), ReasonTooLarge)
	c.bounds.bytes++
	if err := c.disclose(&evidence.Bundle{Leaves: []evidence.Leaf{{Index: e.Index, Raw: e.Raw}}}); err != nil {
		t.Errorf("contents that just fit: %v", err)
	}
}

// While the log grows, each bundle is of one size, and whole.
func TestBundleOfALogThatGrows(t *testing.T) {
	h := newHarness(t, nil, nil)
	h.enrolOperator()
	root := h.own(&onusv1.Grant{Scope: orders("100000")})
	h.log(root)
	subs := h.envelopes(240, func(_ int, m *onusv1.Record) {
		m.Parent, m.Grant = root.ID.String(), root.ID.String()
		m.GetStages().Action.Element = &onusv1.ScopeElement{Type: "order", Action: "place", Amount: "1", Unit: "EUR"}
	})
	last := int64(0)
	for round := range slices.Chunk(subs, 60) {
		var wg sync.WaitGroup
		wg.Go(func() {
			for batch := range slices.Chunk(round, 3) {
				h.ledger.SubmitBatch(context.Background(), batch)
			}
		})
		for range 3 {
			// All that came after the grant are orders under it.
			_, res := h.bundle(Ask{IDs: idsOf(root)})
			if got := res.Checkpoint.Size; got < last || len(res.Leaves) != int(got) {
				t.Errorf("%d entries of %d, after %d: %s", len(res.Leaves), got, last, res.Scope.Claim)
			}
			last = res.Checkpoint.Size
		}
		wg.Wait()
	}
	h.checkLog()
}
