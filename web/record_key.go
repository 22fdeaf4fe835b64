package web

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/web/report"
)

// keyRow is a key that is bound to a party, and what became of it.
type keyRow struct {
	ID, Algorithm string
	Owner         partyName
	// Instance is the one process that may use it.
	Instance string
	// Level is K0, K1 or K2, LevelWords what that means.
	Level, LevelWords string
	// Index is the entry that binds it, Time its log time, By who signed that,
	// and SignedBy with which key.
	Index, Time int64
	By          partyName
	SignedBy    string
	// NotAfter is the log time from which on it may not sign; HasEnd tells zero
	// from none. Successor is the id of the key that set that end.
	NotAfter  int64
	HasEnd    bool
	Successor string
	// Ended: that time has come. Revoked are the revocations that hit it, each
	// by its index.
	Ended   bool
	Revoked []revocationRow
}

// State says in a word or two what the key may do now.
func (k keyRow) State() string {
	switch {
	case len(k.Revoked) > 0:
		return "revoked"
	case k.Ended:
		return "ended"
	}
	return "may sign"
}

// UsedBy says who may sign with it.
func (k keyRow) UsedBy() string {
	switch {
	case k.Instance != "":
		return "process " + report.Clean(k.Instance) + " alone"
	case k.Owner.Kind == kindWords[registry.KindAgent]:
		return "any of its processes"
	}
	return k.Owner.Kind + " " + k.Owner.Name
}

// levelWords say how well a binding was established.
var levelWords = map[registry.Level]string{
	registry.K0: "on the word of who registered it",
	registry.K1: "by a token that was checked",
	registry.K2: "by an X.509-SVID whose chain was checked",
}

// keyRowOf says what became of a key, as the entries before the index at have
// it, at a log time.
func (v *visit) keyRowOf(b *registry.Binding, at, now int64) keyRow {
	reg := v.Log.Registry()
	k := keyRow{ID: b.Key.ID(), Algorithm: b.Key.Algorithm(), Owner: v.nameOf(b.Party(), at), Instance: b.Instance,
		Level: b.Level.String(), LevelWords: levelWords[b.Level], Index: b.Index, Time: b.LogTime, SignedBy: b.SignedBy}
	if b.CheckedWith != "" {
		k.LevelWords += ", with the keys of " + b.CheckedWith
	}
	if b.Index == 0 {
		k.LevelWords = "by the log’s beginning, which the log’s own key signed"
	}
	if e, err := v.Log.Entry(b.Index); err == nil && e.Record != nil {
		k.By, k.Time = v.authorName(e.Record.Msg.GetAuthor(), b.Index), e.LogTime
	}
	if ends, by, ended := reg.Ended(k.ID, at, now); ends >= 0 {
		k.NotAfter, k.HasEnd, k.Successor, k.Ended = ends, true, by, ended
	}
	for _, r := range reg.Revocations(authorOfKey(b), at) {
		k.Revoked = append(k.Revoked, v.revocationRowOf(r, at))
	}
	return k
}

// authorOfKey is the author that signs with a key.
func authorOfKey(b *registry.Binding) *onusv1.Author {
	return &onusv1.Author{KeyId: b.Key.ID(), Agent: b.Agent, Instance: b.Instance, Operator: b.Operator, Service: b.Service,
		Client: b.Client, Reviewer: b.Reviewer, User: b.User, Host: b.Host, Administrator: b.Administrator}
}

// keyRows are all keys of a party, the newest first.
func (v *visit) keyRows(p registry.Party, at, now int64) []keyRow {
	bs := v.Log.Registry().KeysOf(p, at)
	out := make([]keyRow, 0, min(len(bs), listRows))
	for i := len(bs) - 1; i >= 0 && len(out) < listRows; i-- {
		out = append(out, v.keyRowOf(bs[i], at, now))
	}
	return out
}

// signatureCheck is what this server found when it checked a signature.
type signatureCheck struct {
	// Holds: it is that of the key below, and the key is bound to the author.
	Holds bool
	// Why it does not hold, in words; What is then an error to be shown.
	Why string
	Key keyRow
	// Later are revocations after the record, which leave it valid, and Before
	// those that hit its author already.
	Before, Later []revocationRow
	// Suspect are those by which the record may be somebody else's.
	Suspect []revocationRow
	// Ended: the key's time had passed when the record was logged.
	Ended bool
}

