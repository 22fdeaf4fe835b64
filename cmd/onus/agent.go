package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

func newAgent() *cobra.Command {
	cmd := &cobra.Command{Use: "agent", Short: "Register and revoke agents, and see who is registered"}
	cmd.AddCommand(newAgentRegister(), newAgentRevoke(), newAgentList(), newAgentShow())
	return cmd
}

func newAgentRegister() *cobra.Command {
	var (
		r                          remote
		adminKey, admin            string
		id, name, purpose, model   string
		op, organisation           string
		unit, post, contact        string
		key, instance, catalogueAt string
		catalogue                  []string
	)
	cmd := &cobra.Command{
		Use:   "register --id SPIFFE-ID --operator ID --key FILE.pub",
		Short: "Register an operator, an agent and its key",
		Long: `Register what is not registered yet: the operator (the unit that answers for
the agent), the agent class, and the key that its records are signed with. An
administrator signs. What is not said of a registered agent stays as it is, and
repeating the command changes nothing.

A key is good for every instance (process) of the agent, unless --instance
binds it to one.`,
		Example: `  onus agent register --admin-key my-ledger/admin.key --log-key my-ledger/log.vkey \
    --operator it/platform --organisation Example --unit Platform --post "Head of Platform" \
    --id spiffe://example.com/k8s-agent --name "Kubernetes helper" --key k8s.key.pub`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := newEnrolment(&r, admin, adminKey)
			if err != nil {
				return err
			}
			elements, err := parseCatalogue(catalogue, catalogueAt)
			if err != nil {
				return err
			}
			var pub *record.PublicKey
			if key != "" {
				if pub, err = keyfile.LoadPublic(key); err != nil {
					return err
				}
			}
			// What is not said stays as it is registered.
			class := &onusv1.AgentClass{Id: id, Operator: op, DisplayName: lastSegment(id)}
			have, err := e.find(cmd.Context(), id)
			if err != nil {
				return err
			}
			if have != nil {
				class = proto.CloneOf(have.GetAgent())
				class.Operator = op
			}
			set := func(flag string, field *string, value string) {
				if cmd.Flags().Changed(flag) {
					*field = value
				}
			}
			set("name", &class.DisplayName, name)
			set("purpose", &class.Purpose, purpose)
			set("model", &class.Model, model)
			if len(elements) > 0 {
				class.Catalogue = elements
			}
			e.out = cmd.OutOrStdout()
			return e.enrol(cmd.Context(),
				&onusv1.Operator{Id: op, Organisation: organisation, Unit: unit, AccountablePost: post, Contact: contact},
				class, pub, instance)
		},
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&admin, "admin", "root", "the administrator's name")
	f.StringVar(&adminKey, "admin-key", "", "the administrator's private key")
	f.StringVar(&id, "id", "", "the agent class: a SPIFFE ID")
	f.StringVar(&name, "name", "", "its display name; default: the last part of the id")
	f.StringVar(&purpose, "purpose", "", "what it is for, in one sentence")
	f.StringVar(&model, "model", "", "the model that it runs on")
	f.StringVar(&op, "operator", "", "id of the unit that answers for it")
	f.StringVar(&organisation, "organisation", "", "the operator's organisation; needed when the operator is new")
	f.StringVar(&unit, "unit", "", "the operator's unit; needed when the operator is new")
	f.StringVar(&post, "post", "", "the post that answers, such as \"Head of Platform\"; needed when the operator is new")
	f.StringVar(&contact, "contact", "", "how to reach it")
	f.StringVar(&key, "key", "", "the agent's public key; none registers the agent alone")
	f.StringVar(&instance, "instance", "", "the one instance that may use the key")
	f.StringSliceVar(&catalogue, "operation", nil, "an operation that it is there for, as type:action; may be repeated")
	f.StringVar(&catalogueAt, "location", "", "where those operations are")
	return cmd
}

// parseCatalogue turns type:action pairs into scope elements.
func parseCatalogue(ops []string, location string) ([]*onusv1.ScopeElement, error) {
	var es []*onusv1.ScopeElement
	for _, o := range ops {
		t, a, ok := cutLast(o, ":")
		if !ok {
			return nil, usageError{fmt.Errorf("--operation %q is not type:action, such as k8s.pod:get", o)}
		}
		es = append(es, &onusv1.ScopeElement{Type: t, Action: a, Location: location})
	}
	return es, nil
}

