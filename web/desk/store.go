package desk

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
)

// The database. Numbers in keys are big-endian; every value ends with a CRC-32
// (Castagnoli) of its key and what is before it. All rows are derived from the
// log.
//
//	m               what it is of, and how far it is: see [Desk.meta]
//	t | term        kind, location of an item, text
//	c | case        a case, or the case that it was merged into
//	e | chunk       of 4,096 entries: their cases, and the prefixes of their ids
//	l | term        when an agent recorded
//	w | record id   the entries that wait for that record
//	o               the entries that are about a record of no case
//	d               the entries that could not be read, and why
//	f               the reviews that were passed over, and why
//
// A round is one batch, without a sync: after a crash the database is as of some
// earlier round, and whole.
const (
	rowMeta    = 'm'
	rowTerm    = 't'
	rowCase    = 'c'
	rowEntries = 'e'
	rowLife    = 'l'
	rowWaiting = 'w'
	rowOrphans = 'o'
	rowDamage  = 'd'
	rowForged  = 'f'

	// format changes with the meaning of any row, and with what a summary says.
	format = 3

	chunkEntries = 4096
)

func numbered(row byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{row}, n) }

// meta is the row that says what the database is of.
func (d *Desk) meta(w *writer, size int64) {
	w.uint(format)
	w.uint(chain.RuleVersion)
	w.text(d.log.Origin())
	w.int(size)
	w.int(d.lastIndex)
	w.bytes(d.lastID[:])
	w.int(d.lastTime)
	w.bytes(d.secret[:])
}

// write writes a round.
func (r *round) write(size int64) error {
	if r.db == nil {
		return nil
	}
	b := r.db.NewBatch()
	defer b.Close()
	var failed error
	set := func(key []byte, fill func(*writer)) {
		w := writer{}
		fill(&w)
		failed = errors.Join(failed, b.Set(key, seal(key, w.b), nil))
	}
	for t := r.stored.terms; t < term(r.state.terms.len()); t++ {
		set(numbered(rowTerm, t), func(w *writer) {
			w.uint(uint64(r.state.terms.kinds[t]))
			w.uint(uint64(r.state.terms.base[t]))
			w.text(string(r.state.terms.own(t)))
		})
	}
	for n, k := range r.cases {
		set(numbered(rowCase, n), func(w *writer) { w.kase(k) })
	}
	for n, p := range r.alias {
		set(numbered(rowCase, n), func(w *writer) { w.uint(uint64(p)) })
	}
	for i := r.stored.entries; i < size; i += chunkEntries - i%chunkEntries {
		r.moved[uint32(i/chunkEntries)] = true
	}
	for c := range r.moved {
		from, to := int64(c)*chunkEntries, min(int64(c+1)*chunkEntries, size)
		set(numbered(rowEntries, c), func(w *writer) {
			for i := from; i < to; i++ {
				w.b = binary.BigEndian.AppendUint32(w.b, r.caseOf[i])
				w.b = binary.BigEndian.AppendUint32(w.b, r.prefix[i])
			}
		})
	}
	for t, l := range r.lives {
		set(numbered(rowLife, t), func(w *writer) { w.life(l) })
	}
	for id := range r.waited {
		key := append([]byte{rowWaiting}, id[:]...)
		if list := r.waiting[id]; len(list) > 0 {
			set(key, func(w *writer) { w.ints(list) })
		} else {
			failed = errors.Join(failed, b.Delete(key, nil))
		}
	}
	set([]byte{rowOrphans}, func(w *writer) { w.ints(r.orphans) })
	if r.newDamage {
		set([]byte{rowDamage}, func(w *writer) { w.damage(r.damage) })
	}
	if r.newForged {
		set([]byte{rowForged}, func(w *writer) { w.damage(r.forged) })
	}
	set([]byte{rowMeta}, func(w *writer) { r.meta(w, size) })
	if failed == nil {
		failed = b.Commit(pebble.NoSync)
	}
	if failed != nil {
		return fmt.Errorf("write the desk's database: %w", failed)
	}
	r.stored.terms, r.stored.entries = term(r.state.terms.len()), size
	return nil
}