// checkSignature checks a record's signature, and that its key was its author's
// at that index, with the auditor's code.
func (v *visit) checkSignature(r *record.Record, index, logTime, at, now int64) signatureCheck {
	reg := v.Log.Registry()
	a := r.Msg.GetAuthor()
	b, err := reg.Authenticate(r, index)
	if err != nil {
		return signatureCheck{Why: record.What(err)}
	}
	s := signatureCheck{Holds: true}
	// A key that enrols itself, and those of the genesis, are bound by the
	// record itself: the registry after it knows how well.
	if known := reg.Key(b.Key.ID(), max(at, index+1)); known != nil {
		b = known
	}
	s.Key = v.keyRowOf(b, at, now)
	_, _, s.Ended = reg.Ended(b.Key.ID(), index, logTime)
	for _, hit := range reg.Revocations(a, at) {
		row := v.revocationRowOf(hit, at)
		if hit.Index < index {
			s.Before = append(s.Before, row)
		} else if hit.Index > index {
			s.Later = append(s.Later, row)
		}
	}
	for _, hit := range reg.Suspicions(a, index, logTime, at) {
		s.Suspect = append(s.Suspect, v.revocationRowOf(hit, at))
	}
	return s
}

// revocationRow is a revocation, as a line of a list.
type revocationRow struct {
	Index, Time int64
	ID          record.ID
	// Target is the word for what it ends, TargetID which one, and TargetHref
	// its page. Name is what people call it.
	Target, TargetID, TargetHref, Name string
	By                                 partyName
	// Suspect is the log time since when; HasSuspect tells zero from none.
	Suspect    int64
	HasSuspect bool
	Reason     *recordField
	// After is how many records of the target stand after it: see countAfter.
	// AfterMore: there are more. AfterKnown: it was counted.
	After                 int
	AfterMore, AfterKnown bool
	AfterHref             string
}

func (v *visit) revocationRowOf(r registry.Revocation, at int64) revocationRow {
	row := revocationRow{Index: r.Index, ID: r.ID}
	if r.SuspectedSince >= 0 {
		row.Suspect, row.HasSuspect = r.SuspectedSince, true
	}
	switch {
	case r.Key != "":
		row.Target, row.TargetID = "key", r.Key
		if b := v.Log.Registry().Key(r.Key, at); b != nil {
			owner := v.nameOf(b.Party(), at)
			row.Name, row.TargetHref = "of "+owner.Kind+" "+owner.Name, owner.Href
		}
	case r.Instance != "":
		owner := v.nameOf(registry.Party{Kind: registry.KindAgent, ID: r.Agent}, at)
		row.Target, row.TargetID, row.TargetHref, row.Name = "process", r.Instance, owner.Href, "of agent "+owner.Name
	case r.Agent != "":
		owner := v.nameOf(registry.Party{Kind: registry.KindAgent, ID: r.Agent}, at)
		row.Target, row.TargetID, row.TargetHref, row.Name = "agent", r.Agent, owner.Href, owner.Name
	case r.Operator != "":
		owner := v.nameOf(registry.Party{Kind: registry.KindOperator, ID: r.Operator}, at)
		row.Target, row.TargetID, row.TargetHref, row.Name = "operator", r.Operator, owner.Href, owner.Name
	case r.Grant != "":
		row.Target, row.TargetID, row.TargetHref = "grant", r.Grant, "/grants/"+r.Grant
		if holder := v.holderOf(r.Grant); holder != "" {
			row.Name = "to agent " + v.nameOf(registry.Party{Kind: registry.KindAgent, ID: holder}, at).Name
		}
	case r.Session != "":
		row.Target, row.TargetID = "session", r.Session
	}
	if f, ok := v.hitBy(r, at); ok {
		row.AfterHref = recordsPath(f.pairs()...)
	}
	if e, err := v.Log.Entry(r.Index); err == nil && e.Record != nil {
		row.Time, row.By = e.LogTime, v.authorName(e.Record.Msg.GetAuthor(), r.Index)
	}
	return row
}

// holderOf returns the agent class that a grant is for, or "".
func (v *visit) holderOf(grant string) string {
	id, err := record.ParseID(grant)
	if err != nil {
		return ""
	}
	index, err := v.Log.Index(id)
	if err != nil {
		return ""
	}
	e, err := v.Log.Entry(index)
	if err != nil || e.Record == nil {
		return ""
	}
	return e.Record.Msg.GetDelegation().GetAgent()
}
