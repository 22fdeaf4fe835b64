package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/authority"
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
	*treeState
	logTime  int64
	registry *registry.Registry
	// authority is the state of grants, limits and approvals, over rows.
	authority *authority.State
	rows      *authorityRows
}

func (l *Ledger) newGrowing(t *treeState, logTime int64) growing {
	rows := &authorityRows{db: l.db, fatal: l.cfg.Fatal, fresh: map[string][]byte{}}
	return growing{treeState: t, logTime: logTime, registry: l.registry, authority: authority.New(l.registry, rows), rows: rows}
}

// treeState is a tree that grows, with its partial tiles.
type treeState struct {
	frontier *tree.Frontier
	edge     [maxLevels]*tile
}

func newTreeState() *treeState {
	t := &treeState{frontier: tree.NewFrontier()}
	for i := range t.edge {
		t.edge[i] = new(tile)
	}
	return t
}

// append adds a leaf to the tree. full is told each tile that it fills.
func (g *treeState) append(leaf tree.Hash, full func(level int, n int64, t *tile)) {
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
	b, err := l.get(keyHead)
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("%w: %s holds an empty database", ErrNotExist, l.cfg.Dir)
	}
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	if err := checkVersion(l.db, l.vault); err != nil {
		return err
	}
	h, registryCount, err := parseHead(b)
	if err != nil {
		return err
	}
	if err := l.recoverEdge(h); err != nil {
		return err
	}
	if err := l.recoverRegistry(h, registryCount); err != nil {
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
	l.growing = l.newGrowing(&treeState{frontier, h.edge}, h.logTime)
	if err := l.index.recover(h.size, l.recordAt); err != nil {
		return fmt.Errorf("recover the indexes: %w", err)
	}
	l.beside.Go(func() {
		if err := l.index.learn(l.closing); err != nil {
			l.cfg.Logger.Error("read the ids of the log: new records are looked up in the database", "err", err)
		}
	})
	l.head.Store(h)
	if err := l.knocks.load(l.cfg.Clock()); err != nil {
		return fmt.Errorf("read the keys that knocked: %w", err)
	}
	return nil
}

// checkVersion reads the row that says what format the database has, and
// which content key it was made with.
func checkVersion(db pebble.Reader, v *vault) error {
	row, err := get(db, keyVersion)
	switch {
	case errors.Is(err, pebble.ErrNotFound), err == nil && len(row) != 1+len(v.check):
		return &CorruptionError{Key: "version", What: "is missing or of another size"}
	case err != nil:
		return fmt.Errorf("read version: %w", err)
	case row[0] != formatVersion:
		return fmt.Errorf("the database has format version %d, this program reads %d", row[0], formatVersion)
	case !bytes.Equal(row[1:], v.check):
		// Going on would give one name two pseudonyms, for ever.
		return errors.New("the content key given is not the one that this ledger was made with: restore it")
	}
	return nil
}

// recoverRegistry folds the registry's entries again. They are read, parsed and
// their signatures checked on all processors; what one binds, the next may need,
// so they are added in order.
func (l *Ledger) recoverRegistry(h *head, count int64) error {
	const chunk = 1024
	for first := int64(0); first < count; first += chunk {
		all := make([]registryEntry, min(chunk, count-first))
		each(len(all), func(i int) { all[i] = l.readRegistryEntry(h, first+int64(i)) })
		for i := range all {
			e := &all[i]
			if e.err == nil {
				e.err = l.addRegistryEntry(e, first+int64(i))
			}
			if e.err != nil {
				return e.err
			}
		}
		each(len(all), func(i int) {
			if err := all[i].Record.VerifySignature(all[i].key.Key); err != nil {
				all[i].err = &CorruptionError{Key: fmt.Sprintf("entry %d", all[i].Index), What: record.What(err)}
			}
		})
		for _, e := range all {
			if e.err != nil {
				return e.err
			}
		}
	}
	return nil
}

type registryEntry struct {
	*Entry
	leaf tree.Hash
	key  *registry.Binding
	err  error
}

func (l *Ledger) readRegistryEntry(h *head, n int64) (e registryEntry) {
	key := keyRegistry(n)
	v, err := l.get(key)
	if err != nil {
		e.err = fmt.Errorf("read registry entry %d: %w", n, err)
		return e
	}
	index, err := parseIndex(key, v)
	if err != nil {
		e.err = err
		return e
	}
	if index >= h.size {
		e.err = &CorruptionError{Key: fmt.Sprintf("registry entry %d", n), What: fmt.Sprintf("names entry %d, the log has %d", index, h.size)}
		return e
	}
	raw, err := l.get(keyEntry(index))
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		e.err = &CorruptionError{Key: fmt.Sprintf("entry %d", index), What: "is missing"}
		return e
	case err != nil:
		e.err = fmt.Errorf("read entry %d: %w", index, err)
		return e
	}
	if e.leaf, e.err = l.reader(h)(0, index); e.err != nil {
		return e
	}
	e.Entry, e.err = parseEntry(index, raw)
	return e
}

// addRegistryEntry adds one whose signature is yet to be checked.
func (l *Ledger) addRegistryEntry(e *registryEntry, n int64) (err error) {
	damaged := func(err error) error {
		return &CorruptionError{Key: fmt.Sprintf("entry %d", e.Index), What: record.What(err)}
	}
	if e.key, err = l.registry.Bound(e.Record, e.Index); err != nil {
		return damaged(err)
	}
	if err := l.registry.Add(e.Record, e.Index, e.leaf, &e.Stamp); err != nil {
		return damaged(err)
	}
	if n > 0 {
		return nil
	}
	if l.signer, err = newLogSigner(l.cfg.Signer, l.registry.Genesis().GetLogKey()); err != nil {
		return err
	}
	l.host, err = newHost(l.cfg, e.Record.Msg)
	return err
}

// recoverEdge makes the partial tiles again, from the hashes that were
// committed to. It does not read the entries: whether their bytes still have
// these hashes is for Check and for every auditor to find out, entry by entry.
func (l *Ledger) recoverEdge(h *head) error {
	leaves, err := readLeaves(l.db, h.size)
	if err != nil {
		return err
	}
	for level := range maxLevels {
		t := new(tile)
		count := h.size >> (tileHeight * level) // complete nodes at this height
		first := count &^ (tileWidth - 1)
		for i := first; i < count; i++ {
			if level == 0 {
				t.nodes[i-first] = leaves[i-first]
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
	switch {
	case err == nil:
	case err == pebble.ErrNotFound: // by far the most frequent: walking an error's tree costs more than the look-up
		return nil, err
	case pebble.IsCorruptionError(err):
		return nil, damaged(fmt.Sprintf("row %q", key), err)
	default:
		return nil, err
	}
	defer closer.Close()
	return append([]byte(nil), v...), nil
}

// damaged makes our error of one by which Pebble says that a file is damaged.
// Its first line says what is wrong.
func damaged(where string, err error) *CorruptionError {
	what, _, _ := strings.Cut(err.Error(), "\n")
	return &CorruptionError{Key: where, What: what}
}
