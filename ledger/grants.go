package ledger

import (
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// GrantQuery says which grants to list: those that match all that is set.
type GrantQuery struct {
	// Agent is the class that a grant is for.
	Agent string
	User  string
	// Parent is the grant that it was given under.
	Parent string
	// Before bounds the log time in milliseconds; 0 means no bound.
	Before int64
}

// Grant is a grant in the log and what became of it.
type Grant struct {
	Entry *Entry
	// Status is all but its record.
	Status *onusv1.GrantStatus
}

// Grants lists grants that keep keeps, the newest first, a page at a time as
// [Ledger.List] does. What became of each is as of the page's size.
func (l *Ledger) Grants(q GrantQuery, limit int, token string, keep func(*Entry) bool) (grants []*Grant, next string, err error) {
	page, err := l.list(Query{grants: true, grantee: q.Agent, User: q.User, grant: q.Parent, Before: q.Before, NewestFirst: true}, limit, token, keep)
	if err != nil {
		return nil, "", err
	}
	err = l.judge(func(s *authority.State) error {
		for _, e := range page.Entries {
			path, err := pathOf(s, e.Record.ID, page.Size)
			if err != nil {
				return err
			}
			grants = append(grants, &Grant{e, s.Status(path, page.Size)})
		}
		return nil
	})
	return grants, page.Next, err
}

// GrantPath returns a grant and those above it, up to the root, or as far as
// they are in the log. The error wraps [ErrNotFound] if the grant is not.
func (l *Ledger) GrantPath(id record.ID) (grants []*Grant, err error) {
	size := l.head.Load().size
	err = l.judge(func(s *authority.State) error {
		path, err := pathOf(s, id, size)
		if err != nil {
			return err
		}
		for i, g := range path {
			e, err := l.Entry(g.Index)
			if err != nil {
				return err
			}
			grants = append(grants, &Grant{e, s.Status(path[i:], size)})
		}
		return nil
	})
	return grants, err
}

// pathOf returns the grant path of a grant. Where it breaks off is no error
// here: that is for findings to say.
func pathOf(s *authority.State, id record.ID, size int64) (authority.Path, error) {
	path, err := s.Path(id, size)
	var broken *authority.PathError
	if err != nil && !errors.As(err, &broken) {
		return nil, err
	}
	if len(path) == 0 {
		return nil, fmt.Errorf("%w: no grant %s", ErrNotFound, id)
	}
	return path, nil
}

// Findings returns what is to be said about the authority that each of these
// entries used or gave, as of its index.
func (l *Ledger) Findings(entries []*Entry) (all [][]authority.Finding, err error) {
	err = l.judge(func(s *authority.State) error {
		for _, e := range entries {
			all = append(all, s.Judge(e.Record, e.Index, &e.Stamp))
		}
		return nil
	})
	return all, err
}
