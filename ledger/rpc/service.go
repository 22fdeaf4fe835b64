// Package rpc serves a ledger: Connect, gRPC, gRPC-Web and plain JSON on one
// port. It turns messages into calls of package ledger and back. It decides
// one thing, who may call and read what: the table in access.go, and view.
package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// MaxBatch is how many records one SubmitBatch may hold.
const MaxBatch = 256

// service implements onusv1connect.LedgerServiceHandler.
type service struct {
	ledger *ledger.Ledger
	log    *slog.Logger
	guard  *guard
	// stopping ends streams when the server shuts down.
	stopping context.Context
	times    streamTimes
	// bundling has a place for each evidence file in the making.
	bundling chan struct{}
}

func (s *service) Submit(ctx context.Context, req *onusv1.SubmitRequest) (*onusv1.SubmitResponse, error) {
	sub, err := submission(req)
	if err != nil {
		return nil, s.fail(err)
	}
	w, err := s.waits(ctx, req.GetWait(), req.GetWaitTimeout())
	if err != nil {
		return nil, s.fail(err)
	}
	logged, err := s.ledger.Submit(ctx, sub)
	if err != nil {
		return nil, s.fail(err)
	}
	resp := submitted(logged)
	if resp.Receipt, resp.WitnessMissing, err = w.receipt(ctx, resp.Receipt); err != nil {
		return nil, s.fail(err)
	}
	return resp, nil
}

// submitted turns the answer to a submission into a message.
func submitted(l *ledger.Logged) *onusv1.SubmitResponse {
	resp := &onusv1.SubmitResponse{Receipt: l.Receipt, Duplicate: l.Duplicate, Token: l.Token}
	for _, r := range l.Revoked {
		resp.Revoked = append(resp.Revoked, &onusv1.RevocationNotice{Index: r.Index, Target: r.Target()})
	}
	return resp
}

func (s *service) SubmitBatch(ctx context.Context, req *onusv1.SubmitBatchRequest) (*onusv1.SubmitBatchResponse, error) {
	n := len(req.GetItems())
	if n == 0 || n > MaxBatch {
		return nil, s.fail(&record.Error{Reason: record.ReasonInvalid, Field: "items",
			Detail: fmt.Sprintf("has %d records", n), Next: fmt.Sprintf("send 1 to %d", MaxBatch)})
	}
	w, err := s.waits(ctx, req.GetWait(), req.GetWaitTimeout())
	if err != nil {
		return nil, s.fail(err)
	}
	results := s.submitAll(ctx, req.GetItems(), turn{}, "is set in an item of a batch", "set it for the whole batch")
	// All wait until the same moment.
	for _, r := range results {
		if l := r.GetLogged(); l != nil {
			if l.Receipt, l.WitnessMissing, err = w.receipt(ctx, l.Receipt); err != nil {
				return nil, s.fail(err)
			}
		}
	}
	return &onusv1.SubmitBatchResponse{Results: results}, nil
}

// turn says where in the order a part of a stream is: see [ledger.Ledger.SubmitInTurn].
type turn struct{ before, after chan struct{} }

// submitAll logs the records of a batch or of a part of a stream. They cannot
// wait for witnesses one by one: what is said to who asks for that is given.
func (s *service) submitAll(ctx context.Context, items []*onusv1.SubmitRequest, t turn, waits, instead string) []*onusv1.SubmitResult {
	results := make([]*onusv1.SubmitResult, len(items))
	subs := make([]ledger.Submission, 0, len(items))
	at := make([]int, 0, len(items))
	for i, item := range items {
		sub, err := submission(item)
		if err == nil && (item.GetWait() != onusv1.Wait_WAIT_UNSPECIFIED || item.GetWaitTimeout() != nil) {
			err = &record.Error{Reason: record.ReasonInvalid, Field: "wait", Detail: waits, Next: instead}
		}
		if err != nil {
			results[i] = s.itemError(err)
			continue
		}
		subs, at = append(subs, sub), append(at, i)
	}
	for j, res := range s.ledger.SubmitInTurn(ctx, subs, t.before, t.after) {
		if res.Err != nil {
			results[at[j]] = s.itemError(res.Err)
			continue
		}
		results[at[j]] = &onusv1.SubmitResult{Result: &onusv1.SubmitResult_Logged{Logged: submitted(res.Logged)}}
	}
	return results
}

