package record

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/tree"
)

func (c *checker) genesis(m *onusv1.Record, g *onusv1.Genesis) {
	key, err := tree.ParseLogKey(g.GetLogKey())
	if err != nil {
		c.fail("genesis.log_key", "is not a verifier key: "+err.Error(), "use the vkey that onus init printed")
	} else {
		c.want(key.Origin() == m.GetOrigin(), "genesis.log_key", "has a name that is not the origin", "name the log key after the origin")
	}
	n := len(g.GetAdministrators())
	if n < 1 || n > 16 {
		c.fail("genesis.administrators", fmt.Sprintf("has %d entries", n), "name 1 to 16")
	}
	for i, a := range clip(g.GetAdministrators(), 16) {
		f := fmt.Sprintf("genesis.administrators[%d]", i)
		c.want(isName(a.GetName(), 64, adminChars), f+".name", "is missing or has characters other than a-z 0-9 . _ -", "use at most 64 of them")
		c.key(f+".public_key", a.GetPublicKey())
		for _, b := range g.GetAdministrators()[:i] {
			c.want(b.GetName() != a.GetName() && !slices.Equal(b.GetPublicKey(), a.GetPublicKey()), f, "has the name or the key of another", "give each administrator an own name and key")
		}
	}
	if n > 0 {
		c.want(g.GetAdministrators()[0].GetName() == m.GetAuthor().GetAdministrator(), "author.administrator", "is not the first administrator", "have the first administrator sign the genesis")
	}
	c.hostKey(g, key)
	c.predecessor(g.GetPredecessor(), m.GetOrigin())
	c.policy(g.GetPolicy(), len(g.GetHostKey()) > 0)
}

// maxPredecessor bounds the checkpoint of a log that this one succeeds.
const maxPredecessor = 16 << 10

// predecessor: what is said of the log before is its own word, signed.
func (c *checker) predecessor(p *onusv1.Predecessor, origin string) {
	if p == nil {
		return
	}
	key, err := tree.ParseLogKey(p.GetLogKey())
	if err != nil {
		c.fail("genesis.predecessor.log_key", "is not a verifier key: "+err.Error(), "use the log.vkey of the log before")
		return
	}
	c.want(key.Origin() != origin, "genesis.predecessor.log_key", "is of this log's own origin", "give the successor an origin of its own: the old one is never signed again")
	const f = "genesis.predecessor.checkpoint"
	if n := len(p.GetCheckpoint()); n > maxPredecessor {
		c.fail(f, fmt.Sprintf("has %d bytes", n), fmt.Sprintf("give at most %d: leave cosignatures out", maxPredecessor))
		return
	}
	cp, err := key.Open(p.GetCheckpoint())
	if err != nil {
		c.fail(f, "is not accepted: "+err.Error(), "use the last checkpoint that the log before signed")
		return
	}
	c.want(cp.Size > 0, f, "is of an empty log", "leave the predecessor out")
}

// hostKey: what the host says is told apart from what others say, so its key
// is nobody else's. It is not the log's own key either: that one signs
// checkpoints and nothing else.
func (c *checker) hostKey(g *onusv1.Genesis, log tree.LogKey) {
	const f = "genesis.host_key"
	if len(g.GetHostKey()) == 0 {
		return
	}
	p, err := ParsePublicKey(g.GetHostKey())
	if err != nil {
		c.fail(f, "is not accepted: "+err.Error(), "use DER SubjectPublicKeyInfo")
		return
	}
	pub, ok := p.Crypto().(ed25519.PublicKey)
	if !ok {
		c.fail(f, "is not an Ed25519 key", "make one with onus init")
		return
	}
	for _, a := range clip(g.GetAdministrators(), 16) {
		c.want(!bytes.Equal(a.GetPublicKey(), g.GetHostKey()), f, "is an administrator's key", "give the host a key of its own")
	}
	if log.IsZero() {
		return // said above
	}
	same, err := tree.NewLogKey(log.Origin(), pub)
	c.want(err != nil || same.String() != log.String(), f, "is the log's own key", "give the host a key of its own")
}

func (c *checker) policy(p *onusv1.Policy, hostKey bool) {
	c.want(p != nil, "genesis.policy", "is missing", "state the log's policy")
	c.duration("genesis.policy.clock_skew", p.GetClockSkew())
	c.duration("genesis.policy.late_after", p.GetLateAfter())
	c.duration("genesis.policy.outcome_window", p.GetOutcomeWindow())
	c.want(len(p.GetPlainText()) <= len(TextFields()), "genesis.policy.plain_text", "has too many fields", "name each field once")
	for i, f := range clip(p.GetPlainText(), len(TextFields())) {
		if f != "*" && !slices.Contains(TextFields(), f) {
			c.fail(fmt.Sprintf("genesis.policy.plain_text[%d]", i), fmt.Sprintf("is %.80q, which is no text field", f), `name a field such as "stages.intent.text", or "*"`)
		}
	}
	const next = "give the log a host key, or leave this out"
	switch p.GetRevoked() {
	case onusv1.RevokedRecords_REVOKED_RECORDS_UNSPECIFIED, onusv1.RevokedRecords_REVOKED_RECORDS_ADMIT:
	case onusv1.RevokedRecords_REVOKED_RECORDS_REJECT:
		c.want(hostKey, "genesis.policy.revoked", "is REVOKED_RECORDS_REJECT, but the host has no key to sign rejections", next)
	default:
		c.fail("genesis.policy.revoked", "is unknown", "use REVOKED_RECORDS_ADMIT or REVOKED_RECORDS_REJECT, or leave it out")
	}
	c.want(hostKey || !p.GetRecordReads(), "genesis.policy.record_reads", "is set, but the host has no key to sign reads", next)
	c.approvalRules("genesis.policy.approvals", p.GetApprovals())
}