// enrolment signs registrations as an administrator.
type enrolment struct {
	client onusv1connect.LedgerServiceClient
	key    tree.LogKey
	admin  string
	signer record.Signer
	out    io.Writer
}

func newEnrolment(r *remote, admin, adminKey string) (*enrolment, error) {
	if adminKey == "" {
		return nil, usageError{errors.New("an administrator signs registrations: --admin-key FILE")}
	}
	signer, err := keyfile.LoadRecordSigner(adminKey)
	if err != nil {
		return nil, err
	}
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	client, err := r.client()
	if err != nil {
		return nil, err
	}
	return &enrolment{client: client, key: key, admin: admin, signer: signer, out: io.Discard}, nil
}

// enrol registers what is not registered as given.
func (e *enrolment) enrol(ctx context.Context, op *onusv1.Operator, class *onusv1.AgentClass, pub *record.PublicKey, instance string) error {
	have, err := e.find(ctx, class.GetId())
	if err != nil {
		return err
	}
	knownOp, err := e.knowsOperator(ctx, op, have)
	if err != nil {
		return err
	}
	if have != nil && have.GetAgent().GetOperator() != class.GetOperator() {
		return fmt.Errorf("agent %s is of operator %s for good: register another id for operator %s", class.GetId(), have.GetAgent().GetOperator(), class.GetOperator())
	}
	if !knownOp {
		if op.GetOrganisation() == "" || op.GetUnit() == "" || op.GetAccountablePost() == "" {
			return usageError{fmt.Errorf("operator %s has no agent yet: say who answers: --organisation, --unit, --post", op.GetId())}
		}
		if err := e.submit(ctx, "operator "+op.GetId(), &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: op}}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(e.out, "operator %s is registered\n", op.GetId())
	}
	if have == nil || !proto.Equal(have.GetAgent(), class) {
		if have != nil {
			fmt.Fprintf(e.out, "the description of agent %s changes\n", class.GetId())
		}
		if err := e.submit(ctx, "agent "+class.GetId(), &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: class}}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(e.out, "agent %s is registered\n", class.GetId())
	}
	if pub == nil {
		return nil
	}
	for _, k := range have.GetKeys() {
		if k.GetKeyId() == pub.ID() && k.GetInstance() == instance {
			fmt.Fprintf(e.out, "key %s is registered\n", pub.ID())
			return nil
		}
	}
	return e.submit(ctx, "key "+pub.ID(), &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: pub.SPKI(), Agent: class.GetId(), Instance: instance, Operator: class.GetOperator()}}})
}

// knowsOperator reports whether the operator is registered as given, or is
// registered and nothing new is said of it.
func (e *enrolment) knowsOperator(ctx context.Context, op *onusv1.Operator, have *onusv1.RegisteredAgent) (bool, error) {
	bare := op.GetOrganisation() == "" && op.GetUnit() == "" && op.GetAccountablePost() == "" && op.GetContact() == ""
	if have.GetOperator().GetId() == op.GetId() && op.GetId() != "" {
		return bare || proto.Equal(have.GetOperator(), op), nil
	}
	known := false
	err := e.each(ctx, func(a *onusv1.RegisteredAgent) bool {
		if a.GetOperator().GetId() == op.GetId() {
			known = bare || proto.Equal(a.GetOperator(), op)
			return false
		}
		return true
	})
	// An operator that has no agent yet does not show here. Registering it
	// again with the same words does no harm.
	return known, err
}

// find returns a registered agent, or nil.
func (e *enrolment) find(ctx context.Context, id string) (*onusv1.RegisteredAgent, error) {
	var found *onusv1.RegisteredAgent
	err := e.each(ctx, func(a *onusv1.RegisteredAgent) bool {
		if a.GetAgent().GetId() == id {
			found = a
		}
		return found == nil
	})
	return found, err
}

func (e *enrolment) each(ctx context.Context, f func(*onusv1.RegisteredAgent) bool) error {
	return eachAgent(ctx, e.client, f)
}

