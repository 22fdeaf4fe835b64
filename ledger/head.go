package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// head is the log as of one durable size. It is immutable, but for the nodes
// of its edge that lie beyond its size, which nobody reads through it.
type head struct {
	size       int64
	logTime    int64 // of the newest entry, in milliseconds
	root       tree.Hash
	checkpoint []byte
	// edge holds the partial tile of each level; at a level whose last tile
	// is full, an empty one.
	edge [maxLevels]*tile
	// next is closed when a later head is durable.
	next chan struct{}
}

func (h *head) marshal(registryCount int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(h.size))
	b = binary.BigEndian.AppendUint64(b, uint64(h.logTime))
	b = binary.BigEndian.AppendUint64(b, uint64(registryCount))
	return append(b, h.checkpoint...)
}

func parseHead(b []byte) (h *head, registryCount int64, err error) {
	if len(b) < 24 {
		return nil, 0, &CorruptionError{Key: "head", What: "is too short"}
	}
	h = &head{
		size:       int64(binary.BigEndian.Uint64(b)),
		logTime:    int64(binary.BigEndian.Uint64(b[8:])),
		checkpoint: append([]byte(nil), b[24:]...),
		next:       make(chan struct{}),
	}
	registryCount = int64(binary.BigEndian.Uint64(b[16:]))
	if h.size < 1 || h.logTime < 0 || registryCount < 1 {
		return nil, 0, &CorruptionError{Key: "head", What: "has numbers out of range"}
	}
	return h, registryCount, nil
}

// growing is the log as apply has it: at or ahead of the durable head.
type growing struct {
	frontier *tree.Frontier
	logTime  int64
	edge     [maxLevels]*tile
	registry *registry.Registry
}

func newGrowing(reg *registry.Registry) growing {
	g := growing{frontier: tree.NewFrontier(), registry: reg}
	for i := range g.edge {
		g.edge[i] = new(tile)
	}
	return g
}

// append adds a leaf to the tree. full is told each tile that it fills.
func (g *growing) append(leaf tree.Hash, full func(level int, n int64, t *tile)) {
	g.frontier.Append(leaf, func(level uint, index int64, h tree.Hash) {
		tl, height := int(level/tileHeight), level%tileHeight
		if height == 0 && tl > 0 {
			// The node tops the tile below, which is full now.
			full(tl-1, index, g.edge[tl-1])
			g.edge[tl-1] = new(tile)
		}
		g.edge[tl].nodes[slot(height, index)] = h
	})
}

// recover builds the state in memory from the database, the way apply would
// have left it, and checks it against the signed head.
func (l *Ledger) recover() error {
	if v, err := l.get(keyVersion); err != nil {
		return fmt.Errorf("read format version: %w", err)
	} else if len(v) != 1 || v[0] != formatVersion {
		return fmt.Errorf("the database has format version %v, this program reads %d", v, formatVersion)
	}
	b, err := l.get(keyHead)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	h, registryCount, err := parseHead(b)
	if err != nil {
		return err
	}
	if err := l.recoverRegistry(h, registryCount); err != nil {
		return err
	}
	if err := l.recoverEdge(h); err != nil {
		return err
	}
	frontier, err := tree.LoadFrontier(h.size, l.reader(h))
	if err != nil {
		return fmt.Errorf("load the right edge: %w", err)
	}
	h.root = frontier.Root()
	cp, err := l.signer.Key().Open(h.checkpoint)
	if err != nil {
		return &CorruptionError{Key: "head", What: err.Error()}
	}
	if cp.Size != h.size || cp.Root != h.root {
		return &CorruptionError{Key: "head", What: fmt.Sprintf("the stored hashes give root %s at size %d, the signed checkpoint has %s at %d",
			h.root, h.size, cp.Root, cp.Size)}
	}
	l.growing = growing{frontier: frontier, logTime: h.logTime, edge: h.edge, registry: l.registry}
	if err := l.index.recover(h.size, l.recordAt); err != nil {
		return fmt.Errorf("recover the indexes: %w", err)
	}
	l.head.Store(h)
	return nil
}

func (l *Ledger) recoverRegistry(h *head, count int64) error {
	for n := range count {
		key := keyRegistry(n)
		v, err := l.get(key)
		if err != nil {
			return fmt.Errorf("read registry entry %d: %w", n, err)
		}
		index, err := parseIndex(key, v)
		if err != nil {
			return err
		}
		raw, err := l.get(keyEntry(index))
		if err != nil {
			return fmt.Errorf("read entry %d: %w", index, err)
		}
		r, err := recordOf(raw)
		if err != nil {
			return &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: err.Error()}
		}
		if _, err := l.registry.Authenticate(r, index); err != nil {
			return &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: err.Error()}
		}
		if err := l.registry.Add(r, index, tree.LeafHash(raw)); err != nil {
			return &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: err.Error()}
		}
		if n == 0 {
			if err := l.setSigner(l.registry.Genesis().GetLogKey()); err != nil {
				return err
			}
		}
	}
	return nil
}

// recoverEdge hashes the partial tiles again.
func (l *Ledger) recoverEdge(h *head) error {
	for level := range maxLevels {
		t := new(tile)
		count := h.size >> (tileHeight * level) // complete nodes at this height
		first := count &^ (tileWidth - 1)
		for i := first; i < count; i++ {
			if level == 0 {
				raw, err := l.get(keyEntry(i))
				if err != nil {
					return fmt.Errorf("read entry %d: %w", i, err)
				}
				t.nodes[i-first] = tree.LeafHash(raw)
				continue
			}
			below, err := l.loadTile(level-1, i)
			if err != nil {
				return err
			}
			t.nodes[i-first] = below.root()
		}
		t.rise(count - first)
		h.edge[level] = t
	}
	return nil
}

// get returns a copy of a row; an error that wraps pebble.ErrNotFound if
// there is none.
func (l *Ledger) get(key []byte) ([]byte, error) { return get(l.db, key) }

func get(r pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := r.Get(key)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte(nil), v...), nil
}

func recordOf(raw []byte) (*record.Record, error) {
	e, err := entry.Parse(raw)
	if err != nil {
		return nil, err
	}
	return record.Parse(e.Envelope)
}
