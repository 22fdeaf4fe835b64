package main

import (
	"context"
	"fmt"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

func newAgent() *cobra.Command {
	cmd := &cobra.Command{Use: "agent", Short: "Register, admit, rotate and revoke agents, and see who is registered"}
	cmd.AddCommand(newAgentRegister(), newAgentPending(), newAgentAdmit(), newRotate(), newAgentRevoke(), newAgentList(), newAgentShow())
	return cmd
}

func newAgentRegister() *cobra.Command {
	var (
		r             remote
		admin         adminFlags
		a             agentFlags
		key, instance string
	)
	cmd := &cobra.Command{
		Use:   "register --id SPIFFE-ID --operator ID --key FILE.pub",
		Short: "Register an operator, an agent and its key",
		Long: `Register what is not registered yet: the operator (the unit that answers for
the agent), the agent class, and the key that its records are signed with. An
administrator signs. What is not said of a registered agent stays as it is, and
repeating the command changes nothing.

A key is good for every instance (process) of the agent, unless --instance
binds it to one. Where processes have workload tokens or SVIDs they enrol keys
of their own: onus enrol. A whole fleet: onus apply.`,
		Example: `  onus agent register --admin-key my-ledger/admin.key --log-key my-ledger/log.vkey \
    --operator it/platform --organisation Example --unit Platform --post "Head of Platform" \
    --id spiffe://example.com/k8s-agent --name "Kubernetes helper" --key k8s.key.pub`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, err := r.registrar(admin, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			var pub *record.PublicKey
			if key != "" {
				if pub, err = keyfile.LoadPublic(key); err != nil {
					return err
				}
			}
			class, err := a.class(cmd, g)
			if err != nil {
				return err
			}
			return g.agent(cmd.Context(), &a.op, class, pub, instance)
		},
	}
	r.writeFlags(cmd)
	admin.flags(cmd)
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "the agent's public key; none registers the agent alone")
	f.StringVar(&instance, "instance", "", "the one instance that may use the key")
	return cmd
}

// agentFlags describe an agent class and the operator that answers for it.
type agentFlags struct {
	op                         onusv1.Operator
	id, name, purpose, model   string
	owner, risk, at            string
	observed                   bool
	catalogue, ceiling         []string
	oauthClients, workloadsFor []string
}

func (a *agentFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.id, "id", "", "the agent class: a SPIFFE ID")
	f.StringVar(&a.name, "name", "", "its display name; default: the last part of the id")
	f.StringVar(&a.purpose, "purpose", "", "what it is for, in one sentence")
	f.StringVar(&a.model, "model", "", "the model that it runs on")
	f.StringVar(&a.owner, "owner", "", "the post that owns it")
	f.StringVar(&a.risk, "risk", "", "the owner's word for its risk, such as high")
	f.BoolVar(&a.observed, "observed", false, "it is not under grants yet: what it does without a grant is no violation")
	f.StringVar(&a.op.Id, "operator", "", "id of the unit that answers for it")
	f.StringVar(&a.op.Organisation, "organisation", "", "the operator's organisation; needed when the operator is new")
	f.StringVar(&a.op.Unit, "unit", "", "the operator's unit; needed when the operator is new")
	f.StringVar(&a.op.AccountablePost, "post", "", "the post that answers, such as \"Head of Platform\"; needed when the operator is new")
	f.StringVar(&a.op.Contact, "contact", "", "how to reach it")
	f.StringSliceVar(&a.catalogue, "operation", nil, "an operation that it is there for, as type:action@location; may be repeated")
	f.StringVar(&a.at, "location", "", "where those operations are that name no location")
	f.StringArrayVar(&a.ceiling, "ceiling", nil, "the most that any grant can give it, "+scopeUsage+"; may be repeated")
	f.StringSliceVar(&a.oauthClients, "oauth-client", nil, "an OAuth client that it is, as ISSUER=CLIENT; may be repeated")
	f.StringSliceVar(&a.workloadsFor, "workload", nil, "a workload that may enrol keys for it, as ISSUER=SUBJECT; may be repeated")
}

// class returns the class as the flags say. What they do not say stays as it
// is registered.
func (a *agentFlags) class(cmd *cobra.Command, g *registrar) (*onusv1.AgentClass, error) {
	catalogue, err := parseElements("--operation", a.catalogue)
	if err != nil {
		return nil, err
	}
	for _, e := range catalogue {
		if e.Location == "" {
			e.Location = a.at
		}
	}
	ceiling, err := parseGrantElements("--ceiling", a.ceiling)
	if err != nil {
		return nil, err
	}
	var clients []*onusv1.OAuthClient
	if err := parsePairs("--oauth-client", a.oauthClients, func(issuer, name string) {
		clients = append(clients, &onusv1.OAuthClient{Issuer: issuer, Id: name})
	}); err != nil {
		return nil, err
	}
	var workloads []*onusv1.Workload
	if err := parsePairs("--workload", a.workloadsFor, func(issuer, name string) {
		workloads = append(workloads, &onusv1.Workload{Issuer: issuer, Subject: name})
	}); err != nil {
		return nil, err
	}
	class, err := registeredClass(cmd.Context(), g, a.id)
	if err != nil {
		return nil, err
	}
	class.Operator = a.op.GetId()
	set := func(flag string, field *string, value string) {
		if cmd.Flags().Changed(flag) {
			*field = value
		}
	}
	set("name", &class.DisplayName, a.name)
	set("purpose", &class.Purpose, a.purpose)
	set("model", &class.Model, a.model)
	set("owner", &class.Owner, a.owner)
	set("risk", &class.RiskClass, a.risk)
	if cmd.Flags().Changed("observed") {
		class.Observed = a.observed
	}
	if len(catalogue) > 0 {
		class.Catalogue = catalogue
	}
	if len(ceiling) > 0 {
		class.Ceiling = ceiling
	}
	if len(clients) > 0 {
		class.OauthClients = clients
	}
	if len(workloads) > 0 {
		class.Workloads = workloads
	}
	return class, nil
}

// registeredClass returns the class as it is registered, or a new one.
func registeredClass(ctx context.Context, g *registrar, id string) (*onusv1.AgentClass, error) {
	have, err := findAgent(ctx, g.client, id)
	if err != nil {
		return nil, fmt.Errorf("look up agent %s: %w", id, err)
	}
	if have != nil {
		return proto.CloneOf(have.GetAgent()), nil
	}
	return &onusv1.AgentClass{Id: id, DisplayName: lastSegment(id)}, nil
}
