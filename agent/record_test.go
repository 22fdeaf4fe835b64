package agent_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

func TestNewRefuses(t *testing.T) {
	l := newTestLog(t)
	for name, c := range map[string]struct {
		edit func(*agent.Config)
		want string
	}{
		"no server":      {func(c *agent.Config) { c.Server = "" }, "Server"},
		"server no URL":  {func(c *agent.Config) { c.Server = "localhost:8787" }, "Server"},
		"no log key":     {func(c *agent.Config) { c.LogKey = "" }, "LogKey"},
		"no signer":      {func(c *agent.Config) { c.Signer = nil }, "Signer"},
		"agent no id":    {func(c *agent.Config) { c.Agent = "planner" }, "author.agent"},
		"no operator":    {func(c *agent.Config) { c.Operator = "" }, "author.operator"},
		"bad instance":   {func(c *agent.Config) { c.Instance = "pod 1" }, "author.instance"},
		"bad policy":     {func(c *agent.Config) { c.OnOutage = 7 }, "OnOutage"},
		"bad patience":   {func(c *agent.Config) { c.Patience = -1 }, "Patience"},
		"bad checkpoint": {func(c *agent.Config) { c.Checkpoint = "x" }, "Checkpoint"},
	} {
		cfg := l.Config(planner)
		c.edit(&cfg)
		if _, err := agent.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: New gives %v, want an error about %s", name, err, c.want)
		}
	}
}

func TestRecord(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	ctx := t.Context()
	user := must(a.User(ctx, "lead@example.com"))
	session := must(a.Session(ctx, "https://idp.example.com s-1"))
	subject := must(a.Subject(ctx, "customer 7"))
	if again := must(a.User(ctx, "lead@example.com")); again != user {
		t.Errorf("User gives %s, then %s", user, again)
	}
	asked, err := a.Record(ctx, agent.Step{User: user, Session: session, Intent: &agent.Intent{
		Text: "optimise the supply", Requested: []agent.Element{{Type: "order", Action: "*"}}}})
	if err != nil {
		t.Fatal(err)
	}
	full := agent.Step{
		Parent: asked.Link(), Causes: []record.ID{asked.ID}, Asks: buyer, User: user, Session: session,
		Subjects: []string{subject}, Basis: agent.Delegated,
		Trace:          &onusv1.Trace{A2AContextId: "c-1"},
		Interpretation: &agent.Interpretation{Text: "forecast first", Model: "m", ModelVersion: "1"},
		Decision: &agent.Decision{Text: "buy", Chosen: []agent.Element{{Type: "order", Action: "create"}},
			Alternatives: []string{"wait", "lease"}, Rationale: "prices rise", Confidence: "0.8"},
		Action: &agent.Action{Element: agent.Element{Type: "order", Action: "create", Amount: "10", Unit: "EUR", Recipient: subject},
			Arguments: "{}", Result: "ok", Target: agent.Allowed, RequestID: "r", Token: &onusv1.TokenFacts{Sub: user, Azp: "app"}},
		Under: map[agent.Field]string{agent.ActionArguments: subject},
	}
	got, err := a.Record(ctx, full)
	if err != nil {
		t.Fatal(err)
	}
	if got.Index != asked.Index+1 || got.Duplicate || got.LogTime.IsZero() {
		t.Errorf("receipt is %+v, want index %d, no duplicate, a log time", got, asked.Index+1)
	}
	m := must(l.Ledger.Entry(got.Index)).Record.Msg
	if m.GetParent() != asked.ID.String() || m.GetParentAgent() != "" || m.GetSequence() != 1 || m.GetPrevious() != asked.ID.String() {
		t.Errorf("record is %v, want the first as parent and previous", m)
	}
	if m.GetCapture() != onusv1.Capture_CAPTURE_SELF || m.GetBasis() != agent.Delegated || m.GetAsks() != buyer || len(m.GetCauses()) != 1 {
		t.Errorf("record is %v", m)
	}
	// What is kept as a file proves itself.
	p := got.Proven
	pub := must(record.NewSigner(l.keys[planner])).Public()
	if _, err := verifier.OpenReceipt(p.GetReceipt(), record.TypeProtobuf, p.GetEnvelope().GetPayload(), l.Key, pub); err != nil {
		t.Errorf("kept receipt: %v", err)
	}
	if a.Last() != got.ID {
		t.Errorf("Last is %s, want %s", a.Last(), got.ID)
	}
	// All texts are commitments, and the ledger can open all.
	contents := must(l.Ledger.Contents(must(l.Ledger.Entry(got.Index))))
	var texts []string
	for _, c := range contents {
		texts = append(texts, string(c.GetData()))
		if string(c.GetData()) == "{}" && c.GetSubject() != subject {
			t.Errorf("arguments are stored under %q, want the subject", c.GetSubject())
		}
	}
	if got, want := strings.Join(texts, "|"), "forecast first|buy|prices rise|{}|ok|wait|lease"; got != want {
		t.Errorf("contents are %s, want %s", got, want)
	}
}

