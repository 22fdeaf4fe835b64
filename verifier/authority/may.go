package authority

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// May returns what [State.Judge] would say of an action, were it logged at that
// index and time: the action of r, or what r proposes to do. It is for whoever
// asks before acting. Without either there is nothing to say but of the author.
func (s *State) May(r *record.Record, at, logTime int64) []Finding {
	if d := r.Msg.GetStages(); d.GetAction() == nil && d.GetDecision().GetProposal() != nil {
		m := proto.CloneOf(r.Msg)
		m.GetStages().Action = &onusv1.Action{Element: m.GetStages().GetDecision().GetProposal()}
		r = &record.Record{ID: r.ID, Envelope: r.Envelope, Msg: m}
	}
	return s.Judge(r, at, &entry.Stamp{LogTime: logTime, Uses: s.Uses(r, at, logTime)})
}
