package ledger

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/tree"
)

// cosignedSizes notes the sizes of which there are cosigned checkpoints, so
// that the walk keeps the roots there.
func (c *checker) cosignedSizes() error {
	c.roots = map[int64]tree.Hash{}
	return c.cosigned(func(size int64, _ []byte) { c.roots[size] = tree.Hash{} })
}

// rootAt keeps the root at a size, if a cosigned checkpoint is of it.
func (c *checker) rootAt(size int64) {
	if _, ok := c.roots[size]; ok {
		c.roots[size] = c.grown.frontier.Root()
	}
}

// cosignedRows holds each cosigned checkpoint to the entries and to the log's
// key. The cosignatures themselves are for who has the policy: the ledger,
// when it opens, and every reader.
func (c *checker) cosignedRows(key tree.LogKey) error {
	return c.cosigned(func(size int64, note []byte) {
		cp, err := key.Open(note)
		switch {
		case err != nil:
			c.out.problem("cosigned checkpoint %d: %v", size, err)
		case size > c.head.size:
			c.out.problem("cosigned checkpoint %d: the log has %d entries", size, c.head.size)
		case cp.Size != size || cp.Root != c.roots[size]:
			c.out.problem("cosigned checkpoint %d: is of size %d and root %s, the entries give %s", size, cp.Size, cp.Root, c.roots[size])
		}
	})
}

func (c *checker) cosigned(f func(size int64, note []byte)) error {
	p := []byte{prefixCosigned}
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: keyAfter(p)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		note, err := it.ValueAndErr()
		if err != nil {
			c.out.problem("%v", damaged("cosigned checkpoints", err))
			return nil
		}
		if size, err := parseIndex(it.Key(), it.Key()[1:]); err != nil {
			c.out.problem("%v", err)
		} else {
			f(size, note)
		}
	}
	if err := it.Error(); pebble.IsCorruptionError(err) {
		c.out.problem("%v", damaged("cosigned checkpoints", err))
		return nil
	}
	return it.Error()
}
