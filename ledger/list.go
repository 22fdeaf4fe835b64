package ledger

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
)

// Query says which records to list: those that match all that is set.
type Query struct {
	Agent, Instance, Operator string
	User, Session, Subject    string
	// Operation is "type:action"; Resource a location, or
	// location#identifier.
	Operation, Resource string
	// Since and Before bound the log time in milliseconds; Before = 0 means
	// no bound.
	Since, Before int64
	NewestFirst   bool

	// grants lists grants alone; grantee is whom they are for, and grant the
	// one that they were given under.
	grants         bool
	grantee, grant string
}

// Page bounds of a listing.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Page is one page of a listing.
type Page struct {
	Entries []*Entry
	// Next gets the next page; empty on the last.
	Next string
	// Size is the durable size that all pages of the listing are as of.
	Size int64
}

// ErrPageToken is wrapped by errors about page tokens.
var ErrPageToken = errors.New("page token is not of this query")

// List returns the records that match q, a page at a time. Pages are stable:
// all of one listing are as of the size at its first.
func (l *Ledger) List(q Query, limit int, token string) (*Page, error) {
	return l.list(q, limit, token, func(*Entry) bool { return true })
}

// list is [Ledger.List] of those entries that keep keeps.
func (l *Ledger) list(q Query, limit int, token string, keep func(*Entry) bool) (*Page, error) {
	switch {
	case limit == 0:
		limit = DefaultPage
	case limit < 0 || limit > MaxPage:
		return nil, &RangeError{"page_size", fmt.Sprintf("is %d, but must be 1 to %d", limit, MaxPage)}
	}
	size := l.head.Load().size
	start := int64(0)
	if q.NewestFirst {
		start = size - 1
	}
	if token != "" {
		var err error
		if start, size, err = q.parseToken(token, size); err != nil {
			return nil, err
		}
	}
	low, high, err := l.timeRange(q, size)
	if err != nil {
		return nil, err
	}
	s, err := l.search(q, low, high)
	if err != nil {
		return nil, err
	}
	defer s.close()
	page := &Page{Size: size}
	at := start
	for {
		i, ok, err := s.next(at)
		if err != nil {
			return nil, err
		}
		if !ok {
			return page, nil
		}
		if len(page.Entries) == limit {
			page.Next = q.token(i, size)
			return page, nil
		}
		e, err := l.Entry(i)
		if err != nil {
			return nil, err
		}
		if q.matches(e.Record.Msg) && keep(e) {
			page.Entries = append(page.Entries, e)
		}
		if at = i + 1; q.NewestFirst {
			at = i - 1
		}
	}
}

// search walks the entries that all cursors have, by leaping from one to the
// next that it may have.
type search struct {
	low, high int64
	backward  bool
	cursors   []*cursor
	// step is called before each leap, and may end the search; nil: nobody counts.
	step func() error
}

func (l *Ledger) search(q Query, low, high int64) (*search, error) {
	return l.searchFor(q.postings(), low, high, q.NewestFirst)
}

// searchFor is search for the entries that have all these postings.
func (l *Ledger) searchFor(ps []posting, low, high int64, backward bool) (*search, error) {
	s := &search{low: low, high: high, backward: backward}
	for _, p := range ps {
		c, err := l.index.cursor(p, low, high)
		if err != nil {
			s.close()
			return nil, err
		}
		s.cursors = append(s.cursors, c)
	}
	return s, nil
}

func (s *search) close() {
	for _, c := range s.cursors {
		c.close()
	}
}

// next returns the first matching entry from i on, in the search's direction.
func (s *search) next(i int64) (int64, bool, error) {
	if s.backward {
		i = min(i, s.high-1)
	} else {
		i = max(i, s.low)
	}
	for agreed := 0; agreed < len(s.cursors); {
		c := s.cursors[agreed]
		leap := c.ceil
		if s.backward {
			leap = c.floor
		}
		if s.step != nil {
			if err := s.step(); err != nil {
				return 0, false, err
			}
		}
		v, ok, err := leap(i)
		if err != nil || !ok {
			return 0, false, err
		}
		if v == i {
			agreed++
			continue
		}
		i, agreed = v, 0
	}
	return i, i >= s.low && i < s.high, nil
}

