package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/callee"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// sighting is one request on its way into the log.
type sighting struct {
	recorder *Recorder
	seen     Seen
	who      callee.Caller     // proven, if it names an agent
	link     agent.Link        // said
	token    *credential.Facts // read, not verified; nil if there is none
}

type sightingKey struct{}

// Saw says, in a handler behind a [Recorder], what the service saw of the
// request: it takes the place of what Config.Describe said. It is for what only
// the handler knows, such as the quantity in a body. It must not be called
// after the answer has begun.
//
// What the log could not hold, such as an id with characters that are not seen,
// gives a [*record.Error], and what was said before stays. So call it before
// anything is done, and on an error do nothing and answer 400 Bad Request:
// otherwise the log has less than the caller got.
func Saw(ctx context.Context, seen Seen) error {
	s, ok := ctx.Value(sightingKey{}).(*sighting)
	if !ok {
		return nil
	}
	was := s.seen
	s.seen = seen
	if err := s.recorder.check(s); err != nil {
		s.seen = was
		return err
	}
	return nil
}

// look begins a sighting. The context is for the handler. The error is a
// *record.Error.
func (r *Recorder) look(ctx context.Context, h http.Header) (context.Context, *sighting, error) {
	s := &sighting{recorder: r, token: bearer(h)}
	s.who, _ = callee.From(ctx)
	link, ok := agent.LinkFrom(ctx)
	if !ok {
		var err error
		if link, err = agent.Extract(h); err != nil {
			return nil, nil, &record.Error{Reason: callee.ReasonLink, Field: agent.Header,
				Detail: "is not a link: " + err.Error(), Next: "send a link of the SDK, or none"}
		}
		if !link.IsZero() {
			ctx = agent.WithLink(ctx, link)
		}
	}
	s.link = link
	return context.WithValue(ctx, sightingKey{}, s), s, nil
}

// message makes the counter-record, but for what it says of the token.
func (r *Recorder) message(s *sighting, decision onusv1.TargetDecision, status onusv1.OutcomeStatus) *onusv1.Record {
	if s.seen.Status != 0 {
		status = s.seen.Status
	}
	c := &onusv1.CounterRecord{
		Element: s.seen.Element.Proto(), ExternalRequestId: s.seen.RequestID,
		Decision: decision, Status: status, Caller: s.link.Agent,
	}
	if s.who.Agent != "" {
		c.Caller, c.CallerInstance, c.CallerKey = s.who.Agent, s.who.Instance, s.who.KeyID
		if !s.who.Grant.IsZero() {
			c.Grant = s.who.Grant.String()
		}
	}
	m := &onusv1.Record{
		Author:      &onusv1.Author{Service: r.cfg.ID},
		ClaimedTime: timestamppb.New(time.Now()),
		Body:        &onusv1.Record_Counter{Counter: c},
	}
	if s.link.Origin == r.cfg.Ledger.Origin() {
		m.Parent, m.ParentAgent = s.link.Record.String(), s.link.Agent
	}
	return m
}

// record delivers the counter-record and gives the queue's place back when that
// is done, however long it takes. It returns when the record is logged, when it
// is lost, or when the answer must not wait any longer.
func (r *Recorder) record(s *sighting, decision onusv1.TargetDecision, status onusv1.OutcomeStatus) {
	m, token := r.message(s, decision, status), s.token
	done := make(chan struct{})
	go func() {
		defer r.finish()
		defer close(done)
		if err := r.deliver(m, token); err != nil {
			r.lost.Add(1)
			r.cfg.Failed(fmt.Errorf("counter-record of request %.80q: %w", m.GetCounter().GetExternalRequestId(), err))
		}
	}()
	if r.cfg.Patience < 0 {
		return
	}
	late := time.NewTimer(r.cfg.Patience)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		r.cfg.Logger.Warn("answer goes out before its counter-record is logged", "waiting", len(r.slots), "queue", cap(r.slots))
	}
}

// deliver logs the record, whatever time it takes.
func (r *Recorder) deliver(m *onusv1.Record, token *credential.Facts) error {
	if token != nil {
		facts, err := r.tokenFacts(token)
		if err != nil {
			return err
		}
		m.GetCounter().Token = facts
	}
	err := r.log(m)
	if no := (*agent.RefusedError)(nil); errors.As(err, &no) && no.Problem.GetField() == recipient {
		// A pseudonym that the ledger did not mint. The caller may have made it
		// up, and what it did is recorded all the same.
		r.cfg.Logger.Error("counter-record without its recipient", "err", err)
		m.GetCounter().Element.Recipient = ""
		return r.log(m)
	}
	return err
}

const recipient = "counter.element.recipient"

// log signs and submits the record.
func (r *Recorder) log(m *onusv1.Record) error {
	signed, err := r.cfg.Ledger.Sign(r.signer, proto.CloneOf(m), "")
	if err != nil {
		return err
	}
	return r.persist(func() error {
		receipt, err := r.cfg.Ledger.Log(r.life, signed)
		if receipt != nil && err != nil { // it is logged, and flagged
			r.cfg.Logger.Error("this service goes on recording, but is revoked", "err", err)
			return nil
		}
		return err
	})
}

// persist tries again until the ledger answers: what is to be recorded has
// happened, whatever the client's Config.OnOutage says.
func (r *Recorder) persist(try func() error) error {
	for {
		err := try()
		if !errors.As(err, new(*agent.OutageError)) || r.life.Err() != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.life.Done():
			return err
		}
	}
}

// bearer reads the user's token that a request brings, if it is one that can be
// read; nil if not.
func bearer(h http.Header) *credential.Facts {
	scheme, token, ok := strings.Cut(h.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	f, err := credential.ReadFacts(strings.TrimSpace(token))
	if err != nil {
		return nil // opaque, as access tokens may be
	}
	return f
}

// tokenFacts is what a counter-record says of a token. The token is read and not
// verified here: the service has done that, or has refused it. A user for whom
// the ledger makes no pseudonym is left out: that is no reason to say nothing of
// the request.
func (r *Recorder) tokenFacts(f *credential.Facts) (*onusv1.TokenFacts, error) {
	facts := tokenIDs(f)
	err := r.persist(func() (err error) {
		facts.Sub, err = r.cfg.Ledger.User(r.life, verifier.UserName(f))
		return err
	})
	if errors.As(err, new(*agent.RefusedError)) {
		r.cfg.Logger.Error("counter-record without the token's user: there is no pseudonym", "err", err)
		return facts, nil
	}
	return facts, err
}

// tokenIDs is what needs no pseudonym.
func tokenIDs(f *credential.Facts) *onusv1.TokenFacts {
	facts := &onusv1.TokenFacts{}
	if c := f.Client(); c != "" {
		facts.Azp = plain(c)
	}
	for _, a := range f.Actors {
		facts.Act = append(facts.Act, plain(a.Subject))
	}
	return facts
}

// plain puts a digest in place of an id that a record may not be able to hold.
// Clients' ids are printable ASCII (RFC 6749, appendix A.1), and so are URIs.
func plain(id string) string {
	odd := func(c rune) bool { return c < 0x20 || c > 0x7e }
	if id == "" || len(id) > 256 || strings.ContainsFunc(id, odd) || strings.TrimSpace(id) != id {
		return credential.TokenDigest(id)
	}
	return id
}
