package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	badger "github.com/transparency-dev/tessera/storage/posix/antispam"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

// The shortest interval between checkpoints that Tessera's POSIX storage
// allows. No proof can be had sooner than the next checkpoint.
const checkpointInterval = 100 * time.Millisecond

// How often the awaiter looks for a new checkpoint: a file of 200 bytes is read.
const awaitPoll = 2 * time.Millisecond

// tesseraSystem is a Tessera log in a directory, used as a library: Add, wait
// for a published checkpoint that covers the entry, build the inclusion proof
// from the log's tiles and verify it.
func tesseraSystem(name, title string, withAntispam bool) system {
	return system{name: name, title: title, proof: "signed checkpoint, inclusion proof verified; nobody's signature on the entry",
		open: func(ctx context.Context, c cell, dir string) (*running, error) {
			return openTessera(ctx, c, dir, withAntispam)
		}}
}

// tesseraBatch gives the batch size and age that did best for that many
// submitters in a closed loop. All of them are released by one checkpoint and
// submit at once; so a batch goes as soon as all are in it, and the age counts only
// when somebody is late. Tried with 64 (5 and 20 ms, batches of 32 too), 512 (5 and 50
// ms, batches of 256 to 4,096) and 4,096 submitters (10 to 50 ms, batches of 2,048 to
// 8,192).
func tesseraBatch(submitters int) (uint, time.Duration) {
	switch {
	case submitters <= 1:
		return 1, 10 * time.Millisecond
	case submitters <= 64:
		return uint(submitters), 5 * time.Millisecond
	default:
		return uint(min(submitters, 4096)), 50 * time.Millisecond
	}
}

func openTessera(ctx context.Context, c cell, dir string, withAntispam bool) (*running, error) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, err
	}
	size, age := tesseraBatch(c.Submitters)
	// The pushback bound is raised above the number of submitters, so that
	// nobody is ever turned away.
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(checkpointInterval).
		WithBatching(size, age).WithPushback(uint(max(2*c.Submitters, tessera.DefaultPushbackMaxOutstanding)))
	settings := fmt.Sprintf("batch %d or %v, checkpoint every %v", size, age, checkpointInterval)
	if withAntispam {
		// The bound on how far the index may lag is raised too, so that no
		// entry is refused: what it costs here is the index's work alone.
		as, err := badger.NewAntispam(ctx, filepath.Join(filepath.Dir(dir), "antispam"), badger.AntispamOpts{PushbackThreshold: 1 << 30})
		if err != nil {
			return nil, err
		}
		opts.WithAntispam(tessera.DefaultAntispamInMemorySize, as)
		settings += ", Badger antispam"
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	appender, shutdown, reader, err := tessera.NewAppender(run, driver, opts)
	if err != nil {
		stop()
		return nil, err
	}
	t := newTesseraProver(reader, verifier)
	awaiter := tessera.NewPublicationAwaiter(run, reader.ReadCheckpoint, awaitPoll)
	return &running{
		settings: settings,
		worker: func() func(context.Context) error {
			entry := entrySource()
			return func(ctx context.Context) error {
				e := entry()
				idx, cp, err := awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(e)))
				if err != nil {
					return err
				}
				return t.prove(ctx, cp, idx.Index, e)
			}
		},
		check: func(ctx context.Context, n int64) error {
			raw, err := reader.ReadCheckpoint(ctx)
			if err != nil {
				return err
			}
			cp, _, _, err := log.ParseCheckpoint(raw, origin, verifier)
			if err != nil {
				return err
			}
			if int64(cp.Size) != n {
				return fmt.Errorf("the log has %d entries, and %d were acknowledged", cp.Size, n)
			}
			return fsck.New(origin, verifier, reader, bundleHashes, fsck.Opts{N: 2}).Check(ctx)
		},
		close: func() error {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err := shutdown(ending)
			stop()
			return err
		},
	}, nil
}

func bundleHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(b.Entries))
	for i, e := range b.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	return hashes, nil
}
