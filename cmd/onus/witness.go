package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
)

const guardUsage = "file of the rollback guard, the newest checkpoint that was signed; default: DIR/guard, better on another disk"

// historyFlags say what holds a served log to one history: its guard, and its
// witnesses.
type historyFlags struct {
	guard         string
	acceptMissing bool
	witnesses     string
}

func (h *historyFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&h.guard, "guard", "", guardUsage)
	f.BoolVar(&h.acceptMissing, "accept-missing-guard", false, "make the guard anew where it is missing: that this is the newest copy of the log is your word")
	f.StringVar(&h.witnesses, "witness-policy", "", "file that names the witnesses and their quorum (c2sp.org/tlog-policy); each is asked to cosign at its URL")
}

// open opens the ledger in d.
func (h *historyFlags) open(d dataDir, log *slog.Logger) (*ledger.Ledger, error) {
	cfg, err := d.config(log)
	if err != nil {
		return nil, err
	}
	if h.guard != "" {
		cfg.Guard = ledger.FileGuard(h.guard)
	}
	cfg.AcceptMissingGuard = h.acceptMissing
	if h.witnesses != "" {
		if cfg.Witnesses, err = loadWitnessPolicy(h.witnesses); err != nil {
			return nil, err
		}
	}
	return ledger.Open(cfg)
}

func loadWitnessPolicy(path string) (*tree.Policy, error) {
	text, err := readBounded(path, tree.MaxPolicy)
	if err != nil {
		return nil, fmt.Errorf("witness policy: %w", err)
	}
	p, err := tree.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("witness policy %s: %w", path, err)
	}
	return p, nil
}

// readBounded reads a file that has at most that many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, most)
	}
	return os.ReadFile(path)
}

// waitFlags say what a submission waits for.
type waitFlags struct{ wait, policy string }

func (w *waitFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.wait, "wait", "signed", "signed: until the log has signed a tree that holds the record; witnessed: until its witnesses have cosigned one")
	f.StringVar(&w.policy, "witness-policy", "", "your own witness policy, which the cosignatures are checked against; default: the server's word, whose policy is not known here")
}

func (w *waitFlags) witnessed() (bool, error) {
	switch w.wait {
	case "signed":
		if w.policy != "" {
			return false, usageError{errors.New("--witness-policy checks what --wait witnessed waits for: add that")}
		}
		return false, nil
	case "witnessed":
		return true, nil
	}
	return false, usageError{fmt.Errorf("--wait %q is none of signed, witnessed", w.wait)}
}

// say tells whether a record that was logged is witnessed. That it is not is
// no failure: the record is durable.
func (w *waitFlags) say(out io.Writer, resp *onusv1.SubmitResponse, key tree.LogKey) error {
	if w.policy == "" {
		if missing := resp.GetWitnessMissing(); len(missing) > 0 {
			var names []string
			for _, n := range missing {
				names = append(names, quoteName(n))
			}
			fmt.Fprintf(out, "  NOT WITNESSED in time, the record is durable all the same; missing: %s\n", strings.Join(names, ", "))
		} else {
			fmt.Fprintln(out, "  witnessed, by the server's word: give --witness-policy to check")
		}
		return nil
	}
	p, err := loadWitnessPolicy(w.policy)
	if err != nil {
		return err
	}
	_, by, err := tree.OpenCosigned([]byte(resp.GetReceipt().GetCheckpoint()), key, p)
	if err != nil {
		return fmt.Errorf("the record is logged, but its checkpoint's cosignatures are no good: %w", err)
	}
	if err := p.Check(by); err != nil {
		fmt.Fprintf(out, "  NOT WITNESSED in time, the record is durable all the same: %v\n", err)
		return nil
	}
	fmt.Fprintf(out, "  witnessed: %s of your policy", count(len(by), "cosignature"))
	if t, ok := p.EarliestCosigned(by); ok {
		fmt.Fprintf(out, ", in the log by %s by the witnesses' clocks", time.Unix(t, 0).UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(out)
	return nil
}
