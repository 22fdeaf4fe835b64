package main

import (
	"context"
	"errors"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// revocationFlags say why, since when, and who revokes.
type revocationFlags struct {
	admin         adminFlags
	key, instance string
	since, reason string
}

// flags adds the flags. The instance is that of the signer; where it names the
// target instead, pass false.
func (v *revocationFlags) flags(cmd *cobra.Command, signerInstance bool) {
	v.admin.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&v.key, "key", "", "the private key of who revokes, in place of an administrator's")
	if signerInstance {
		f.StringVar(&v.instance, "instance", "", "the instance that signs, when --key is an agent's and good for every instance")
	}
	f.StringVar(&v.since, "since", "", "since when it is suspected, RFC 3339")
	f.StringVar(&v.reason, "reason", "", "why; committed to, and stored beside the log")
}

// signer returns who revokes: an administrator, or the party of a key.
func (v *revocationFlags) signer(ctx context.Context, r *remote) (*signatory, error) {
	switch {
	case v.key != "":
		return r.signatory(ctx, v.key, v.instance)
	case v.admin.key == "":
		return nil, usageError{errors.New("say who revokes: an administrator with --admin-key FILE, or another party that may, with --key FILE")}
	}
	g, err := r.registrar(v.admin, nil)
	if err != nil {
		return nil, err
	}
	return g.signatory, nil
}

// run logs the revocation.
func (v *revocationFlags) run(cmd *cobra.Command, r *remote, what string, rev *onusv1.Revocation, userToken string) error {
	var err error
	if rev.SuspectedSince, err = parseTime("--since", v.since); err != nil {
		return err
	}
	p, err := v.signer(cmd.Context(), r)
	if err != nil {
		return err
	}
	m := &onusv1.Record{Body: &onusv1.Record_Revocation{Revocation: rev}}
	var contents []*onusv1.Content
	rev.Reason, contents = newText(v.reason)
	var proven *verifier.Proven
	if userToken != "" {
		u, err := p.userWord(cmd, userToken)
		if err != nil {
			return err
		}
		u.fill(m)
		proven, err = p.signWith(cmd.Context(), m, contents, u.token)
		if err != nil {
			return fmt.Errorf("revoke %s: %w", what, err)
		}
	} else if proven, err = p.sign(cmd.Context(), m, contents); err != nil {
		return fmt.Errorf("revoke %s: %w", what, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "revoked %s: entry %d, proven; it counts from entry %d on\n", what, proven.Index, proven.Index+1)
	return nil
}

// newText commits to a text; an empty one is left out.
func newText(s string) (*onusv1.Text, []*onusv1.Content) {
	if s == "" {
		return nil, nil
	}
	text, c := record.NewText([]byte(s))
	return text, []*onusv1.Content{c}
}

func newAgentRevoke() *cobra.Command {
	var (
		r                       remote
		v                       revocationFlags
		keyID, target, operator string
	)
	cmd := &cobra.Command{
		Use:   "revoke [SPIFFE-ID]",
		Short: "Revoke an agent, one of its instances or keys, or an operator",
		Long: `Revoke an agent class; with --instance one process of it; or, without a SPIFFE
ID, a key (--key-id) or a whole operator (--operator). An administrator signs,
or the operator for what is its own, or a key for itself (--key).

From its own entry on, whatever stands on the target is flagged; what was
logged before stays valid, but is suspect from --since on. Records of a revoked
agent are still logged, unless the log's policy has them rejected. Nothing
un-revokes: register a new key, or a new agent. Grants: onus grant revoke; a
user's session: onus session revoke.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rev := &onusv1.Revocation{}
			what, err := revocationTarget(rev, args, target, keyID, operator)
			if err != nil {
				return err
			}
			return v.run(cmd, &r, what, rev, "")
		},
	}
	r.writeFlags(cmd)
	v.flags(cmd, false)
	f := cmd.Flags()
	f.StringVar(&target, "instance", "", "the one instance of the agent to revoke")
	f.StringVar(&keyID, "key-id", "", "the key to revoke, by its id, as onus agent show has it")
	f.StringVar(&operator, "operator", "", "the operator to revoke, with all its agents and keys")
	return cmd
}

// revocationTarget sets what is revoked, and names it.
func revocationTarget(rev *onusv1.Revocation, args []string, instance, key, operator string) (string, error) {
	switch {
	case len(args) == 1 && key == "" && operator == "" && instance != "":
		rev.Target = &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: args[0], Instance: instance}}
		return "instance " + instance + " of " + args[0], nil
	case len(args) == 1 && key == "" && operator == "":
		rev.Target = &onusv1.Revocation_Agent{Agent: args[0]}
		return "agent " + args[0], nil
	case len(args) == 0 && key != "" && operator == "" && instance == "":
		rev.Target = &onusv1.Revocation_Key{Key: key}
		return "key " + key, nil
	case len(args) == 0 && operator != "" && key == "" && instance == "":
		rev.Target = &onusv1.Revocation_Operator{Operator: operator}
		return "operator " + operator, nil
	}
	return "", usageError{errors.New("name one thing to revoke: SPIFFE-ID, SPIFFE-ID --instance NAME, --key-id ID, or --operator ID")}
}

func newSession() *cobra.Command {
	cmd := &cobra.Command{Use: "session", Short: "End users' sessions"}
	cmd.AddCommand(newSessionRevoke())
	return cmd
}

func newSessionRevoke() *cobra.Command {
	var r remote
	var v revocationFlags
	var userToken string
	cmd := &cobra.Command{
		Use:   "revoke SESSION",
		Short: "Revoke a user's session: what was asked in it, and grants bound to it",
		Long: `Revoke a session, by its pseudonym, as onus get shows it. It ends what the
user's intents of that session allowed, and the grants that were to end with
it. Its user signs, with a device's key or through a user client (--key, and
--user-token for a client), or an administrator.`,
		Args: needOne("a session's pseudonym: x-…, as onus get shows it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !record.IsPseudonym(args[0], record.SessionPrefix) {
				return usageError{fmt.Errorf("%q is no session's pseudonym: records have %s… for it, as onus get shows", args[0], record.SessionPrefix)}
			}
			rev := &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: args[0]}}
			return v.run(cmd, &r, "session "+args[0], rev, userToken)
		},
	}
	r.writeFlags(cmd)
	v.flags(cmd, true)
	cmd.Flags().StringVar(&userToken, "user-token", "", userTokenUsage)
	return cmd
}

// parseEnd reads when something ends: a time, or how long from now.
func parseEnd(flag, s string) (*timestamppb.Timestamp, error) {
	if s == "" {
		return nil, nil
	}
	if d, ok := parseSpan(s); ok {
		return timestamppb.New(now().Add(d)), nil
	}
	t, err := parseTime(flag, s)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s %q is neither a time such as 2026-01-31T12:00:00Z nor a span such as 30d or 15m", flag, s)}
	}
	return t, nil
}
