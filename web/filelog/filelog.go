// Package filelog shows the evidence in a file to the viewer, with nobody
// serving: it is the viewer's log over an evidence bundle ([File]), or over the
// mirror of a whole log in a folder ([Mirror]).
//
// What a bundle does not hold is not shown, and whoever made it chose what it
// holds. So the pages say that they show a file, and how well it is anchored:
// [File.Standing]. A file whose evidence is broken is not opened at all.
package filelog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// File is the log out of one evidence file. It does not change, and is safe for
// concurrent use.
type File struct {
	bundle *evidence.Bundle
	rep    *verifier.BundleReport
	key    tree.LogKey
	// at says where in the leaves an index is, where names an id's index.
	at    map[int64]int
	where map[record.ID]int64

	// mu guards what follows: the report judges for one goroutine at a time.
	mu     sync.Mutex
	judged map[record.ID]*desk.Judged
}

var _ web.Log = (*File)(nil)

// maxJudged bounds the judgements that are kept.
const maxJudged = 256

// Open reads an evidence file and verifies it with what its reader trusts. It
// opens what is genuine and, without a log key, what agrees with itself.
//
// The error is that of [evidence.Read] or [verifier.CheckBundle], or a
// [*BrokenError].
func Open(src io.Reader, trust verifier.Trust) (*File, error) {
	b, err := evidence.Read(src, evidence.Limits{})
	if err != nil {
		return nil, err
	}
	rep, err := verifier.CheckBundle(b, trust)
	if err != nil {
		return nil, err
	}
	if rep.Standing != verifier.Genuine && rep.Standing != verifier.NotAnchored {
		return nil, &BrokenError{rep}
	}
	f := &File{bundle: b, rep: rep, at: map[int64]int{}, where: map[record.ID]int64{}, judged: map[record.ID]*desk.Judged{}}
	if rep.Standing == verifier.Genuine {
		f.key = rep.Evidence.LogKey
	}
	for i := range rep.Evidence.Leaves {
		l := &rep.Evidence.Leaves[i]
		f.at[l.Index] = i
		if !l.ID.IsZero() {
			f.where[l.ID] = l.Index
		}
	}
	return f, nil
}

// BrokenError says that the evidence is broken, or that the log signed two
// histories.
type BrokenError struct{ Report *verifier.BundleReport }

func (e *BrokenError) Error() string {
	if e.Report.Standing == verifier.Forked {
		return "the log signed two histories"
	}
	if len(e.Report.Faults) == 0 {
		return "the evidence is broken"
	}
	more := ""
	if n := e.Report.FaultCount - 1; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("the evidence is broken: %s%s", e.Report.Faults[0], more)
}

// Standing is that of the evidence: genuine, or not anchored.
func (f *File) Standing() verifier.Standing { return f.rep.Standing }

// Report is all there is to say of the evidence.
func (f *File) Report() *verifier.BundleReport { return f.rep }

// Shown is how many entries the file holds.
func (f *File) Shown() int { return len(f.rep.Evidence.Leaves) }

// Asked are the records that the file was made for, in its maker's words.
func (f *File) Asked() []record.ID { return f.rep.Evidence.Scope.Asked }

// Origin is the name of the log that the checkpoint is of.
func (f *File) Origin() string { return f.rep.Evidence.Checkpoint.Origin }

// Size is that of the log at the checkpoint; the file holds a part of it.
func (f *File) Size() int64 { return f.rep.Evidence.Checkpoint.Size }

