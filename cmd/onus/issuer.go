package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func newIssuer() *cobra.Command {
	cmd := &cobra.Command{Use: "issuer", Short: "Say whose tokens the log takes"}
	cmd.AddCommand(newIssuerAdd(), newIssuerList())
	return cmd
}

func newIssuerAdd() *cobra.Command {
	var r remote
	var admin adminFlags
	issuer := &onusv1.Issuer{}
	var jwks string
	cmd := &cobra.Command{
		Use:   "add URL --users|--workloads",
		Short: "Register an issuer of tokens, and maybe its key set",
		Long: `Register an OpenID provider, or whoever else issues tokens, by the URL that
stands in its tokens as iss. An administrator signs. The ledger's host fetches
the key set by itself, when a token needs it, and logs it; --jwks FILE logs one
that you fetched. Where it is, OpenID Connect discovery says, or --jwks-uri.
Repeating the command changes nothing.`,
		Example: `  onus issuer add https://login.example.com --users --admin-key my-ledger/admin.key --log-key my-ledger/log.vkey
  kubectl get --raw /openid/v1/jwks > jwks.json
  onus issuer add https://kubernetes.default.svc --workloads --jwks jwks.json --admin-key … --log-key …`,
		Args: needOne("the issuer: the URL that its tokens have as iss"),
		RunE: func(cmd *cobra.Command, args []string) error {
			issuer.Url = args[0]
			if !issuer.Users && !issuer.Workloads {
				return usageError{errors.New("say whose tokens it issues: --users, --workloads, or both")}
			}
			var keys []byte
			if jwks != "" {
				var err error
				if keys, err = loadKeySet(jwks); err != nil {
					return err
				}
			}
			g, err := r.registrar(admin, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			have, err := findIssuer(cmd.Context(), g.client, issuer.Url)
			if err != nil {
				return err
			}
			if proto.Equal(have.GetRegistration().GetIssuer(), issuer) {
				fmt.Fprintf(g.out, "issuer %s is registered\n", issuer.Url)
			} else if err := g.register(cmd.Context(), "issuer "+issuer.Url, &onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: issuer}}); err != nil {
				return err
			}
			if keys == nil || string(have.GetKeySet().GetJwks()) == string(keys) {
				return nil
			}
			return g.keySet(cmd.Context(), issuer.Url, keys)
		},
	}
	r.writeFlags(cmd)
	admin.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&issuer.Users, "users", false, "it issues users' tokens")
	f.BoolVar(&issuer.Workloads, "workloads", false, "it issues workloads' tokens")
	f.StringVar(&issuer.JwksUri, "jwks-uri", "", "where its key set is, for an issuer without OpenID Connect discovery")
	f.StringVar(&jwks, "jwks", "", "a file with its key set (JWKS), to be logged")
	return cmd
}

// keySet logs an issuer's key set.
func (g *registrar) keySet(ctx context.Context, issuer string, jwks []byte) error {
	return g.log(ctx, "key set of "+issuer, &onusv1.Record{Body: &onusv1.Record_KeySet{
		KeySet: &onusv1.KeySet{Issuer: issuer, Jwks: jwks, Fetched: timestamppb.Now()}}})
}

// trustBundle logs a trust domain's bundle.
func (g *registrar) trustBundle(ctx context.Context, domain string, bundle []byte) error {
	return g.log(ctx, "trust bundle of "+domain, &onusv1.Record{Body: &onusv1.Record_TrustBundle{
		TrustBundle: &onusv1.TrustBundle{Domain: domain, Bundle: bundle, Fetched: timestamppb.Now()}}})
}

func (g *registrar) log(ctx context.Context, what string, m *onusv1.Record) error {
	p, err := g.sign(ctx, m, nil)
	if err != nil {
		return fmt.Errorf("log the %s: %w", what, err)
	}
	fmt.Fprintf(g.out, "logged the %s: entry %d, proven\n", what, p.Index)
	return nil
}