func TestPlainAndWithheld(t *testing.T) {
	l := newTestLog(t, string(agent.IntentText))
	a := l.agent(t, planner, nil)
	step := agent.Step{
		Intent:   &agent.Intent{Text: "in the open"},
		Decision: &agent.Decision{Text: "stays here", Rationale: "goes along"},
		Plain:    []agent.Field{agent.IntentText}, Withhold: []agent.Field{agent.DecisionText},
	}
	r, err := a.Record(t.Context(), step)
	if err != nil {
		t.Fatal(err)
	}
	logged := must(l.Ledger.Entry(r.Index))
	rec := logged.Record
	if got := rec.Msg.GetStages().GetIntent().GetText().GetPlain(); got != "in the open" {
		t.Errorf("intent is %q in the log", got)
	}
	if len(r.Withheld) != 1 {
		t.Fatalf("%d texts are withheld, want 1", len(r.Withheld))
	}
	w := r.Withheld[0]
	sum := record.Commit(w.GetSalt(), w.GetData())
	if !bytes.Equal(sum[:], rec.Msg.GetStages().GetDecision().GetText().GetCommitment()) || string(w.GetData()) != "stays here" {
		t.Error("what is withheld does not open the commitment")
	}
	contents := must(l.Ledger.Contents(logged))
	if len(contents) != 1 || string(contents[0].GetData()) != "goes along" {
		t.Errorf("the ledger has %v, want the rationale alone", contents)
	}

	// Policy and slips of the pen.
	var refused *agent.RefusedError
	step.Plain, step.Withhold = []agent.Field{agent.DecisionText}, nil
	if _, err := a.Record(t.Context(), step); !errors.As(err, &refused) || refused.Problem.GetReason() != "PLAIN_TEXT_FORBIDDEN" || refused.Spent {
		t.Errorf("plain text against the policy gives %v", err)
	}
	for _, s := range []agent.Step{
		{Intent: &agent.Intent{Text: "x"}, Plain: []agent.Field{"intent.text"}},
		{Intent: &agent.Intent{Text: "x"}, Withhold: []agent.Field{"intent"}},
		{Intent: &agent.Intent{Text: "x"}, Under: map[agent.Field]string{"x": ""}},
		{Intent: &agent.Intent{Text: "x"}, Plain: []agent.Field{agent.IntentText}, Withhold: []agent.Field{agent.IntentText}},
		{Intent: &agent.Intent{Text: "x"}, Outcome: &agent.Outcome{Status: agent.Failed}},
		{Intent: &agent.Intent{Text: "x"}, Root: true, Parent: r.Link()},
		{},
	} {
		if _, err := a.Record(t.Context(), s); err == nil || errors.As(err, &refused) {
			t.Errorf("step %+v gives %v, want an error before anything is sent", s, err)
		}
	}
}

// Refused records take no number: audit, at the end, finds no gap.
func TestRefusedTakesNoNumber(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	for range 3 {
		must(a.Record(t.Context(), intent("fine")))
		bad := intent("names a user that the ledger does not know")
		bad.User = "u-" + strings.Repeat("a", 26)
		_, err := a.Record(t.Context(), bad)
		var refused *agent.RefusedError
		if !errors.As(err, &refused) || refused.Spent || refused.Problem.GetField() != "user" || refused.Code != "invalid_argument" {
			t.Fatalf("Record gives %v, want it refused because of user", err)
		}
	}
	if got := l.count(t, a); got != 3 {
		t.Errorf("%d records are in the log, want 3", got)
	}
	stranger := l.agent(t, planner, func(c *agent.Config) { c.Signer = newKey() })
	_, err := stranger.Record(t.Context(), intent("with a key of nobody"))
	var refused *agent.RefusedError
	if !errors.As(err, &refused) || refused.Problem.GetReason() != "KEY_NOT_BOUND" {
		t.Errorf("Record with an unknown key gives %v", err)
	}
	lost := l.agent(t, planner, func(c *agent.Config) { c.Server += "/wrong" })
	if _, err := lost.Record(t.Context(), intent("to a wrong URL")); !errors.As(err, &refused) || !strings.Contains(err.Error(), "is Server the URL") {
		t.Errorf("Record to a wrong URL gives %v", err)
	}
}