// Wait waits for ctx: a file does not grow.
func (f *File) Wait(ctx context.Context, size int64) error {
	if size < f.Size() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// Key is the log's, if the reader gave it.
func (f *File) Key() tree.LogKey { return f.key }

// Checkpoint is the signed note in the file.
func (f *File) Checkpoint() []byte { return slices.Clone(f.bundle.Checkpoint) }

// Registry is the history of bindings in the file.
func (f *File) Registry() *registry.Registry { return f.rep.Evidence.Registry.History() }

// leaf returns an entry that the file shows.
func (f *File) leaf(index int64) (*evidence.Checked, error) {
	if index < 0 || index >= f.Size() {
		return nil, fmt.Errorf("%w: entry %d", desk.ErrNotFound, index)
	}
	i, ok := f.at[index]
	if !ok {
		return nil, fmt.Errorf("%w: entry %d is not in the file", desk.ErrNotShown, index)
	}
	l := &f.rep.Evidence.Leaves[i]
	if l.Withheld {
		return nil, fmt.Errorf("%w: entry %d was withheld by who made the file", desk.ErrNotShown, index)
	}
	return l, nil
}

// readable is leaf for an entry that this version can read.
func (f *File) readable(index int64) (*evidence.Checked, error) {
	l, err := f.leaf(index)
	if err == nil && (l.Record == nil || l.Entry == nil) {
		return nil, fmt.Errorf("%w: entry %d cannot be read by this version: %s", desk.ErrNotShown, index, l.NotJudged)
	}
	return l, err
}

// Entry returns one entry.
func (f *File) Entry(index int64) (chain.Entry, error) {
	l, err := f.readable(index)
	if err != nil {
		return chain.Entry{}, err
	}
	e := chain.Entry{Index: l.Index, LogTime: l.Entry.Stamp.LogTime, Record: l.Record, Stamp: &l.Entry.Stamp}
	if l.NotJudged != "" {
		e.Opaque = chain.Newer
	}
	return e, nil
}

// Index returns where a record stands.
func (f *File) Index(id record.ID) (int64, error) {
	if i, ok := f.where[id]; ok {
		return i, nil
	}
	return 0, fmt.Errorf("%w: record %s is not in the file", desk.ErrNotFound, id)
}

// Judge gathers the chain of a record from what is in the file, and judges it.
// What is in the file because the chains rest on it is not judged: the error
// then wraps [desk.ErrNotShown].
func (f *File) Judge(id record.ID) (*desk.Judged, error) {
	if _, err := f.Index(id); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if j := f.judged[id]; j != nil {
		return j, nil
	}
	c, j := f.rep.Chain(id)
	if c == nil {
		return nil, fmt.Errorf("%w: the file is not for the chain of record %s, and may hold only a part of it", desk.ErrNotShown, id)
	}
	out := &desk.Judged{Chain: c, Judgement: j, Size: f.Size(), Time: f.rep.LogTime()}
	if len(f.judged) >= maxJudged {
		clear(f.judged)
	}
	f.judged[id] = out
	return out, nil
}

// Raw returns the bytes of an entry.
func (f *File) Raw(index int64) ([]byte, error) {
	if _, err := f.leaf(index); err != nil {
		return nil, err
	}
	return slices.Clone(f.bundle.Leaves[f.at[index]].Raw), nil
}

// Receipt returns an entry with its proof, out of the one that the file has for
// all its entries. It passes the verifier first.
func (f *File) Receipt(index int64) (*onusv1.ProvenRecord, error) {
	l, err := f.readable(index)
	if err != nil {
		return nil, err
	}
	leaves := f.bundle.Leaves
	indices, hashes := make([]int64, len(leaves)), make([]tree.Hash, len(leaves))
	for i := range leaves {
		indices[i], hashes[i] = leaves[i].Index, leaves[i].Hash()
	}
	path, err := evidence.InclusionOf(index, f.Size(), indices, hashes, f.bundle.Proof)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", index, err)
	}
	stamp, err := entry.Split(leaves[f.at[index]].Raw)
	if err != nil {
		return nil, fmt.Errorf("the stamp of entry %d: %w", index, err)
	}
	env := l.Record.Envelope
	rec := &onusv1.Receipt{Id: l.ID.String(), Index: index, Stamp: stamp, Signature: env.Signature,
		Inclusion: tree.FormatProof(path), Checkpoint: string(f.bundle.Checkpoint)}
	if _, err := verifier.OpenReceipt(rec, env.Type, env.Payload, f.rep.Evidence.LogKey, nil); err != nil {
		return nil, fmt.Errorf("the receipt of entry %d: %w", index, err)
	}
	return &onusv1.ProvenRecord{Envelope: env.Proto(), Receipt: rec, UserToken: l.Token}, nil
}

// Contents returns what the file discloses of a record's commitments.
func (f *File) Contents(index int64) ([]*onusv1.Content, error) {
	l, err := f.readable(index)
	if err != nil {
		return nil, err
	}
	var out []*onusv1.Content
	for _, t := range l.Record.Texts() {
		if sum := t.Text.GetCommitment(); len(sum) == record.CommitmentSize {
			if c := l.Contents[[record.CommitmentSize]byte(sum)]; c != nil {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// Name finds nothing: names stay with the ledger.
func (f *File) Name(string) (string, error) {
	return "", fmt.Errorf("%w: a file holds no names", desk.ErrNotFound)
}

// Pseudonym finds nothing, as Name.
func (f *File) Pseudonym(string, string) (string, error) {
	return "", fmt.Errorf("%w: a file holds no names", desk.ErrNotFound)
}

// MakesBundles is true: the file is one.
func (f *File) MakesBundles() bool { return true }

// Bundle returns the file as it is, if the records are in it: a part of it would
// be evidence of less, and the whole is at hand.
func (f *File) Bundle(_ context.Context, ids []record.ID, _ string, _ bool) (*evidence.Bundle, error) {
	for _, id := range ids {
		if _, err := f.Index(id); err != nil {
			return nil, err
		}
	}
	return f.bundle, nil
}

// IsBroken reports whether an error of [Open] or [OpenMirror] says that the file is no evidence,
// or broken evidence; any other says that nothing was judged.
func IsBroken(err error) bool {
	var malformed *evidence.FormatError
	var broken *BrokenError
	var mirror *MirrorError
	return errors.As(err, &malformed) || errors.As(err, &broken) || errors.As(err, &mirror)
}
