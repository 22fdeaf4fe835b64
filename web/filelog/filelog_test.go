package filelog_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/filelog"
)

const bundles = "../../verifier/chain/testdata/bundles"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func logKey(t *testing.T) tree.LogKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(bundles, "log.vkey"))
	must(t, err)
	key, err := tree.ParseLogKey(strings.TrimSpace(string(text)))
	must(t, err)
	return key
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(bundles, name))
	must(t, err)
	return raw
}

func open(t *testing.T, name string) *filelog.File {
	t.Helper()
	f, err := filelog.Open(bytes.NewReader(read(t, name)), verifier.Trust{LogKey: logKey(t)})
	must(t, err)
	return f
}

// Of every file: what it holds is shown and proven, what it does not hold is not
// shown, and the chain is judged as the auditor's tool judges it.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(bundles, "*.onus"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no bundles: %v", err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		f := open(t, name)
		rep := f.Report()
		if f.Standing() != verifier.Genuine || f.Key().String() != logKey(t).String() || f.Origin() != f.Key().Origin() {
			t.Errorf("%s: %s under key %s of %s", name, f.Standing(), f.Key(), f.Origin())
		}
		j, err := f.Judge(f.Asked()[0])
		must(t, err)
		if !bytes.Equal(j.Judgement.VerdictJSON(), rep.VerdictJSON()) || j.Size != f.Size() || j.Cut {
			t.Errorf("%s: judged otherwise than by the auditor's tool", name)
		}
		shown := 0
		for i := range f.Size() {
			e, err := f.Entry(i)
			if errors.Is(err, desk.ErrNotShown) {
				if _, err := f.Raw(i); !errors.Is(err, desk.ErrNotShown) {
					t.Errorf("%s: entry %d is not shown, and its bytes are: %v", name, i, err)
				}
				if _, err := f.Receipt(i); !errors.Is(err, desk.ErrNotShown) {
					t.Errorf("%s: entry %d is not shown, and its receipt is: %v", name, i, err)
				}
				continue
			}
			must(t, err)
			shown++
			if at, err := f.Index(e.Record.ID); err != nil || at != i {
				t.Errorf("%s: record of entry %d stands at %d, %v", name, i, at, err)
			}
			p, err := f.Receipt(i)
			must(t, err)
			got, err := verifier.OpenReceipt(p.GetReceipt(), e.Record.Envelope.Type, e.Record.Envelope.Payload, logKey(t), nil)
			if err != nil || got.Index != i || got.Record.ID != e.Record.ID {
				t.Errorf("%s: the receipt of entry %d: %v", name, i, err)
			}
			if raw, err := f.Raw(i); err != nil || tree.LeafHash(raw) != got.Leaf {
				t.Errorf("%s: the bytes of entry %d are others (%v)", name, i, err)
			}
		}
		if shown != len(rep.Evidence.Leaves) {
			t.Errorf("%s: %d entries are shown of %d in the file", name, shown, len(rep.Evidence.Leaves))
		}
		for _, i := range []int64{-1, f.Size(), f.Size() + 1000} {
			if _, err := f.Entry(i); !errors.Is(err, desk.ErrNotFound) {
				t.Errorf("%s: entry %d: %v", name, i, err)
			}
		}
		if _, err := f.Index(record.ID{1}); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("%s: no such record: %v", name, err)
		}
		if _, err := f.Judge(record.ID{1}); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("%s: the chain of no record: %v", name, err)
		}
	}
}

