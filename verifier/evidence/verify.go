package evidence

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"sync"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"golang.org/x/mod/sumdb/note"
)

// Trust is what a reader has from elsewhere than the file.
type Trust struct {
	// LogKey is the log's. Without it nothing is anchored: see
	// [NotAnchoredError].
	LogKey tree.LogKey
	// Witnesses whose cosignatures are checked. One that claims to be theirs
	// and does not hold breaks the evidence. How many of them are enough is
	// for the caller to say.
	Witnesses []note.Verifier
	// Registry is one that a bundle of the same log held, for a bundle that
	// refers to it. A bundle with a registry of its own is compared with it.
	Registry *Registry
}

// Verify checks the bundle by all that is in it: the checkpoint's signature,
// that every leaf stands in its tree, and of each entry the layout, the record,
// the stamp over the registry, the key's binding, the signature, the contents
// and the token. What is wrong is in the result, by entry.
//
// The error is a *[FormatError] for a bundle made in memory that no file could
// hold, or a *[RegistryNeededError]; then nothing was judged. Whether the
// evidence is genuine, [Result.Err] says.
func (b *Bundle) Verify(t Trust) (*Result, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	cp, sigs, err := openCheckpoint(b.Checkpoint)
	if err != nil {
		return nil, err // check has opened it
	}
	v := &verification{b: b, trust: t, reg: newRegistry(),
		res: &Result{Checkpoint: cp, Scope: b.Scope, Leaves: make([]Checked, len(b.Leaves))}}
	if ref := b.Reference; ref != nil {
		if t.Registry == nil {
			return nil, &RegistryNeededError{Reference: *ref}
		}
		if why := t.Registry.serves(ref, t.LogKey); why != "" {
			return nil, &RegistryNeededError{Reference: *ref, Why: why}
		}
		v.reg = t.Registry
	}
	v.res.Registry = v.reg
	v.entries()
	v.inclusion()
	v.checkpoint()
	v.cosignatures(sigs)
	v.contents()
	v.tokens()
	v.asked()
	v.registries()
	return v.res, nil
}

type verification struct {
	b     *Bundle
	trust Trust
	res   *Result
	// reg is the registry as far as it was read: the reader's own, whole and
	// not to be changed, where the bundle refers to it.
	reg *Registry
	// hashes are those of the leaves.
	hashes []tree.Hash
	// unread says that the id of some shown entry is not known.
	unread bool
}

// fault notes what is wrong with the file as a whole.
func (v *verification) fault(finding, detail string) { v.faultAt(-1, finding, detail) }

func (v *verification) faultAt(index int64, finding, detail string) {
	v.res.FaultCount++
	if len(v.res.Faults) < MaxFaults {
		v.res.Faults = append(v.res.Faults, Fault{index, finding, detail})
	}
}

// broken notes what is wrong with an entry.
func (v *verification) broken(c *Checked, a Aspect, finding, detail string) {
	c.states[a] = Broken
	v.faultAt(c.Index, finding, detail)
}

func (v *verification) inclusion() {
	state := Verified
	// check has counted the hashes of the proof: only the root is open.
	root, err := RootOfLeaves(v.res.Checkpoint.Size, indices(v.b.Leaves), v.hashes, v.b.Proof)
	switch {
	case err != nil:
		state = Broken
		v.fault(NotIncluded, err.Error())
	case root != v.res.Checkpoint.Root:
		state = Broken
		v.fault(NotIncluded, fmt.Sprintf("the entries and the proof lead to root %s, the checkpoint has %s: one of them was changed, or is of another log",
			root, v.res.Checkpoint.Root))
	}
	for i := range v.res.Leaves {
		v.res.Leaves[i].states[Inclusion] = state
	}
}

