package agent_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/party"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	issuer  = "https://login.example.com"
	chat    = "chat"                           // a user client
	erp     = "spiffe://example.com/erp"       // a target service
	ben     = "ben"                            // a reviewer
	podName = "system:serviceaccount:shop:buy" // the buyer, to the issuer
)

type claims = map[string]any

// world is a log in which all kinds of party are registered: an issuer of
// users' and workloads' tokens, a SPIFFE trust domain, a user client, a
// reviewer, a service and the operator's key.
type world struct {
	*testLog
	issuerKey ed25519.PrivateKey
	root      *x509.Certificate
	rootKey   *ecdsa.PrivateKey

	chatKey, benKey, erpKey, operatorKey ed25519.PrivateKey
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return populate(newTestLog(t))
}

// populate registers all that in a log.
func populate(l *testLog) *world {
	w := &world{testLog: l, issuerKey: newKey(), chatKey: newKey(), benKey: newKey(), erpKey: newKey(), operatorKey: newKey()}
	w.root, w.rootKey = newRoot()

	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: issuer, Users: true, Workloads: true}}})
	jwk := must(credential.NewKey("k1", credential.UseSig, w.issuerKey.Public()))
	l.decree(&onusv1.Record{Body: &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{
		Issuer: issuer, Jwks: must(credential.MarshalKeySet(jwk)), Fetched: timestamppb.Now()}}})
	l.decree(&onusv1.Record{Body: &onusv1.Record_TrustBundle{TrustBundle: &onusv1.TrustBundle{
		Domain: "example.com", Bundle: must(credential.MarshalBundle(1, []*x509.Certificate{w.root})), Fetched: timestamppb.Now()}}})
	for _, class := range []*onusv1.AgentClass{
		{Id: planner, OauthClients: []*onusv1.OAuthClient{{Issuer: issuer, Id: "planner"}}},
		{Id: buyer, Workloads: []*onusv1.Workload{{Issuer: issuer, Subject: podName}}},
	} {
		class.Operator, class.DisplayName = operator, class.GetId()
		l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: class}})
	}
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
		Id: chat, Operator: operator, DisplayName: "Chat", OauthClient: &onusv1.OAuthClient{Issuer: issuer, Id: chat}}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{Name: ben, Operator: operator, Post: "Head of Purchasing"}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Service{Service: &onusv1.Service{
		Id: erp, Operator: operator, DisplayName: "ERP", Locations: []string{"https://erp.example.com/orders"}, Records: true}}})
	for _, b := range []*onusv1.KeyBinding{
		{PublicKey: spki(w.chatKey), Client: chat}, {PublicKey: spki(w.benKey), Reviewer: ben},
		{PublicKey: spki(w.erpKey), Service: erp}, {PublicKey: spki(w.operatorKey), Operator: operator},
	} {
		l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: b}})
	}
	return w
}

func spki(k crypto.Signer) []byte { return must(record.NewPublicKey(k.Public())).SPKI() }

func keyID(k crypto.Signer) string { return must(record.NewPublicKey(k.Public())).ID() }

// token is an ID token of the issuer, as it would make it, with some claims
// changed; nil takes one away.
func (w *world) token(audience string, change claims) agent.Token {
	now := time.Now()
	c := claims{"iss": issuer, "sub": "lead", "aud": audience, "sid": "s-1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"alg":"EdDSA","kid":"k1","typ":"JWT"}`)) + "." + b64(must(json.Marshal(c)))
	return agent.Token(input + "." + b64(ed25519.Sign(w.issuerKey, []byte(input))))
}

// user is the user of a token, in the chat.
func (w *world) user(t testing.TB, change claims) *party.User {
	t.Helper()
	c, err := party.NewUserClient(w.client(t, nil), w.chatKey, chat)
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.User(t.Context(), w.token(chat, change))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) operator(t testing.TB) *party.Operator {
	t.Helper()
	return must(party.NewOperator(w.client(t, nil), w.operatorKey, operator))
}

func newRoot() (*x509.Certificate, *ecdsa.PrivateKey) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Example"}},
		URIs:      []*url.URL{must(url.Parse("spiffe://example.com"))},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key))
	return must(x509.ParseCertificate(der)), key
}

// svid is an X.509-SVID of the trust domain for a key.
func (w *world) svid(id string, key crypto.Signer) []*x509.Certificate {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), URIs: []*url.URL{must(url.Parse(id))},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour).Truncate(time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, w.root, key.Public(), w.rootKey))
	return []*x509.Certificate{must(x509.ParseCertificate(der))}
}

func ecKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// message is the record of a receipt, as it stands in the log.
func (l *testLog) message(r *agent.Receipt) *onusv1.Record {
	return must(l.Ledger.Entry(r.Index)).Record.Msg
}

var orders = agent.Scope{Type: "order", Action: "create", Location: "https://erp.example.com/orders", MaxItem: "5000", MaxTotal: "50000", Unit: "EUR"}
