package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/cmd/internal/bearer"
	"github.com/onus-ledger/onus/cmd/internal/progress"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
)

func newLog() *cobra.Command {
	var logKey, token, ca string
	var issuerKeys, bundles []string
	var asJSON, judge bool
	var failOn, chosen string
	cmd := &cobra.Command{
		Use:   "log URL|DIR --log-key K",
		Short: "Walk a whole log and verify every entry",
		Long: `Read every entry from the server at URL, or from the folder DIR that onus-verify
mirror wrote, and verify it: the hash of its bytes as
served, its record's id and signature, that its key was bound to its author at
that index, its stamps, its time; and that all of them make the root that the
log's key signed. Who might sign, what was granted, revoked and used up is derived
again, as of each entry, and compared with what the ledger stamped.

Keys that workloads enrolled stand in the log with their credentials: an SVID or a
token. These are checked against the trust bundles and key sets in the log. That
those are the real ones is the host's word, unless you pin them: --issuer-keys,
--trust-bundle.

At the end every chain is judged: how many actions came out in which way, and the
worst chains. For this the entries are kept in memory, up to 1 GiB of them; with
--judge=false memory does not grow with the log, but for the ids of the first 4
million records and the registry. Uses all processors.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && strings.Contains(args[0], "://") {
				return nil
			}
			if len(args) == 1 {
				if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
					return nil
				}
			}
			return errors.New("name the ledger's URL, such as http://127.0.0.1:8787, or the folder of a mirror")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			key, anchored, err := optionalKey(logKey)
			if err != nil {
				return err
			}
			roots, err := loadRoots(issuerKeys, bundles)
			if err != nil {
				return err
			}
			v := &logVerifier{judge: judge, key: key, anchored: anchored, audit: verifier.NewPinnedAudit(roots), out: cmd.OutOrStdout(), asJSON: asJSON}
			if strings.Contains(args[0], "://") {
				v.client, err = newClient(args[0], token, ca)
			} else {
				v.mirror, err = openMirror(args[0])
			}
			if err != nil {
				return err
			}
			if v.floor, err = parseFailOn(failOn); err != nil {
				return err
			}
			if chosen != "" {
				if v.match, err = newMatching(chosen); err != nil {
					return err
				}
			}
			return v.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
	cmd.Flags().StringVar(&token, "token", "", bearer.Usage)
	cmd.Flags().StringVar(&ca, "tls-ca", "", "PEM file with the authority that the server's certificate must come from; default: the system's")
	cmd.Flags().StringArrayVar(&issuerKeys, "issuer-keys", nil, issuerKeysUsage)
	cmd.Flags().StringArrayVar(&bundles, "trust-bundle", nil, trustBundleUsage)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&judge, "judge", true, "judge every chain at the end")
	cmd.Flags().StringVar(&chosen, "where", "", "say which entries are all that match: field=value, joined by commas, as onus bundle --where")
	cmd.Flags().StringVar(&failOn, "fail-on", "high", failOnUsage)
	return cmd
}

func newClient(url, flag, ca string) (onusv1connect.LedgerServiceClient, error) {
	client, err := newHTTPClient(url, flag, ca)
	if err != nil {
		return nil, err
	}
	return onusv1connect.NewLedgerServiceClient(client, strings.TrimSuffix(url, "/"), connect.WithReadMaxBytes(16<<20)), nil
}

// logVerifier walks one log.
type logVerifier struct {
	client   onusv1connect.LedgerServiceClient
	mirror   *mirrored // instead of the client, for a log in a folder
	key      tree.LogKey
	anchored bool
	audit    *verifier.Audit
	out      io.Writer
	asJSON   bool
	judge    bool
	floor    int
	// match counts the entries that the reader asks about; nil if none.
	match *matching
	// judged is nil if nothing was; unjudged says why, where it was to be.
	judged   *verifier.LogJudgement
	unjudged string

	checkpoint tree.Checkpoint
	started    time.Time
}

// stall is how long a server may be silent within a stream.
const stall = time.Minute

func (v *logVerifier) run(ctx context.Context) error {
	v.started = time.Now()
	signed, err := v.signedCheckpoint(ctx)
	if err != nil {
		return err
	}
	if !v.anchored {
		if v.key, err = v.keyFromGenesis(ctx); err != nil {
			return err
		}
	}
	if v.checkpoint, err = v.key.Open(signed); err != nil {
		return v.report([]string{err.Error()})
	}
	if v.judge {
		v.audit.KeepChains()
	}
	if err := v.walk(ctx, func(entries [][]byte) {
		v.audit.Add(entries)
		v.match.add(entries)
	}); err != nil {
		if v.mirror != nil && withheld(err) {
			return v.report([]string{err.Error()})
		}
		return v.stopped(err)
	}
	if v.judge {
		if v.judged, err = v.audit.Judge(); err != nil {
			v.unjudged = err.Error()
		}
	}
	problems := []string{}
	if err := v.audit.Matches(v.checkpoint, v.key); err != nil {
		problems = append(problems, err.Error())
		if v.mirror != nil {
			return v.report(problems) // each entry was held to its leaf
		}
		where, err := v.locate(ctx)
		if err != nil {
			where = []string{"which entry differs could not be found out: " + err.Error()}
		}
		problems = append(problems, where...)
	}
	return v.report(problems)
}

// stopped ends a walk that the server, or the network, cut off. Faults that
// were seen count: a host cannot undo them by hanging up.
func (v *logVerifier) stopped(err error) error {
	rep := v.audit.Report()
	who := "the server"
	if v.mirror != nil {
		who = "the mirror"
	}
	what := fmt.Sprintf("%s stopped after %d of %d entries (%v)", who, rep.Entries, v.checkpoint.Size, plain(err))
	if rep.FaultCount > 0 {
		return v.report([]string{what})
	}
	return fmt.Errorf("NOT JUDGED: %s; no fault was seen in those: run it again", what)
}

// plain says an error of the connection without the words of the protocol.
func plain(err error) string {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return err.Error()
	}
	switch {
	case ce.Code() == connect.CodeUnavailable && strings.Contains(ce.Message(), "dial "):
		return "no ledger answers there: is onus serve running, and is the URL right?"
	case strings.Contains(ce.Message(), "protocol error"):
		return "the connection was lost"
	}
	return ce.Message()
}

// keyFromGenesis takes the key that the log names itself: enough to see
// whether it agrees with itself, never enough to trust it.
func (v *logVerifier) keyFromGenesis(ctx context.Context) (tree.LogKey, error) {
	var key tree.LogKey
	first := func(add func([][]byte)) error { return v.follow(ctx, 0, 1, add) }
	if v.mirror != nil {
		first = v.mirror.first
	}
	err := first(func(entries [][]byte) {
		if e, err := entry.Parse(entries[0]); err == nil {
			if r, err := record.Parse(e.Envelope); err == nil {
				key, _ = tree.ParseLogKey(r.Msg.GetGenesis().GetLogKey())
			}
		}
	})
	if err == nil && key.IsZero() {
		err = errors.New("entry 0 names no log key: give one with --log-key")
	}
	return key, err
}

// walk reads the entries that the checkpoint covers.
func (v *logVerifier) walk(ctx context.Context, add func([][]byte)) error {
	bar := progress.New("entries")
	defer bar.Clear()
	return v.follow(ctx, 0, v.checkpoint.Size, func(entries [][]byte) {
		add(entries)
		bar.Update(v.audit.Report().Entries, v.checkpoint.Size)
	})
}

// signedCheckpoint is what the log says of itself, unchecked.
func (v *logVerifier) signedCheckpoint(ctx context.Context) ([]byte, error) {
	if v.mirror != nil {
		return v.mirror.checkpoint()
	}
	resp, err := v.client.GetCheckpoint(ctx, &onusv1.GetCheckpointRequest{})
	if err != nil {
		return nil, errors.New(plain(err))
	}
	return []byte(resp.GetCheckpoint()), nil
}

// follow streams the entries from first up to end.
func (v *logVerifier) follow(ctx context.Context, first, end int64, add func([][]byte)) error {
	if first >= end {
		return nil
	}
	if v.mirror != nil {
		return v.mirror.follow(ctx, v.checkpoint, first, end, add)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(stall, func() { cancel(fmt.Errorf("the server sent nothing for %v", stall)) })
	defer watchdog.Stop()
	stream, err := v.client.Follow(ctx, &onusv1.FollowRequest{From: first, Until: end})
	if err != nil {
		return err
	}
	defer stream.Close()
	next := first
	for stream.Receive() {
		m := stream.Msg()
		if m.GetFirst() != next || next+int64(len(m.GetEntries())) > end {
			return fmt.Errorf("the server sent entries from %d, asked for %d to %d", m.GetFirst(), next, end)
		}
		next += int64(len(m.GetEntries()))
		watchdog.Stop()
		add(m.GetEntries())
		watchdog.Reset(stall)
	}
	if err := stream.Err(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	if next != end {
		return errors.New("it withholds entries that it signed")
	}
	return nil
}

// locate finds the entries that are not those the root commits to: first the
// neighbourhood, by consistency proofs between our prefixes and the signed
// root, then each entry there by its own inclusion proof.
func (v *logVerifier) locate(ctx context.Context) ([]string, error) {
	low, high, err := v.audit.Locate(func(size int64, root tree.Hash) (bool, error) {
		resp, err := v.client.GetConsistency(ctx, &onusv1.GetConsistencyRequest{First: size, Second: v.checkpoint.Size})
		if err != nil {
			return false, err
		}
		p, err := tree.ParseProof(resp.GetProof())
		return err == nil && tree.VerifyConsistency(size, v.checkpoint.Size, root, v.checkpoint.Root, p) == nil, nil
	})
	if err != nil {
		return nil, err
	}
	var found []string
	index := low
	err = v.follow(ctx, low, high, func(entries [][]byte) {
		for _, raw := range entries {
			if len(found) < 20 && err == nil {
				var ok bool
				if ok, err = v.included(ctx, index, raw); err == nil && !ok {
					found = append(found, fmt.Sprintf("entry %d: its bytes are not those that the log's root commits to", index))
				}
			}
			index++
		}
	})
	if len(found) == 0 && err == nil {
		found = []string{fmt.Sprintf("one of the entries %d to %d differs; the server gives no proof that tells which", low, high-1)}
	}
	return found, err
}

// included asks for the proof of an index and holds the bytes to it.
func (v *logVerifier) included(ctx context.Context, index int64, raw []byte) (bool, error) {
	resp, err := v.client.GetInclusion(ctx, &onusv1.GetInclusionRequest{Index: index, Size: v.checkpoint.Size})
	if err != nil {
		return false, err
	}
	p, err := tree.ParseProof(resp.GetInclusion())
	if err != nil {
		return false, nil
	}
	return tree.VerifyInclusion(index, v.checkpoint.Size, tree.LeafHash(raw), p, v.checkpoint.Root) == nil, nil
}