// Without a key it says whose it is not; with another's key it is not opened,
// nor is what was changed.
func TestOpenRefuses(t *testing.T) {
	raw := read(t, "S4.onus")
	f, err := filelog.Open(bytes.NewReader(raw), verifier.Trust{})
	must(t, err)
	if f.Standing() != verifier.NotAnchored || !f.Key().IsZero() {
		t.Errorf("without a key: %s, key %s", f.Standing(), f.Key())
	}
	if _, err := f.Receipt(0); err != nil {
		t.Errorf("without a key: the receipt: %v", err)
	}

	public, _, err := ed25519.GenerateKey(nil)
	must(t, err)
	other, err := tree.NewLogKey(f.Origin(), public)
	must(t, err)
	var broken *filelog.BrokenError
	if _, err := filelog.Open(bytes.NewReader(raw), verifier.Trust{LogKey: other}); !errors.As(err, &broken) || !filelog.IsBroken(err) {
		t.Errorf("another log's key: %v", err)
	}
	// One bit, wherever it is: it is no file, or broken evidence.
	for i := 0; i < len(raw); i += 97 {
		bad := slices.Clone(raw)
		bad[i] ^= 1
		f, err := filelog.Open(bytes.NewReader(bad), verifier.Trust{LogKey: logKey(t)})
		if err == nil {
			t.Errorf("with byte %d changed it opens as %s", i, f.Standing())
		}
	}
	if _, err := filelog.Open(strings.NewReader("hello"), verifier.Trust{}); !filelog.IsBroken(err) {
		t.Errorf("no evidence file: %v", err)
	}
	if _, err := filelog.Open(bytes.NewReader(raw[:len(raw)-1]), verifier.Trust{}); !filelog.IsBroken(err) {
		t.Errorf("a file cut short: %v", err)
	}
}

func TestRecords(t *testing.T) {
	f := open(t, "S3.onus")
	all, next, err := f.Records(web.RecordQuery{}, 1000, "")
	must(t, err)
	if next != "" || len(all) != len(f.Report().Evidence.Leaves) || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) {
		t.Errorf("all records: %v, next %q", all, next)
	}
	// Pages join to the whole, and filters hold.
	action := int64(-1)
	for _, i := range all {
		if e, err := f.Entry(i); err == nil && len(record.Resources(e.Record.Msg.GetStages().GetAction().GetElement())) > 0 {
			action = i
		}
	}
	e, err := f.Entry(action)
	must(t, err)
	m := e.Record.Msg
	el := m.GetStages().GetAction().GetElement()
	for name, q := range map[string]web.RecordQuery{
		"all":       {},
		"agent":     {Agent: m.GetAuthor().GetAgent()},
		"instance":  {Instance: m.GetAuthor().GetInstance()},
		"operator":  {Operator: m.GetAuthor().GetOperator()},
		"operation": {Operation: record.Operation(el)},
		"resource":  {Resource: record.Resources(el)[0]},
		"time":      {Since: e.LogTime, Before: e.LogTime + 1},
	} {
		var got []int64
		for token, pages := "", 0; ; pages++ {
			page, next, err := f.Records(q, 2, token)
			must(t, err)
			got = append(got, page...)
			if next == "" {
				break
			}
			for what, bad := range map[string]string{"changed": next + "0", "of another query": next, "no number": "x" + next} {
				other := q
				if what == "of another query" {
					other.Session = "x-other"
				}
				if _, _, err := f.Records(other, 2, bad); !errors.Is(err, desk.ErrCursor) {
					t.Errorf("%s: a token that is %s: %v", name, what, err)
				}
			}
			token = next
		}
		if !slices.Contains(got, action) || !slices.IsSortedFunc(got, func(a, b int64) int { return int(b - a) }) || name != "all" && len(got) == len(all) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got, _, err := f.Records(web.RecordQuery{Agent: "spiffe://example.com/nobody"}, 10, ""); err != nil || len(got) > 0 {
		t.Errorf("nobody's: %v, %v", got, err)
	}
	for _, limit := range []int{0, -1, 1001} {
		if _, _, err := f.Records(web.RecordQuery{}, limit, ""); err == nil {
			t.Errorf("a page of %d", limit)
		}
	}
}

