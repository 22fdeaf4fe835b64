package registry

import (
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// A key may sign until its own end, which its binding sets, or the earliest
// one that a newer key of its party sets. Both are log times, so that the old
// key and the new one overlap for as long as the party needs. Nothing moves an
// end further out.

// replacement is the end that a newer key sets.
type replacement struct {
	at int64  // log time in milliseconds
	by string // id of the newer key
}

// checkRotation: another key of the party signs, and the new one is as well
// established. That it is not revoked and has not ended was asked before; that
// it signs for the instance that it says it is, or for the class, is a rule of
// the record. A key of one instance has no say for the class.
func (g *Registry) checkRotation(c *candidate, b *Binding) error {
	signer := g.keys[c.author.GetKeyId()]
	if signer == nil { // Authenticate has found it
		return notRegistered("author.key_id", c.author.GetKeyId(), "key")
	}
	if signer.Instance != "" && b.Instance != signer.Instance {
		return &record.Error{Reason: ReasonNotPermitted, Field: "registration.key.instance",
			Detail: fmt.Sprintf("is %q, but the key that signs is %s", b.Instance, signer.holder()),
			Next:   "name the same instance, or have an administrator sign it"}
	}
	b.Level, b.CheckedWith = signer.Level, signer.CheckedWith
	return nil
}

// planReplacement checks which key ends with the new one, and when.
func (g *Registry) planReplacement(c *candidate, k *onusv1.KeyBinding, b *Binding) (func(), error) {
	id := k.GetReplaces()
	if id == "" {
		return func() {}, nil
	}
	old := g.keys[id]
	if old == nil {
		return nil, notRegistered("registration.key.replaces", id, "key")
	}
	if old.Party() != b.Party() || old.Instance != b.Instance {
		return nil, &record.Error{Reason: ReasonNotPermitted, Field: "registration.key.replaces",
			Detail: fmt.Sprintf("names a key that is %s, not of the party that the new key is for", old.holder()),
			Next:   "name a key of the same party, or revoke the other one"}
	}
	r := replacement{at: c.stamp.LogTime, by: b.Key.ID()}
	if until := millis(k.GetReplacedUntil()); until > r.at {
		r.at = until
	}
	return func() {
		if now, i := latest(g.replaced[id], end); i >= 0 && now.at <= r.at {
			return
		}
		g.replaced[id] = append(g.replaced[id], version[replacement]{c.index, r})
	}, nil
}

// Ended reports whether a key may sign no more at a log time, as the entries
// before that index have it: its not-after has come, or a newer key of its
// party has taken over. It returns the end that is set, -1 if none is, and the
// id of the newer key if that set it. An entry that such a key signed is bound
// to it nevertheless.
func (g *Registry) Ended(keyID string, at, logTime int64) (endsAt int64, by string, ended bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.ended(keyID, at, logTime)
}

func (g *Registry) ended(keyID string, at, logTime int64) (endsAt int64, by string, ended bool) {
	b := g.key(keyID, at)
	if b == nil {
		return -1, "", false
	}
	endsAt = b.NotAfter
	if r, i := latest(g.replaced[keyID], at); i >= 0 && (endsAt < 0 || r.at < endsAt) {
		endsAt, by = r.at, r.by
	}
	return endsAt, by, endsAt >= 0 && logTime >= endsAt
}

// clock writes a log time for people.
func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
