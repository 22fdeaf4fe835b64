package evidence

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
)

// entries checks each entry: first what it says by itself, on all processors;
// then, in log order, what depends on the registry before it; then the
// signatures that this did not need yet, on all processors again.
func (v *verification) entries() {
	n := len(v.b.Leaves)
	v.hashes = make([]tree.Hash, n)
	errs := make([]error, n)
	parallel(n, func(i int) {
		v.hashes[i] = v.b.Leaves[i].Hash()
		errs[i] = v.res.Leaves[i].read(&v.b.Leaves[i])
	})
	ids := make(map[record.ID]int64, n)
	logTime := int64(0)
	for i := range v.res.Leaves {
		c, l := &v.res.Leaves[i], &v.b.Leaves[i]
		if first, twice := ids[c.ID]; twice && !c.ID.IsZero() {
			v.broken(c, RecordID, RecordTwice, fmt.Sprintf("record %s is that of entry %d too", c.ID, first))
		}
		ids[c.ID] = c.Index
		if c.Withheld {
			v.res.Withheld++
			continue
		}
		v.unread = v.unread || c.ID.IsZero()
		v.inRegistry(c, l, v.hashes[i])
		if c.Entry != nil {
			logTime = v.stamp(c, logTime)
		}
		v.judge(c, l, v.hashes[i], errs[i])
	}
	sigs := make([]error, n)
	parallel(n, func(i int) {
		if c := &v.res.Leaves[i]; c.Key != nil && c.states[Signature] == Unchecked {
			sigs[i] = c.verify()
		}
	})
	for i := range v.res.Leaves {
		v.signed(&v.res.Leaves[i], sigs[i])
	}
}

// read finds out what an entry says by itself.
func (c *Checked) read(l *Leaf) error {
	c.Index = l.Index
	if w := l.Withheld; w != nil {
		c.Withheld, c.ID, c.Party = true, w.AssertedID, w.AssertedParty
		c.states[RecordID] = Asserted
		if c.Party != "" {
			c.states[PartyName] = Asserted
		}
		return nil
	}
	e, err := entry.Parse(l.Raw)
	if err != nil {
		return err
	}
	c.Entry, c.ID = e, e.Envelope.ID()
	c.Record, err = record.Parse(e.Envelope)
	return err
}

// inRegistry takes the entry into the registry that stamps are compared with,
// or compares it with the one that the reader holds.
func (v *verification) inRegistry(c *Checked, l *Leaf, leaf tree.Hash) {
	if c.Record != nil && registry.Concerns(c.Record) != l.Registry {
		v.broken(c, Layout, BrokenEntry, "it stands on the wrong side of the line between the registry and the rest")
	}
	if v.b.Reference == nil {
		if l.Registry {
			v.reg.addRow(c.Index, leaf)
		}
		return
	}
	if _, known := v.reg.before(c.Index); known != l.Registry || known && !v.reg.has(c.Index, leaf) {
		v.broken(c, RegistryStamp, InconsistentLog, "the registry that the reader holds has another entry here, or this one has no place in it")
	}
}

// stamp checks what the stamp of every entry of this layout says. It returns
// the log time so far.
func (v *verification) stamp(c *Checked, logTime int64) int64 {
	s := &c.Entry.Stamp
	c.states[LogTime] = Attested
	if s.LogTime < logTime {
		v.broken(c, LogTime, LogTimeDisputed, fmt.Sprintf("log time %d is before that of an earlier entry, %d", s.LogTime, logTime))
	}
	if len(s.Uses) > 0 {
		c.states[UseStamps] = Attested
	}
	if why := v.reg.checkStamp(c.Index, s); why != "" {
		v.broken(c, RegistryStamp, BrokenStamp, why)
	} else if c.states[RegistryStamp] != Broken {
		c.states[RegistryStamp] = Verified
		v.res.RegistryProven = c.Index
	}
	return max(logTime, s.LogTime)
}

