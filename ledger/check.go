package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Checked is what [Check] saw.
type Checked struct {
	// Audit is the verifier's own report over all entries.
	Audit verifier.Report
	// Problems are what is wrong, in plain words, the first 100.
	Problems []string
	// ProblemCount counts all.
	ProblemCount int64
	Contents     int64
}

func (c *Checked) problem(format string, args ...any) {
	c.ProblemCount++
	if len(c.Problems) < 100 {
		c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
	}
}

// Check reads a whole stopped ledger and compares every row with what the
// entries say it must be: hashes, ids, registry, authority, head, contents, indexes. It
// needs no state that Open would build, so that it can say what keeps Open
// from working. It changes nothing. progress may be nil.
func Check(ctx context.Context, cfg Config, progress func(done, of int64)) (*Checked, error) {
	cfg = cfg.withDefaults()
	there, err := databaseExists(cfg)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("%w: %s", ErrNotExist, cfg.Dir)
	}
	db, err := openDatabase(cfg, true, nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	v, err := newVault(cfg.ContentKey)
	if err != nil {
		return nil, err
	}
	v.db = db
	c := &checker{db: db, vault: v, out: &Checked{}, progress: progress}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	return c.out, nil
}

type checker struct {
	db       *pebble.DB
	vault    *vault
	out      *Checked
	progress func(done, of int64)
	head     *head
	mark     int64
	index    *index
	calls    *run  // what the entries of a chunk call for
	called   int64 // postings that all entries below mark call for
	grown    *treeState
	// state is what the entries say of authority, over rows of its own.
	state *authority.State
	rows  authority.Memory
	// tokens counts the entries with a user's token that was checked.
	tokens int64
	// roots are those at the sizes of cosigned checkpoints.
	roots map[int64]tree.Hash
}

func (c *checker) run(ctx context.Context) error {
	raw, err := get(c.db, keyHead)
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("%w: the database has no head", ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	if err := checkVersion(c.db, c.vault); err != nil {
		c.out.problem("%v", err)
	}
	h, registryCount, err := parseHead(raw)
	if err != nil {
		return err
	}
	c.head = h
	if v, err := get(c.db, keyWatermark); err == nil {
		if c.mark, err = parseIndex(keyWatermark, v); err != nil || c.mark > h.size {
			c.out.problem("watermark: is %x, the log has %d entries", v, h.size)
			c.mark = min(max(c.mark, 0), h.size)
		}
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("read watermark: %w", err)
	}
	c.index = &index{db: c.db, mark: c.mark, tail: newRun(c.mark)}
	c.calls = newRun(0)
	c.grown = newTreeState()
	if err := c.cosignedSizes(); err != nil {
		return fmt.Errorf("read cosigned checkpoints: %w", err)
	}
	audit := verifier.NewAudit()
	c.rows = authority.Memory{}
	c.state = authority.New(audit.Registry(), c.rows)
	if err := c.entries(ctx, audit); err != nil {
		return err
	}
	c.out.Audit = audit.Report()
	for _, f := range c.out.Audit.Faults {
		c.out.problem("%s", f)
	}
	if err := c.leaves(); err != nil {
		return err
	}
	c.authority()
	c.signedHead(audit, registryCount)
	if err := c.cosignedRows(audit.Registry().LogKey()); err != nil {
		return fmt.Errorf("read cosigned checkpoints: %w", err)
	}
	return c.counts(registryCount)
}

// entries walks all entries, through the auditor's own check and against the
// rows that are kept beside them.
func (c *checker) entries(ctx context.Context, audit *verifier.Audit) error {
	l := &Ledger{db: c.db}
	var chunk [][]byte
	var read []*Entry
	registryNumber := int64(0)
	flush := func() {
		audit.Add(chunk)
		// The registry has these entries now. It is a history, so that it
		// has more than those before each of them does no harm.
		for _, e := range read {
			c.state.Add(e.Record, e.Index, &e.Stamp)
		}
		c.postings(c.calls)
		chunk, read, c.calls = nil, nil, newRun(0)
	}
	err := l.scan(0, c.head.size, func(index int64, raw []byte) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		chunk = append(chunk, bytes.Clone(raw))
		leaf := tree.LeafHash(raw)
		c.grown.append(leaf, func(level int, n int64, t *tile) { c.tile(level, n, t) })
		c.rootAt(index + 1)
		if e, err := parseEntry(index, chunk[len(chunk)-1]); err == nil {
			if registry.Concerns(e.Record) {
				c.row(keyRegistry(registryNumber), u64(index), "registry entry %d", registryNumber)
				registryNumber++
			}
			c.record(index, e.Record)
			c.userToken(e)
			read = append(read, e)
		}
		if len(chunk) == 1024 {
			flush()
			if c.progress != nil {
				c.progress(index+1, c.head.size)
			}
		}
		return true, nil
	})
	flush()
	var damage *CorruptionError
	if errors.As(err, &damage) {
		c.out.problem("%v", damage)
		return nil
	}
	return err
}

