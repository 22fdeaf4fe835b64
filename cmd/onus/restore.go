package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
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
		return fmt.Errorf("%w: %s: name a new directory; or, if an earlier restore was cut off before it said that it made the ledger there, remove that one", ledger.ErrExists, r.data)
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
	known, err := r.lastKnown(key, own)
	if err != nil {
		return err
	}
	last := known.signed
	adminKey := r.adminKey
	if adminKey == "" {
		adminKey = old.adminKey()
	}
	// All that can be refused is refused before the old log is given up.
	first := was.GetAdministrators()[0]
	switch signer, err := keyfile.LoadRecordSigner(adminKey); {
	case err != nil:
		return fmt.Errorf("the first administrator of the old log, %s, signs the new genesis: name that key with --admin-key: %w", first.GetName(), err)
	case !bytes.Equal(signer.Public().SPKI(), first.GetPublicKey()):
		return fmt.Errorf("the key %s is not that of the first administrator of the old log, %s, who signs the new genesis: name that key with --admin-key", adminKey, first.GetName())
	}
	if err := r.ready(); err != nil {
		return err
	}
	// The mark comes first: if the rest fails, the old log is given up all the
	// same, and the same command goes on from there.
	if err := ledger.MarkSucceeded(cfg, r.origin); err != nil {
		return err
	}
	says := &onusv1.Genesis{Policy: proto.CloneOf(was.GetPolicy()), Administrators: was.GetAdministrators(),
		Predecessor: &onusv1.Predecessor{LogKey: key.String(), Checkpoint: last}}
	l, err := dataDir(r.data).createWithKeyFile(r.origin, first.GetName(), adminKey, says, r.guard)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprintf(out, "Made ledger %s in %s\n\n", r.origin, r.data)
	fmt.Fprintf(out, "  succeeds       %s, of which %d entries were known (%s)\n", key.Origin(), known.Size, known.where)
	if known.forked != "" {
		fmt.Fprintf(out, "  WARNING        %s has another tree of as many entries: the old log's key signed two histories; keep both checkpoints as evidence\n", known.forked)
	}
	fmt.Fprintf(out, "  log key        %s\n                 %s (give it to everybody who verifies)\n", l.LogKey(), dataDir(r.data).vkey())
	fmt.Fprintf(out, "  administrators as before; the new log holds nothing else: register operators, agents and keys again\n")
	fmt.Fprintf(out, "\nThe old log in %s is marked and will not be opened again. Keep it for auditors, and destroy every other copy of its log.key.\n", r.from)
	fmt.Fprintf(out, "\nNext: onus serve --data %s\n", r.data)
	return nil
}

// ready makes the new directory, and finds out whether a ledger can be made in it.
func (r *restore) ready() error {
	if err := os.MkdirAll(r.data, 0o700); err != nil {
		return err
	}
	if files, err := os.ReadDir(r.data); err != nil {
		return err
	} else if len(files) > 0 {
		return fmt.Errorf("%s holds other files: name a new directory for the ledger", r.data)
	}
	if r.guard == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(r.guard)); err != nil {
		return fmt.Errorf("the new log's guard: %w", err)
	}
	switch _, err := ledger.FileGuard(r.guard).Load(); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the new log's guard: %w", err)
	}
	return fmt.Errorf("the new log's guard: %s is there already, and so of another log: give the new one a place of its own", r.guard)
}

// known is the newest checkpoint of the old log that was found.
type known struct {
	tree.Checkpoint
	signed []byte // as the log alone signed it
	where  string
	forked string // where one of the same size and another root was found
}

// lastKnown returns the last known checkpoint of the old log. Those of witnesses
// and auditors carry cosignatures, for which a genesis has no room.
func (r *restore) lastKnown(key tree.LogKey, own []byte) (*known, error) {
	var last known
	take := func(b []byte, where string) error {
		cp, err := key.Open(b)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		switch {
		case cp.Size > last.Size:
			last = known{Checkpoint: cp, where: where}
			last.signed, err = bare(key, b)
		case cp.Size == last.Size && cp.Root != last.Root:
			last.forked = where
		}
		return err
	}
	if err := take(own, "the copy's own"); err != nil {
		return nil, err
	}
	guard := r.oldGuard
	if guard == "" {
		guard = dataDir(r.from).guard()
	}
	switch b, err := ledger.FileGuard(guard).Load(); {
	case errors.Is(err, fs.ErrNotExist) && r.oldGuard == "":
	case err != nil:
		return nil, fmt.Errorf("the old log's guard: %w", err)
	default:
		if err := take(b, guard); err != nil {
			return nil, fmt.Errorf("the old log's guard: %w: move it away to go on without it", err)
		}
	}
	if r.checkpoint != "" {
		b, err := readBounded(r.checkpoint, tree.MaxCheckpoint)
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		if err := take(b, r.checkpoint); err != nil {
			return nil, err
		}
	}
	return &last, nil
}

// bare returns a checkpoint with the log's signature alone.
func bare(key tree.LogKey, signed []byte) ([]byte, error) {
	v, err := note.NewVerifier(key.String())
	if err != nil {
		return nil, err
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return nil, err
	}
	b := []byte(n.Text + "\n")
	for _, s := range n.Sigs {
		b = fmt.Appendf(b, "— %s %s\n", s.Name, s.Base64)
	}
	return b, nil
}
