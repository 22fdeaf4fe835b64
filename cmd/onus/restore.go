package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

func newRestore() *cobra.Command {
	var r restore
	cmd := &cobra.Command{
		Use:   "restore --data NEWDIR --from OLDCOPY --successor ORIGIN",
		Short: "Begin a new log where the newest copy of the old one is lost",
		Long: `Begin a new log in NEWDIR, whose genesis names the last known checkpoint of the
log in OLDCOPY. For when the newest copy of a log is lost, and all that is left
is an older one: to go on from that would be to sign a second history.

The last known checkpoint is the newest of: the copy's own, its rollback guard,
and --checkpoint FILE, such as one that a witness or an auditor has. It must be
signed by the old log.

The new log has keys of its own, the old administrators and policy, and nothing
else: it starts empty, and who is registered must be registered again. OLDCOPY
is marked and never opened for writing again; keep it, auditors can still read
it, and destroy every other copy of its log.key.`,
		Example: `  onus restore --data new-ledger --from old-ledger --successor log.example.com/agents-2`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.run(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.data, "data", "", "directory to make")
	f.StringVar(&r.from, "from", "", "directory of the old log's copy")
	f.StringVar(&r.origin, "successor", "", "the new log's name, such as log.example.com/agents-2")
	f.StringVar(&r.checkpoint, "checkpoint", "", "file with a checkpoint of the old log")
	f.StringVar(&r.oldGuard, "from-guard", "", "the old log's rollback guard; default: OLDCOPY/guard, if it is there")
	f.StringVar(&r.guard, "guard", "", guardUsage)
	f.StringVar(&r.adminKey, "admin-key", "", "private key of the old log's first administrator, who signs the new genesis; default: OLDCOPY/admin.key")
	return cmd
}

type restore struct {
	data, from, origin, checkpoint, oldGuard, guard, adminKey string
}

func (r *restore) run(out io.Writer) error {
	switch {
	case r.data == "" || r.from == "" || r.origin == "":
		return usageError{errors.New("name the new directory, the old copy and the new log: --data NEWDIR --from OLDCOPY --successor ORIGIN")}
	case dataDir(r.data).exists():
		return fmt.Errorf("%w: %s", ledger.ErrExists, r.data)
	}
	if why := record.CheckOrigin(r.origin); why != "" {
		return usageError{fmt.Errorf("successor %q %s: use a name such as log.example.com/agents-2", r.origin, why)}
	}
	old := dataDir(r.from)
	cfg, err := old.config(nil)
	if err != nil {
		return err
	}
	genesis, own, err := ledger.ReadGenesis(cfg)
	if err != nil {
		return err
	}
	was := genesis.Msg.GetGenesis()
	key, err := tree.ParseLogKey(was.GetLogKey())
	if err != nil {
		return err
	}
	if key.Origin() == r.origin {
		return usageError{fmt.Errorf("the successor needs a name of its own: %s is that of the old log, which is never signed again", r.origin)}
	}
	last, where, err := r.lastKnown(key, own)
	if err != nil {
		return err
	}
	adminKey := r.adminKey
	if adminKey == "" {
		adminKey = old.adminKey()
	}
	if _, err := os.Stat(adminKey); err != nil {
		return fmt.Errorf("the first administrator of the old log, %s, signs the new genesis: name that key with --admin-key: %w", was.GetAdministrators()[0].GetName(), err)
	}
	// The mark comes first: if the rest fails, the old log is given up all the
	// same, and the same command goes on from there.
	if err := ledger.MarkSucceeded(cfg, r.origin); err != nil {
		return err
	}
	says := &onusv1.Genesis{Policy: proto.CloneOf(was.GetPolicy()), Administrators: was.GetAdministrators(),
		Predecessor: &onusv1.Predecessor{LogKey: key.String(), Checkpoint: last}}
	l, err := dataDir(r.data).createWithKeyFile(r.origin, was.GetAdministrators()[0].GetName(), adminKey, says, r.guard)
	if err != nil {
		return err
	}
	defer l.Close()
	cp, err := key.Open(last)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Made ledger %s in %s\n\n", r.origin, r.data)
	fmt.Fprintf(out, "  succeeds       %s, of which %d entries were known (%s)\n", key.Origin(), cp.Size, where)
	fmt.Fprintf(out, "  log key        %s\n                 %s (give it to everybody who verifies)\n", l.LogKey(), dataDir(r.data).vkey())
	fmt.Fprintf(out, "  administrators as before; the new log holds nothing else: register operators, agents and keys again\n")
	fmt.Fprintf(out, "\nThe old log in %s is marked and will not be opened again. Keep it for auditors, and destroy every other copy of its log.key.\n", r.from)
	fmt.Fprintf(out, "\nNext: onus serve --data %s\n", r.data)
	return nil
}

// lastKnown returns the newest checkpoint of the old log, as the log alone
// signed it, and where it was found.
func (r *restore) lastKnown(key tree.LogKey, own []byte) (last []byte, where string, err error) {
	last, where = own, "the copy's own"
	size := int64(0)
	take := func(b []byte, from string) error {
		cp, err := key.Open(b)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		if cp.Size > size {
			last, where, size = b, from, cp.Size
		}
		return nil
	}
	if err := take(own, where); err != nil {
		return nil, "", err
	}
	guard := r.oldGuard
	if guard == "" {
		guard = dataDir(r.from).guard()
	}
	switch b, err := ledger.FileGuard(guard).Load(); {
	case errors.Is(err, fs.ErrNotExist) && r.oldGuard == "":
	case err != nil:
		return nil, "", fmt.Errorf("the old log's guard: %w", err)
	default:
		if err := take(b, guard); err != nil {
			return nil, "", err
		}
	}
	if r.checkpoint != "" {
		b, err := readBounded(r.checkpoint, tree.MaxCheckpoint)
		if err != nil {
			return nil, "", fmt.Errorf("checkpoint: %w", err)
		}
		if err := take(b, r.checkpoint); err != nil {
			return nil, "", err
		}
	}
	return bytes.Clone(last), where, nil
}