// checkpoint checks who signed it. Without a key of the reader's, it is held to
// the key that the genesis names, which shows that the file agrees with itself.
func (v *verification) checkpoint() {
	named := v.reg.history.LogKey()
	key := v.trust.LogKey
	v.res.LogKey = key
	if key.IsZero() {
		v.res.LogKey = named
		v.res.checkpoint = Asserted
	}
	if v.res.LogKey.IsZero() {
		v.res.checkpoint = Broken
		v.fault(BrokenCheckpoint, "neither the reader nor the genesis names a log key to check the checkpoint with")
		return
	}
	if _, err := v.res.LogKey.Open(v.b.Checkpoint); err != nil {
		v.res.checkpoint = Broken
		v.fault(BrokenCheckpoint, err.Error())
		return
	}
	if !named.IsZero() && named.String() != v.res.LogKey.String() {
		v.res.checkpoint = Broken
		v.fault(BrokenCheckpoint, fmt.Sprintf("genesis names the log key %s, not the one given, %s", named, key))
		return
	}
	if !key.IsZero() {
		v.res.checkpoint, v.res.Anchored = Verified, true
	}
}

func (v *verification) cosignatures(sigs []note.Signature) {
	good := map[string]bool{}
	opened, err := note.Open(v.b.Checkpoint, note.VerifierList(v.trust.Witnesses...))
	if err == nil {
		for _, s := range opened.Sigs {
			good[s.Base64] = true
		}
	} else if _, none := err.(*note.UnverifiedNoteError); !none {
		v.fault(BrokenCheckpoint, "a cosignature: "+err.Error())
	}
	for _, s := range sigs {
		if v.isLog(s) {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil || len(raw) < 4 {
			continue // note.Open has decoded it
		}
		v.res.Cosignatures = append(v.res.Cosignatures, Cosignature{s.Name, s.Hash, raw[4:], good[s.Base64]})
	}
}

// isLog reports whether a signature claims to be by the log key.
func (v *verification) isLog(s note.Signature) bool {
	if v.res.LogKey.IsZero() {
		return false
	}
	own, err := note.NewVerifier(v.res.LogKey.String())
	return err == nil && s.Name == own.Name() && s.Hash == own.KeyHash()
}

func (v *verification) contents() {
	for cs := v.b.Contents; len(cs) > 0; {
		n := 1
		for n < len(cs) && cs[n].Index == cs[0].Index {
			n++
		}
		i, _ := find(v.b.Leaves, cs[0].Index) // check has found it
		v.openContents(&v.res.Leaves[i], cs[:n])
		cs = cs[n:]
	}
}

func (v *verification) tokens() {
	for _, t := range v.b.Tokens {
		i, _ := find(v.b.Leaves, t.Index)
		c := &v.res.Leaves[i]
		switch said := tokenDigest(c); {
		case c.Record == nil:
			// There is nothing to compare it with.
		case said == "":
			v.broken(c, TokenText, PayloadMismatch, "a user's token is with a record that speaks of none")
		case said != digestOf(t.Text):
			v.broken(c, TokenText, PayloadMismatch, "the user's token is not the one that the record speaks of")
		default:
			c.states[TokenText], c.Token = Verified, t.Text
		}
	}
}

// asked checks that the records that the bundle is said to be for are in it.
func (v *verification) asked() {
	if v.unread {
		return // one of those that cannot be read may be it
	}
	have := make(map[record.ID]bool, len(v.res.Leaves))
	for i := range v.res.Leaves {
		have[v.res.Leaves[i].ID] = true
	}
	for _, id := range v.b.Scope.Asked {
		if !have[id] {
			v.fault(NotIncluded, fmt.Sprintf("record %s was asked for, and is neither in the file nor withheld", id))
		}
	}
}

// registries settles what the registry in hand is worth, and compares it with
// one that the reader holds besides.
func (v *verification) registries() {
	if ref := v.b.Reference; ref != nil {
		if root := v.reg.Root(ref.Count); root != ref.Root {
			v.fault(InconsistentLog, fmt.Sprintf("the bundle refers to a registry of %d entries with root %s, the one in hand has root %s",
				ref.Count, ref.Root, root))
		}
		return
	}
	if held := v.trust.Registry; held != nil && held.sound && held.history.LogKey().String() == v.reg.history.LogKey().String() {
		n := min(held.Count(), v.reg.Count())
		if held.Root(n) != v.reg.Root(n) {
			v.fault(InconsistentLog, fmt.Sprintf("the first %d registry entries give root %s here, and %s in the registry that the reader holds",
				n, v.reg.Root(n), held.Root(n)))
		}
	}
	if v.res.Anchored {
		v.reg.key = v.trust.LogKey
	}
	v.reg.sound = v.res.FaultCount == 0
}

// parallel calls f(0) to f(n-1) on all processors.
func parallel(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}