// leaves compares the leaves that are stored for the lowest partial tile with
// those that the entries have.
func (c *checker) leaves() error {
	stored, err := readLeaves(c.db, c.head.size)
	var damage *CorruptionError
	if errors.As(err, &damage) {
		c.out.problem("%v", damage)
		return nil
	}
	first := c.head.size &^ (tileWidth - 1)
	for i, got := range stored {
		if at := first + int64(i); at < c.grown.frontier.Size() && got != c.grown.edge[0].nodes[i] {
			c.out.problem("entry %d: its bytes do not have the hash that was committed to", at)
		}
	}
	return err
}

// tile compares a stored tile with the one that the entries make, and names
// the entry where a lowest tile differs.
func (c *checker) tile(level int, n int64, want *tile) {
	got, err := get(c.db, keyTile(level, n))
	if err != nil {
		c.out.problem("tile %d/%d: %v", level, n, err)
		return
	}
	switch {
	case bytes.Equal(got, want.marshal()):
	case level > 0 || len(got) != tileWidth*tree.HashSize:
		c.out.problem("tile %d/%d: differs from what the entries give", level, n)
	default:
		for i := range tileWidth {
			if tree.Hash(got[i*tree.HashSize:]) != want.nodes[i] {
				c.out.problem("entry %d: its bytes do not have the hash that was committed to", n*tileWidth+int64(i))
			}
		}
	}
}

// record checks a record's own rows.
func (c *checker) record(index int64, r *record.Record) {
	for _, f := range r.Texts() {
		if sum := f.Text.GetCommitment(); len(sum) == record.CommitmentSize {
			content, err := c.vault.unseal(index, r.ID, [record.CommitmentSize]byte(sum))
			if err != nil {
				c.out.problem("entry %d: %s: %v", index, f.Path, err)
			} else if content != nil {
				c.out.Contents++
			}
		}
	}
	if index >= c.mark {
		return
	}
	c.row(keyID(r.ID), u64(index), "id of entry %d", index)
	c.calls.add(indexed{index, r, postings(r.Msg)})
}

// postings checks that the index has every entry of a run in the lists that it
// belongs to.
func (c *checker) postings(r *run) {
	for p, list := range r.lists {
		c.called += int64(len(list))
		cur, err := c.index.cursor(p, list[0], list[len(list)-1]+1)
		if err != nil {
			c.out.problem("index %d: %v", p.kind, err)
			continue
		}
		for _, want := range list {
			got, ok, err := cur.ceil(want)
			if err != nil {
				c.out.problem("index %d of entry %d: %v", p.kind, want, err)
				break
			}
			if !ok || got != want {
				c.out.problem("index %d of entry %d: the entry is not in it", p.kind, want)
			}
		}
		if err := cur.close(); err != nil {
			c.out.problem("index %d: %v", p.kind, err)
		}
	}
}

