package ledger

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/onus-ledger/onus/verifier/record"
)

// run holds what the index knows of consecutive entries: ids, and the list of
// each posting in log order.
type run struct {
	end   int64 // after the last entry
	count int
	ids   map[record.ID]int64
	lists map[posting][]int64
}

func newRun(at int64) *run {
	return &run{end: at, ids: map[record.ID]int64{}, lists: map[posting][]int64{}}
}

func (r *run) add(e indexed) {
	r.ids[e.rec.ID] = e.index
	for _, p := range e.postings {
		r.lists[p] = append(r.lists[p], e.index)
	}
	r.end = e.index + 1
	r.count++
}

// append takes in the run that follows.
func (r *run) append(next *run) {
	for id, i := range next.ids {
		r.ids[id] = i
	}
	for p, list := range next.lists {
		r.lists[p] = append(r.lists[p], list...)
	}
	r.end = next.end
	r.count += next.count
}

// write puts the run into the database, with the watermark at its end: all of
// it is there after a crash, or nothing. Ids and postings are tables of their
// own, so that neither spans the rows that commits write, which stand between
// them.
func (r *run) write(cfg Config, db *pebble.DB) (err error) {
	ids := cfg.FS.PathJoin(cfg.Dir, "run-ids.tmp")
	lists := cfg.FS.PathJoin(cfg.Dir, "run-postings.tmp")
	defer func() {
		if err != nil { // the database takes away what it took in
			cfg.FS.Remove(ids)
			cfg.FS.Remove(lists)
		}
	}()
	if err := table(cfg, db, ids, r.putIDs); err != nil {
		return err
	}
	if err := table(cfg, db, lists, r.putLists); err != nil {
		return err
	}
	return db.Ingest(context.Background(), []string{ids, lists})
}

func (r *run) putIDs(put func(key, value []byte) error) error {
	ids := make([]record.ID, 0, len(r.ids))
	for id := range r.ids {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b record.ID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		if err := put(keyID(id), u64(r.ids[id])); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) putLists(put func(key, value []byte) error) error {
	// The watermark's prefix comes before the postings'.
	if err := put(keyWatermark, u64(r.end)); err != nil {
		return err
	}
	ps := make([]posting, 0, len(r.lists))
	for p := range r.lists {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b posting) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return bytes.Compare(a.hash[:], b.hash[:])
	})
	var row []byte
	for _, p := range ps {
		for chunk := range slices.Chunk(r.lists[p], chunkEntries) {
			row = appendChunk(row[:0], chunk)
			if err := put(keyPosting(p, chunk[0]), row); err != nil {
				return err
			}
		}
	}
	return nil
}

// table writes a sorted table to a file.
func table(cfg Config, db *pebble.DB, path string, fill func(put func(key, value []byte) error) error) error {
	f, err := cfg.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	o := pebbleOptions(cfg)
	o.EnsureDefaults()
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), o.MakeWriterOptions(0, db.TableFormat()))
	err = fill(w.Set)
	return errors.Join(err, w.Close()) // which syncs
}
