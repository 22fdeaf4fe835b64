package desk_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
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

// opened is a scenario's file, with some entries withheld by who made it.
func opened(t *testing.T, name string, withhold ...int64) *filelog.File {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(bundles, "log.vkey"))
	must(t, err)
	key, err := tree.ParseLogKey(strings.TrimSpace(string(text)))
	must(t, err)
	raw, err := os.ReadFile(filepath.Join(bundles, name+".onus"))
	must(t, err)
	b, err := evidence.Read(bytes.NewReader(raw), evidence.Limits{})
	must(t, err)
	if len(withhold) > 0 {
		whole := opened(t, name).Report().Evidence.Leaves
		for i := range b.Leaves {
			if l := &b.Leaves[i]; slices.Contains(withhold, l.Index) {
				l.Withheld = &evidence.Withheld{Hash: l.Hash(), AssertedID: whole[i].ID, AssertedParty: "it/platform"}
				l.Raw = nil
			}
		}
		b.Contents = slices.DeleteFunc(b.Contents, func(c evidence.Content) bool { return slices.Contains(withhold, c.Index) })
	}
	var file bytes.Buffer
	_, err = b.WriteTo(&file)
	must(t, err)
	f, err := filelog.Open(&file, verifier.Trust{LogKey: key})
	must(t, err)
	return f
}

func over(t *testing.T, f *filelog.File) *desk.Desk {
	t.Helper()
	d, err := desk.Open("", f)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, d.Close()); err != nil {
			t.Error(err)
		}
	})
	must(t, d.CatchUp(ctx, f.Size()))
	return d
}

// Of each scenario, each record that can be withheld is, in turn: the desk tells
// all that is left, calls nothing damaged, and finds no case better than it is
// with that record.
func TestWithheld(t *testing.T) {
	outcomes := append(chain.Outcomes(), chain.NothingDone)
	for _, name := range []string{"S2", "S3", "S4"} {
		whole := opened(t, name)
		was := over(t, whole)
		hidden := 0
		for _, l := range whole.Report().Evidence.Leaves {
			e, err := whole.Entry(l.Index)
			if err != nil || e.Record.Msg.GetGenesis() != nil || e.Record.Msg.GetRegistration() != nil || e.Record.Msg.GetKeySet() != nil || e.Record.Msg.GetRevocation() != nil {
				continue
			}
			before, err := was.Case(e.Record.ID)
			if err != nil {
				continue
			}
			hidden++
			f := opened(t, name, l.Index)
			d := over(t, f)
			if _, err := d.Case(e.Record.ID); !errors.Is(err, desk.ErrNotFound) {
				t.Errorf("%s without entry %d: its case: %v", name, l.Index, err)
			}
			o := d.Overview(desk.Period{})
			if o.Damage != 0 || o.AsOf != f.Size() {
				t.Errorf("%s without entry %d: %d damaged, as of %d", name, l.Index, o.Damage, o.AsOf)
			}
			found, err := d.Find(desk.Query{}, desk.MaxPage, "")
			must(t, err)
			for _, c := range found.Cases {
				b, err := was.Case(c.Root)
				must(t, err)
				if c.Outcome == chain.EvidenceBroken || c.Records < 1 {
					t.Errorf("%s without entry %d: case %+v", name, l.Index, c)
				}
				if b.Root == before.Root && slices.Index(outcomes, c.Outcome) > slices.Index(outcomes, chain.NotJudgedHere) && c.Outcome != b.Outcome && c.Actions >= b.Actions {
					t.Errorf("%s without entry %d: case of entry %d is %q, with it %q", name, l.Index, c.RootIndex, c.Outcome, b.Outcome)
				}
			}
		}
		if hidden < 3 {
			t.Errorf("%s: %d records were withheld", name, hidden)
		}
	}
}
