package tiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/onus-ledger/onus/verifier/tree"
)

// FS reads tiles from a folder that has them at the paths of the specification,
// as onus-verify mirror writes it.
func FS(folder fs.FS) Fetch {
	return func(_ context.Context, p tree.TilePath) ([]byte, error) {
		max := int64(MaxBytes)
		if p.Level != tree.EntryLevel {
			max = int64(p.Width) * tree.HashSize
		}
		b, err := readFile(folder, p.String(), max)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", p, ErrMissing)
		}
		return b, err
	}
}

// ReadCheckpoint returns the signed note in such a folder, unchecked.
func ReadCheckpoint(folder fs.FS) ([]byte, error) {
	return readFile(folder, CheckpointName, tree.MaxCheckpoint)
}

// CheckpointName is where the signed note is, below the log's prefix.
const CheckpointName = "checkpoint"

// readFile reads a plain file of at most max bytes; of a larger one, one byte more,
// so that the reader sees that it does not fit. It looks before it opens: to open a
// pipe is to wait for somebody who writes to it. A link is no plain file either,
// and mirrors have none.
func readFile(folder fs.FS, name string, max int64) ([]byte, error) {
	info, err := fs.Lstat(folder, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notPlain(name, info)
	}
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// It may be another file by now.
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notPlain(name, info)
	}
	return io.ReadAll(io.LimitReader(f, max+1))
}

func notPlain(name string, info fs.FileInfo) error {
	return fmt.Errorf("%s is no plain file, its mode is %s: a mirror has plain files alone, copy the log again with onus-verify mirror", name, info.Mode())
}