func submission(req *onusv1.SubmitRequest) (ledger.Submission, error) {
	env, err := record.EnvelopeFromProto(req.GetEnvelope())
	if err != nil {
		return ledger.Submission{}, err
	}
	return ledger.Submission{Envelope: env, KeyID: req.GetEnvelope().GetSignatures()[0].GetKeyid(),
		Contents: req.GetContents(), UserToken: req.GetUserToken()}, nil
}

func (s *service) Mint(ctx context.Context, req *onusv1.MintRequest) (*onusv1.MintResponse, error) {
	kinds := map[onusv1.NameKind]ledger.NameKind{
		onusv1.NameKind_NAME_KIND_USER:    ledger.NameUser,
		onusv1.NameKind_NAME_KIND_SUBJECT: ledger.NameSubject,
		onusv1.NameKind_NAME_KIND_SESSION: ledger.NameSession,
	}
	kind, ok := kinds[req.GetKind()]
	if !ok {
		return nil, s.fail(&record.Error{Reason: record.ReasonInvalid, Field: "kind", Detail: "is missing or unknown", Next: "say what the names are of"})
	}
	if n := len(req.GetNames()); n == 0 || n > 256 {
		return nil, s.fail(&record.Error{Reason: record.ReasonInvalid, Field: "names", Detail: fmt.Sprintf("has %d names", n), Next: "send 1 to 256"})
	}
	for i, name := range req.GetNames() {
		if kind == ledger.NameUser && strings.HasPrefix(name, ledger.OfficerMark) && callerOf(ctx).Scoped() {
			return nil, s.fail(&record.Error{Reason: record.ReasonInvalid, Field: fmt.Sprintf("names[%d]", i),
				Detail: fmt.Sprintf("begins with %q, which marks officers who review", ledger.OfficerMark), Next: "use the user's name as it is"})
		}
	}
	ps, err := s.ledger.Mint(kind, req.GetNames())
	if err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.MintResponse{Pseudonyms: ps}, nil
}

func (s *service) GetRecord(ctx context.Context, req *onusv1.GetRecordRequest) (*onusv1.GetRecordResponse, error) {
	index, err := s.index(req.GetId(), req.GetIndex(), req.GetKey() != nil)
	if err != nil {
		return nil, s.fail(err)
	}
	e, err := s.ledger.Entry(index)
	if err != nil {
		return nil, s.fail(err)
	}
	if err := s.view(ctx).mayRead(e); err != nil {
		return nil, s.denied(ctx, onusv1connect.LedgerServiceGetRecordProcedure, err)
	}
	recorded := s.recordRead(ctx, "GetRecord", e.Record.ID.String())
	r, err := s.logged(ctx, e, req.GetContents())
	if err != nil {
		return nil, s.fail(err)
	}
	if err := s.judge([]*ledger.Entry{e}, []*onusv1.LoggedRecord{r}); err != nil {
		return nil, s.fail(err)
	}
	if err := recorded(); err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.GetRecordResponse{Record: r}, nil
}

// index resolves a key that is an id or an index.
func (s *service) index(id string, index int64, set bool) (int64, error) {
	if !set {
		return 0, &record.Error{Reason: record.ReasonInvalid, Field: "key", Detail: "is missing", Next: "set id or index"}
	}
	if id == "" {
		return index, nil
	}
	parsed, err := record.ParseID(id)
	if err != nil {
		return 0, &record.Error{Reason: record.ReasonInvalid, Field: "id", Detail: "is not a record id: " + err.Error(), Next: "use the id from a receipt"}
	}
	return s.ledger.Index(parsed)
}

