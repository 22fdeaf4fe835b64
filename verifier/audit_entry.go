package verifier

import (
	"errors"
	"fmt"
	"math"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// What an audit checks of one entry.

// checked is what the parallel part finds out about one entry.
type checked struct {
	leaf tree.Hash
	e    *entry.Entry // nil if the layout could not be read
	id   record.ID
	rec  *record.Record // nil if the record could not be read
	err  error          // what could not be read
	// newer says that err may come from a version that is not known here.
	newer bool
	// named is the id of the key that a newer record names.
	named string
	// key is what the signature must be checked with, once the order is known;
	// tried is what it was checked with before that, with sig as the answer.
	key, tried *registry.Binding
	sig        error
}

// read finds out what an entry says by itself.
func (c *checked) read(raw []byte) {
	c.leaf = tree.LeafHash(raw)
	c.e, c.err = entry.Parse(raw)
	if c.err != nil {
		c.e = nil
		c.newer = errors.Is(c.err, entry.ErrVersion) || errors.Is(c.err, entry.ErrPayloadType)
		return
	}
	c.id = c.e.Envelope.ID()
	if c.rec, c.err = record.Parse(c.e.Envelope); !record.IsNewer(c.err) {
		return
	}
	named, err := record.NamedKey(c.e.Envelope)
	if err != nil {
		return // unknown fields, and broken besides
	}
	c.newer, c.named = true, named
}

// try checks the signature with the key that the record names, as far as it
// is bound by now.
func (c *checked) try(reg *registry.Registry) {
	named := c.named
	if c.rec != nil {
		named = c.rec.Msg.GetAuthor().GetKeyId()
	}
	if b := reg.Key(named, math.MaxInt64); b != nil {
		c.tried, c.sig = b, c.verify(b)
	}
}

// verify checks the signature with a key.
func (c *checked) verify(b *registry.Binding) error {
	if c.rec != nil {
		return c.rec.VerifySignature(b.Key)
	}
	if !b.Key.Verify(c.e.Envelope.PAE(), c.e.Envelope.Signature) {
		return errors.New("the signature of a record of a newer version does not verify with the key that it names")
	}
	return nil
}

// signed reports whether the signature is that of c.key.
func (a *Audit) signed(c *checked, index int64) bool {
	if c.tried == nil || c.tried.Key != c.key.Key {
		c.sig = c.verify(c.key)
	}
	if c.sig != nil {
		a.fault(index, BrokenSignature, record.What(c.sig))
	}
	return c.sig == nil
}

// notJudged counts an entry of a newer version, and checks what of it this
// version can read. A key that is not known here is no fault: a newer version
// may have bound it in an entry that could not be judged either. The record's
// own rules, and whether the key may speak for the author, stay open.
func (a *Audit) notJudged(c *checked, index int64) {
	a.report.NotJudged++
	if c.e == nil {
		return
	}
	a.stamped(c, index)
	if c.key = a.registry.Key(c.named, index); c.key != nil {
		a.signed(c, index)
		a.keyEntry(c, index)
	}
}

// stamped checks what the stamp of every entry of this layout says.
func (a *Audit) stamped(c *checked, index int64) {
	s := &c.e.Stamp
	if index == 0 {
		a.report.FirstTime = s.LogTime
	}
	if s.LogTime < a.logTime {
		a.fault(index, LogTimeDisputed, fmt.Sprintf("log time %d is before the previous entry's %d", s.LogTime, a.logTime))
	}
	a.logTime = max(a.logTime, s.LogTime)
	a.report.LastTime = a.logTime

	short := [16]byte(c.id[:16])
	if _, twice := a.ids[short]; twice {
		a.fault(index, RecordTwice, "record "+c.id.String()+" stands in the log before")
	} else if len(a.ids) < a.maxIDs {
		a.ids[short] = struct{}{}
	} else {
		a.forgot = true
	}

	count, root := a.registry.Stamp(index)
	if s.RegistryCount != count || s.RegistryRoot != root {
		// A registry entry that was changed spoils every stamp after it: the
		// first is a fault, the others follow from it.
		if a.report.StampsOff++; a.report.StampsOff == 1 {
			a.fault(index, BrokenStamp, fmt.Sprintf("stamped with %d registry entries and root %s, the log has %d and %s",
				s.RegistryCount, s.RegistryRoot, count, root))
		}
	}
}

func (a *Audit) keyEntry(c *checked, index int64) {
	if s := &c.e.Stamp; s.KeyEntry != c.key.Index {
		a.fault(index, BrokenStamp, fmt.Sprintf("stamped with key entry %d, but entry %d binds the key", s.KeyEntry, c.key.Index))
	}
}

func (a *Audit) judge(c *checked, index int64) {
	a.stamped(c, index)
	s := &c.e.Stamp
	key, err := a.registry.Bound(c.rec, index)
	if err != nil {
		a.fault(index, KeyNotBound, record.What(err))
		return
	}
	c.key = key
	a.keyEntry(c, index)
	// What nobody signed binds and gives nothing.
	if !a.signed(c, index) {
		return
	}
	// What the ledger says that it checked, and what was used up, is derived
	// again: a host could make it up.
	if err := a.registry.CheckAssurance(c.rec, index, s); err != nil {
		a.fault(index, BrokenStamp, record.What(err))
	}
	want := a.authority.Uses(c.rec, index, s.LogTime)
	if !slices.Equal(s.Uses, want) {
		a.fault(index, BrokenStamp, fmt.Sprintf("stamped with the uses %v, the log before it gives %v", s.Uses, want))
	}
	if err := a.admissible(c.rec, index, s); err != nil {
		a.fault(index, NotAdmissible, record.What(err))
		return
	}
	if registry.Concerns(c.rec) {
		if err := a.registry.Add(c.rec, index, c.leaf, s); err != nil {
			a.fault(index, NotAdmissible, record.What(err))
			return
		}
	}
	a.authority.Add(c.rec, index, s)
	a.report.Uses += int64(len(want))
	a.count(c, index)
}

// admissible says why an honest ledger would have refused r, for what the log
// before it says.
func (a *Audit) admissible(r *record.Record, index int64, s *entry.Stamp) error {
	if err := rejected(a.registry, r, index); err != nil {
		return err
	}
	if err := a.authority.Check(r, index, s.LogTime); err != nil {
		return err
	}
	if err := authority.CheckReviewed(r, a.logged); err != nil {
		return err
	}
	return authority.CheckWord(r, s)
}

// logged reports whether a record came before, for all that the audit knows:
// once ids found no place, one that it does not have may be among those.
func (a *Audit) logged(id record.ID) bool {
	_, known := a.ids[[16]byte(id[:16])]
	return known || a.forgot
}

// rejected is what of it the registry alone shows.
func rejected(reg *registry.Registry, r *record.Record, index int64) error {
	if rev, ok := reg.Rejected(r, index); ok {
		return fmt.Errorf("is by %s, which entry %d revoked, and the genesis has such records rejected", rev.Target(), rev.Index)
	}
	if b := r.Msg.GetRejection(); b != nil {
		return reg.CheckRejection(b, index)
	}
	return nil
}

// count adds an entry that is in order to the report.
func (a *Audit) count(c *checked, index int64) {
	r, s := &a.report, &c.e.Stamp
	if c.rec.Msg.GetToken() != nil {
		r.UserTokens[s.Assurance]++
	}
	if !registry.Concerns(c.rec) {
		if c.rec.Msg.GetDelegation() != nil {
			r.Grants++
		}
		return
	}
	r.RegistryEntries++
	switch b := c.rec.Msg.GetBody().(type) {
	case *onusv1.Record_Revocation:
		r.Revocations++
	case *onusv1.Record_Registration:
		if k := b.Registration.GetKey(); k != nil {
			a.countBinding(k, index)
		}
	case *onusv1.Record_KeySet, *onusv1.Record_TrustBundle:
		if whose, keys := keysIn(c.rec); whose != "" { // the registry has read it
			a.pin(whose, keys, index)
		}
	}
}

func (a *Audit) fault(index int64, finding, detail string) {
	if a.chains != nil {
		a.chains.fault(index, chain.Fault{Code: finding, Text: detail})
	}
	a.report.FaultCount++
	if len(a.report.Faults) < MaxFaults {
		a.report.Faults = append(a.report.Faults, Fault{index, finding, detail})
	}
}
