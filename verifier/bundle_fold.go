package verifier

import (
	"errors"
	"fmt"
	"slices"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// fold takes the entries in, in log order: grants, approvals and uses, what was
// said of how these ended, contents and tokens.
func (c *bundleCheck) fold() {
	c.counted = map[int64]bool{}
	for i := range c.res.Leaves {
		l := &c.res.Leaves[i]
		if l.Entry != nil {
			c.logTime = max(c.logTime, l.Entry.Stamp.LogTime)
		}
		if l.Record == nil || l.Entry == nil || l.NotJudged != "" {
			continue
		}
		for sum, content := range l.Contents {
			c.rep.Opened[sum] = content.GetData()
		}
		c.token(l)
		s := &l.Entry.Stamp
		if l.Sound() {
			if err := rejected(c.res.Registry.History(), l.Record, l.Index); err != nil {
				c.fault(l.Index, NotAdmissible, record.What(err))
			}
			c.uses(l)
			// What had no right to be logged has no effect. Whether it had may
			// rest on what is not at hand: that it counts for nothing is all
			// that is said here, and no fault. Of a review the registry alone
			// decides, which is here: its reviewer was revoked, or was not.
			err := c.state.Check(l.Record, l.Index, s.LogTime)
			if err != nil && l.Record.Msg.GetReview() != nil {
				c.fault(l.Index, NotAdmissible, record.What(err))
			}
			if err != nil || authority.CheckWord(l.Record, s) != nil {
				continue
			}
		}
		// Of a record whose evidence is broken, what rests on it is judged
		// broken too: it must be found.
		c.state.Add(l.Record, l.Index, s)
	}
}

// uses compares an entry's use stamps with what the uses at hand come to. That
// some are not here, or not how they ended, explains other totals; but not a
// use at hand which the stamp passes over.
func (c *bundleCheck) uses(l *evidence.Checked) {
	stamped := l.Entry.Stamp.Uses
	here := c.state.Uses(l.Record, l.Index, l.Entry.Stamp.LogTime)
	c.counted[l.Index] = slices.Equal(stamped, here)
	for _, u := range stamped {
		if u.Previous >= l.Index || u.Denial >= l.Index {
			c.fault(l.Index, BrokenStamp, fmt.Sprintf("the log stamped it with entry %d before it, which comes after it", max(u.Previous, u.Denial)))
		}
	}
	for _, h := range here {
		i := slices.IndexFunc(stamped, func(u entry.Use) bool { return u.Approval == h.Approval && u.ID == h.ID && u.Limit == h.Limit })
		switch {
		case i < 0:
			c.fault(l.Index, BrokenStamp, "it draws on "+nameUse(h)+", and the log did not stamp it so")
		case h.Previous > stamped[i].Previous:
			c.fault(l.Index, BrokenStamp, fmt.Sprintf("entry %d is a use of %s before it, which the log's stamp passes over", h.Previous, nameUse(h)))
		case h.Approval && h.Denial > stamped[i].Denial:
			c.fault(l.Index, BrokenStamp, fmt.Sprintf("entry %d denied what it does before it, which the log's stamp passes over", h.Denial))
		}
	}
}

func nameUse(u entry.Use) string {
	id := u.ID.String()[:12] + "…"
	if u.Approval {
		return "approval " + id
	}
	return fmt.Sprintf("limit %d of grant %s", u.Limit, id)
}

// token checks a user's token that is disclosed with the keys that the reader
// pinned of its issuer.
func (c *bundleCheck) token(l *evidence.Checked) {
	if l.Token == "" || !l.Sound() {
		return
	}
	issuer := l.Record.Msg.GetToken().GetIssuer()
	sets := c.trust.Roots.sets[issuer]
	if len(sets) == 0 {
		c.gap(fmt.Sprintf("the user's token beside entry %d was signed by %s", l.Index, issuer), l.Index, ByIssuerKeys, issuer)
		return
	}
	var err error
	for _, keys := range sets {
		if _, err = CheckUserToken(l.Record, &l.Entry.Stamp, l.Token, keys); err == nil {
			c.tokens[l.ID] = true
			return
		}
		var e *record.Error
		if !errors.As(err, &e) || e.Reason != credential.ReasonUnknownKey {
			break
		}
	}
	var e *record.Error
	switch {
	case errors.As(err, &e) && e.Reason == credential.ReasonUnknownKey:
		// The issuer may have had other keys then.
		c.gap(fmt.Sprintf("the user's token beside entry %d was signed by %s: the keys given do not hold the one that signed it", l.Index, issuer), l.Index, ByIssuerKeys, issuer)
	case l.Entry.Stamp.Assurance > 0:
		c.fault(l.Index, BrokenStamp, "the log says that it checked the user's token, and the token does not hold: "+record.What(err))
	default:
		c.gap(fmt.Sprintf("the user's token beside entry %d holds (%s); the log did not say that it checked it", l.Index, record.What(err)), l.Index, ByNothing, "")
	}
}
