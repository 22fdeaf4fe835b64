package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/onus-ledger/onus/cmd/internal/where"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/spf13/cobra"
)

func newBundle() *cobra.Command {
	var (
		r     remote
		req   = onusv1.GetBundleRequest{Contents: true}
		out   string
		alone bool
	)
	cmd := &cobra.Command{
		Use:   "bundle ID|INDEX… -o FILE",
		Short: "Write the evidence for chains, for onus-verify bundle",
		Long: `Write one file with all that is needed to judge the chains of some records
without this server: their entries with proofs, what they rest on, the registry.
It is for onus-verify bundle, with the log's key; the file never brings its own.

Name the records, or let --where choose them: fields of onus list with their
values, joined by commas, such as

  --where operation=hardware-order:create,since=2026-01-31T00:00:00Z

The ids that match stand in the file, and so does the expression, as your word:
that no others match, only a walk over the whole log shows. With --registry the
file holds the log's registry alone, for files that only refer to it
(--registry-reference) and so stay small.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch named := len(args) > 0 || req.Where != ""; {
			case out == "":
				return usageError{errors.New("name the file to write: -o FILE")}
			case alone && named:
				return usageError{errors.New("--registry stands alone: leave the records out")}
			case !alone && !named:
				return usageError{errors.New("name records by id or index, or choose them: --where EXPR")}
			}
			client, err := r.client()
			if err != nil {
				return err
			}
			if req.Ids, err = bundleIDs(cmd.Context(), client, args, req.Where); err != nil {
				return err
			}
			return writeBundle(cmd.Context(), client, &req, out, cmd.ErrOrStderr())
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "file to write")
	f.StringVar(&req.Where, "where", "", "choose records: field=value, joined by commas")
	f.BoolVar(&req.Contents, "contents", true, "with the contents that you may see")
	f.BoolVar(&req.UserTokens, "user-tokens", false, "with users' tokens that you may see, once they have expired: whoever holds their issuers' keys can then check them")
	f.BoolVar(&req.RegistryReference, "registry-reference", false, "name the registry instead of holding it, for a reader who has it")
	f.BoolVar(&alone, "registry", false, "write the log's registry alone")
	return cmd
}

// bundleIDs returns the ids of the records that are named, and of those that
// the expression chooses.
func bundleIDs(ctx context.Context, client onusv1connect.LedgerServiceClient, args []string, expr string) ([]string, error) {
	var ids []string
	for _, a := range args {
		if index, ok := asIndex(a); ok {
			got, err := client.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{Index: index}})
			if err != nil {
				return nil, err
			}
			a = got.GetRecord().GetId()
		}
		ids = append(ids, a)
	}
	if expr != "" {
		q, err := parseWhere(expr)
		if err != nil {
			return nil, err
		}
		chosen := 0
		for {
			page, err := client.ListRecords(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, lr := range page.GetRecords() {
				ids = append(ids, lr.GetId())
				chosen++
			}
			if len(ids) > evidence.MaxAsked {
				return nil, fmt.Errorf("--where chooses more than the %d records that one file takes: narrow it, by since and before", evidence.MaxAsked)
			}
			if q.PageToken = page.GetNextPageToken(); q.PageToken == "" {
				break
			}
		}
		if chosen == 0 {
			return nil, errors.New("no record matches --where, so that there is nothing to write")
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// parseWhere reads an expression: the filters of onus list.
func parseWhere(expr string) (*onusv1.ListRecordsRequest, error) {
	e, err := where.Parse(expr)
	if err != nil {
		return nil, usageError{fmt.Errorf("--where: %w", err)}
	}
	e.PageSize = 1000
	return e.ListRecordsRequest, checkFilters(e.ListRecordsRequest)
}

// writeBundle writes the file that the server makes. It stands under its name
// only once it is whole.
func writeBundle(ctx context.Context, client onusv1connect.LedgerServiceClient, req *onusv1.GetBundleRequest, path string, say io.Writer) (err error) {
	stream, err := client.GetBundle(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	tmp, err := os.CreateTemp(filepath.Dir(path), ".onus-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	size := 0
	for stream.Receive() {
		n, err := tmp.Write(stream.Msg().GetData())
		if err != nil {
			return err
		}
		size += n
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return err
	}
	b, err := evidence.Read(tmp, evidence.Limits{})
	if err != nil {
		return fmt.Errorf("what the server sent is not to be relied on: %w", err)
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	fmt.Fprintf(say, "onus: %s: %s of the log, %d bytes; judge it: onus-verify bundle %s --log-key KEY\n", path, countOf(len(b.Leaves), "entry", "entries"), size, path)
	return nil
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
