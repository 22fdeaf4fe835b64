package ledger

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/record"
)

// What an entry of a chain rests on: who let it, who said yes or no, and what
// ended that since.

// restOf adds what an entry of a chain rests on. Of one that the reader does
// not see nothing is judged, and nothing is added.
func (c *collector) restOf(e *collected) error {
	m := e.Record.Msg
	if _, err := c.find(m.GetPrevious(), asContext); err != nil {
		return err
	}
	if err := c.grants(e, asAuthority); err != nil {
		return err
	}
	c.revoked(m.GetAuthor(), e.Index, e.Stamp.LogTime)
	c.revokedSession(m.GetSession(), m.GetUser())
	if err := c.answers(e); err != nil {
		return err
	}
	if err := c.findings(e); err != nil {
		return err
	}
	return c.usesBefore(e)
}

// grants adds the grant path of an entry, and notes what revoked it since.
func (c *collector) grants(e *collected, as bundleRole) error {
	name := e.Record.Msg.GetGrant()
	if name == "" {
		return nil
	}
	id, err := record.ParseID(name)
	if err != nil {
		return &CorruptionError{Key: fmt.Sprintf("entry %d", e.Index), What: err.Error()}
	}
	path, err := c.state.Path(id, e.Index)
	var broken *authority.PathError
	if err != nil && !errors.As(err, &broken) {
		return err
	}
	for _, g := range path {
		if _, _, err := c.add(g.Index, as); err != nil {
			return err
		}
		if as == asContext {
			continue
		}
		if rev, ok := c.l.registry.RevokedGrant(g.ID, c.h.size); ok {
			c.until = max(c.until, rev.Index)
		}
		m := g.Record.Msg
		c.revoked(m.GetAuthor(), e.Index, e.Stamp.LogTime)
		class, _ := c.l.registry.Agent(g.Msg.GetAgent(), e.Index)
		c.revoked(&onusv1.Author{Agent: g.Msg.GetAgent(), Instance: g.Msg.GetInstance(), Operator: class.GetOperator()}, e.Index, e.Stamp.LogTime)
		user := m.GetUser()
		if user == "" {
			user = path.User()
		}
		c.revokedSession(m.GetSession(), user)
	}
	return nil
}

// revoked takes the registry to the entries that revoked a party, also where
// that came later: what was done before may be suspect since.
func (c *collector) revoked(a *onusv1.Author, index, logTime int64) {
	for _, rev := range c.l.registry.Revocations(a, c.h.size) {
		c.until = max(c.until, rev.Index)
	}
	for _, rev := range c.l.registry.Suspicions(a, index, logTime, c.h.size) {
		c.until = max(c.until, rev.Index)
	}
}

func (c *collector) revokedSession(session, user string) {
	if session == "" {
		return
	}
	if rev, ok := c.l.registry.RevokedSession(session, user, c.h.size); ok {
		c.until = max(c.until, rev.Index)
	}
}

// answers adds the approval that an entry names, and the proposal that it
// answers, with all answers.
func (c *collector) answers(e *collected) error {
	m := e.Record.Msg
	switch {
	case m.GetApproval() != nil:
		return c.proposal(m.GetApproval().GetProposal())
	case m.GetDenial() != nil:
		return c.proposal(m.GetDenial().GetProposal())
	}
	a, err := c.find(m.GetStages().GetAction().GetApproval(), asAuthority)
	if err != nil || a == nil {
		return err
	}
	return c.proposal(a.Record.Msg.GetApproval().GetProposal())
}

// proposal adds a decision that waits for a person, its grant path, which says
// who may answer, and the answers that name it as their parent, as those of our
// own tools do.
func (c *collector) proposal(name string) error {
	p, err := c.find(name, asAuthority)
	if err != nil || p == nil || c.looked[p.Record.ID] {
		return err
	}
	c.looked[p.Record.ID] = true
	if err := c.grants(p, asAuthority); err != nil {
		return err
	}
	return c.children(p.Entry, asAuthority, func(m *onusv1.Record) bool {
		return m.GetApproval().GetProposal() == name || m.GetDenial().GetProposal() == name
	})
}

// denial adds the denial at that index, and what it answers.
func (c *collector) denial(index int64) error {
	d, err := c.l.Entry(index)
	if err != nil || d.Record.Msg.GetDenial() == nil {
		return err
	}
	if _, _, err := c.add(index, asAuthority); err != nil {
		return err
	}
	return c.proposal(d.Record.Msg.GetDenial().GetProposal())
}

// findings adds what the findings on an entry are about: a grant that it does
// not name, or the denial of something equal.
func (c *collector) findings(e *collected) error {
	for _, f := range c.state.Judge(e.Record, e.Index, &e.Stamp) {
		if !f.Record.IsZero() {
			if _, err := c.findID(f.Record, asAuthority); err != nil {
				return err
			}
		}
		if f.Code != authority.DeniedButDone {
			continue
		}
		// The finding names the denial in words. It is said from the entry
		// after it on, so the first index at which it is said tells which.
		said := func(at int) bool {
			return slices.Contains(c.state.Judge(e.Record, int64(at), &e.Stamp), f)
		}
		if at := sort.Search(int(e.Index), said); at > 0 {
			if err := c.denial(int64(at) - 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// clock adds the log's last entry, for its log time, if an action here has no
// outcome: whether one is overdue depends on how late it is. The ledger judges
// as of that entry, and so must who holds the bundle alone.
func (c *collector) clock() error {
	ended := map[string]bool{}
	for _, m := range c.members {
		if m.Record.Msg.GetOutcome() != nil {
			ended[m.Record.Msg.GetParent()] = true
		}
	}
	open := func(m *collected) bool {
		return m.Record.Msg.GetStages().GetAction() != nil && !ended[m.Record.ID.String()]
	}
	if !slices.ContainsFunc(c.members, open) {
		return nil
	}
	last, err := c.l.Entry(c.h.size - 1)
	if err != nil {
		return err
	}
	if c.ask.Reader.Sees != nil && !c.ask.Reader.Sees(last) {
		return nil // its time cannot be shown without it; the judge says so
	}
	_, _, err = c.put(last, asContext, true)
	return err
}
