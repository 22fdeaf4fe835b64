package ledger

import (
	"crypto/sha256"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// property is what a posting says of an entry.
type property byte

// The properties that entries are indexed by. Their numbers are stored.
const (
	byAgent     property = 1
	byInstance  property = 2
	byOperator  property = 3
	byUser      property = 4
	bySession   property = 5
	bySubject   property = 6
	byOperation property = 7
	byResource  property = 8
	byParent    property = 9
	byCause     property = 10
	byGrantee   property = 11 // of a grant: the agent class that it is for
	byGrant     property = 12 // the grant that a record names
	byKind      property = 13 // of a grant, or of a loss that is declared
	byFollowed  property = 14 // of a process's first record: the one that it took over after
)

// The kinds of records that are indexed as such.
const (
	kindGrant = "grant"
	kindLoss  = "loss"
)

// posting is a property with its value, hashed to a fixed size: a row is
// short, and a value of any length or content makes a safe key. Readers look
// at the record itself before they show it, so a collision shows nothing.
type posting struct {
	kind property
	hash [16]byte
}

func post(kind property, value string) posting {
	sum := sha256.Sum256([]byte(value))
	return posting{kind, [16]byte(sum[:16])}
}

func (p posting) prefix() []byte {
	b := make([]byte, 0, 26)
	b = append(b, prefixPosting, byte(p.kind))
	return append(b, p.hash[:]...)
}

// postings returns the postings of a record, each once.
func postings(m *onusv1.Record) []posting {
	ps := make([]posting, 0, 12)
	one := func(kind property, value string) {
		if value == "" {
			return
		}
		p := post(kind, value)
		for _, q := range ps {
			if p == q {
				return // two values of one kind can share a posting
			}
		}
		ps = append(ps, p)
	}
	a := m.GetAuthor()
	one(byAgent, a.GetAgent())
	one(byInstance, a.GetInstance())
	one(byOperator, a.GetOperator())
	one(byUser, m.GetUser())
	one(bySession, m.GetSession())
	for _, s := range m.GetSubjects() {
		one(bySubject, s)
	}
	if e := m.GetStages().GetAction().GetElement(); e != nil {
		one(byOperation, record.Operation(e))
		for _, r := range record.Resources(e) {
			one(byResource, r)
		}
	}
	one(byGrant, m.GetGrant())
	if g := m.GetDelegation(); g != nil {
		one(byKind, kindGrant)
		one(byGrantee, g.GetAgent())
	}
	if m.GetLoss() != nil {
		one(byKind, kindLoss)
	}
	one(byFollowed, takesOver(m))
	one(byParent, m.GetParent())
	for _, c := range m.GetCauses() {
		one(byCause, c)
	}
	return ps
}