// userToken checks that the token which the stamp speaks of is kept.
func (c *checker) userToken(e *Entry) {
	if e.Stamp.Assurance == 0 {
		return
	}
	c.tokens++
	if _, err := c.vault.userToken(e); err != nil {
		c.out.problem("%v", err)
	}
}

// authority compares the rows that apply wrote with what the entries give.
func (c *checker) authority() {
	for _, key := range c.rows.Keys() {
		want, _ := c.rows.Get(key)
		c.row(keyAuthority(key), want, "authority row %q", key)
	}
}

func (c *checker) row(key, want []byte, what string, args ...any) {
	got, err := get(c.db, key)
	if err != nil {
		c.out.problem(what+": %v", append(args, err)...)
	} else if !bytes.Equal(got, want) {
		c.out.problem(what+" is %x, not %x", append(args, got, want)...)
	}
}

// signedHead holds the entries to the checkpoint that was signed.
func (c *checker) signedHead(audit *verifier.Audit, registryCount int64) {
	key := audit.Registry().LogKey()
	cp, err := key.Open(c.head.checkpoint)
	if err != nil {
		c.out.problem("head: %v", err)
		return
	}
	if cp.Size != c.head.size {
		c.out.problem("head: says %d entries, its checkpoint %d", c.head.size, cp.Size)
	}
	if err := audit.Matches(cp, key); err != nil {
		c.out.problem("head: %v", err)
	}
	if n := c.out.Audit.RegistryEntries; n != registryCount {
		c.out.problem("head: says %d registry entries, the log has %d", registryCount, n)
	}
	if last := c.out.Audit.LastTime; last != c.head.logTime {
		c.out.problem("head: says log time %d, the last entry %d", c.head.logTime, last)
	}
}

// counts finds rows that nothing in the log calls for.
func (c *checker) counts(registryCount int64) error {
	size := c.head.size
	tiles := int64(0)
	for s := size / tileWidth; s > 0; s /= tileWidth {
		tiles += s
	}
	for _, t := range []struct {
		prefix byte
		want   int64
		what   string
	}{{prefixEntry, size, "entries"}, {prefixID, c.mark, "ids"}, {prefixTile, tiles, "tiles"}, {prefixRegistry, registryCount, "registry rows"},
		{prefixAuthority, int64(len(c.rows)), "authority rows"}, {prefixUserToken, c.tokens, "users' tokens"}} {
		n, err := c.count(t.prefix)
		if pebble.IsCorruptionError(err) {
			c.out.problem("%v", damaged(t.what, err))
			continue
		}
		if err != nil {
			return err
		}
		if n != t.want {
			c.out.problem("the database holds %d %s, the log calls for %d", n, t.what, t.want)
		}
	}
	n, err := c.countPostings()
	if err != nil {
		return err
	}
	if n != c.called {
		c.out.problem("the index names %d properties of entries, the log calls for %d", n, c.called)
	}
	return nil
}

func (c *checker) countPostings() (n int64, err error) {
	p := []byte{prefixPosting}
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: keyAfter(p)})
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) != len(keyPosting(posting{}, 0)) {
			c.out.problem("index row %q: is not the key of one", it.Key())
			continue
		}
		list, err := parseChunk(nil, it.Key()[:len(it.Key())-8], it.Key(), it.Value())
		if err != nil {
			c.out.problem("%v", err)
		}
		n += int64(len(list))
	}
	err = errors.Join(it.Error(), it.Close())
	if pebble.IsCorruptionError(err) {
		c.out.problem("%v", damaged("the index", err))
		return c.called, nil
	}
	return n, err
}

func (c *checker) count(prefix byte) (n int64, err error) {
	p := []byte{prefix}
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: keyAfter(p)})
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n, errors.Join(it.Error(), it.Close())
}