// logged decodes an entry for the caller, with those contents that it may see.
func (s *service) logged(ctx context.Context, e *ledger.Entry, contents bool) (*onusv1.LoggedRecord, error) {
	r := &onusv1.LoggedRecord{
		Index:   e.Index,
		Id:      e.Record.ID.String(),
		Entry:   e.Raw,
		LogTime: timestamppb.New(time.UnixMilli(e.Stamp.LogTime)),
		Record:  e.Record.Msg,
	}
	var err error
	if contents && s.view(ctx).contents(e.Record.Msg.GetAuthor()) {
		r.Contents, err = s.ledger.Contents(e)
	}
	return r, err
}

func (s *service) ListRecords(ctx context.Context, req *onusv1.ListRecordsRequest) (*onusv1.ListRecordsResponse, error) {
	since, err := millis("since", req.GetSince())
	if err != nil {
		return nil, s.fail(err)
	}
	before, err := millis("before", req.GetBefore())
	if err != nil {
		return nil, s.fail(err)
	}
	q := ledger.Query{
		Agent: req.GetAgent(), Instance: req.GetInstance(), Operator: req.GetOperator(),
		User: req.GetUser(), Session: req.GetSession(), Subject: req.GetSubject(),
		Operation: req.GetOperation(), Resource: req.GetResource(),
		Since: since, Before: before, NewestFirst: req.GetNewestFirst(),
	}
	if err := s.view(ctx).query(&q); err != nil {
		return nil, s.denied(ctx, onusv1connect.LedgerServiceListRecordsProcedure, err)
	}
	recorded := s.recordRead(ctx, "ListRecords", "")
	page, err := s.ledger.List(q, int(req.GetPageSize()), req.GetPageToken())
	if err != nil {
		return nil, s.fail(err)
	}
	resp := &onusv1.ListRecordsResponse{NextPageToken: page.Next, Size: page.Size}
	for _, e := range page.Entries {
		r, err := s.logged(ctx, e, false)
		if err != nil {
			return nil, s.fail(err)
		}
		resp.Records = append(resp.Records, r)
	}
	if err := recorded(); err != nil {
		return nil, s.fail(err)
	}
	return resp, nil
}

// millis rounds up, so that "since t" never shows a record from before t.
func millis(field string, t *timestamppb.Timestamp) (int64, error) {
	if t == nil {
		return 0, nil
	}
	if t.CheckValid() != nil || t.GetSeconds() < 0 {
		return 0, &record.Error{Reason: record.ReasonInvalid, Field: field, Detail: "is not a time since 1970", Next: `write it as "2026-01-31T12:00:00Z"`}
	}
	return t.AsTime().Add(time.Millisecond - 1).UnixMilli(), nil
}

func (s *service) GetReceipt(ctx context.Context, req *onusv1.GetReceiptRequest) (*onusv1.GetReceiptResponse, error) {
	index, err := s.index(req.GetId(), req.GetIndex(), req.GetKey() != nil)
	if err != nil {
		return nil, s.fail(err)
	}
	e, err := s.ledger.Entry(index)
	if err != nil {
		return nil, s.fail(err)
	}
	if err := s.view(ctx).mayRead(e); err != nil {
		return nil, s.denied(ctx, onusv1connect.LedgerServiceGetReceiptProcedure, err)
	}
	w, err := s.waits(ctx, req.GetWait(), req.GetWaitTimeout())
	if err != nil {
		return nil, s.fail(err)
	}
	recorded := s.recordRead(ctx, "GetReceipt", e.Record.ID.String())
	p, err := s.ledger.Receipt(index)
	if err != nil {
		return nil, s.fail(err)
	}
	var missing []string
	if p.Receipt, missing, err = w.receipt(ctx, p.Receipt); err != nil {
		return nil, s.fail(err)
	}
	if req.GetUserToken() && s.view(ctx).contents(e.Record.Msg.GetAuthor()) {
		if p.UserToken, err = s.ledger.UserToken(e); err != nil {
			return nil, s.fail(err)
		}
	}
	if err := recorded(); err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.GetReceiptResponse{Proven: p, WitnessMissing: missing}, nil
}

