package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onus-ledger/onus/verifier/tree"
)

// FileGuard returns a guard in a file that only its owner may read and write.
// Put it on another disk than the database, or where another backup covers it:
// whoever puts back the old database and the old guard together is not seen by
// the guard.
func FileGuard(path string) Guard { return fileGuard(path) }

type fileGuard string

func (g fileGuard) String() string { return string(g) }

// regular refuses what is there and is no file. A link would be replaced by the
// next save: whoever had the guard on another disk that way would have it on
// this one, and not know. A pipe would hang.
func (g fileGuard) regular() error {
	switch info, err := os.Lstat(string(g)); {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: name the file that it leads to (--guard)", g)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", g)
	}
	return nil
}

func (g fileGuard) Load() ([]byte, error) {
	if err := g.regular(); err != nil {
		return nil, err
	}
	f, err := os.Open(string(g))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, tree.MaxCheckpoint+1))
	if err != nil {
		return nil, err
	}
	if len(b) > tree.MaxCheckpoint {
		return nil, fmt.Errorf("%s has more than %d bytes and is no checkpoint", g, tree.MaxCheckpoint)
	}
	return b, nil
}

// Save writes a new file, makes it durable, and puts it in the place of the
// old one: a crash leaves one of the two, whole.
func (g fileGuard) Save(checkpoint []byte) (err error) {
	if err := g.regular(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, base := filepath.Split(string(g))
	f, err := os.CreateTemp(filepath.Clean(dir+"."), "."+base+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(checkpoint); err != nil {
		return errors.Join(err, f.Close())
	}
	if err = f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), string(g)); err != nil {
		return err
	}
	d, err := os.Open(filepath.Clean(dir + "."))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
