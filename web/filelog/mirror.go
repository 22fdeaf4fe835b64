package filelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// Mirror is a whole log out of a folder that onus-verify mirror wrote. It was read
// and verified from the first entry to the last when it was opened, is as of then,
// and is kept in memory. It is safe for concurrent use.
//
// Contents and names are stored beside a log and are in no mirror.
type Mirror struct {
	signed   []byte
	cp       tree.Checkpoint
	key      tree.LogKey // zero if the reader gave none
	standing verifier.Standing
	raw      [][]byte
	where    map[record.ID]int64
	time     int64 // log time of the last entry
	registry *registry.Registry

	// mu guards what follows: an audit and a tree are for one goroutine.
	mu     sync.Mutex
	audit  *verifier.Audit
	tree   *tiles.Tree
	judged map[record.ID]*desk.Judged
}

var _ web.Log = (*Mirror)(nil)

// MirrorError says what is wrong with a mirrored log. Such a log is not shown.
type MirrorError struct{ Text string }

func (e *MirrorError) Error() string { return "the mirror is broken: " + e.Text }

// OpenMirror reads a mirror and verifies all of it. Without a log key it opens what
// agrees with itself. The error is a [*MirrorError], or one of reading.
func OpenMirror(ctx context.Context, folder fs.FS, key tree.LogKey, progress func(done, of int64)) (*Mirror, error) {
	signed, err := tiles.ReadCheckpoint(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New(`it has no file "checkpoint": it is no mirror of a log, or onus-verify mirror has not finished it`)
	}
	if err != nil {
		return nil, err
	}
	m := &Mirror{signed: signed, key: key, standing: verifier.Genuine, where: map[record.ID]int64{}, judged: map[record.ID]*desk.Judged{}}
	if key.IsZero() {
		m.standing = verifier.NotAnchored
		text, _, _ := bytes.Cut(signed, []byte("\n\n"))
		m.cp, err = tree.ParseCheckpoint(string(text) + "\n")
	} else {
		m.cp, err = key.Open(signed)
	}
	if err != nil {
		return nil, &MirrorError{err.Error()}
	}
	m.tree = tiles.New(m.cp, tiles.FS(folder), nil)
	m.audit = verifier.NewAudit()
	m.audit.KeepChains()
	total := 0
	for n := int64(0); n*tree.TileWidth < m.cp.Size; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := m.tree.Entries(ctx, n)
		var bad *tiles.BadTile
		if errors.As(err, &bad) || errors.Is(err, tiles.ErrMissing) {
			return nil, &MirrorError{err.Error()}
		}
		if err != nil {
			return nil, err
		}
		for _, raw := range entries {
			if total += len(raw); total > verifier.MaxJudgedBytes {
				return nil, fmt.Errorf("the log has more than %d MiB of entries, which is the most that is shown at once: onus-verify log checks it, and onus view shows the evidence of single chains", verifier.MaxJudgedBytes>>20)
			}
		}
		m.audit.Add(entries)
		m.raw = append(m.raw, entries...)
		if progress != nil {
			progress(int64(len(m.raw)), m.cp.Size)
		}
	}
	return m, m.check()
}

// check refuses a log in which anything is wrong.
func (m *Mirror) check() error {
	rep := m.audit.Report()
	named := m.key
	if named.IsZero() {
		named = m.audit.Registry().LogKey()
		if named.IsZero() {
			return &MirrorError{"entry 0 names no log key"}
		}
		if _, err := named.Open(m.signed); err != nil {
			return &MirrorError{"it does not agree with itself: " + err.Error()}
		}
	}
	if err := m.audit.Matches(m.cp, named); err != nil {
		return &MirrorError{err.Error()}
	}
	if rep.FaultCount > 0 {
		more := ""
		if rep.FaultCount > 1 {
			more = fmt.Sprintf(", and %d more", rep.FaultCount-1)
		}
		return &MirrorError{fmt.Sprintf("%s%s", rep.Faults[0], more)}
	}
	m.time, m.registry = rep.LastTime, m.audit.Registry()
	for i, raw := range m.raw {
		if e, err := entry.Parse(raw); err == nil {
			m.where[e.Envelope.ID()] = int64(i)
		}
	}
	return nil
}

// Standing is that of the log: genuine, or not anchored.
func (m *Mirror) Standing() verifier.Standing { return m.standing }

// Origin is the log's name.
func (m *Mirror) Origin() string { return m.cp.Origin }

// Size is that of the log when it was mirrored.
func (m *Mirror) Size() int64 { return m.cp.Size }

// Shown is how many entries there are to see: all.
func (m *Mirror) Shown() int { return len(m.raw) }

