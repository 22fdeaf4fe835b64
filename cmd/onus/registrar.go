package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

// adminFlags are the flags of commands that an administrator signs.
type adminFlags struct{ name, key string }

func (a *adminFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.name, "admin", "root", "the administrator's name")
	cmd.Flags().StringVar(&a.key, "admin-key", "", "the administrator's private key")
}

// registrar signs registrations as an administrator.
type registrar struct {
	*signatory
	out io.Writer
}

// registrar returns who registers, with the administrator's key loaded.
func (r *remote) registrar(a adminFlags, out io.Writer) (*registrar, error) {
	if a.key == "" {
		return nil, usageError{errors.New("an administrator signs registrations: --admin-key FILE")}
	}
	signer, err := keyfile.LoadRecordSigner(a.key)
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
	return &registrar{&signatory{client: client, key: key, signer: signer, author: &onusv1.Author{Administrator: a.name}}, out}, nil
}

// agent registers what is not registered as given: operator, agent class and
// key.
func (g *registrar) agent(ctx context.Context, op *onusv1.Operator, class *onusv1.AgentClass, pub *record.PublicKey, instance string) error {
	have, err := findAgent(ctx, g.client, class.GetId())
	if err != nil {
		return err
	}
	knownOp, err := g.knowsOperator(ctx, op, have)
	if err != nil {
		return err
	}
	if have != nil && have.GetAgent().GetOperator() != class.GetOperator() {
		return fmt.Errorf("agent %s is of operator %s for good: register another id for operator %s", class.GetId(), have.GetAgent().GetOperator(), class.GetOperator())
	}
	if !knownOp {
		if op.GetOrganisation() == "" || op.GetUnit() == "" || op.GetAccountablePost() == "" {
			return usageError{fmt.Errorf("operator %s is not registered: say who answers: --organisation, --unit, --post", op.GetId())}
		}
		if err := g.register(ctx, "operator "+op.GetId(), &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: op}}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(g.out, "operator %s is registered\n", op.GetId())
	}
	if have == nil || !proto.Equal(have.GetAgent(), class) {
		if have != nil {
			fmt.Fprintf(g.out, "the description of agent %s changes\n", class.GetId())
		}
		if err := g.register(ctx, "agent "+class.GetId(), &onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: class}}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(g.out, "agent %s is registered\n", class.GetId())
	}
	if pub == nil {
		return nil
	}
	for _, k := range have.GetKeys() {
		if k.GetKeyId() == pub.ID() && k.GetInstance() == instance {
			fmt.Fprintf(g.out, "key %s is registered\n", pub.ID())
			return nil
		}
	}
	return g.bind(ctx, &onusv1.KeyBinding{PublicKey: pub.SPKI(), Agent: class.GetId(), Instance: instance, Operator: class.GetOperator()}, pub)
}

// knowsOperator reports whether the operator is registered as given, or is
// registered and nothing new is said of it.
func (g *registrar) knowsOperator(ctx context.Context, op *onusv1.Operator, have *onusv1.RegisteredAgent) (bool, error) {
	bare := op.GetOrganisation() == "" && op.GetUnit() == "" && op.GetAccountablePost() == "" && op.GetContact() == ""
	if have.GetOperator().GetId() == op.GetId() && op.GetId() != "" {
		return bare || proto.Equal(have.GetOperator(), op), nil
	}
	known := false
	err := eachRegistration(ctx, g.client, func(r *onusv1.Registered) bool {
		if o := r.GetRegistration().GetOperator(); o != nil && o.GetId() == op.GetId() {
			known = bare || proto.Equal(o, op)
			return false
		}
		return true
	})
	return known, err
}

// register logs a registration and says so.
func (g *registrar) register(ctx context.Context, what string, reg *onusv1.Registration) error {
	p, err := g.sign(ctx, &onusv1.Record{Body: &onusv1.Record_Registration{Registration: reg}}, nil)
	if err != nil {
		return fmt.Errorf("register %s: %w", what, err)
	}
	fmt.Fprintf(g.out, "registered %s: entry %d, proven\n", what, p.Index)
	return nil
}

// bind registers a key.
func (g *registrar) bind(ctx context.Context, k *onusv1.KeyBinding, pub *record.PublicKey) error {
	return g.register(ctx, "key "+pub.ID(), &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}})
}

// findAgent returns a registered agent, or nil.
func findAgent(ctx context.Context, client onusv1connect.LedgerServiceClient, id string) (*onusv1.RegisteredAgent, error) {
	var found *onusv1.RegisteredAgent
	err := eachAgent(ctx, client, func(a *onusv1.RegisteredAgent) bool {
		if a.GetAgent().GetId() == id {
			found = a
		}
		return found == nil
	})
	return found, err
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

// eachRegistration calls f with every registration in force, and with every
// trust bundle, until it returns false.
func eachRegistration(ctx context.Context, client onusv1connect.LedgerServiceClient, f func(*onusv1.Registered) bool) error {
	token := ""
	for {
		page, err := client.ListRegistrations(ctx, &onusv1.ListRegistrationsRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return err
		}
		for _, r := range page.GetRegistrations() {
			if !f(r) {
				return nil
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			return nil
		}
	}
}
