package ledger

import (
	"context"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ReasonNoHost: the ledger has no host key to say something with.
const ReasonNoHost = "NO_HOST_KEY"

// OfficerMark goes before an officer's name where a pseudonym is minted for it:
// what somebody does as an officer is not joined to what the same person asks an
// agent for. Agents and operators cannot have such a name minted, so that none
// acts in an officer's.
const OfficerMark = "officer "

// Review logs what an officer says of a record or a finding, signed by the
// host, and returns when it is durable. Officer is the pseudonym of who is
// signed in, on the host's word; empty if nobody is named. Note is why, or
// empty: r's own note is not looked at.
//
// The note goes into the log as a salted commitment. Its content is sealed
// under the officer's key, so that it is forgotten with the officer; without
// one, under the host's.
//
// A review that breaks a rule, such as one of a record that is not in the log,
// gives a *record.Error; so does a ledger without a host key. Each call makes a
// review of its own: if ctx ends on the way, look whether it is there before
// calling again. A second one does no harm, since the newest counts.
func (l *Ledger) Review(ctx context.Context, r *onusv1.Review, note, officer string) (*Logged, error) {
	if l.host == nil {
		return nil, &record.Error{Reason: ReasonNoHost,
			Detail: "the host signs this review, and the ledger was opened without a host key",
			Next:   "open it with the key that genesis names, or have a reviewer sign with a key of its own: onus review"}
	}
	v := proto.CloneOf(r)
	var contents []*onusv1.Content
	v.Note = nil
	if note != "" {
		text, content := record.NewText([]byte(note))
		v.Note, contents = text, []*onusv1.Content{content}
	}
	signed, err := l.host.sign(NewNonce(), timestamppb.New(l.cfg.Clock()), func(m *onusv1.Record) {
		m.User = officer
		if _, err := record.ParseID(v.GetRecord()); err == nil { // else the rules name review.record
			m.Causes = []string{v.GetRecord()}
		}
		m.Body = &onusv1.Record_Review{Review: v}
	})
	if err != nil {
		return nil, fmt.Errorf("sign the review: %w", err)
	}
	return l.Submit(ctx, Submission{Envelope: signed.Envelope, Contents: contents})
}
