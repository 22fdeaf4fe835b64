package verifier

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Saved is a checkpoint that a reader saved before, as the signed note.
type Saved struct {
	Signed []byte
	// Proof is the log's proof that the larger of this checkpoint and that of
	// the evidence extends the smaller. Proven says that there is one: between
	// neighbours it may be empty.
	Proof  []tree.Hash
	Proven bool
}

// Growth says how the evidence's checkpoint stands to one that the reader
// saved.
type Growth struct {
	Saved tree.Checkpoint
	// State: verified, if one of the two extends the other; asserted, if no
	// proof is at hand; broken, if the saved one or the proof does not hold.
	State evidence.State
	// Text says it in words.
	Text string
	// Fork is set where the log signed two histories.
	Fork *Fork
}

// Fork is proof that a log signed two histories.
type Fork = tree.Fork

// saved compares the checkpoint with those that the reader saved.
func (c *bundleCheck) saved() {
	if !c.res.Anchored {
		for range c.trust.Against {
			c.rep.Growth = append(c.rep.Growth, Growth{State: evidence.Unchecked, Text: "was not compared: without the log's key nothing shows whose it is"})
		}
		return
	}
	for _, s := range c.trust.Against {
		g := c.grew(s)
		c.rep.Growth = append(c.rep.Growth, g)
		if g.State == evidence.Broken {
			c.fault(-1, evidence.InconsistentLog, "a checkpoint that the reader saved: "+g.Text)
		}
	}
}

func (c *bundleCheck) grew(s Saved) Growth {
	old, err := c.trust.LogKey.Open(s.Signed)
	if err != nil {
		return Growth{State: evidence.Unchecked, Text: "is not one of this log, so that it shows nothing: " + err.Error()}
	}
	if c.trust.Policy != nil {
		if _, cosigned, err := tree.OpenCosigned(s.Signed, c.trust.LogKey, c.trust.Policy); err == nil {
			defer c.see(old.Size, cosigned)
		}
	}
	now := c.res.Checkpoint
	g := Growth{Saved: old}
	small, large := old, now
	if old.Size > now.Size {
		small, large = now, old
	}
	switch {
	case old.Size == now.Size && old.Root == now.Root:
		g.State, g.Text = evidence.Verified, fmt.Sprintf("is the checkpoint of the evidence, of %d entries", old.Size)
	case old.Size == now.Size:
		g.State, g.Fork = evidence.Broken, &Fork{Older: s.Signed, Newer: c.bundle.Checkpoint}
		g.Text = fmt.Sprintf("the log signed two histories of %d entries: root %s in the one that was saved, %s in the evidence", old.Size, old.Root, now.Root)
	case !s.Proven && small.Size > 0:
		g.State, g.Text = evidence.Asserted, fmt.Sprintf("of %d entries: that the %d entries extend it, or it them, was not proven", old.Size, now.Size)
	default:
		if small.Size > 0 {
			err = tree.VerifyConsistency(small.Size, large.Size, small.Root, large.Root, s.Proof)
		}
		if err != nil {
			g.State, g.Text = evidence.Broken, fmt.Sprintf("of %d entries: the proof that was given does not join it to the evidence: %v", old.Size, err)
			return g
		}
		g.State, g.Text = evidence.Verified, fmt.Sprintf("of %d entries: the log only grew, from %d to %d", old.Size, small.Size, large.Size)
	}
	return g
}

func (c *bundleCheck) forked() bool {
	for _, g := range c.rep.Growth {
		if g.Fork != nil {
			return true
		}
	}
	return false
}

// Fork returns the proof that the log signed two histories, or nil.
func (r *BundleReport) Fork() *Fork {
	for _, g := range r.Growth {
		if g.Fork != nil {
			return g.Fork
		}
	}
	return nil
}
