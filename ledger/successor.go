package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// SucceededError says that the log was given up for another one, and must not
// be signed any more.
type SucceededError struct{ Dir, Successor string }

func (e *SucceededError) Error() string {
	return fmt.Sprintf("the log in %s was succeeded by %s and is not signed any more: open the successor; this copy can be read with onus fsck", e.Dir, e.Successor)
}

// succeededFile lies in the database's folder, so that it goes where a copy of
// the database goes. Pebble leaves files alone whose names it does not know.
const succeededFile = "SUCCEEDED"

// MarkSucceeded marks the database, for ever, as that of a log which another
// one succeeds: [Open] refuses it from then on. Marking again for the same
// successor is no error. The ledger must not be open, in this process or
// another.
func MarkSucceeded(cfg Config, successor string) error {
	cfg = cfg.withDefaults()
	if why := record.CheckOrigin(successor); why != "" {
		return fmt.Errorf("the successor's origin %q %s", successor, why)
	}
	// Whoever has the database open now would sign on.
	lock, err := pebble.LockDirectory(cfg.Dir, cfg.FS)
	if err != nil {
		return fmt.Errorf("mark the log as succeeded: %w", inUse(cfg, err))
	}
	defer lock.Close()
	switch got, err := succeededBy(cfg); {
	case err != nil:
		return err
	case got == successor:
		return nil
	case got != "" && got != nameLost:
		return &SucceededError{cfg.Dir, got}
	}
	if err := writeMark(cfg, successor); err != nil {
		return fmt.Errorf("mark the log as succeeded: %w", err)
	}
	return nil
}

// writeMark writes the mark beside its place, and puts it there: a crash leaves
// no mark, or one that is whole.
func writeMark(cfg Config, successor string) error {
	name := cfg.FS.PathJoin(cfg.Dir, succeededFile)
	f, err := cfg.FS.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, successor+"\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := cfg.FS.Rename(name+".new", name); err != nil {
		return err
	}
	d, err := cfg.FS.OpenDir(cfg.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// refuseSucceeded returns a *[SucceededError] for a log that was given up.
func refuseSucceeded(cfg Config) error {
	successor, err := succeededBy(cfg)
	if err == nil && successor != "" {
		err = &SucceededError{cfg.Dir, successor}
	}
	return err
}

// nameLost stands for what a mark without a name says. Any mark counts.
const nameLost = "another log, whose name was lost"

// succeededBy returns the origin of the log's successor, or "".
func succeededBy(cfg Config) (string, error) {
	f, err := cfg.FS.Open(cfg.FS.PathJoin(cfg.Dir, succeededFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the mark of a successor: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("read the mark of a successor: %w", err)
	}
	if s := strings.TrimSuffix(string(b), "\n"); s != "" {
		return s, nil
	}
	return nameLost, nil
}

// ReadGenesis returns the genesis of a stopped ledger, and the newest
// checkpoint in its database. It changes nothing, and reads the copies that
// [Open] refuses.
func ReadGenesis(cfg Config) (genesis *record.Record, newest []byte, err error) {
	cfg = cfg.withDefaults()
	there, err := databaseExists(cfg)
	if err != nil {
		return nil, nil, err
	}
	if !there {
		return nil, nil, fmt.Errorf("%w: %s", ErrNotExist, cfg.Dir)
	}
	db, err := openDatabase(cfg, true, nil)
	if err != nil {
		return nil, nil, err
	}
	defer db.Close()
	raw, err := get(db, keyEntry(0))
	if err != nil {
		return nil, nil, fmt.Errorf("read the genesis: %w", err)
	}
	e, err := parseEntry(0, raw)
	if err != nil {
		return nil, nil, err
	}
	key, err := tree.ParseLogKey(e.Record.Msg.GetGenesis().GetLogKey())
	if err != nil {
		return nil, nil, &CorruptionError{Key: "entry 0", What: "is no genesis: " + err.Error()}
	}
	row, err := get(db, keyHead)
	if err != nil {
		return nil, nil, fmt.Errorf("read head: %w", err)
	}
	h, _, err := parseHead(row)
	if err != nil {
		return nil, nil, err
	}
	if _, err := key.Open(h.checkpoint); err != nil {
		return nil, nil, &CorruptionError{Key: "head", What: err.Error()}
	}
	return e.Record, h.checkpoint, nil
}
