package desk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// errStale: the database is not of this log, of these rules or of this version,
// or not whole. It is made again.
var errStale = errors.New("the desk's database is to be made again")

// load opens the database and reads what it has.
func (d *Desk) load(dir string) error {
	d.empty()
	if _, err := rand.Read(d.secret[:]); err != nil {
		return fmt.Errorf("make a secret for cursors: %w", err)
	}
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the desk's directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("keep the desk's directory to ourselves: %w", err)
	}
	for again := false; ; again = true {
		db, err := pebble.Open(dir, options())
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("another process has %s open: stop it first", dir)
		case pebble.IsCorruptionError(err) && !again:
			if err := drop(dir); err != nil {
				return err
			}
			continue
		case err != nil:
			return fmt.Errorf("open the desk's database in %s: %w; it is derived, and may be deleted", dir, err)
		}
		d.db = db
		if err = d.read(); err == nil {
			return nil
		}
		err = errors.Join(err, db.Close())
		if again || !errors.Is(err, errStale) && !pebble.IsCorruptionError(err) {
			return fmt.Errorf("read the desk's database in %s: %w", dir, err)
		}
		d.empty()
		if err := drop(dir); err != nil {
			return err
		}
	}
}

// drop deletes the database, which is derived.
func drop(dir string) error {
	all, err := os.ReadDir(dir)
	for _, f := range all {
		if err == nil {
			err = os.RemoveAll(dir + string(os.PathSeparator) + f.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("delete the desk's old database: %w", err)
	}
	return nil
}

func options() *pebble.Options {
	return &pebble.Options{
		Logger: silence{},
		// A damaged file is an error of the read that met it.
		EventListener:      &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}},
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       8 << 20,
		CacheSize:          1 << 20, // it is read once
	}
}

// silence hears what Pebble says, and ends the process where Pebble cannot go
// on: a Fatalf that returned would leave it stuck.
type silence struct{}

func (silence) Infof(string, ...any)  {}
func (silence) Errorf(string, ...any) {}
func (silence) Fatalf(format string, args ...any) {
	panic("desk: database: " + fmt.Sprintf(format, args...))
}