// loadKeySet reads a key set as it was published.
func loadKeySet(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if _, err := credential.ParseKeySet(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// loadBundle reads a SPIFFE trust bundle, or makes one of root certificates.
func loadBundle(domain, bundle, roots string) ([]byte, error) {
	switch {
	case (bundle == "") == (roots == ""):
		return nil, usageError{errors.New("say what the trust domain is verified with: --bundle FILE (a SPIFFE bundle) or --roots FILE.pem")}
	case roots != "":
		data, err := os.ReadFile(roots)
		if err != nil {
			return nil, err
		}
		certs, err := parseCertificates(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", roots, err)
		}
		b, err := credential.MarshalBundle(0, certs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", roots, err)
		}
		_, err = credential.ParseBundle(domain, b)
		return b, err
	}
	b, err := os.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	if _, err := credential.ParseBundle(domain, b); err != nil {
		return nil, fmt.Errorf("%s: %w", bundle, err)
	}
	return b, nil
}

func findIssuer(ctx context.Context, client onusv1connect.LedgerServiceClient, url string) (*onusv1.Registered, error) {
	var found *onusv1.Registered
	err := eachRegistration(ctx, client, func(r *onusv1.Registered) bool {
		if r.GetRegistration().GetIssuer().GetUrl() == url {
			found = r
		}
		return found == nil
	})
	return found, err
}

func newIssuerList() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the issuers, and the key sets in force",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := r.client()
			if err != nil {
				return err
			}
			all := &onusv1.ListRegistrationsResponse{}
			if err := eachRegistration(cmd.Context(), client, func(r *onusv1.Registered) bool {
				if r.GetRegistration().GetIssuer() != nil {
					all.Registrations = append(all.Registrations, r)
				}
				return true
			}); err != nil {
				return err
			}
			if asJSON {
				return printMessage(cmd.OutOrStdout(), all)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ISSUER\tISSUES TOKENS OF\tENTRY\tKEY SET")
			for _, r := range all.Registrations {
				i := r.GetRegistration().GetIssuer()
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", i.GetUrl(), issues(i), r.GetIndex(), describeKeySet(r))
			}
			return w.Flush()
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func issues(i *onusv1.Issuer) string {
	switch {
	case i.GetUsers() && i.GetWorkloads():
		return "users and workloads"
	case i.GetUsers():
		return "users"
	}
	return "workloads"
}

func describeKeySet(r *onusv1.Registered) string {
	if r.GetKeySet() == nil {
		return "none yet"
	}
	keys := "keys that do not parse"
	if s, err := credential.ParseKeySet(r.GetKeySet().GetJwks()); err == nil {
		keys = count(len(s.Keys()), "key")
	}
	return fmt.Sprintf("%s, entry %d, SHA-256 %x…", keys, r.GetKeySetIndex(), first8(r.GetKeySet().GetJwks()))
}

func first8(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:8]
}

func newTrust() *cobra.Command {
	cmd := &cobra.Command{Use: "trust", Short: "Say which SPIFFE trust domains the log takes SVIDs of"}
	var r remote
	var admin adminFlags
	var bundle, roots string
	add := &cobra.Command{
		Use:   "add DOMAIN --bundle FILE|--roots FILE.pem",
		Short: "Log the trust bundle of a SPIFFE trust domain",
		Long: `Log what SVIDs of a trust domain are verified with: a SPIFFE bundle (JWKS), or
the root certificates alone. An administrator signs. A later bundle takes the
place of the earlier one, from its own entry on; the same one again changes
nothing.`,
		Example: `  spire-server bundle show -format spiffe > bundle.json
  onus trust add example.com --bundle bundle.json --admin-key my-ledger/admin.key --log-key my-ledger/log.vkey`,
		Args: needOne("the trust domain, such as example.com"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := loadBundle(args[0], bundle, roots)
			if err != nil {
				return err
			}
			g, err := r.registrar(admin, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			same := false
			if err := eachRegistration(cmd.Context(), g.client, func(r *onusv1.Registered) bool {
				t := r.GetTrustBundle()
				same = same || t.GetDomain() == args[0] && string(t.GetBundle()) == string(b)
				return !same
			}); err != nil {
				return err
			}
			if same {
				fmt.Fprintf(g.out, "the trust bundle of %s is in force\n", args[0])
				return nil
			}
			return g.trustBundle(cmd.Context(), args[0], b)
		},
	}
	r.writeFlags(add)
	admin.flags(add)
	add.Flags().StringVar(&bundle, "bundle", "", "the SPIFFE bundle, a JWK Set")
	add.Flags().StringVar(&roots, "roots", "", "root certificates, PEM, in place of a bundle")
	cmd.AddCommand(add)
	return cmd
}
