package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func newApply() *cobra.Command {
	var (
		r                   remote
		admin               adminFlags
		file                string
		dryRun, yes, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "apply -f FILE.yaml",
		Short: "Register a fleet from one file: shows what changes, and asks",
		Long: `Register all that a YAML file describes and that is not registered like that yet:
issuers of tokens, trust bundles, operators, agents, services, user clients,
reviewers, their keys, and what operators grant. What the file does not name
stays as it is: nothing is revoked. First it shows what is new (+), what changes
(~) and what is the same (=). Run again, it has nothing to do.

The fields of each element are those of the registry's messages (Operator,
AgentClass, Service, UserClient, Reviewer, Issuer, Grant in onus/v1/record.proto);
beside them stand keys, jwks, bundle and roots, which name files, found from
where the YAML file is. A grant has a name, and the private key of its operator.`,
		Example: `  issuers:
    - url: https://kubernetes.default.svc
      workloads: true
      jwks: cluster-jwks.json          # or fetched by the host, of users' issuers
  trust:
    - domain: example.com
      roots: spire-ca.pem              # or bundle: bundle.json
  operators:
    - id: it/platform
      organisation: Example
      unit: Platform
      accountablePost: Head of Platform
      keys: [platform.key.pub]
  agents:
    - id: spiffe://example.com/planner
      operator: it/platform
      displayName: Planner
      purpose: Plans purchases.
      workloads:
        - {issuer: https://kubernetes.default.svc, subject: system:serviceaccount:shop:planner}
      keys:
        - {file: pod-1.key.pub, instance: pod-1}
  grants:
    - name: read-budget
      key: platform.key
      agent: spiffe://example.com/planner
      scope:
        - element: {type: budget, action: read, location: https://erp.example.com}
      expires: 2027-01-01T00:00:00Z

  onus apply -f agents.yaml --admin-key my-ledger/admin.key --log-key my-ledger/log.vkey`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{errors.New("name the file: -f FILE.yaml")}
			}
			f, err := readFleet(file)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			said := out
			if asJSON {
				said = io.Discard
			}
			g, err := r.registrar(admin, said)
			if err != nil {
				return err
			}
			plan, err := planFleet(cmd.Context(), f, g)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(out, map[string]any{"changes": plan.steps, "to_do": plan.todo()}); err != nil {
					return err
				}
			} else {
				plan.print(out)
			}
			if plan.todo() == 0 {
				fmt.Fprintln(said, "Nothing to do.")
				return nil
			}
			if dryRun {
				return nil
			}
			if !yes {
				if err := ask(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			fmt.Fprintln(said)
			return plan.run(cmd.Context())
		},
	}
	r.writeFlags(cmd)
	admin.flags(cmd)
	fl := cmd.Flags()
	fl.StringVarP(&file, "file", "f", "", "the fleet's YAML file")
	fl.BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	fl.BoolVar(&yes, "yes", false, "do not ask")
	fl.BoolVar(&asJSON, "json", false, "print the changes as JSON")
	return cmd
}

// ask waits for a yes on a terminal. Without one there is nobody to ask.
func ask(stdin io.Reader, out io.Writer) error {
	f, ok := stdin.(*os.File)
	if ok {
		info, err := f.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if !ok {
		return usageError{errors.New("nothing was applied: look at the changes, and give --yes")}
	}
	fmt.Fprint(out, "Apply this? [y/N] ")
	line, err := bufio.NewReader(f).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err != nil || answer != "y" && answer != "yes" {
		return errors.New("nothing was applied")
	}
	return nil
}

// step is one thing of a fleet: new, changed, or as it is registered.
type step struct {
	// Change is "+", "~" or "=".
	Change string `json:"change"`
	What   string `json:"what"`
	// Fields say what changes, or what is new.
	Fields []string `json:"fields,omitempty"`
	do     func(context.Context) error
}

// plan is what there is to do, in order.
type plan struct{ steps []step }

func (p *plan) add(change, what string, fields []string, do func(context.Context) error) {
	p.steps = append(p.steps, step{change, what, fields, do})
}

func (p *plan) todo() int {
	n := 0
	for _, s := range p.steps {
		if s.Change != "=" {
			n++
		}
	}
	return n
}

func (p *plan) print(w io.Writer) {
	for _, s := range p.steps {
		fmt.Fprintf(w, "%s %s\n", s.Change, s.What)
		if s.Change == "=" {
			continue
		}
		for _, f := range s.Fields {
			fmt.Fprintf(w, "    %s\n", f)
		}
	}
}

// run does what is to be done. What was done before an error stays done: run
// it again, it goes on from there.
func (p *plan) run(ctx context.Context) error {
	for _, s := range p.steps {
		if s.Change == "=" {
			continue
		}
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%w\nonus: what stands above is registered; onus apply goes on from there", err)
		}
	}
	return nil
}
