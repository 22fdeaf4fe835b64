package desk

import (
	"context"
	"errors"

	"github.com/onus-ledger/onus/verifier/record"
)

// Errors that callers compare.
var (
	// ErrNotFound: no such record in the log.
	ErrNotFound = errors.New("no such record")
	// ErrNotShown: the log has the entry, and does not show it here.
	ErrNotShown = errors.New("the entry is not shown")
	// ErrCursor: a page's cursor is not of its query, or was changed.
	ErrCursor = errors.New("the page's cursor is not of this search")
)

// Desk answers questions about the cases of one log. All methods are safe for
// concurrent use, except that Run is called once.
type Desk struct{}

// Open opens the desk whose database is in dir, and makes it where there is
// none, or where it is of another log or of other rules. With dir empty all is
// in memory.
func Open(dir string, log Log) (*Desk, error) { panic("desk: not built") }

// Run takes in what the log has, and what it gets, until ctx ends; then it
// returns nil.
func (d *Desk) Run(ctx context.Context) error { panic("desk: not built") }

// Close writes what is in memory and closes the database. Run must have
// returned.
func (d *Desk) Close() error { panic("desk: not built") }

// AsOf returns the size of the log that all answers are as of, at least.
func (d *Desk) AsOf() int64 { panic("desk: not built") }

// CatchUp returns when the desk's answers are as of a size of at least size,
// or with ctx's error. Tests and a fresh demo wait for it.
func (d *Desk) CatchUp(ctx context.Context, size int64) error { panic("desk: not built") }

// Overview returns what there is to say of a period.
func (d *Desk) Overview(p Period) *Overview { panic("desk: not built") }

// Find returns a page of the cases that match, at most limit, from the page
// that cursor names on. The error wraps [ErrCursor], or says which field of
// the query is not good.
func (d *Desk) Find(q Query, limit int, cursor string) (*Found, error) { panic("desk: not built") }

// Case returns the case that a record belongs to, or an error that wraps
// [ErrNotFound].
func (d *Desk) Case(id record.ID) (*Case, error) { panic("desk: not built") }

// Agent, Operator, User and Subject return what is known of one party over a
// period; what is not known has zeroes.
func (d *Desk) Agent(class string, p Period) Party { panic("desk: not built") }

// Operator is as [Desk.Agent].
func (d *Desk) Operator(id string, p Period) Party { panic("desk: not built") }

// User is as [Desk.Agent].
func (d *Desk) User(pseudonym string, p Period) Party { panic("desk: not built") }

// Subject is as [Desk.Agent].
func (d *Desk) Subject(pseudonym string, p Period) Party { panic("desk: not built") }

// Users returns the pseudonyms of all users who took part, the newest first,
// from a position on; next is 0 at the end.
func (d *Desk) Users(from, limit int) (users []string, next int) { panic("desk: not built") }