func (v *verification) judge(c *Checked, l *Leaf, leaf tree.Hash, err error) {
	unknown := func() {
		if l.Registry && v.b.Reference == nil {
			v.reg.unjudged = append(v.reg.unjudged, c.Index)
		}
	}
	if err != nil {
		unknown()
		// Entry 0 is of the version that the log began with.
		if why, key := newer(c, err); why != "" && c.Index > 0 {
			v.res.NotJudged++
			c.NotJudged = why
			if c.Key = v.reg.history.Key(key, c.Index); c.Key != nil {
				v.keyEntry(c)
			}
			return
		}
		v.broken(c, Layout, BrokenEntry, record.What(err))
		return
	}
	if c.states[Layout] != Broken {
		c.states[Layout] = Verified
	}
	key, err := v.reg.history.Bound(c.Record, c.Index)
	if err != nil {
		if v.reg.NotJudgedBefore(c.Index) {
			unknown()
			v.res.NotJudged++
			c.NotJudged = "an entry of the registry that cannot be judged here may have bound its key"
			return
		}
		v.broken(c, KeyBinding, KeyNotBound, record.What(err))
		return
	}
	c.Key = key
	c.states[KeyBinding] = Verified
	v.keyEntry(c)
	v.userWord(c)
	if !registry.Concerns(c.Record) || v.b.Reference != nil {
		return
	}
	// A registry entry counts only if its signature holds.
	if err := c.verify(); err != nil {
		v.broken(c, Signature, BrokenSignature, record.What(err))
		return
	}
	c.states[Signature] = Verified
	if err := v.reg.add(c.Record, c.Index, leaf, &c.Entry.Stamp); err != nil {
		if v.reg.NotJudgedBefore(c.Index) {
			unknown()
			v.res.NotJudged++
			c.NotJudged = "it may rest on an entry of the registry that cannot be judged here"
			return
		}
		v.broken(c, Layout, NotAdmissible, record.What(err))
	}
}

// newer says why an entry that could not be read may be of a version that is
// not known here, and which key it names; or "".
func newer(c *Checked, err error) (why, key string) {
	if errors.Is(err, entry.ErrVersion) || errors.Is(err, entry.ErrPayloadType) {
		return err.Error(), ""
	}
	if c.Entry == nil || !record.IsNewer(err) {
		return "", ""
	}
	key, named := record.NamedKey(c.Entry.Envelope)
	if named != nil {
		return "", "" // unknown fields, and broken besides
	}
	return "the record has a field that is not known here", key
}

func (v *verification) keyEntry(c *Checked) {
	if s := &c.Entry.Stamp; s.KeyEntry != c.Key.Index {
		v.broken(c, KeyBinding, BrokenStamp, fmt.Sprintf("stamped with key entry %d, but entry %d binds the key", s.KeyEntry, c.Key.Index))
	}
}

// userWord holds what the ledger says of the user's token to what the registry
// shows.
func (v *verification) userWord(c *Checked) {
	s := &c.Entry.Stamp
	if err := v.reg.history.CheckAssurance(c.Record, c.Index, s); err != nil {
		if !v.reg.NotJudgedBefore(c.Index) {
			v.broken(c, UserWord, BrokenStamp, record.What(err))
		}
		return
	}
	switch {
	case s.Assurance > 0:
		c.states[UserWord] = Attested
	case c.Record.Msg.GetUser() != "":
		c.states[UserWord] = Asserted
	}
}

// verify checks the signature with c.Key.
func (c *Checked) verify() error {
	if c.Record != nil {
		return c.Record.VerifySignature(c.Key.Key)
	}
	if !c.Key.Key.Verify(c.Entry.Envelope.PAE(), c.Entry.Envelope.Signature) {
		return errors.New("the signature of a record of a newer version does not verify with the key that it names")
	}
	return nil
}

func (v *verification) signed(c *Checked, err error) {
	switch {
	case c.Key == nil || c.states[Signature] != Unchecked:
	case err != nil:
		v.broken(c, Signature, BrokenSignature, record.What(err))
	default:
		c.states[Signature] = Verified
	}
}

// openContents checks that the contents of one record open its commitments.
func (v *verification) openContents(c *Checked, contents []Content) {
	if c.Record == nil {
		return // there are no commitments to compare them with
	}
	msgs := make([]*onusv1.Content, len(contents))
	for i := range contents {
		msgs[i] = &onusv1.Content{Salt: contents[i].Salt[:], Data: contents[i].Data}
	}
	opened, err := c.Record.OpenContents(msgs)
	if err != nil {
		v.broken(c, Contents, PayloadMismatch, record.What(err))
		return
	}
	c.Contents, c.states[Contents] = opened, Verified
}

// tokenDigest returns what the record has of the user's token, or "".
func tokenDigest(c *Checked) string {
	if c.Record == nil {
		return ""
	}
	return c.Record.Msg.GetToken().GetDigest()
}

// digestOf names a token: base64url of SHA-256 over its text. RFC 9449,
// section 4.2, for ath.
func digestOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
