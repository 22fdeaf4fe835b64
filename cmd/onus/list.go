package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/report"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"
)

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
						report.KindOf(lr.GetRecord()), author(lr.GetRecord()), describe(lr.GetRecord(), nil, 60), lr.GetId())
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
