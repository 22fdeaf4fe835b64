package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/bearer"
	"github.com/onus-ledger/onus/cmd/internal/progress"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/tiles"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
)

func newFollow() *cobra.Command {
	var logKey, state, policy, token, ca, failOn, forkFile string
	var once, asJSON bool
	var every time.Duration
	var issuerKeys, bundles []string
	cmd := &cobra.Command{
		Use:   "follow URL --state FILE --log-key K",
		Short: "Follow a log: verify what is new, and remember what it signed",
		Long: `Ask the log at URL for its checkpoint, again and again. Each new one must extend
the last one seen; every new entry is hashed, verified and judged; what is found is
said as it arrives, a line each. FILE remembers the last checkpoint of which all this
was done, so that a log cannot take back what it once signed. Nothing else is kept:
when follow starts, it reads the log again from its first entry. Entries are read by
auditors: give --token. --once does it once, for a timer.

With --policy (c2sp.org/tlog-policy) only checkpoints that enough witnesses have
cosigned are accepted.

If the log signed two histories, the proof is written to a file that anybody can
check (onus-verify fork), and follow ends with code 3. That the log does not give
what it signed, that it does not fit, or that it shows fewer entries than before
proves nothing by itself: follow says so and asks again; with --once it ends with
code 4, and with 2 if the log cannot be reached.

With --once, or when it is interrupted, the code is 1 if something new at or above
--fail-on was found, and 4 if entries are broken; 5 if too few witnesses cosigned.

Memory: the entries, up to 1 GiB of them, so that chains can be judged; 32 bytes
for each entry besides, up to 4 million.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := requiredKey(logKey)
			if err != nil {
				return err
			}
			if state == "" {
				return errors.New("name the file that remembers the log: --state FILE")
			}
			if every < time.Second {
				return fmt.Errorf("--every %v: ask at most once a second", every)
			}
			f := &follower{key: key, state: state, forkFile: forkFile, once: once, every: every, retry: time.Second, out: &events{w: cmd.OutOrStdout(), asJSON: asJSON}, diary: os.Stderr}
			if f.floor, err = parseFailOn(failOn); err != nil {
				return err
			}
			if policy != "" {
				text, err := os.ReadFile(policy)
				if err != nil {
					return fmt.Errorf("--policy: %w", err)
				}
				if f.policy, err = tree.ParsePolicy(text); err != nil {
					return fmt.Errorf("--policy %s: %w", policy, err)
				}
			}
			roots, err := loadRoots(issuerKeys, bundles)
			if err != nil {
				return err
			}
			if f.server, err = newRemote(args[0], token, ca); err != nil {
				return err
			}
			if f.head, err = loadState(state, key); err != nil {
				return err
			}
			f.begin(roots)
			return f.run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&logKey, "log-key", "", "the log's verifier key, or a file that holds it (log.vkey)")
	fs.StringVar(&state, "state", "", "file that remembers the last checkpoint; made if it is not there")
	fs.StringVar(&policy, "policy", "", "file with the witnesses whose cosignatures are wanted (c2sp.org/tlog-policy)")
	fs.StringVar(&token, "token", "", bearer.Usage)
	fs.StringVar(&ca, "tls-ca", "", "PEM file with the authority that the server's certificate must come from; default: the system's")
	fs.StringArrayVar(&issuerKeys, "issuer-keys", nil, issuerKeysUsage)
	fs.StringArrayVar(&bundles, "trust-bundle", nil, trustBundleUsage)
	fs.BoolVar(&once, "once", false, "do it once, and end")
	fs.DurationVar(&every, "every", 10*time.Second, "how often the log is asked")
	fs.BoolVar(&asJSON, "json", false, "print JSON, a line for each event")
	fs.StringVar(&failOn, "fail-on", "high", failOnUsage)
	fs.StringVar(&forkFile, "fork", forkDefault, forkUsage)
	return cmd
}

// follower is an auditor's memory of one log.
type follower struct {
	server   *remote
	key      tree.LogKey
	policy   *tree.Policy // nil if none was given
	state    string
	forkFile string
	once     bool
	every    time.Duration
	// retry is the first pause after an error; each further one is twice as long.
	retry time.Duration
	floor int
	out   *events
	diary io.Writer // what went wrong on the way

	// head is what the state file has, and target the checkpoint that is being
	// read, which the log signed as well.
	head, target head
	audit        *verifier.Audit
	// leaves are those of the entries that the audit has, up to maxLeaves.
	leaves []tree.Hash
	found  found
	// restored: what the state file stands for was read again.
	restored bool
	// lastSaid keeps the same trouble from being told twice in a row.
	lastSaid string
}

const (
	// maxLeaves bounds the leaves that are remembered, to prove a fork to a smaller
	// size: 128 MiB.
	maxLeaves = 4 << 20
	// attempts is how often --once asks before it gives up.
	attempts = 3
	// longestWait is the longest pause after errors.
	longestWait = time.Minute
)

var errInterrupted = errors.New("NOT JUDGED: it was interrupted; the state is as it was")

// begin makes ready to read the log from its first entry.
func (f *follower) begin(roots *verifier.Roots) {
	f.audit = verifier.NewPinnedAudit(roots)
	f.audit.KeepChains()
	f.found = newFound()
	f.restored = f.head.Size == 0
}

// run follows until the context ends, or nothing more can be told.
func (f *follower) run(ctx context.Context) error {
	for failures := 0; ; {
		wait := f.every
		err := f.round(ctx)
		var fork *forkError
		switch {
		case err == nil:
			failures, f.lastSaid = 0, ""
			if f.once {
				return f.end()
			}
		case errors.As(err, &fork):
			return f.forked(fork.fork)
		case ctx.Err() != nil && f.once:
			return errInterrupted
		case ctx.Err() != nil:
			return f.end()
		default:
			failures++
			final := f.once && failures >= attempts
			if ended, e := f.trouble(err, final); ended {
				return e
			}
			wait = min(f.retry<<min(failures-1, 10), longestWait)
		}
		// Not all who follow a log ask at the same moment.
		pause := time.NewTimer(wait - wait/8 + rand.N(wait/4+1))
		select {
		case <-ctx.Done():
			pause.Stop()
			if f.once {
				return errInterrupted
			}
			return f.end()
		case <-pause.C:
		}
	}
}

// round asks for the checkpoint, and verifies what is new.
func (f *follower) round(ctx context.Context) error {
	now, err := f.checkpoint(ctx)
	if err != nil {
		return err
	}
	t := tiles.New(now.Checkpoint, f.server.fetch, nil)
	// A target that was begun and not finished was signed too.
	for _, seen := range []head{f.head, f.target} {
		err := extends(ctx, f.key, seen, now, t)
		var back *rollbackError
		if errors.As(err, &back) {
			return f.rolledBack(back)
		}
		if err != nil {
			return err
		}
	}
	if f.restored && f.head.signed != nil && now.Size == f.head.Size {
		f.target = head{}
		return f.save(now) // it may have more cosignatures by now
	}
	f.target = now
	if !f.restored {
		if err := f.read(ctx, t, f.head.Size); err != nil {
			return err
		}
		if err := f.restore(); err != nil {
			return err
		}
	}
	if err := f.read(ctx, t, now.Size); err != nil {
		return err
	}
	if err := f.audit.Matches(now.Checkpoint, f.key); err != nil {
		return &brokenError{err.Error()}
	}
	was := f.head.Size
	f.say(was)
	f.out.checkpoint(now, was, f.witnesses(now))
	// Whoever stops here hears the same findings again, and loses none.
	if err := f.save(now); err != nil {
		return err
	}
	f.target = head{}
	return nil
}

// checkpoint fetches the log's newest, signed and, if a policy is given, cosigned.
func (f *follower) checkpoint(ctx context.Context) (head, error) {
	signed, err := f.server.checkpoint(ctx)
	if err != nil {
		return head{}, err
	}
	now, err := openHead(signed, f.key)
	if err != nil {
		return head{}, &brokenError{err.Error()}
	}
	if f.policy != nil {
		_, cosigned, err := tree.OpenCosigned(signed, f.key, f.policy)
		if err != nil {
			return head{}, &brokenError{err.Error()}
		}
		if err := f.policy.Check(cosigned); err != nil {
			return head{}, &unwitnessedError{now.Size, err}
		}
	}
	return now, nil
}

func (f *follower) witnesses(h head) []string {
	var names []string
	if f.policy != nil {
		if _, cosigned, err := tree.OpenCosigned(h.signed, f.key, f.policy); err == nil {
			for _, c := range cosigned {
				names = append(names, c.Witness)
			}
		}
	}
	return names
}

// read adds the entries up to a size to the audit. Each is in the tree of t.
func (f *follower) read(ctx context.Context, t *tiles.Tree, size int64) error {
	bar := progress.New("entries")
	defer bar.Clear()
	for at := f.audit.Report().Entries; at < size; {
		n := at / tree.TileWidth
		entries, err := t.Entries(ctx, n)
		if err != nil {
			return err
		}
		leaves, err := t.Leaves(ctx, n)
		if err != nil {
			return err
		}
		from, to := at-n*tree.TileWidth, min(size-n*tree.TileWidth, int64(len(entries)))
		f.audit.Add(entries[from:to])
		if len(f.leaves) < maxLeaves {
			f.leaves = append(f.leaves, leaves[from:to]...)
		}
		at += to - from
		bar.Update(at, size)
	}
	return nil
}

// restore is called when all was read again that the state stands for.
func (f *follower) restore() error {
	if got := f.audit.Report().Root; got != f.head.Root {
		// The tree of these entries extends the state's: that was proven.
		panic("onus-verify: entries that were held to their leaves make another root")
	}
	f.found.heard(f.audit)
	f.restored = true
	return nil
}

func (f *follower) save(h head) error {
	if string(h.signed) == string(f.head.signed) {
		return nil
	}
	if err := writeAtomic(f.state, h.signed); err != nil {
		return &stateError{fmt.Errorf("--state: %w", err)}
	}
	f.head = h
	return nil
}

// say prints what is new in the entries from that index on.
func (f *follower) say(from int64) {
	f.found.look(f.audit, from, f.once, f.out)
}

// end is how following ends when nothing stopped it.
func (f *follower) end() error {
	code := 0
	switch {
	case f.audit.Report().FaultCount > 0:
		code = exitBroken
	case f.found.fails(f.floor):
		code = exitFindings
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}