// The grants in a file are told with what became of them.
func TestGrants(t *testing.T) {
	found := 0
	for _, name := range []string{"S2.onus", "S3.onus", "S4.onus"} {
		f := open(t, name)
		grants, next, err := f.Grants(web.GrantQuery{}, 100, "")
		must(t, err)
		if next != "" {
			t.Errorf("%s: more grants after all", name)
		}
		for _, g := range grants {
			found++
			if g.Status.GetBasis() == "" || g.Status.GetIssuer() == "" {
				t.Errorf("%s: of grant %s: %v", name, g.Record.ID, g.Status)
			}
			path, err := f.GrantPath(g.Record.ID)
			if err != nil || len(path) == 0 || path[0].Record.ID != g.Record.ID {
				t.Errorf("%s: the path of grant %s: %v", name, g.Record.ID, err)
			}
			of, _, err := f.Grants(web.GrantQuery{Agent: g.Record.Msg.GetDelegation().GetAgent(), User: g.Record.Msg.GetUser()}, 100, "")
			if err != nil || !slices.ContainsFunc(of, func(o *web.Grant) bool { return o.Index == g.Index }) {
				t.Errorf("%s: the agent's grants lack %d (%v)", name, g.Index, err)
			}
		}
		if _, err := f.GrantPath(record.ID{1}); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("%s: no grant: %v", name, err)
		}
	}
	if found == 0 {
		t.Error("the scenarios hold no grants")
	}
}

// The bundle that goes out is the file, byte for byte.
func TestBundle(t *testing.T) {
	raw := read(t, "S4.onus")
	f := open(t, "S4.onus")
	b, err := f.Bundle(context.Background(), f.Asked(), "", true)
	must(t, err)
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil || !bytes.Equal(out.Bytes(), raw) {
		t.Errorf("another file came out (%v)", err)
	}
	if _, err := f.Bundle(context.Background(), []record.ID{{1}}, "", true); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("of a record that is not there: %v", err)
	}
}

// What the file withholds is not shown, and who has the file open waits in vain
// for more.
func TestWithheld(t *testing.T) {
	whole, err := evidence.Read(bytes.NewReader(read(t, "S4.onus")), evidence.Limits{})
	must(t, err)
	last := len(whole.Leaves) - 1
	for whole.Leaves[last].Registry {
		last--
	}
	id := open(t, "S4.onus").Report().Evidence.Leaves[last].ID
	l := &whole.Leaves[last]
	l.Withheld = &evidence.Withheld{Hash: l.Hash(), AssertedID: id, AssertedParty: "it/platform"}
	l.Raw = nil
	index := l.Index
	whole.Contents = slices.DeleteFunc(whole.Contents, func(c evidence.Content) bool { return c.Index == index })
	var file bytes.Buffer
	_, err = whole.WriteTo(&file)
	must(t, err)
	f, err := filelog.Open(&file, verifier.Trust{LogKey: logKey(t)})
	must(t, err)
	for what, ask := range map[string]func() error{
		"the entry":    func() error { _, err := f.Entry(index); return err },
		"its bytes":    func() error { _, err := f.Raw(index); return err },
		"its receipt":  func() error { _, err := f.Receipt(index); return err },
		"its contents": func() error { _, err := f.Contents(index); return err },
	} {
		if err := ask(); !errors.Is(err, desk.ErrNotShown) || !strings.Contains(err.Error(), "withheld") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if at, err := f.Index(id); err != nil || at != index {
		t.Errorf("its id: %d, %v", at, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	must(t, f.Wait(ctx, f.Size()-1))
	cancel()
	if err := f.Wait(ctx, f.Size()); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for more: %v", err)
	}
}

// Contents that the file discloses open the commitments of their record.
func TestContents(t *testing.T) {
	f := open(t, "S4.onus")
	opened := 0
	for i := range f.Size() {
		cs, err := f.Contents(i)
		if errors.Is(err, desk.ErrNotShown) {
			continue
		}
		must(t, err)
		opened += len(cs)
		e, err := f.Entry(i)
		must(t, err)
		for _, c := range cs {
			sum := record.Commit(c.GetSalt(), c.GetData())
			if !slices.ContainsFunc(e.Record.Texts(), func(x record.TextField) bool { return bytes.Equal(x.Text.GetCommitment(), sum[:]) }) {
				t.Errorf("entry %d: a content that it does not commit to", i)
			}
		}
	}
	if want := len(f.Report().Opened); opened < want {
		t.Errorf("%d contents, the file discloses %d", opened, want)
	}
}
