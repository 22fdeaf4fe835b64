package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onus-ledger/onus/verifier/tree"
)

// The state of follow is the newest checkpoint whose entries were all verified and
// judged, and whose findings were said: the signed note as it came, with its
// cosignatures, and nothing else. So it is never larger than a note, it cannot be
// forged by who does not have the log's key, and every other tool reads it
// (onus-verify bundle --against, or any reader of signed notes).
//
// What it costs: who is bound to which key, what was granted and used up is not in
// it, and is folded again from the log's entries when follow starts. Their root has
// to be the one in the state.

// loadState reads a state. A file that is not there is none.
func loadState(path string, key tree.LogKey) (head, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return head{}, nil
	}
	if err != nil {
		return head{}, fmt.Errorf("--state: %w", err)
	}
	defer f.Close()
	signed, err := io.ReadAll(io.LimitReader(f, tree.MaxCheckpoint+1))
	if err != nil {
		return head{}, fmt.Errorf("--state: %w", err)
	}
	h, err := openHead(signed, key)
	if err != nil {
		return head{}, fmt.Errorf("--state %s is no checkpoint of this log (%w): name the file of this log, or move it away to begin anew, without its memory", path, err)
	}
	return h, nil
}

// writeAtomic replaces a file: after a crash it is the old one or the new one, all
// of it. Only its owner reads it.
func writeAtomic(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".onus-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