// Wait waits for ctx: what was opened does not grow.
func (m *Mirror) Wait(ctx context.Context, size int64) error {
	if size < m.Size() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// Key is the log's, if the reader gave it.
func (m *Mirror) Key() tree.LogKey { return m.key }

// Checkpoint is the signed note, with the cosignatures that it had.
func (m *Mirror) Checkpoint() []byte { return slices.Clone(m.signed) }

// Registry is the history of bindings.
func (m *Mirror) Registry() *registry.Registry { return m.registry }

// Entry returns one entry.
func (m *Mirror) Entry(index int64) (chain.Entry, error) {
	raw, err := m.Raw(index)
	if err != nil {
		return chain.Entry{}, err
	}
	e, err := entry.Parse(raw)
	if err != nil {
		return chain.Entry{}, fmt.Errorf("%w: entry %d cannot be read by this version: %v", desk.ErrNotShown, index, err)
	}
	out := chain.Entry{Index: index, LogTime: e.Stamp.LogTime, Stamp: &e.Stamp}
	if out.Record, err = record.Parse(e.Envelope); err != nil {
		return chain.Entry{}, fmt.Errorf("%w: entry %d cannot be read by this version: %v", desk.ErrNotShown, index, record.What(err))
	}
	return out, nil
}

// Index returns where a record stands.
func (m *Mirror) Index(id record.ID) (int64, error) {
	if i, ok := m.where[id]; ok {
		return i, nil
	}
	return 0, fmt.Errorf("%w: record %s is not in the log", desk.ErrNotFound, id)
}

// Judge gathers the chain of a record, and judges it as the auditor's tool does.
func (m *Mirror) Judge(id record.ID) (*desk.Judged, error) {
	if _, err := m.Index(id); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if j := m.judged[id]; j != nil {
		return j, nil
	}
	c, j, err := m.audit.Chain(id)
	if err != nil {
		return nil, err
	}
	out := &desk.Judged{Chain: c, Judgement: j, Size: m.cp.Size, Time: m.time}
	if len(m.judged) >= maxJudged {
		clear(m.judged)
	}
	m.judged[id] = out
	return out, nil
}

// Raw returns the bytes of an entry, which are not to be changed.
func (m *Mirror) Raw(index int64) ([]byte, error) {
	if index < 0 || index >= int64(len(m.raw)) {
		return nil, fmt.Errorf("%w: entry %d", desk.ErrNotFound, index)
	}
	return m.raw[index], nil
}

// Receipt returns an entry with its proof, made of the tiles. It passes the
// verifier first.
func (m *Mirror) Receipt(index int64) (*onusv1.ProvenRecord, error) {
	e, err := m.Entry(index)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	path, err := m.tree.Inclusion(context.Background(), index)
	m.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", index, err)
	}
	stamp, err := entry.Split(m.raw[index])
	if err != nil {
		return nil, fmt.Errorf("the stamp of entry %d: %w", index, err)
	}
	env := e.Record.Envelope
	rec := &onusv1.Receipt{Id: e.Record.ID.String(), Index: index, Stamp: stamp, Signature: env.Signature,
		Inclusion: tree.FormatProof(path), Checkpoint: string(m.signed)}
	key := m.key
	if key.IsZero() {
		key = m.registry.LogKey()
	}
	if _, err := verifier.OpenReceipt(rec, env.Type, env.Payload, key, nil); err != nil {
		return nil, fmt.Errorf("the receipt of entry %d: %w", index, err)
	}
	return &onusv1.ProvenRecord{Envelope: env.Proto(), Receipt: rec}, nil
}

// Contents finds none: they stay with the ledger.
func (m *Mirror) Contents(index int64) ([]*onusv1.Content, error) {
	_, err := m.Raw(index)
	return nil, err
}

// Name finds nothing: names stay with the ledger.
func (m *Mirror) Name(string) (string, error) {
	return "", fmt.Errorf("%w: a mirror holds no names", desk.ErrNotFound)
}

// Pseudonym finds nothing, as Name.
func (m *Mirror) Pseudonym(string, string) (string, error) {
	return "", fmt.Errorf("%w: a mirror holds no names", desk.ErrNotFound)
}

// MakesBundles is false: see Bundle.
func (m *Mirror) MakesBundles() bool { return false }

// Bundle makes none: a mirror is the evidence itself, and contents are not in it.
func (m *Mirror) Bundle(_ context.Context, ids []record.ID, _ string, _ bool) (*evidence.Bundle, error) {
	for _, id := range ids {
		if _, err := m.Index(id); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: a mirror makes no evidence files: hand on the folder, which holds the whole log, or ask the ledger: onus bundle", desk.ErrNotShown)
}
