package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

func newRegister() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Register operators, services, user clients and reviewers, and list all parties",
		Long: `Register the parties that are no agents, each with the key that it signs with. An
administrator signs. Agents: onus agent register; issuers of tokens: onus issuer
add; a whole fleet in one file: onus apply.`,
	}
	cmd.AddCommand(newRegisterOperator(), newRegisterService(), newRegisterClient(), newRegisterReviewer(), newRegisterList())
	return cmd
}

// registerParty makes the command that registers one kind of party: what it
// is, and its key.
func registerParty(cmd *cobra.Command, flags func(cmd *cobra.Command), subject func(id string) (*onusv1.Registration, error), key func(id string) *onusv1.KeyBinding) *cobra.Command {
	var r remote
	var admin adminFlags
	var keyFile string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		reg, err := subject(args[0])
		if err != nil {
			return err
		}
		var pub *record.PublicKey
		if keyFile != "" {
			if pub, err = keyfile.LoadPublic(keyFile); err != nil {
				return err
			}
		}
		g, err := r.registrar(admin, cmd.OutOrStdout())
		if err != nil {
			return err
		}
		return g.ensure(cmd.Context(), reg, key(args[0]), pub)
	}
	r.writeFlags(cmd)
	admin.flags(cmd)
	flags(cmd)
	cmd.Flags().StringVar(&keyFile, "key", "", "its public key; none registers the party alone")
	return cmd
}

// ensure registers a party that is not registered like that yet, and its key,
// which may be nil.
func (g *registrar) ensure(ctx context.Context, reg *onusv1.Registration, key *onusv1.KeyBinding, pub *record.PublicKey) error {
	name := subjectName(reg)
	var have *onusv1.Registered
	if err := eachRegistration(ctx, g.client, func(r *onusv1.Registered) bool {
		if r.GetRegistration() != nil && subjectName(r.GetRegistration()) == name {
			have = r
		}
		return have == nil
	}); err != nil {
		return err
	}
	if proto.Equal(have.GetRegistration(), reg) {
		fmt.Fprintf(g.out, "%s is registered\n", name)
	} else if err := g.register(ctx, name, reg); err != nil {
		return err
	}
	if pub == nil {
		return nil
	}
	for _, k := range have.GetKeys() {
		if k.GetKeyId() == pub.ID() {
			fmt.Fprintf(g.out, "key %s is registered\n", pub.ID())
			return nil
		}
	}
	key.PublicKey = pub.SPKI()
	return g.bind(ctx, key, pub)
}

func newRegisterOperator() *cobra.Command {
	o := &onusv1.Operator{}
	return registerParty(&cobra.Command{
		Use:   "operator ID --organisation NAME --unit NAME --post POST",
		Short: "Register a unit that answers for agents, and its key",
		Long: `Register an operator: the smallest unit that answers for its agents. With a key of
its own it gives its agents grants (onus grant issue), and revokes what is its own.`,
		Args: needOne("the operator's id, such as it/platform"),
	}, func(cmd *cobra.Command) {
		f := cmd.Flags()
		f.StringVar(&o.Organisation, "organisation", "", "its organisation")
		f.StringVar(&o.Unit, "unit", "", "its unit")
		f.StringVar(&o.AccountablePost, "post", "", "the post that answers, such as \"Head of Platform\"")
		f.StringVar(&o.Contact, "contact", "", "how to reach it")
	}, func(id string) (*onusv1.Registration, error) {
		o.Id = id
		return &onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: o}}, nil
	}, func(id string) *onusv1.KeyBinding { return &onusv1.KeyBinding{Operator: id} })
}

func newRegisterService() *cobra.Command {
	s := &onusv1.Service{}
	var workloads []string
	return registerParty(&cobra.Command{
		Use:   "service SPIFFE-ID --operator ID",
		Short: "Register a target of agents' actions, which records what it saw",
		Args:  needOne("the service: a SPIFFE ID"),
	}, func(cmd *cobra.Command) {
		f := cmd.Flags()
		f.StringVar(&s.Operator, "operator", "", "id of the unit that answers for it")
		f.StringVar(&s.DisplayName, "name", "", "its display name")
		f.StringSliceVar(&s.Locations, "location", nil, "what it serves, as a prefix of locations; may be repeated")
		f.BoolVar(&s.Records, "records", false, "it records each request: a missing counter-record says something")
		f.StringSliceVar(&workloads, "workload", nil, "a workload that may enrol keys for it, as ISSUER=SUBJECT; may be repeated")
	}, func(id string) (*onusv1.Registration, error) {
		s.Id = id
		err := parsePairs("--workload", workloads, func(issuer, name string) {
			s.Workloads = append(s.Workloads, &onusv1.Workload{Issuer: issuer, Subject: name})
		})
		return &onusv1.Registration{Subject: &onusv1.Registration_Service{Service: s}}, err
	}, func(id string) *onusv1.KeyBinding { return &onusv1.KeyBinding{Service: id} })
}

