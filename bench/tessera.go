package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
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
// submit at once; so up to 64 a batch goes as soon as all are in it, and with
// more of them one large batch for each checkpoint does better than many. Tried
// at 64 and 512.
func tesseraBatch(submitters int) (uint, time.Duration) {
	switch {
	case submitters <= 1:
		return 1, 10 * time.Millisecond
	case submitters <= 64:
		return 64, 5 * time.Millisecond
	default:
		return 4096, 50 * time.Millisecond
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
	t := &tesseraProver{reader: reader, verifier: verifier}
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

// tesseraProver builds and verifies proofs. A checkpoint's signature is checked
// once, and its tiles are read once, for all who got that checkpoint: any good
// client would do so.
type tesseraProver struct {
	reader   tessera.LogReader
	verifier note.Verifier

	mu      sync.Mutex
	raw     string // the newest checkpoint that was asked for
	cp      *log.Checkpoint
	builder *client.ProofBuilder // not for two at a time
}

func (t *tesseraProver) prove(ctx context.Context, raw []byte, idx uint64, entry []byte) error {
	cp, hashes, err := t.inclusion(ctx, raw, idx)
	if err != nil {
		return err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(entry)
	return proof.VerifyInclusion(rfc6962.DefaultHasher, idx, cp.Size, leaf, hashes, cp.Hash)
}

func (t *tesseraProver) inclusion(ctx context.Context, raw []byte, idx uint64) (*log.Checkpoint, [][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.raw != string(raw) {
		cp, _, _, err := log.ParseCheckpoint(raw, origin, t.verifier)
		if err != nil {
			return nil, nil, err
		}
		// One who was late with an older checkpoint may prove from the newer.
		if t.cp == nil || cp.Size > t.cp.Size {
			b, err := client.NewProofBuilder(ctx, cp.Size, t.reader.ReadTile)
			if err != nil {
				return nil, nil, err
			}
			t.raw, t.cp, t.builder = string(raw), cp, b
		}
	}
	if idx >= t.cp.Size {
		return nil, nil, errors.New("the checkpoint does not cover the entry")
	}
	hashes, err := t.builder.InclusionProof(ctx, idx)
	return t.cp, hashes, err
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
