package ledger

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Bounds of a bundle. A reader's own limits, those of [evidence.Limits], take
// what is within them.
const (
	// MaxBundle is the most entries that a bundle may hold. Each chain in it
	// has at most [MaxChain].
	MaxBundle = 100_000
	// MaxBundleBytes is the most bytes of entries, and of contents; of users'
	// tokens it is a quarter of it.
	MaxBundleBytes = 64 << 20
	// MaxBundleUses is the most uses of limits and approvals that are added to
	// the chains; beyond it the totals before are left to the stamps.
	MaxBundleUses = 10_000

	// What an entry and a content take in the file beside themselves.
	entryRoom, contentRoom = 11, 44
)

// ReasonTooLarge: what was asked for is more than one bundle holds.
const ReasonTooLarge = "BUNDLE_TOO_LARGE"

// Ask says which evidence is wanted, and what its reader may see.
type Ask struct {
	// IDs are the records whose chains are wanted, in any order. With none, the
	// bundle holds the log's registry alone, whole.
	IDs []record.ID
	// Where is the expression by which the caller chose them, if it did. The
	// ledger does not look at it: it stands in the bundle as its maker's word.
	Where string
	// RegistryReference has the registry named by its count and root, for a
	// reader who holds it.
	RegistryReference bool
	// Reader is who the bundle is for.
	Reader Reader

	bounds bundleBounds // of tests; zero: those above
}

// Reader says what the reader of a bundle may see. The zero Reader sees all
// records, and neither contents nor tokens.
type Reader struct {
	// Chain returns which entries of a chain the reader sees, or why it may not
	// have the chain; nil: all of every chain.
	Chain func(*Chain) (sees func(*Entry) bool, err error)
	// Sees reports whether the reader sees an entry on which a chain rests, and
	// which is not part of it; nil: it sees all.
	Sees func(*Entry) bool
	// Contents and Token report whether it sees the contents and the expired
	// token of an entry that it sees; nil: of none.
	Contents, Token func(*Entry) bool
}

type bundleBounds struct{ chain, entries, bytes, uses int }

func (b bundleBounds) withDefaults() bundleBounds {
	return bundleBounds{cmp.Or(b.chain, MaxChain), cmp.Or(b.entries, MaxBundle), cmp.Or(b.bytes, MaxBundleBytes), cmp.Or(b.uses, MaxBundleUses)}
}