func newRegisterClient() *cobra.Command {
	c := &onusv1.UserClient{}
	var oauth string
	return registerParty(&cobra.Command{
		Use:   "client ID --operator ID --oauth-client ISSUER=CLIENT",
		Short: "Register an application in which users work, such as a chat window",
		Long: `Register a user client: an application in which users work. It signs what they
ask for, with a token of theirs that was issued to it (onus intent), and so binds
them to it; no agent can.`,
		Args: needOne("the client's id in this log, such as chat"),
	}, func(cmd *cobra.Command) {
		f := cmd.Flags()
		f.StringVar(&c.Operator, "operator", "", "id of the unit that answers for it")
		f.StringVar(&c.DisplayName, "name", "", "its display name")
		f.StringVar(&oauth, "oauth-client", "", "the OAuth client that it is, as ISSUER=CLIENT")
	}, func(id string) (*onusv1.Registration, error) {
		c.Id = id
		if oauth == "" {
			return nil, usageError{errors.New("say which OAuth client it is: --oauth-client ISSUER=CLIENT")}
		}
		err := parsePairs("--oauth-client", []string{oauth}, func(issuer, name string) {
			c.OauthClient = &onusv1.OAuthClient{Issuer: issuer, Id: name}
		})
		return &onusv1.Registration{Subject: &onusv1.Registration_Client{Client: c}}, err
	}, func(id string) *onusv1.KeyBinding { return &onusv1.KeyBinding{Client: id} })
}

func newRegisterReviewer() *cobra.Command {
	v := &onusv1.Reviewer{}
	return registerParty(&cobra.Command{
		Use:   "reviewer NAME --operator ID --post POST",
		Short: "Register a person who may answer proposals, and the person's key",
		Args:  needOne("the reviewer's name in this log, such as anna"),
	}, func(cmd *cobra.Command) {
		f := cmd.Flags()
		f.StringVar(&v.Operator, "operator", "", "id of the unit that the person belongs to")
		f.StringVar(&v.Post, "post", "", "the person's post")
	}, func(id string) (*onusv1.Registration, error) {
		v.Name = id
		return &onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: v}}, nil
	}, func(id string) *onusv1.KeyBinding { return &onusv1.KeyBinding{Reviewer: id} })
}

// subjectName names what a registration is about: one name for one party.
func subjectName(r *onusv1.Registration) string {
	switch s := r.GetSubject().(type) {
	case *onusv1.Registration_Operator:
		return "operator " + s.Operator.GetId()
	case *onusv1.Registration_Agent:
		return "agent " + s.Agent.GetId()
	case *onusv1.Registration_Service:
		return "service " + s.Service.GetId()
	case *onusv1.Registration_Client:
		return "client " + s.Client.GetId()
	case *onusv1.Registration_Reviewer:
		return "reviewer " + s.Reviewer.GetName()
	case *onusv1.Registration_Issuer:
		return "issuer " + s.Issuer.GetUrl()
	case *onusv1.Registration_Key:
		return "key of " + authorName(partyOf(s.Key))
	}
	return "something of a newer version"
}

func newRegisterList() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all that is registered, and the trust bundles in force",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			all := &onusv1.ListRegistrationsResponse{}
			if err := eachRegistration(cmd.Context(), client, func(r *onusv1.Registered) bool {
				all.Registrations = append(all.Registrations, r)
				return true
			}); err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), all)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ENTRY\tPARTY\tIS\tKEYS")
			for _, r := range all.Registrations {
				if b := r.GetTrustBundle(); b != nil {
					fmt.Fprintf(w, "%d\ttrust domain %s\tbundle, SHA-256 %x…\t\n", r.GetIndex(), b.GetDomain(), first8(b.GetBundle()))
					continue
				}
				revoked := ""
				if r.Revoked != nil {
					revoked = fmt.Sprintf(", REVOKED by entry %d", r.GetRevoked())
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%d%s\n", r.GetIndex(), subjectName(r.GetRegistration()), describeSubject(r.GetRegistration(), 60), len(r.GetKeys()), revoked)
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
