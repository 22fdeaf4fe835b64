package ledger

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/authority"
)

// authorityRows is the state of grants, limits and approvals as apply reads
// and writes it: what this batch wrote, and below it the database. It may read
// the database beyond the durable head, as isKnown does: what comes of it goes
// out only after this batch's sync, which covers all before it.
type authorityRows struct {
	db    *pebble.DB
	fatal func(error)
	batch *pebble.Batch
	fresh map[string][]byte
}

// begin starts a batch. The one before it is in the database.
func (s *authorityRows) begin(b *pebble.Batch) {
	s.batch = b
	clear(s.fresh)
}

// Get implements [authority.Store].
func (s *authorityRows) Get(key string) ([]byte, bool) {
	if v, ok := s.fresh[key]; ok {
		return v, true
	}
	v, err := get(s.db, keyAuthority(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false
	}
	if err != nil {
		s.fatal(fmt.Errorf("look up authority: %w", err))
		panic("ledger: Fatal returned")
	}
	return v, true
}

// Put implements [authority.Store].
func (s *authorityRows) Put(key string, value []byte) {
	s.fresh[key] = value
	set(s.batch, keyAuthority(key), value)
}

// authorityReader is the same for readers. Rows carry the index of the entry
// that they come from, and the state passes over those at or beyond the size
// that it is asked as of: so a batch that is not durable yet is not seen.
type authorityReader struct {
	db  pebble.Reader
	err error // the first that reading met
}

// Get implements [authority.Store].
func (s *authorityReader) Get(key string) ([]byte, bool) {
	v, err := get(s.db, keyAuthority(key))
	if err != nil {
		if s.err == nil && !errors.Is(err, pebble.ErrNotFound) {
			s.err = fmt.Errorf("look up authority: %w", err)
		}
		return nil, false
	}
	return v, true
}

// Put implements [authority.Store]. Who reads adds nothing.
func (s *authorityReader) Put(string, []byte) { panic("ledger: a reader writes") }

// judge calls f with the state of authority for reading. An answer that rests
// on a row which could not be read is none; the state panics where it meets
// rows that it cannot have written.
func (l *Ledger) judge(f func(*authority.State) error) (err error) {
	rows := &authorityReader{db: l.db}
	defer func() {
		what := recover()
		switch {
		case rows.err != nil:
			err = rows.err
		case what != nil:
			text, ok := what.(string)
			if !ok || !strings.HasPrefix(text, "authority: ") {
				panic(what)
			}
			err = &CorruptionError{Key: "the rows of authority", What: strings.TrimPrefix(text, "authority: ")}
		}
	}()
	return f(authority.New(l.registry, rows))
}
