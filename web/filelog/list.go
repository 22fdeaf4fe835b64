package filelog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// maxPage is the most of a listing on a page.
const maxPage = 1000

// Records lists the entries in the file that match, the newest first.
func (f *File) Records(q web.RecordQuery, limit int, token string) (indices []int64, next string, err error) {
	entries, next, err := f.list(fmt.Sprintf("records %#v", q), limit, token, func(e chain.Entry) bool { return matches(q, e) })
	for _, e := range entries {
		indices = append(indices, e.Index)
	}
	return indices, next, err
}

// matches reports whether a record matches all that is set, as the ledger has
// it.
func matches(q web.RecordQuery, e chain.Entry) bool {
	m := e.Record.Msg
	a, el := m.GetAuthor(), m.GetStages().GetAction().GetElement()
	is := func(want string, have ...string) bool { return want == "" || slices.Contains(have, want) }
	return is(q.Agent, a.GetAgent()) && is(q.Instance, a.GetInstance()) && is(q.Operator, a.GetOperator()) &&
		is(q.User, m.GetUser()) && is(q.Session, m.GetSession()) && is(q.Subject, m.GetSubjects()...) &&
		(q.Operation == "" || el != nil && q.Operation == record.Operation(el)) &&
		(q.Resource == "" || el != nil && slices.Contains(record.Resources(el), q.Resource)) &&
		e.LogTime >= q.Since && (q.Before == 0 || e.LogTime < q.Before)
}

// list returns a page of the entries that match, the newest first.
func (f *File) list(query string, limit int, token string, match func(chain.Entry) bool) (entries []chain.Entry, next string, err error) {
	if limit < 1 || limit > maxPage {
		return nil, "", fmt.Errorf("a page has 1 to %d entries, not %d", maxPage, limit)
	}
	leaves := f.rep.Evidence.Leaves
	start := len(leaves) - 1
	if token != "" {
		if start, err = f.parseToken(query, token); err != nil {
			return nil, "", err
		}
	}
	for i := start; i >= 0; i-- {
		e, err := f.Entry(leaves[i].Index)
		if errors.Is(err, desk.ErrNotShown) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if e.Opaque != chain.Readable || !match(e) {
			continue
		}
		if len(entries) == limit {
			return entries, tokenOf(query, e.Index), nil
		}
		entries = append(entries, e)
	}
	return entries, "", nil
}

// tokenOf names where the next page of a query begins, and the query.
func tokenOf(query string, index int64) string {
	return strconv.FormatInt(index, 10) + "." + digest(query)
}

func digest(query string) string {
	sum := sha256.Sum256([]byte(query))
	return hex.EncodeToString(sum[:8])
}

func (f *File) parseToken(query, token string) (int, error) {
	number, sum, _ := strings.Cut(token, ".")
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil || sum != digest(query) || tokenOf(query, index) != token {
		return 0, fmt.Errorf("%w: it was changed, or the filters were", desk.ErrCursor)
	}
	i, ok := f.at[index]
	if !ok {
		return 0, fmt.Errorf("%w: it is of another file", desk.ErrCursor)
	}
	return i, nil
}

// Grants lists the grants in the file that match, the newest first. What became
// of each is as the file shows it: what it does not hold may have ended one.
func (f *File) Grants(q web.GrantQuery, limit int, token string) (grants []*web.Grant, next string, err error) {
	entries, next, err := f.list(fmt.Sprintf("grants %#v", q), limit, token, func(e chain.Entry) bool {
		m := e.Record.Msg
		g := m.GetDelegation()
		return g != nil && (q.Agent == "" || g.GetAgent() == q.Agent) && (q.User == "" || m.GetUser() == q.User) && (q.Parent == "" || m.GetGrant() == q.Parent) &&
			(q.Before == 0 || e.LogTime < q.Before)
	})
	if err != nil {
		return nil, "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range entries {
		g := &web.Grant{Index: e.Index, Time: e.LogTime, Record: e.Record}
		path, err := f.path(e.Record.ID)
		if err != nil {
			return nil, "", err
		}
		g.Status = &onusv1.GrantStatus{}
		if len(path) > 0 {
			g.Status = f.rep.Authority().Status(path, f.Size())
		}
		grants = append(grants, g)
	}
	return grants, next, nil
}

// GrantPath returns a grant and those above it, as far as they are in the file.
func (f *File) GrantPath(id record.ID) (grants []*web.Grant, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, err := f.path(id)
	if err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return nil, fmt.Errorf("%w: no grant %s in the file", desk.ErrNotFound, id)
	}
	for i, g := range path {
		e, err := f.Entry(g.Index)
		if err != nil {
			return nil, err
		}
		grants = append(grants, &web.Grant{Index: e.Index, Time: e.LogTime, Record: e.Record, Status: f.rep.Authority().Status(path[i:], f.Size())})
	}
	return grants, nil
}

// path is the grant path of a grant. That it breaks off in a file is no error.
// The caller holds mu.
func (f *File) path(id record.ID) (authority.Path, error) {
	path, err := f.rep.Authority().Path(id, f.Size())
	var broken *authority.PathError
	if err != nil && !errors.As(err, &broken) {
		return nil, err
	}
	return path, nil
}