func (s *service) GetInclusion(_ context.Context, req *onusv1.GetInclusionRequest) (*onusv1.GetInclusionResponse, error) {
	size, p, err := s.ledger.Inclusion(req.GetIndex(), req.GetSize())
	if err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.GetInclusionResponse{Index: req.GetIndex(), Size: size, Inclusion: tree.FormatProof(p)}, nil
}

func (s *service) GetConsistency(_ context.Context, req *onusv1.GetConsistencyRequest) (*onusv1.GetConsistencyResponse, error) {
	first, second, p, err := s.ledger.Consistency(req.GetFirst(), req.GetSecond())
	if err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.GetConsistencyResponse{First: first, Second: second, Proof: tree.FormatProof(p)}, nil
}

func (s *service) GetCheckpoint(context.Context, *onusv1.GetCheckpointRequest) (*onusv1.GetCheckpointResponse, error) {
	return &onusv1.GetCheckpointResponse{Checkpoint: string(s.ledger.CosignedCheckpoint())}, nil
}

func (s *service) GetChain(ctx context.Context, req *onusv1.GetChainRequest) (*onusv1.GetChainResponse, error) {
	id, err := record.ParseID(req.GetId())
	if err != nil {
		return nil, s.fail(&record.Error{Reason: record.ReasonInvalid, Field: "id", Detail: "is not a record id: " + err.Error(), Next: "use the id from a receipt"})
	}
	c, err := s.ledger.Chain(id, int(req.GetLimit()))
	if err != nil {
		return nil, s.fail(err)
	}
	v := s.view(ctx)
	operator, all, err := v.chain(c)
	if err != nil {
		return nil, s.denied(ctx, onusv1connect.LedgerServiceGetChainProcedure, err)
	}
	recorded := s.recordRead(ctx, "GetChain", req.GetId())
	resp := &onusv1.GetChainResponse{Cut: c.Cut, Size: c.Size, Policy: s.ledger.Registry().Genesis().GetPolicy()}
	for id, index := range c.Elsewhere {
		resp.Elsewhere = append(resp.Elsewhere, &onusv1.Elsewhere{Id: id.String(), Index: index})
	}
	slices.SortFunc(resp.Elsewhere, func(a, b *onusv1.Elsewhere) int { return cmp.Compare(a.GetIndex(), b.GetIndex()) })
	for _, e := range c.Entries {
		if !all && !v.isFor(operator, e.Record.Msg) {
			resp.Records = append(resp.Records, redacted(e))
			continue
		}
		r, err := s.logged(ctx, e, req.GetContents())
		if err != nil {
			return nil, s.fail(err)
		}
		resp.Records = append(resp.Records, r)
	}
	// Judged over the full entries; of what is redacted, nothing is said.
	if err := s.judge(c.Entries, resp.Records); err != nil {
		return nil, s.fail(err)
	}
	if req.GetJudge() && !c.Cut {
		if resp.Judgement, err = s.judgement(c, resp.Records); err != nil {
			return nil, s.fail(err)
		}
	}
	if err := recorded(); err != nil {
		return nil, s.fail(err)
	}
	return resp, nil
}

func (s *service) Follow(ctx context.Context, req *onusv1.FollowRequest, stream *connect.ServerStream[onusv1.FollowResponse]) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(ledger.ErrStopped) })()
	if err := s.recordRead(ctx, "Follow", "")(); err != nil {
		return s.fail(err)
	}
	err := s.ledger.Follow(ctx, req.GetFrom(), req.GetUntil(), func(first int64, entries [][]byte) error {
		return stream.Send(&onusv1.FollowResponse{First: first, Entries: entries})
	})
	if errors.Is(context.Cause(ctx), ledger.ErrStopped) {
		err = ledger.ErrStopped
	}
	if err == nil {
		return nil
	}
	return s.fail(err)
}
