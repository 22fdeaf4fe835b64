package verifier

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Trust is what a reader of evidence has from elsewhere. The zero Trust shows
// only whether the evidence agrees with itself.
type Trust struct {
	// LogKey is the log's. Zero: the key that Policy names for the origin of
	// the checkpoint, if it names one.
	LogKey tree.LogKey
	// Policy names the witnesses whose cosignatures count, and how many are
	// enough; nil: none counts.
	Policy *tree.Policy
	// Roots are the issuers' keys and trust bundles that the reader holds; nil:
	// none.
	Roots *Roots
	// Registry is one that an earlier bundle of the log held.
	Registry *evidence.Registry
	// Against are checkpoints that the reader saved before.
	Against []Saved
}

// Standing says whether evidence is what it claims to be.
type Standing string

// The standings, the best first.
const (
	Genuine Standing = "genuine"
	// NotAnchored: it agrees with itself, under no key of the reader's.
	NotAnchored Standing = "not anchored"
	// Broken: something in it does not hold.
	Broken Standing = "broken"
	// Forked: the log signed two histories. That is proof against the host.
	Forked Standing = "forked"
)

// BundleReport is all there is to say of an evidence bundle.
type BundleReport struct {
	Standing Standing
	// Evidence is what the file itself shows.
	Evidence *evidence.Result
	// Judgement says who answers for each action of the chains that were asked
	// for; these are judged as one.
	Judgement *chain.Judgement
	// Faults are the evidence's, and those that only judging shows: the first
	// of FaultCount.
	Faults     []evidence.Fault
	FaultCount int64
	// Policy is the reader's, Cosigned the cosignatures of its witnesses, and
	// Quorum what they lack; nil if nothing, or without a policy.
	Policy   *tree.Policy
	Cosigned []tree.Cosignature
	Quorum   error
	// Growth says of each saved checkpoint whether the log only grew since.
	Growth []Growth
	// Opened are the contents that the file discloses, by commitment.
	Opened map[[record.CommitmentSize]byte][]byte
	// Chained counts the entries that were judged as part of the chains, and
	// Beside those that are shown beside them, which chains rest on.
	Chained, Beside int
	// BesideActions are the actions among the latter: nobody is said to answer
	// for them here.
	BesideActions int
	// Unpinned are issuers' keys in the registry that the reader did not pin,
	// though others of that issuer.
	Unpinned []Fault
	// Gaps are what was not proven.
	Gaps []Gap

	check *bundleCheck
}

// Gap is something that was not proven, and what would prove it.
type Gap struct {
	// What was not proven: the end of a sentence that begins with "That".
	What string
	// Index is the entry that it is about; -1 if it is about no single one.
	Index int64
	// By says what would prove it; [ByNothing] if nothing would.
	By Proof
	// Of names what a proof needs: an issuer's URL.
	Of string
}

// Proof says what would prove something.
type Proof int

// What would prove it.
const (
	ByNothing Proof = iota
	// ByLogKey: the log's verifier key.
	ByLogKey
	// ByWholeLog: a scan of the whole log.
	ByWholeLog
	// ByWitnesses: a policy that names witnesses, and their cosignatures.
	ByWitnesses
	// ByIssuerKeys: the keys of an issuer.
	ByIssuerKeys
	// ByTrustBundle: the bundle of a trust domain.
	ByTrustBundle
	// ByContents: a bundle that discloses contents, ByTokens one that discloses
	// users' tokens.
	ByContents
	ByTokens
	// ByItsChain: a bundle of that action's own chain.
	ByItsChain
	// ByOtherReader: a bundle for a reader who sees what is withheld here.
	ByOtherReader
	// ByConsistency: the log's proof that a later checkpoint extends a saved
	// one.
	ByConsistency
	// ByNewer: a newer version of the verifier.
	ByNewer
)

// CheckBundle verifies a bundle by all that is in it, and judges the chains
// that it is for. It is the one judge of evidence files: commands, servers and
// pages call it.
//
// The error is that of [evidence.Bundle.Verify], or says that the policy does
// not fit; then nothing was judged. Whether the evidence is genuine, the
// report's Standing says.
func CheckBundle(b *evidence.Bundle, t Trust) (*BundleReport, error) {
	key, err := LogKeyFor(b, t)
	if err != nil {
		return nil, err
	}
	t.LogKey = key
	if t.Roots == nil {
		t.Roots = &Roots{}
	}
	res, err := b.Verify(evidence.Trust{LogKey: key, Registry: t.Registry})
	if err != nil {
		return nil, err
	}
	c := &bundleCheck{trust: t, bundle: b, res: res, rep: &BundleReport{Evidence: res, Policy: t.Policy, Faults: res.Faults, FaultCount: res.FaultCount,
		Opened: map[[record.CommitmentSize]byte][]byte{}},
		state: authority.New(res.Registry.History(), authority.NewMemory()), faults: map[int64][]chain.Fault{}, tokens: map[record.ID]bool{}}
	c.witnessed()
	c.saved()
	c.fold()
	c.pins()
	c.judge()
	c.stand()
	c.gaps()
	return c.rep, nil
}

