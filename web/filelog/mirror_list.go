package filelog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
)

// Records lists the entries that match, the newest first. It scans: a mirror has
// no index.
func (m *Mirror) Records(q web.RecordQuery, limit int, token string) (indices []int64, next string, err error) {
	entries, next, err := m.list(fmt.Sprintf("records %#v", q), limit, token, func(e chain.Entry) bool { return matches(q, e) })
	for _, e := range entries {
		indices = append(indices, e.Index)
	}
	return indices, next, err
}

func (m *Mirror) list(query string, limit int, token string, match func(chain.Entry) bool) (entries []chain.Entry, next string, err error) {
	if limit < 1 || limit > maxPage {
		return nil, "", fmt.Errorf("a page has 1 to %d entries, not %d", maxPage, limit)
	}
	start := m.cp.Size - 1
	if token != "" {
		number, sum, _ := strings.Cut(token, ".")
		start, err = strconv.ParseInt(number, 10, 64)
		if err != nil || sum != digest(query) || tokenOf(query, start) != token || start < 0 || start >= m.cp.Size {
			return nil, "", fmt.Errorf("%w: it was changed, or the filters were", desk.ErrCursor)
		}
	}
	for i := start; i >= 0; i-- {
		e, err := m.Entry(i)
		if errors.Is(err, desk.ErrNotShown) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if !match(e) {
			continue
		}
		if len(entries) == limit {
			return entries, tokenOf(query, i), nil
		}
		entries = append(entries, e)
	}
	return entries, "", nil
}

// Grants lists the grants that match, the newest first.
func (m *Mirror) Grants(q web.GrantQuery, limit int, token string) (grants []*web.Grant, next string, err error) {
	entries, next, err := m.list(fmt.Sprintf("grants %#v", q), limit, token, func(e chain.Entry) bool {
		r := e.Record.Msg
		g := r.GetDelegation()
		return g != nil && (q.Agent == "" || g.GetAgent() == q.Agent) && (q.User == "" || r.GetUser() == q.User) && (q.Parent == "" || r.GetGrant() == q.Parent) &&
			(q.Before == 0 || e.LogTime < q.Before)
	})
	if err != nil {
		return nil, "", err
	}
	state := m.authority()
	for _, e := range entries {
		path, err := pathOf(state, e.Record.ID, m.cp.Size)
		if err != nil {
			return nil, "", err
		}
		g := &web.Grant{Index: e.Index, Time: e.LogTime, Record: e.Record, Status: &onusv1.GrantStatus{}}
		if len(path) > 0 {
			g.Status = state.Status(path, m.cp.Size)
		}
		grants = append(grants, g)
	}
	return grants, next, nil
}

// GrantPath returns a grant and those above it, up to the root.
func (m *Mirror) GrantPath(id record.ID) (grants []*web.Grant, err error) {
	state := m.authority()
	path, err := pathOf(state, id, m.cp.Size)
	if err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return nil, fmt.Errorf("%w: no grant %s in the log", desk.ErrNotFound, id)
	}
	for i, g := range path {
		e, err := m.Entry(g.Index)
		if err != nil {
			return nil, err
		}
		grants = append(grants, &web.Grant{Index: e.Index, Time: e.LogTime, Record: e.Record, Status: state.Status(path[i:], m.cp.Size)})
	}
	return grants, nil
}

// authority is a state for one goroutine. The audit adds nothing any more, so what
// lies below it is only read.
func (m *Mirror) authority() *authority.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.audit.Authority()
}

// pathOf is the path of a grant. That it breaks off is no error here: the grant's
// page says so.
func pathOf(s *authority.State, id record.ID, at int64) (authority.Path, error) {
	path, err := s.Path(id, at)
	var broken *authority.PathError
	if err != nil && !errors.As(err, &broken) {
		return nil, err
	}
	return path, nil
}