// read reads the whole database. The error wraps errStale where it is to be
// made again.
func (d *Desk) read() error {
	meta, done, err := d.db.Get([]byte{rowMeta})
	if errors.Is(err, pebble.ErrNotFound) {
		it, err := d.db.NewIter(nil)
		if err != nil {
			return err
		}
		rows := it.First()
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return err
		}
		if rows {
			return fmt.Errorf("rows without the first: %w", errStale)
		}
		return nil // new
	}
	if err != nil {
		return err
	}
	rd, ok := unseal([]byte{rowMeta}, meta)
	size := d.readMeta(&rd)
	err = done.Close()
	if !ok || !rd.end() || size < 0 || size > d.log.Size() {
		return errors.Join(err, fmt.Errorf("of another log, of other rules, or ahead of the log: %w", errStale))
	}
	// Terms first: what follows names them.
	for _, rows := range []struct {
		row  byte
		take func(key []byte, r *reader) bool
	}{
		{rowTerm, d.readTerm},
		{rowCase, d.readCase},
		{rowEntries, func(key []byte, r *reader) bool { return d.readEntries(key, r, size) }},
		{rowLife, d.readLife},
		{rowWaiting, func(key []byte, r *reader) bool { return d.readWaiting(key, r, size) }},
		{rowDamage, func(_ []byte, r *reader) bool { d.damage = r.damage(); return d.damage.count >= len(d.damage.first) }},
		{rowForged, func(_ []byte, r *reader) bool { d.forged = r.damage(); return d.forged.count >= len(d.forged.first) }},
		{rowOrphans, func(_ []byte, r *reader) bool { d.orphans = r.ints(size); return true }},
	} {
		if err := d.eachRow(rows.row, rows.take); err != nil {
			return err
		}
	}
	s := d.state
	if int64(len(d.caseOf)) != size || !d.fits() {
		return fmt.Errorf("not whole: %w", errStale)
	}
	s.caseOf, s.prefix, s.asOf, s.time, s.damage, s.forged = d.caseOf, d.prefix, size, d.lastTime, d.damage.clip(), d.forged.clip()
	for _, e := range s.damage.first {
		d.spoiltAt[e.Index] = ErrDamaged // else it could be read again: sameLog
	}
	d.stored.terms, d.stored.entries = term(s.terms.len()), size
	heap.Init(&d.due)
	return d.sameLog()
}

func (d *Desk) readMeta(r *reader) (size int64) {
	if r.uint() != format || r.uint() != chain.RuleVersion || r.text() != d.log.Origin() {
		return -1
	}
	size, d.lastIndex = r.int(), r.int()
	copy(d.lastID[:], r.bytes(len(d.lastID)))
	d.lastTime = r.int()
	copy(d.secret[:], r.bytes(len(d.secret)))
	return size
}