// eachAgent calls f with every registered agent until it returns false.
func eachAgent(ctx context.Context, client onusv1connect.LedgerServiceClient, f func(*onusv1.RegisteredAgent) bool) error {
	token := ""
	for {
		page, err := client.ListAgents(ctx, &onusv1.ListAgentsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return err
		}
		for _, a := range page.GetAgents() {
			if !f(a) {
				return nil
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			return nil
		}
	}
}

func (e *enrolment) submit(ctx context.Context, what string, reg *onusv1.Registration) error {
	index, err := e.sign(ctx, &onusv1.Record{Body: &onusv1.Record_Registration{Registration: reg}}, nil)
	if err != nil {
		return fmt.Errorf("register %s: %w", what, err)
	}
	fmt.Fprintf(e.out, "registered %s: entry %d, proven\n", what, index)
	return nil
}

// sign completes a record of the administrator's, logs it and returns where it
// stands, proven.
func (e *enrolment) sign(ctx context.Context, m *onusv1.Record, contents []*onusv1.Content) (int64, error) {
	m.Author = &onusv1.Author{Administrator: e.admin}
	complete(m, e.key.Origin())
	r, err := record.Sign(m, e.signer)
	if err != nil {
		return 0, err
	}
	resp, err := e.client.Submit(ctx, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto(), Contents: contents})
	if err != nil {
		return 0, err
	}
	p, err := openReceipt(resp.GetReceipt(), r, e.key, e.signer)
	if err != nil {
		return 0, err
	}
	return p.Index, nil
}

func newAgentList() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the registered agents",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			all := &onusv1.ListAgentsResponse{}
			if err := eachAgent(cmd.Context(), client, func(a *onusv1.RegisteredAgent) bool {
				all.Agents = append(all.Agents, a)
				return true
			}); err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), all)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "AGENT\tNAME\tOPERATOR\tANSWERS\tKEYS\tLAST RECORD")
			for _, a := range all.Agents {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s%s\n", a.GetAgent().GetId(), a.GetAgent().GetDisplayName(), a.GetOperator().GetId(),
					a.GetOperator().GetAccountablePost(), len(a.GetKeys()), lastRecord(a), revokedMark(a))
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newAgentShow() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show SPIFFE-ID",
		Short: "Show one agent, its operator and its keys",
		Args:  needOne("the agent: a SPIFFE ID from onus agent list"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			a, err := (&enrolment{client: client}).find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a == nil {
				return fmt.Errorf("no agent %s is registered: see onus agent list", args[0])
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), a)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			c, op := a.GetAgent(), a.GetOperator()
			fmt.Fprintf(w, "agent\t%s\t(entry %d)\n", c.GetId(), a.GetIndex())
			if a.Revoked != nil {
				fmt.Fprintf(w, "REVOKED\tby entry %d\n", a.GetRevoked())
			}
			for _, row := range [][2]string{{"name", c.GetDisplayName()}, {"purpose", c.GetPurpose()}, {"model", c.GetModel()}} {
				if row[1] != "" {
					fmt.Fprintf(w, "%s\t%s\n", row[0], quote(row[1], 256))
				}
			}
			fmt.Fprintf(w, "answers\t%s, %s, %s\t(%s)\n", quote(op.GetAccountablePost(), 256), quote(op.GetUnit(), 256), quote(op.GetOrganisation(), 256), op.GetId())
			if op.GetContact() != "" {
				fmt.Fprintf(w, "contact\t%s\n", quote(op.GetContact(), 256))
			}
			for _, e := range c.GetCatalogue() {
				fmt.Fprintf(w, "is there to\t%s\n", describeElement(e))
			}
			for _, k := range a.GetKeys() {
				who := "any instance"
				if k.GetInstance() != "" {
					who = "instance " + k.GetInstance()
				}
				if k.Revoked != nil {
					who += fmt.Sprintf(", REVOKED by entry %d", k.GetRevoked())
				}
				fmt.Fprintf(w, "key\t%s\t%s (entry %d)\n", k.GetKeyId(), who, k.GetIndex())
			}
			fmt.Fprintf(w, "last record\t%s\n", lastRecord(a))
			return w.Flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func lastRecord(a *onusv1.RegisteredAgent) string {
	if a.GetLastIndex() < 0 {
		return "none"
	}
	return fmt.Sprintf("entry %d, %s", a.GetLastIndex(), a.GetLastTime().AsTime().Format(time.RFC3339))
}

func revokedMark(a *onusv1.RegisteredAgent) string {
	if a.Revoked == nil {
		return ""
	}
	return fmt.Sprintf(", REVOKED by entry %d", a.GetRevoked())
}
