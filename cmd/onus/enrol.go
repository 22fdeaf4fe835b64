package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

// enrolFlags say who enrols a key, and what shows it.
type enrolFlags struct {
	key                            string
	agent, instance, operator      string
	service                        string
	svid, svidKey                  string
	workloadToken, userToken, ends string
	audience                       bool
}

func newEnrol() *cobra.Command {
	var r remote
	var e enrolFlags
	cmd := &cobra.Command{
		Use:   "enrol --key FILE --agent SPIFFE-ID --instance NAME --operator ID",
		Short: "Register one's own key: with a workload's credential, a user's token, or by knocking",
		Long: `Have the log bind a key that signs the registration itself. What shows that it
may:

  --svid CHAIN.pem --svid-key KEY.pem   an X.509-SVID of the agent's SPIFFE ID (K2)
  --workload-token FILE                 a JWT-SVID, or a workload token such as a
                                        Kubernetes service account's (K1), for the
                                        audience that --audience prints
  --user-token FILE                     a user's ID token that is bound to the key
                                        (nonce or cnf), of a login through a user
                                        client: the key of a device
  none of these                         knock: an administrator admits the key, see
                                        onus agent pending

The log's trust bundles and key sets decide whether a credential holds, as of the
time of the entry. It is archived there, so that anybody can check it again.`,
		Example: `  onus enrol --key pod-1.key --agent spiffe://example.com/k8s-agent --instance pod-1 \
    --operator it/platform --workload-token /var/run/secrets/tokens/onus --log-key log.vkey`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.run(cmd, &r) },
	}
	r.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&e.key, "key", "", "the private key to enrol")
	f.StringVar(&e.agent, "agent", "", "the agent class: a SPIFFE ID")
	f.StringVar(&e.instance, "instance", "", "the one process that has the key")
	f.StringVar(&e.operator, "operator", "", "id of the unit that answers for the agent")
	f.StringVar(&e.service, "service", "", "instead of an agent: the service, a SPIFFE ID")
	f.StringVar(&e.svid, "svid", "", "certificate chain of an X.509-SVID, PEM, the leaf first")
	f.StringVar(&e.svidKey, "svid-key", "", "private key of the SVID, PEM; default: the key that is enrolled")
	f.StringVar(&e.workloadToken, "workload-token", "", "a workload token: a file, - for standard input, or the token itself")
	f.StringVar(&e.userToken, "user-token", "", userTokenUsage)
	f.StringVar(&e.ends, "until", "", "when the key ends: RFC 3339, or a span such as 30d; default: when it is replaced or revoked")
	f.BoolVar(&e.audience, "audience", false, "print the audience that a workload token must have, and end")
	return cmd
}

func (e *enrolFlags) run(cmd *cobra.Command, r *remote) error {
	signer, err := keyfile.LoadRecordSigner(e.key)
	if err != nil {
		return err
	}
	key, err := r.key()
	if err != nil {
		return err
	}
	if e.audience {
		fmt.Fprintln(cmd.OutOrStdout(), credential.EnrolmentAudience(key.Origin(), signer.Public()))
		return nil
	}
	if err := e.check(); err != nil {
		return err
	}
	client, err := r.client()
	if err != nil {
		return err
	}
	p := &signatory{client: client, key: key, signer: signer}
	binding := &onusv1.KeyBinding{PublicKey: signer.Public().SPKI()}
	if binding.NotAfter, err = parseEnd("--until", e.ends); err != nil {
		return err
	}
	m := &onusv1.Record{Body: &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: binding}}}}
	userToken := ""
	switch {
	case e.userToken != "":
		u, err := p.userWord(cmd, e.userToken)
		if err != nil {
			return err
		}
		u.fill(m)
		binding.User, userToken = u.user, u.token
		m.Author = &onusv1.Author{User: u.user}
	case e.service != "":
		binding.Service = e.service
		m.Author = &onusv1.Author{Service: e.service}
	default:
		binding.Agent, binding.Instance, binding.Operator = e.agent, e.instance, e.operator
		m.Author = &onusv1.Author{Agent: e.agent, Instance: e.instance, Operator: e.operator}
	}
	switch {
	case e.svid != "":
		svid, err := e.x509(key.Origin(), signer)
		if err != nil {
			return err
		}
		binding.Credential = &onusv1.KeyBinding_Svid{Svid: svid}
	case e.workloadToken != "":
		token, err := loadJWT("--workload-token", e.workloadToken, cmd.InOrStdin())
		if err != nil {
			return err
		}
		binding.Credential = &onusv1.KeyBinding_WorkloadToken{WorkloadToken: token}
	}
	return e.enrol(cmd, p, m, userToken)
}