// LogKeyFor returns the key that the reader trusts for the bundle's log: the one
// given, or that of the policy; zero if there is none. The error says that the
// policy is not of that log.
func LogKeyFor(b *evidence.Bundle, t Trust) (tree.LogKey, error) {
	if t.Policy == nil {
		return t.LogKey, nil
	}
	logs := t.Policy.Logs()
	for _, l := range logs {
		switch {
		case !t.LogKey.IsZero() && l.Key.String() == t.LogKey.String():
			return l.Key, nil
		case t.LogKey.IsZero() && l.Key.Origin() == b.Origin():
			return l.Key, nil
		}
	}
	if len(logs) > 0 && !t.LogKey.IsZero() {
		return tree.LogKey{}, fmt.Errorf("the policy does not name the log of the key %s: add a log line, or use the policy of that log", t.LogKey)
	}
	return t.LogKey, nil
}

// bundleCheck is one check in the making.
type bundleCheck struct {
	trust  Trust
	bundle *evidence.Bundle
	res    *evidence.Result
	rep    *BundleReport
	// state is folded from the entries that are shown, in log order.
	state *authority.State
	// faults are those of entries, by index.
	faults map[int64][]chain.Fault
	// members are the indices of the chains' entries.
	members map[int64]bool
	// counted holds the entries of whose stamp every use was added up here.
	counted map[int64]bool
	seen    []chain.Seen
	// tokens are the records whose user's token was verified here.
	tokens map[record.ID]bool
	// logTime is the latest that an entry shows.
	logTime int64
}

// fault notes what is wrong besides what the evidence itself shows.
func (c *bundleCheck) fault(index int64, finding, detail string) {
	c.rep.FaultCount++
	if len(c.rep.Faults) < MaxFaults {
		c.rep.Faults = append(c.rep.Faults[:len(c.rep.Faults):len(c.rep.Faults)], evidence.Fault{Index: index, Finding: finding, Detail: detail})
	}
	if index >= 0 {
		c.faults[index] = append(c.faults[index], chain.Fault{Code: finding, Text: detail})
	}
}

func (c *bundleCheck) gap(what string, index int64, by Proof, of string) {
	c.rep.Gaps = append(c.rep.Gaps, Gap{what, index, by, of})
}

// witnessed checks the cosignatures of the witnesses that the reader named.
func (c *bundleCheck) witnessed() {
	if c.trust.Policy == nil || !c.res.Anchored {
		return
	}
	_, cosigned, err := tree.OpenCosigned(c.bundle.Checkpoint, c.trust.LogKey, c.trust.Policy)
	if err != nil {
		c.fault(-1, evidence.BrokenCheckpoint, err.Error())
		return
	}
	c.rep.Cosigned, c.rep.Quorum = cosigned, c.trust.Policy.Check(cosigned)
	c.see(c.res.Checkpoint.Size, cosigned)
}

func (c *bundleCheck) see(size int64, cosigned []tree.Cosignature) {
	for _, s := range cosigned {
		c.seen = append(c.seen, chain.Seen{Size: size, Time: s.Time * 1000, By: s.Witness})
	}
}

// pins compares the issuers' keys and trust bundles of the registry with those
// that the reader holds.
func (c *bundleCheck) pins() {
	for i := range c.res.Leaves {
		l := &c.res.Leaves[i]
		if l.Record == nil || !l.Sound() {
			continue
		}
		whose, keys := keysIn(l.Record)
		names, _ := c.trust.Roots.unpinned(whose, keys)
		for _, name := range names {
			if len(c.rep.Unpinned) < MaxFaults {
				c.rep.Unpinned = append(c.rep.Unpinned, notPinned(l.Index, whose, name))
			}
		}
	}
}

// stand settles the standing.
func (c *bundleCheck) stand() {
	c.rep.Standing = Genuine
	switch {
	case c.forked():
		c.rep.Standing = Forked
	case c.rep.FaultCount > 0:
		c.rep.Standing = Broken
	case !c.res.Anchored:
		c.rep.Standing = NotAnchored
	}
}

// VerdictJSON returns the verdict part: the same bytes from everybody who
// judges these entries.
func (r *BundleReport) VerdictJSON() []byte { return r.Judgement.VerdictJSON() }