func TestManyGoroutines(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if _, err := a.Record(t.Context(), intent("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := l.count(t, a); got != 80 {
		t.Errorf("%d records are in the log, want 80", got)
	}
	// A call that waits for its turn can be ended.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var outage *agent.OutageError
	if _, err := a.Record(ctx, intent("x")); !errors.As(err, &outage) || outage.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("Record with an ended context gives %v", err)
	}
}

// A process that follows another names its last record, and every kind of key
// signs.
func TestFollowsWithECDSA(t *testing.T) {
	l := newTestLog(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	l.bind(planner, key)
	first := l.agent(t, planner, func(c *agent.Config) { c.Signer = crypto.Signer(key) })
	must(first.Record(t.Context(), intent("x")))
	second := l.agent(t, planner, func(c *agent.Config) {
		c.Signer, c.Follows, c.Checkpoint = key, first.Last(), first.Checkpoint()
	})
	r := must(second.Record(t.Context(), intent("y")))
	m := must(l.Ledger.Entry(r.Index)).Record.Msg
	if m.GetSequence() != 0 || m.GetPrevious() != first.Last().String() {
		t.Errorf("record has sequence %d and previous %s, want 0 and %s", m.GetSequence(), m.GetPrevious(), first.Last())
	}
}

func TestLost(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	must(a.Record(t.Context(), intent("x")))
	r, err := a.Lost(agent.WithLink(t.Context(), agent.Link{Record: record.ID{1}, Agent: buyer, Origin: origin}), 0, 0, "the disk of the pod")
	if err != nil {
		t.Fatal(err)
	}
	m := must(l.Ledger.Entry(r.Index)).Record.Msg
	if m.GetLoss() == nil || m.GetParent() != "" {
		t.Errorf("record is %v, want a loss without parent", m)
	}
	if _, err := a.Lost(t.Context(), 5, 9, "not made yet"); !errors.As(err, new(*record.Error)) {
		t.Errorf("Lost of records to come gives %v", err)
	}
}

func TestSubmitBatch(t *testing.T) {
	l := newTestLog(t)
	a := l.agent(t, planner, nil)
	author := must(a.Author(agent.AuthorConfig{Instance: "import-1", Capture: onusv1.Capture_CAPTURE_IMPORT}))
	var signed []*agent.Signed
	var parent agent.Link
	for range 600 {
		s, err := author.Sign(agent.Step{Parent: parent, Intent: &agent.Intent{Text: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		signed, parent = append(signed, s), s.Link()
	}
	receipts, err := a.Submit(t.Context(), signed...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range receipts {
		if r.ID != signed[i].Record.ID || r.Duplicate || r.Index != receipts[0].Index+int64(i) {
			t.Fatalf("receipt %d is of %s at %d", i, r.ID, r.Index)
		}
	}
	// Again, with one that is refused among them.
	bad, err := must(a.Author(agent.AuthorConfig{})).Sign(agent.Step{User: "u-" + strings.Repeat("a", 26), Intent: &agent.Intent{Text: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	signed[300] = bad
	receipts, err = a.Submit(t.Context(), signed[:400]...)
	var refused *agent.RefusedError
	if !errors.As(err, &refused) || refused.ID != bad.Record.ID {
		t.Errorf("Submit gives %v, want record %s refused", err, bad.Record.ID)
	}
	for i, r := range receipts {
		if (r == nil) != (i == 300) || r != nil && !r.Duplicate {
			t.Errorf("receipt %d is %v", i, r)
		}
	}
	c := chain.Build(l.audit(t), nil, nil)
	if len(c.Missing) > 0 {
		t.Errorf("links are missing: %v", c.Missing)
	}
}

// A ledger whose queue is full takes a part of a batch; the rest follows.
func TestSubmitBusy(t *testing.T) {
	l := startLog()
	defer l.Close()
	l.Close()
	l.cfg.Queue, l.cfg.MaxBatch = 16, 4
	l.restart()
	a := l.agent(t, planner, nil)
	author := must(a.Author(agent.AuthorConfig{}))
	var signed []*agent.Signed
	for range 256 {
		signed = append(signed, must(author.Sign(intent("x"))))
	}
	receipts, err := a.Submit(t.Context(), signed...)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for _, r := range receipts {
		seen[r.Index] = true
	}
	if len(seen) != 256 {
		t.Errorf("256 records stand at %d places", len(seen))
	}
}