func (q *Query) postings() []posting {
	var ps []posting
	for _, f := range q.filters() {
		if f.value != "" {
			ps = append(ps, post(f.kind, f.value))
		}
	}
	return ps
}

type filter struct {
	kind  property
	value string
}

func (q *Query) filters() []filter {
	return []filter{
		{byAgent, q.Agent}, {byInstance, q.Instance}, {byOperator, q.Operator},
		{byUser, q.User}, {bySession, q.Session}, {bySubject, q.Subject},
		{byOperation, q.Operation}, {byResource, q.Resource},
		{byGrantee, q.grantee}, {byGrant, q.grant}, {byKind, q.kind()},
	}
}

func (q *Query) kind() string {
	if q.grants {
		return kindGrant
	}
	return ""
}

// matches looks at the record itself: postings are hashes.
func (q *Query) matches(m *onusv1.Record) bool {
	a, e := m.GetAuthor(), m.GetStages().GetAction().GetElement()
	is := func(want string, have ...string) bool { return want == "" || slices.Contains(have, want) }
	return is(q.Agent, a.GetAgent()) && is(q.Instance, a.GetInstance()) && is(q.Operator, a.GetOperator()) &&
		(!q.grants || m.GetDelegation() != nil) && is(q.grantee, m.GetDelegation().GetAgent()) && is(q.grant, m.GetGrant()) &&
		is(q.User, m.GetUser()) && is(q.Session, m.GetSession()) && is(q.Subject, m.GetSubjects()...) &&
		(q.Operation == "" || e != nil && q.Operation == record.Operation(e)) &&
		(q.Resource == "" || e != nil && slices.Contains(record.Resources(e), q.Resource))
}

// timeRange turns log times into indices. Log time never falls, so a binary
// search does; there is no index by time.
func (l *Ledger) timeRange(q Query, size int64) (low, high int64, err error) {
	high = size
	if q.Since > 0 {
		if low, err = l.firstAt(q.Since, size); err != nil {
			return 0, 0, err
		}
	}
	if q.Before > 0 {
		if high, err = l.firstAt(q.Before, size); err != nil {
			return 0, 0, err
		}
	}
	return low, max(low, high), nil
}

// firstAt returns the first index below size whose log time is at least t.
func (l *Ledger) firstAt(t, size int64) (int64, error) {
	low, high := int64(0), size
	for low < high {
		mid := int64(uint64(low+high) >> 1)
		raw, err := l.Raw(mid)
		if err != nil {
			return 0, err
		}
		e, err := entry.Parse(raw)
		if err != nil {
			return 0, &CorruptionError{Key: fmt.Sprintf("entry %d", mid), What: err.Error()}
		}
		if e.Stamp.LogTime < t {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// A page token is: version u8, query digest 8 bytes, next index u64, size
// u64, in base64url. It is a bookmark and not a secret: a changed one can at
// most skip records of the same query.
const tokenVersion = 1

func (q *Query) digest() []byte {
	h := sha256.New()
	for _, f := range q.filters() {
		fmt.Fprintf(h, "%d:%s", len(f.value), f.value)
	}
	fmt.Fprintf(h, "%d,%d,%t", q.Since, q.Before, q.NewestFirst)
	return h.Sum(nil)[:8]
}

func (q *Query) token(next, size int64) string {
	b := append([]byte{tokenVersion}, q.digest()...)
	b = append(append(b, u64(next)...), u64(size)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (q *Query) parseToken(token string, durable int64) (next, size int64, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	// The decoder passes over line breaks; there is one spelling.
	if err != nil || len(b) != 25 || b[0] != tokenVersion || base64.RawURLEncoding.EncodeToString(b) != token {
		return 0, 0, fmt.Errorf("%w: it is damaged", ErrPageToken)
	}
	if !slices.Equal(b[1:9], q.digest()) {
		return 0, 0, fmt.Errorf("%w: the filters changed", ErrPageToken)
	}
	next, size = int64(binary.BigEndian.Uint64(b[9:])), int64(binary.BigEndian.Uint64(b[17:]))
	if size < 0 || size > durable || next < 0 || next >= size {
		return 0, 0, fmt.Errorf("%w: it is of another log", ErrPageToken)
	}
	return next, size, nil
}