// eachRow gives all rows of a kind to take, in the order of their keys.
func (d *Desk) eachRow(row byte, take func(key []byte, r *reader) bool) error {
	it, err := d.db.NewIter(&pebble.IterOptions{LowerBound: []byte{row}, UpperBound: []byte{row + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		r, whole := unseal(key, value)
		if !whole || !take(key[1:], &r) || !r.end() {
			return errors.Join(it.Close(), fmt.Errorf("row %q is damaged: %w", key, errStale))
		}
	}
	return errors.Join(it.Error(), it.Close())
}

func number(key []byte) uint32 {
	if len(key) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(key)
}

func (d *Desk) readTerm(key []byte, r *reader) bool {
	t := d.state.terms
	k, base, text := kind(r.u8()), r.u32(), r.text()
	return int(number(key)) == t.len() && k > 0 && k < kindsEnd && text != "" && len(text) < blockSize &&
		base < number(key) && (base == 0 || t.kinds[base] == kindResource) && t.add(k, base, text) == number(key)
}

func (d *Desk) readCase(key []byte, r *reader) bool {
	s := d.state
	n := number(key)
	if int64(n) != int64(len(s.cases)) {
		return false
	}
	if p := r.uint(); p != 0 {
		s.alias[n] = uint32(p)
		s.cases = append(s.cases, nil)
		return true
	}
	k := r.kase()
	s.cases = append(s.cases, k)
	if at := k.deadline(); at != 0 {
		d.due = append(d.due, deadline{at, n})
	}
	if k.more != nil && k.more.again {
		d.failed[n] = true
	}
	return true
}

func (d *Desk) readEntries(key []byte, r *reader, size int64) bool {
	from := int64(number(key)) * chunkEntries
	if len(key) != 4 || from != int64(len(d.caseOf)) || from >= size {
		return false
	}
	for range min(chunkEntries, size-from) {
		b := r.bytes(8)
		if len(b) != 8 {
			return false
		}
		d.caseOf = append(d.caseOf, binary.BigEndian.Uint32(b))
		d.prefix = append(d.prefix, binary.BigEndian.Uint32(b[4:]))
	}
	return true
}

func (d *Desk) readLife(key []byte, r *reader) bool {
	l := &life{first: r.int(), last: r.int()}
	for range r.len() {
		l.pauses = append(l.pauses, pause{r.int(), r.int()})
	}
	d.state.lives[number(key)] = l
	return true
}

func (d *Desk) readWaiting(key []byte, r *reader, size int64) bool {
	if len(key) != len(record.ID{}) {
		return false
	}
	list := r.ints(size)
	d.waiting[record.ID(key)] = list
	return len(list) > 0
}

// fits reports whether all numbers that rows name are there.
func (d *Desk) fits() bool {
	s := d.state
	cases, all := uint32(len(s.cases)), term(s.terms.len())
	for n, p := range s.alias {
		// One step from a case to another that is there; steps cannot go round,
		// because each was written when its case was merged.
		for steps := 0; s.alias[p] != 0; p = s.alias[p] {
			if steps++; steps > len(s.alias) {
				return false
			}
		}
		if p == 0 || p >= cases || n == p {
			return false
		}
	}
	for _, c := range d.caseOf {
		if c&^attachedBit >= cases {
			return false
		}
	}
	for t := range s.lives {
		if t == 0 || t >= all {
			return false
		}
	}
	for _, k := range s.cases {
		if k != nil && !k.fits(cases, all, int64(len(d.caseOf))) {
			return false
		}
	}
	return true
}

func (k *kase) fits(cases uint32, all term, size int64) bool {
	ok := k.opNamed < all && k.resNamed < all && k.answers < all && k.user < all && k.session < all &&
		(int(k.outcome) < len(outcomes) || k.outcome == tooLarge) && k.fitsList(all, size)
	for _, f := range k.findings() {
		ok = ok && f.code < all && f.who < all && f.party < all && int(f.severity) < len(severities)
	}
	if k.more != nil {
		for _, y := range k.more.causedBy {
			ok = ok && y < cases
		}
		for _, r := range k.more.reviews {
			ok = ok && r.finding < all
		}
	}
	return ok
}

// sameLog holds the database to the log: the newest entry, and some roots. An
// entry that can be read again, because the log was restored, is taken in by
// making all again.
func (d *Desk) sameLog() error {
	if d.lastIndex >= 0 {
		e, err := d.log.Entry(d.lastIndex)
		if err != nil || e.Record.ID != d.lastID {
			return fmt.Errorf("entry %d is another one, or cannot be read (%v): %w", d.lastIndex, err, errStale)
		}
	}
	for _, e := range d.damage.first[:min(len(d.damage.first), 64)] {
		if got, err := d.log.Entry(e.Index); err == nil && isAt(d.log, got, e.Index) == nil {
			return fmt.Errorf("entry %d can be read again: %w", e.Index, errStale)
		}
	}
	for _, e := range d.forged.told() {
		if got, err := d.log.Entry(e.Index); err == nil {
			if _, err := d.log.Registry().Authenticate(got.Record, e.Index); err == nil {
				return fmt.Errorf("the review in entry %d holds now: %w", e.Index, errStale)
			}
		}
	}
	step := max(1, len(d.state.cases)/64)
	for n := 1; n < len(d.state.cases); n += step {
		if k := d.state.cases[n]; k != nil {
			if i, err := d.log.Index(k.rootID); err != nil || i != int64(k.root) {
				return fmt.Errorf("record %s is not at entry %d (%v): %w", k.rootID, k.root, err, errStale)
			}
		}
	}
	return nil
}