// check refuses flags that contradict each other, or say too little.
func (e *enrolFlags) check() error {
	given := 0
	for _, s := range []string{e.svid, e.workloadToken, e.userToken} {
		if s != "" {
			given++
		}
	}
	named := 0
	for _, s := range []string{e.agent, e.service, e.userToken} {
		if s != "" {
			named++
		}
	}
	switch {
	case given > 1:
		return usageError{errors.New("one credential shows whose key it is: give --svid, --workload-token or --user-token")}
	case e.svidKey != "" && e.svid == "":
		return usageError{errors.New("--svid-key goes with --svid CHAIN.pem")}
	case named != 1:
		return usageError{errors.New("say whose key it is: --agent SPIFFE-ID, --service SPIFFE-ID, or a user's with --user-token FILE")}
	case e.agent != "" && (e.instance == "" || e.operator == ""):
		return usageError{errors.New("an agent's process enrols its own key: name it with --instance, and who answers with --operator")}
	case e.agent == "" && (e.instance != "" || e.operator != ""):
		return usageError{errors.New("--instance and --operator go with --agent")}
	}
	return nil
}

// enrol signs and sends the registration.
func (e *enrolFlags) enrol(cmd *cobra.Command, p *signatory, m *onusv1.Record, userToken string) error {
	complete(m, p.key.Origin())
	if k := m.GetRegistration().GetKey(); k.GetCredential() == nil && k.GetUser() == "" {
		return e.knock(cmd, p, m)
	}
	if err := goOn(cmd.Context(), p.client, m); err != nil {
		return err
	}
	rec, err := record.Sign(m, p.signer)
	if err != nil {
		return err
	}
	resp, err := p.client.Enrol(cmd.Context(), &onusv1.EnrolRequest{Envelope: rec.Envelope.Proto(), UserToken: userToken})
	if err != nil {
		return fmt.Errorf("enrol key %s: %w", p.signer.Public().ID(), err)
	}
	proven, err := openReceipt(resp.GetReceipt(), rec, p.key, p.signer)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "enrolled key %s of %s: entry %d, proven\n", p.signer.Public().ID(), authorName(m.GetAuthor()), proven.Index)
	return nil
}

// knock has the ledger note the key, and fails: an administrator is to admit
// it. What is sent is no valid record, since it brings no credential, and is
// not logged; so it is signed here by hand.
func (e *enrolFlags) knock(cmd *cobra.Command, p *signatory, m *onusv1.Record) error {
	m.Author.KeyId = p.signer.Public().ID()
	payload, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	env := record.Envelope{Type: record.TypeProtobuf, Payload: payload}
	if env.Signature, err = p.signer.Sign(env.PAE()); err != nil {
		return err
	}
	if _, err = p.client.Enrol(cmd.Context(), &onusv1.EnrolRequest{Envelope: env.Proto()}); err == nil {
		return errors.New("the ledger took a key without a credential: do not rely on it")
	}
	return err
}

// x509 returns the SVID, with its own signature where its key is another than
// the one that is enrolled.
func (e *enrolFlags) x509(origin string, enrolled record.Signer) (*onusv1.X509SVID, error) {
	chain, leaf, err := loadChain(e.svid)
	if err != nil {
		return nil, err
	}
	svid := &onusv1.X509SVID{Chain: chain}
	if leaf.ID() == enrolled.Public().ID() {
		return svid, nil
	}
	if e.svidKey == "" {
		return nil, usageError{fmt.Errorf("the SVID in %s has another key than the one that is enrolled: give its private key, --svid-key FILE", e.svid)}
	}
	key, err := keyfile.LoadRecordSigner(e.svidKey)
	if err != nil {
		return nil, err
	}
	if key.Public().ID() != leaf.ID() {
		return nil, fmt.Errorf("%s is not the key of the first certificate in %s", e.svidKey, e.svid)
	}
	svid.Possession, err = key.Sign(record.BindingStatement(origin, enrolled.Public().ID(), leaf.ID()))
	return svid, err
}

// loadChain reads a certificate chain and the leaf's key.
func loadChain(path string) ([][]byte, *record.PublicKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("SVID: %w", err)
	}
	certs, err := parseCertificates(data)
	if err != nil {
		return nil, nil, fmt.Errorf("SVID %s: %w", path, err)
	}
	var chain [][]byte
	for _, c := range certs {
		chain = append(chain, c.Raw)
	}
	leaf, err := record.ParsePublicKey(certs[0].RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, nil, fmt.Errorf("SVID %s: %w", path, err)
	}
	return chain, leaf, nil
}

// parseCertificates reads the certificates of a PEM file: at least one.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		if data = rest; block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("holds no PEM block \"CERTIFICATE\"")
	}
	return certs, nil
}
