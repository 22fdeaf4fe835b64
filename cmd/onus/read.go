package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func newGet() *cobra.Command {
	var r remote
	var asJSON, contents bool
	cmd := &cobra.Command{
		Use:   "get ID|INDEX",
		Short: "Show one record",
		Args:  needOne("a record: an id, or an index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			req := &onusv1.GetRecordRequest{Contents: contents, Key: &onusv1.GetRecordRequest_Id{Id: args[0]}}
			if index, ok := asIndex(args[0]); ok {
				req.Key = &onusv1.GetRecordRequest_Index{Index: index}
			}
			resp, err := client.GetRecord(cmd.Context(), req)
			if err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), resp.GetRecord())
			}
			return printRecord(cmd.OutOrStdout(), resp.GetRecord())
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&contents, "contents", true, "show stored contents")
	return cmd
}

// asIndex tells an index from an id.
func asIndex(s string) (int64, bool) {
	i, err := strconv.ParseInt(s, 10, 64)
	return i, err == nil && i >= 0 && len(s) < 20
}

func printRecord(out io.Writer, lr *onusv1.LoggedRecord) error {
	e, err := entry.Parse(lr.GetEntry())
	if err != nil {
		return fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
	}
	rec, err := record.Parse(e.Envelope)
	if err != nil {
		return fmt.Errorf("entry %d as the server sent it: %w", lr.GetIndex(), err)
	}
	m := rec.Msg
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	row("index", strconv.FormatInt(lr.GetIndex(), 10))
	row("id", rec.ID.String())
	row("logged", time.UnixMilli(e.Stamp.LogTime).UTC().Format("2006-01-02 15:04:05.000 UTC"))
	row("claimed", m.GetClaimedTime().AsTime().Format("2006-01-02 15:04:05.000 UTC"))
	row("author", author(m))
	row("agent", m.GetAuthor().GetAgent())
	row("operator", m.GetAuthor().GetOperator())
	row("key", fmt.Sprintf("%s, bound by entry %d", m.GetAuthor().GetKeyId(), e.Stamp.KeyEntry))
	if m.GetCapture() != onusv1.Capture_CAPTURE_SELF {
		row("recorded by", chain.CaptureWord(m.GetCapture())+", not by the agent itself: who did it and when is asserted")
	}
	row("is", kind(m))
	details(m, openTexts(lr.GetContents()), row)
	if m.GetAuthor().GetAgent() != "" {
		row("sequence", strconv.FormatInt(m.GetSequence(), 10))
	}
	row("previous", m.GetPrevious())
	row("parent", m.GetParent())
	row("parent agent", m.GetParentAgent())
	row("asks", m.GetAsks())
	for _, c := range m.GetCauses() {
		row("cause", c)
	}
	row("user", m.GetUser())
	row("session", m.GetSession())
	row("grant", m.GetGrant())
	for _, s := range m.GetSubjects() {
		row("subject", s)
	}
	row("registry", fmt.Sprintf("%d entries before this one, root %s", e.Stamp.RegistryCount, e.Stamp.RegistryRoot))
	row("checked", "nothing here: onus-verify log URL checks every entry")
	return w.Flush()
}

// details says each part of a record in a row of its own.
func details(m *onusv1.Record, t textOf, row func(name, value string)) {
	const limit = 4000
	d := m.GetStages()
	if d == nil {
		row("says", describe(m, t, limit))
		row("request id", quoteIf(m.GetOutcome().GetExternalRequestId()))
		row("target said", targetWord(m.GetOutcome().GetTargetDecision()))
		return
	}
	elements := func(name string, es []*onusv1.ScopeElement) {
		for _, e := range es {
			row(name, describeElement(e))
		}
	}
	row("asked", t.show(d.GetIntent().GetText(), limit))
	elements("asked for", d.GetIntent().GetRequested())
	row("understood", t.show(d.GetInterpretation().GetText(), limit))
	row("model", quoteIf(strings.TrimSpace(d.GetInterpretation().GetModel()+" "+d.GetInterpretation().GetModelVersion())))
	row("decided", t.show(d.GetDecision().GetText(), limit))
	elements("chose", d.GetDecision().GetChosen())
	row("because", t.show(d.GetDecision().GetRationale(), limit))
	for _, a := range d.GetDecision().GetAlternatives() {
		row("instead of", t.show(a, limit))
	}
	row("confidence", d.GetDecision().GetConfidence())
	a := d.GetAction()
	if a == nil {
		return
	}
	row("did", describeElement(a.GetElement()))
	row("arguments", t.show(a.GetArguments(), limit))
	row("result", t.show(a.GetResult(), limit))
	row("target said", targetWord(a.GetTargetDecision()))
	row("request id", quoteIf(a.GetExternalRequestId()))
	row("approval", a.GetApproval())
	row("token's sub", a.GetToken().GetSub())
	for _, actor := range a.GetToken().GetAct() {
		row("token's actor", quoteIf(actor))
	}
}

func targetWord(d onusv1.TargetDecision) string {
	switch d {
	case onusv1.TargetDecision_TARGET_DECISION_ALLOWED:
		return "allowed"
	case onusv1.TargetDecision_TARGET_DECISION_DENIED:
		return "denied"
	}
	return ""
}

