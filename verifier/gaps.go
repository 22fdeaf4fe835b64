package verifier

import (
	"fmt"
	"maps"
	"slices"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
)

// gaps lists what was not proven, the gravest first, and what would prove it.
func (c *bundleCheck) gaps() {
	before := c.rep.Gaps // what tokens left open
	c.rep.Gaps = nil
	if !c.res.Anchored {
		c.gap("this is of the log whose name it bears: no log key was given, or the checkpoint is not signed by it", -1, ByLogKey, "")
	}
	for _, g := range c.rep.Growth {
		if g.State == evidence.Asserted || g.State == evidence.Unchecked {
			c.gap("a checkpoint that you saved belongs to the same history: it "+g.Text, -1, ByConsistency, "")
		}
	}
	if n := c.res.Withheld; n > 0 {
		c.gap(fmt.Sprintf("what is withheld (%s), and what rests on it, was in order", plural(n, "entry", "entries")), -1, ByOtherReader, "")
	}
	if n := c.res.NotJudged; n > 0 {
		c.gap(fmt.Sprintf("what this version cannot judge (%s), and what rests on it, was in order", plural(n, "entry", "entries")), -1, ByNewer, "")
	}
	c.absent()
	c.rep.Gaps = append(c.rep.Gaps, before...)
	c.tokensAttested()
	if c.rep.Judgement.Evidence.Totals != chain.Verified && c.stampsUses() {
		c.gap("the running totals of limits, or that an approval had not been used before, are as the log's stamps say: not all uses before are in the file", -1, ByWholeLog, "")
	}
	if c.quoted() {
		c.gap("certain words were said: the file does not disclose all contents", -1, ByContents, "")
	}
	if len(c.rep.Cosigned) == 0 || c.rep.Quorum != nil {
		why := "no witness that you trust has cosigned the checkpoint"
		if c.rep.Quorum != nil {
			why = c.rep.Quorum.Error()
		}
		c.gap("the log shows the same history to everybody, and when its entries were made: order and times are the host's word ("+why+")", -1, ByWitnesses, "")
	}
	c.unpinnedBindings()
	if n := c.rep.BesideActions; n > 0 {
		c.gap(fmt.Sprintf("what is beside these chains was in order: %s stand there, for what the chains rest on, and are not judged", plural(int64(n), "action", "actions")), -1, ByItsChain, "")
	}
	c.gap("nothing else belongs to these chains: what the file holds, its maker chose", -1, ByWholeLog, "")
	c.gap(fmt.Sprintf("nothing was registered or revoked after entry %d", c.res.RegistryProven-1), -1, ByWholeLog, "")
	if last := c.res.Leaves[len(c.res.Leaves)-1].Index; last < c.res.Checkpoint.Size-1 {
		c.gap(fmt.Sprintf("nothing has become overdue after entry %d, the newest here of %d: whether what was still pending then ended is not told", last, c.res.Checkpoint.Size), -1, ByWholeLog, "")
	}
	c.gap("what was signed is true", -1, ByNothing, "")
	c.gap("nothing was done that was never submitted to the log", -1, ByNothing, "")
}

// absent lists the records that entries name, and that the file neither shows
// nor withholds: that the log does not have them is its maker's word.
func (c *bundleCheck) absent() {
	have := map[string]bool{}
	for i := range c.res.Leaves {
		have[c.res.Leaves[i].ID.String()] = true
	}
	for _, index := range slices.Sorted(maps.Keys(c.members)) {
		l := c.leaf(index)
		if l.Record == nil || l.NotJudged != "" {
			continue
		}
		m := l.Record.Msg
		for _, named := range []struct{ id, as string }{
			{m.GetParent(), "its parent"}, {m.GetGrant(), "its grant"}, {m.GetStages().GetAction().GetApproval(), "its approval"},
		} {
			if named.id != "" && !have[named.id] {
				c.gap(fmt.Sprintf("record %s…, which entry %d names as %s, is not in the log: the file does not hold it", named.id[:12], index, named.as), index, ByWholeLog, "")
			}
		}
	}
}

// tokensAttested says how many users' words rest on the log's.
func (c *bundleCheck) tokensAttested() {
	n, disclosed := int64(0), map[int64]bool{}
	for _, g := range c.rep.Gaps {
		if g.By == ByIssuerKeys {
			disclosed[g.Index] = true
		}
	}
	for _, t := range c.rep.Judgement.Evidence.Tokens {
		if t.State == chain.Attested && !disclosed[t.Index] {
			n++
		}
	}
	if n > 0 {
		c.gap(fmt.Sprintf("the users' tokens beside %s were in order: the log says that it checked them", plural(n, "entry", "entries")), -1, ByTokens, "")
	}
}

func (c *bundleCheck) stampsUses() bool {
	for index := range c.members {
		if l := c.leaf(index); l.Entry != nil && len(l.Entry.Stamp.Uses) > 0 {
			return true
		}
	}
	return false
}

// quoted reports whether the judgement quotes what is not disclosed.
func (c *bundleCheck) quoted() bool {
	for _, v := range c.rep.Judgement.Actions {
		for _, q := range append(slices.Clone(v.Words), v.Claims...) {
			if _, opened := c.rep.Said(q); !opened {
				return true
			}
		}
	}
	return false
}

// Said returns the words that a quote points to, if they are in the evidence.
func (r *BundleReport) Said(q chain.Quote) (words string, ok bool) {
	if q.Commitment == "" {
		return q.Plain, true
	}
	sum, err := record.ParseID(q.Commitment) // 32 bytes in the same spelling
	if err != nil {
		return "", false
	}
	data, ok := r.Opened[[record.CommitmentSize]byte(sum)]
	return string(data), ok
}

// unpinnedBindings names the issuers and trust domains whose keys are the
// host's word.
func (c *bundleCheck) unpinnedBindings() {
	named := map[string]bool{}
	for i := range c.res.Leaves {
		l := &c.res.Leaves[i]
		if l.Key == nil || l.Key.Level == 0 || l.Key.CheckedWith == "" || !c.members[l.Index] || named[l.Key.CheckedWith] {
			continue
		}
		whose := l.Key.CheckedWith
		if _, pinned := c.trust.Roots.keys[whose]; pinned {
			continue
		}
		named[whose] = true
		by, of := ByIssuerKeys, ""
		if n, err := fmt.Sscanf(whose, "trust domain %s", &of); n == 1 && err == nil {
			by = ByTrustBundle
		} else if _, err := fmt.Sscanf(whose, "issuer %s", &of); err != nil {
			continue
		}
		c.gap("the keys of "+whose+", by which agents here enrolled, are its own: they are the host's word", -1, by, of)
	}
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