func (a *Ask) check() error {
	invalid := func(field, detail, next string) error {
		return &record.Error{Reason: record.ReasonInvalid, Field: field, Detail: detail, Next: next}
	}
	switch {
	case len(a.IDs) > evidence.MaxAsked:
		return invalid("ids", fmt.Sprintf("has %d records", len(a.IDs)), fmt.Sprintf("ask for at most %d at a time", evidence.MaxAsked))
	case len(a.IDs) == 0 && a.RegistryReference:
		return invalid("registry_reference", "asks for a bundle without the registry, and no record is asked for", "name the records, or ask for the registry itself")
	case len(a.IDs) == 0 && a.Where != "":
		return invalid("where", "says how records were chosen, and none is asked for", "leave it out, or name the records")
	case len(a.Where) > evidence.MaxWords:
		return invalid("where", fmt.Sprintf("has %d bytes", len(a.Where)), fmt.Sprintf("use at most %d", evidence.MaxWords))
	case !utf8.ValidString(a.Where) || strings.ContainsFunc(a.Where, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalid("where", "holds what does not print", "write it in one line of text")
	}
	return nil
}

// Bundle makes the evidence for the chains of some records, all under one
// checkpoint: what package evidence calls a bundle. The checkpoint is that of
// the durable head at its beginning or, where the log has witnesses, the first
// from there on that their quorum has cosigned, if it comes within two seconds:
// a file that others saw the tree of is worth the wait. It holds
//
//   - each chain whole, as [Ledger.Chain] gathers it;
//   - what the chains rest on: the grant paths, proposals with their answers,
//     the uses of limits and approvals before theirs with what changed the
//     totals, and of each record the one before it of its instance;
//   - the registry, up to the highest of these and to the last entry that
//     revoked a party or a grant among them.
//
// Where the reader may not see an entry, the bundle says that it is there and
// withholds it. Before it is handed out, the bundle is verified with the code
// of its readers.
//
// The error wraps [ErrNotFound] for a record that is not in the log, is what
// Reader.Chain returned, or is a *[record.Error] for what is more than a bundle
// holds.
func (l *Ledger) Bundle(ctx context.Context, ask Ask) (*evidence.Bundle, error) {
	if err := ask.check(); err != nil {
		return nil, err
	}
	h, err := l.evidenceHead(ctx)
	if err != nil {
		return nil, err
	}
	c := &collector{ctx: ctx, l: l, h: h, ask: &ask, bounds: ask.bounds.withDefaults(),
		entries: map[int64]*collected{}, walked: map[walk]bool{}, looked: map[record.ID]bool{}}
	var left []int64
	err = l.judge(func(s *authority.State) (err error) {
		c.state = s
		if err = c.chains(); err != nil {
			return err
		}
		if err = c.clock(); err == nil {
			left, err = c.incomplete()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.bundle(left)
}

// evidencePatience is how long a bundle waits for witnesses, who are asked about
// once a second.
const evidencePatience = 2 * time.Second

// evidenceHead returns the state that a bundle is as of, with the cosignatures
// of its checkpoint. Of an older state than the newest it has what a bundle
// needs: no tiles.
func (l *Ledger) evidenceHead(ctx context.Context) (*head, error) {
	h := *l.head.Load()
	if l.HasWitnesses() {
		waiting, stop := context.WithTimeout(ctx, evidencePatience)
		defer stop()
		if c, missing := l.witnesses.await(waiting, h.size); len(missing) == 0 {
			if c.size < h.size {
				panic("ledger: no quorum, and no witness is missing")
			}
			last, err := l.Entry(c.size - 1)
			if err != nil {
				return nil, err
			}
			return &head{size: c.size, logTime: last.Stamp.LogTime, checkpoint: c.note}, nil
		}
	}
	h.checkpoint = l.witnesses.noteOf(&h)
	return &h, nil
}

// bundle puts together what was collected, and verifies it.
func (c *collector) bundle(left []int64) (*evidence.Bundle, error) {
	asked := slices.Clone(c.ask.IDs)
	slices.SortFunc(asked, func(a, b record.ID) int { return bytes.Compare(a[:], b[:]) })
	b := &evidence.Bundle{Checkpoint: bytes.Clone(c.h.checkpoint)}
	b.Scope = evidence.Scope{Asked: slices.Compact(asked), Where: c.ask.Where, Claim: c.claim(left)}
	until := c.until
	if len(asked) == 0 {
		until = c.h.size - 1
	}
	rows, err := c.registry(until)
	if err != nil {
		return nil, err
	}
	if c.ask.RegistryReference {
		b.Reference = &evidence.Reference{Count: int64(len(rows))}
		if _, b.Reference.Root = c.l.registry.Stamp(until + 1); b.Reference.Root == tree.Empty {
			return nil, &CorruptionError{Key: "the registry", What: "is empty"}
		}
		b.Leaves = c.leaves(nil)
	} else {
		b.Leaves = c.leaves(rows)
	}
	if err := c.disclose(b); err != nil {
		return nil, err
	}
	return b, c.verify(b, rows)
}

// registry returns the leaves of the registry up to that index.
func (c *collector) registry(until int64) ([]evidence.Leaf, error) {
	sum := c
	if c.ask.RegistryReference { // it would be a file of its own
		sum = &collector{bounds: c.bounds}
	}
	count, _ := c.l.registry.Stamp(until + 1)
	rows := make([]evidence.Leaf, 0, count)
	for n := range count {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		key := keyRegistry(n)
		v, err := c.l.get(key)
		if err != nil {
			return nil, fmt.Errorf("read registry entry %d: %w", n, err)
		}
		index, err := parseIndex(key, v)
		if err != nil {
			return nil, err
		}
		raw, err := c.l.Raw(index)
		if err != nil {
			return nil, err
		}
		if sum.entries[index] == nil {
			if err := sum.room(len(raw)); err != nil {
				return nil, err
			}
			sum.rows++
		}
		rows = append(rows, evidence.Leaf{Index: index, Raw: raw, Registry: true})
	}
	return rows, nil
}

// leaves joins what was collected with the registry's entries.
func (c *collector) leaves(rows []evidence.Leaf) []evidence.Leaf {
	all := slices.Grow(rows, len(c.entries))
	for _, e := range c.entries {
		switch {
		case e.registry && rows != nil: // it is among them
		case e.seen:
			all = append(all, evidence.Leaf{Index: e.Index, Raw: e.Raw, Registry: e.registry})
		default:
			party := c.l.registry.OperatorOf(e.Record.Msg.GetAuthor(), c.h.size)
			if !record.IsOperatorID(party) {
				party = ""
			}
			all = append(all, evidence.Leaf{Index: e.Index, Withheld: &evidence.Withheld{
				Hash: tree.LeafHash(e.Raw), AssertedID: e.Record.ID, AssertedParty: party}})
		}
	}
	slices.SortFunc(all, func(a, b evidence.Leaf) int { return cmp.Compare(a.Index, b.Index) })
	return all
}

// disclose adds the contents and tokens that the reader may see, of the chains
// and what gives them their authority: of a use elsewhere or a record before,
// the fact is enough.
func (c *collector) disclose(b *evidence.Bundle) error {
	total, tokens := 0, 0
	for _, l := range b.Leaves {
		e := c.entries[l.Index]
		if e == nil || l.Withheld != nil || e.role == asContext {
			continue
		}
		if may := c.ask.Reader.Contents; may != nil && may(e.Entry) {
			cs, err := c.l.Contents(e.Entry)
			if err != nil {
				return err
			}
			var opened []evidence.Content
			for _, m := range cs {
				if total += contentRoom + len(m.GetData()); total > c.bounds.bytes {
					return tooLarge(fmt.Sprintf("have more than %d bytes of contents", c.bounds.bytes), "ask without contents, or for fewer records")
				}
				opened = append(opened, evidence.Content{Index: e.Index, Salt: [record.SaltSize]byte(m.GetSalt()), Data: m.GetData()})
			}
			slices.SortFunc(opened, func(a, b evidence.Content) int {
				x, y := a.Commitment(), b.Commitment()
				return bytes.Compare(x[:], y[:])
			})
			// One content may open two commitments that are the same.
			opened = slices.CompactFunc(opened, func(a, b evidence.Content) bool { return a.Commitment() == b.Commitment() })
			b.Contents = append(b.Contents, opened...)
		}
		if may := c.ask.Reader.Token; may != nil && may(e.Entry) {
			token, err := c.l.UserToken(e.Entry)
			if err != nil {
				return err
			}
			if token != "" {
				if tokens += len(token); tokens > c.bounds.bytes/4 {
					return tooLarge(fmt.Sprintf("have more than %d bytes of users' tokens", c.bounds.bytes/4), "ask without tokens, or for fewer records")
				}
				b.Tokens = append(b.Tokens, evidence.Token{Index: e.Index, Text: token})
			}
		}
	}
	return nil
}

// verify proves the bundle and checks it as its reader will. A bundle that
// refers to the registry is checked with the registry that it refers to.
func (c *collector) verify(b *evidence.Bundle, rows []evidence.Leaf) error {
	trust := evidence.Trust{LogKey: c.l.LogKey()}
	if b.Reference != nil {
		whole := &evidence.Bundle{Checkpoint: b.Checkpoint, Leaves: rows}
		res, err := c.genuine(whole, trust)
		if err != nil {
			return err
		}
		trust.Registry = res.Registry
	}
	_, err := c.genuine(b, trust)
	return err
}

func (c *collector) genuine(b *evidence.Bundle, trust evidence.Trust) (*evidence.Result, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	// A node of an older tree is one of the newest, too.
	if err := b.Prove(c.l.reader(c.l.head.Load())); err != nil {
		return nil, fmt.Errorf("prove the evidence: %w", err)
	}
	res, err := b.Verify(trust)
	if err != nil {
		return nil, fmt.Errorf("verify the evidence: %w", err)
	}
	if err := res.Err(); err != nil {
		return nil, &CorruptionError{Key: "the evidence that was asked for", What: err.Error()}
	}
	return res, nil
}

// claim says what the bundle is of, and what was left out of it.
func (c *collector) claim(left []int64) string {
	if len(c.ask.IDs) == 0 {
		return fmt.Sprintf("the registry of the log, as of %d entries", c.h.size)
	}
	members, hidden := 0, 0
	for _, e := range c.entries {
		if e.role == ofChain {
			members++
		}
		if !e.seen {
			hidden++
		}
	}
	s := fmt.Sprintf("the chains of these records are whole: %s, as of %d entries", count(members), c.h.size)
	if hidden > 0 {
		s += fmt.Sprintf("; %s withheld", count(hidden))
	}
	if c.usesCut {
		s += fmt.Sprintf("; of the uses of limits and approvals before theirs only %d are here", c.uses)
	}
	if len(left) > 0 {
		more := ""
		if len(left) > 1 {
			more = fmt.Sprintf(" and %d more", len(left)-1)
		}
		s += fmt.Sprintf("; what the log says of the authority of entry %d%s rests on entries that are not here", left[0], more)
	}
	return s
}

func count(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func tooLarge(detail, next string) error {
	return &record.Error{Reason: ReasonTooLarge, Field: "ids", Detail: detail, Next: next}
}