func quoteIf(s string) string {
	if s == "" {
		return ""
	}
	return quote(s, 256)
}

func newList() *cobra.Command {
	var (
		r             remote
		q             onusv1.ListRecordsRequest
		since, before string
		asJSON        bool
		count         int
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List records that match every filter given",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			if q.Since, err = parseTime("--since", since); err != nil {
				return err
			}
			if q.Before, err = parseTime("--before", before); err != nil {
				return err
			}
			if count < 1 {
				return usageError{errors.New("--count is at least 1")}
			}
			if err := checkFilters(&q); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			shown := 0
			for left := count; ; {
				q.PageSize = int32(min(left, 1000))
				page, err := client.ListRecords(cmd.Context(), &q)
				if err != nil {
					return err
				}
				for _, lr := range page.GetRecords() {
					if asJSON {
						if err := printMessage(out, lr); err != nil {
							return err
						}
						continue
					}
					fmt.Fprintf(w, "#%d\t%s\t%s\t%s\t%s\t%s\n", lr.GetIndex(), lr.GetLogTime().AsTime().Format(time.RFC3339),
						kind(lr.GetRecord()), author(lr.GetRecord()), describe(lr.GetRecord(), nil, 60), lr.GetId())
				}
				left -= len(page.GetRecords())
				shown += len(page.GetRecords())
				if q.PageToken = page.GetNextPageToken(); q.PageToken == "" || left <= 0 {
					break
				}
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if shown == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "onus: no record matches")
			}
			if q.PageToken != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "onus: there are more than %d: --count shows more\n", count)
			}
			return nil
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&q.Agent, "agent", "", "agent class: a SPIFFE ID")
	f.StringVar(&q.Instance, "instance", "", "instance")
	f.StringVar(&q.Operator, "operator", "", "operator")
	f.StringVar(&q.User, "user", "", "user's pseudonym")
	f.StringVar(&q.Session, "session", "", "session's pseudonym")
	f.StringVar(&q.Subject, "subject", "", "subject's pseudonym")
	f.StringVar(&q.Operation, "operation", "", "type:action of the action, such as k8s.pod:get")
	f.StringVar(&q.Resource, "resource", "", "location of the action, or location#identifier")
	f.StringVar(&since, "since", "", "log time from, RFC 3339")
	f.StringVar(&before, "before", "", "log time before, RFC 3339")
	f.BoolVar(&q.NewestFirst, "newest-first", false, "newest first")
	f.IntVar(&count, "count", 100, "at most this many")
	f.BoolVar(&asJSON, "json", false, "print JSON, one object after the other")
	return cmd
}

// checkFilters refuses what no record can have: an empty list must not read as
// "nothing was done".
func checkFilters(q *onusv1.ListRecordsRequest) error {
	for _, p := range []struct{ flag, value, prefix string }{
		{"--user", q.User, record.UserPrefix}, {"--session", q.Session, record.SessionPrefix},
	} {
		if p.value != "" && !record.IsPseudonym(p.value, p.prefix) {
			return usageError{fmt.Errorf("%s %q is no pseudonym: records have %s… for it, as onus get shows", p.flag, p.value, p.prefix)}
		}
	}
	if q.Subject != "" && !record.IsPseudonym(q.Subject, record.SubjectPrefix, record.UserPrefix) {
		return usageError{fmt.Errorf("--subject %q is no pseudonym: records have s-… for it, as onus get shows", q.Subject)}
	}
	if why := record.CheckSPIFFE(q.Agent); q.Agent != "" && why != "" {
		return usageError{fmt.Errorf("--agent %q is not a SPIFFE ID: it %s; onus agent list shows them", q.Agent, why)}
	}
	if q.Operation != "" && !strings.Contains(q.Operation, ":") {
		return usageError{fmt.Errorf("--operation %q is not type:action, such as k8s.pods:get", q.Operation)}
	}
	return nil
}

func parseTime(flag, s string) (*timestamppb.Timestamp, error) {
	if s == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s %q is not a time such as 2026-01-31T12:00:00Z", flag, s)}
	}
	return timestamppb.New(t), nil
}

func newReceipt() *cobra.Command {
	var r remote
	var out string
	cmd := &cobra.Command{
		Use:   "receipt ID|INDEX",
		Short: "Write a record with its proof, for onus-verify receipt",
		Args:  needOne("a record: an id, or an index"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			req := &onusv1.GetReceiptRequest{Key: &onusv1.GetReceiptRequest_Id{Id: args[0]}}
			if index, ok := asIndex(args[0]); ok {
				req.Key = &onusv1.GetReceiptRequest_Index{Index: index}
			}
			resp, err := client.GetReceipt(cmd.Context(), req)
			if err != nil {
				return err
			}
			if out == "" {
				return printMessage(cmd.OutOrStdout(), resp.GetProven())
			}
			return writeProven(out, resp.GetProven())
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write; default: standard output")
	return cmd
}

func writeProven(path string, p *onusv1.ProvenRecord) error {
	b, err := protojson.MarshalOptions{Multiline: true}.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
