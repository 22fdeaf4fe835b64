package authority

import (
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Status says what became of the first grant of a path, as the entries before
// at have it: all but its record.
func (s *State) Status(path Path, at int64) *onusv1.GrantStatus {
	g := path[0]
	status := &onusv1.GrantStatus{Issuer: g.Issuer(), Assurance: int32(g.Word.Assurance)}
	switch path.Basis() {
	case onusv1.Basis_BASIS_DELEGATED:
		status.Basis = "delegated"
	case onusv1.Basis_BASIS_OWN:
		status.Basis = "own"
	}
	if index, ok := s.endedAt(path, at); ok {
		status.Revoked = &index
	}
	if end := path.firstEnd(); end >= 0 {
		status.Ends = timestamppb.New(time.UnixMilli(end))
	}
	for _, u := range s.LimitUses(g, at) {
		status.Uses = append(status.Uses, &onusv1.LimitUse{Limit: int32(u.Limit), Total: u.Total, Unit: u.Unit, Last: u.Last})
	}
	return status
}

// endedAt returns the first revocation that ended the first grant of a path, as
// a record under it would be told of: of one of the grants, of a session that
// one ends with, and of whoever gave one or was given it, by key, instance,
// class and operator.
func (s *State) endedAt(path Path, at int64) (index int64, ended bool) {
	index, ended = s.RevokedAt(path[0].ID, at)
	for _, g := range path {
		class, _ := s.reg.Agent(g.Msg.GetAgent(), at)
		holder := &onusv1.Author{Agent: g.Msg.GetAgent(), Instance: g.Msg.GetInstance(), Operator: class.GetOperator()}
		for _, a := range []*onusv1.Author{g.Record.Msg.GetAuthor(), holder} {
			for _, r := range s.reg.Revocations(a, at) {
				if !ended || r.Index < index {
					index, ended = r.Index, true
				}
			}
		}
	}
	return index, ended
}

// firstEnd returns the log time at which the first of a path's grants to end does,
// and so the first of the path; -1 if none has an end.
func (p Path) firstEnd() int64 {
	at := int64(-1)
	for _, g := range p {
		if g.Expires >= 0 && (at < 0 || g.Expires < at) {
			at = g.Expires
		}
	}
	return at
}
