package verifier_test

import (
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// emptyLog is a log without an entry.
func emptyLog(t *testing.T) *handLog {
	t.Helper()
	l := newLog(t)
	l.reg, l.frontier, l.entries = registry.New(), tree.NewFrontier(), nil
	l.auth = authority.New(l.reg, authority.NewMemory())
	return l
}

// beginHosted logs a genesis with a host, whose policy rejects what revoked
// parties say, an operator, an agent and its key.
func (l *handLog) beginHosted(host record.Signer) {
	l.t.Helper()
	d := durationpb.New(time.Minute)
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_Genesis{Genesis: &onusv1.Genesis{
		LogKey:         l.log.Key().String(),
		HostKey:        host.Public().SPKI(),
		Administrators: []*onusv1.Administrator{{Name: "root", PublicKey: l.admin.Public().SPKI()}},
		Policy:         &onusv1.Policy{ClockSkew: d, LateAfter: d, OutcomeWindow: d, Revoked: onusv1.RevokedRecords_REVOKED_RECORDS_REJECT}}}
	l.add(l.sign(m, l.admin), nil)
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Operator{Operator: &onusv1.Operator{
		Id: testOperator, Organisation: "Example", Unit: "Platform", AccountablePost: "Head of Platform"}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Agent{Agent: &onusv1.AgentClass{
		Id: testAgent, Operator: testOperator, DisplayName: "Agent"}}})
	l.register(keyReg(l.agent))
}

// A host that refuses an agent which nobody revoked, and says that entry 2
// (the agent's registration) revoked it, is found out.
func TestHostMakesUpARejection(t *testing.T) {
	l := emptyLog(t)
	host := signer(t, "host")
	l.beginHosted(host)
	silenced := l.action(l.agent) // kept out of the log
	m := l.header(&onusv1.Author{Host: true})
	m.Body = &onusv1.Record_Rejection{Rejection: &onusv1.Rejection{Record: silenced.ID.String(), Author: silenced.Msg.GetAuthor(), Revocation: 2}}
	l.add(l.sign(m, host), nil)
	if r := audit(l.entries, 100).Report(); r.FaultCount == 0 {
		t.Error("the host rejected a record for a revocation that is none, and the audit says nothing")
	}
}

// A host that admits what the policy has it reject is found out.
func TestHostAdmitsWhatItMustReject(t *testing.T) {
	l := emptyLog(t)
	l.beginHosted(signer(t, "host"))
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_Revocation{Revocation: &onusv1.Revocation{Target: &onusv1.Revocation_Agent{Agent: testAgent}}}
	l.add(l.sign(m, l.admin), nil)
	l.add(l.action(l.agent), nil)
	if r := audit(l.entries, 100).Report(); r.FaultCount == 0 {
		t.Error("genesis has records of revoked agents rejected, one was logged, and the audit says nothing")
	}
}

// A host that makes up a user's device does not get an L3 word out of it with
// nobody the wiser: the token that bound the key is off the log.
func TestHostMakesUpAUsersDevice(t *testing.T) {
	const url = "https://login.example.com"
	l := emptyLog(t)
	host := signer(t, "host")
	l.beginHosted(host)
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: url, Users: true}}})
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
		Id: "chat", Operator: testOperator, DisplayName: "Chat", OauthClient: &onusv1.OAuthClient{Issuer: url, Id: "chat"}}}})
	k, err := credential.NewKey("k1", credential.UseSig, signer(t, "issuer").Public().Crypto())
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := credential.MarshalKeySet(k)
	if err != nil {
		t.Fatal(err)
	}
	m := l.header(&onusv1.Author{Administrator: "root"})
	m.Body = &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{Issuer: url, Jwks: jwks, Fetched: timestamppb.New(time.UnixMilli(start))}}
	l.add(l.sign(m, l.admin), nil)
	keys := int64(len(l.entries)) - 1

	user, device := "u-aaaaaaaaaaaaaaaaaaaaaaaaaa", signer(t, "made up by the host")
	m = l.header(&onusv1.Author{User: user})
	m.User, m.Session = user, testSession
	m.Token = &onusv1.UserToken{Digest: device.Public().ID(), Issuer: url, Audience: []string{"chat"}, Expires: timestamppb.New(time.UnixMilli(start + 1e6)), Confirms: device.Public().ID()}
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: device.Public().SPKI(), User: user}}}}
	l.add(l.sign(m, device), func(e *entry.Entry) { e.Stamp.Assurance, e.Stamp.User, e.Stamp.KeySetEntry = 1, user, keys })
	m = l.header(&onusv1.Author{User: user})
	m.User = user
	m.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: testAgent, Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "*", Action: "*"}}}}}
	g := l.sign(m, device)
	l.add(g, nil)
	r := audit(l.entries, 100).Report()
	got, ok := l.auth.Grant(g.ID, int64(len(l.entries)))
	if ok && got.Word.Assurance == 3 && got.Word.Counts && r.FaultCount == 0 && r.UserKeys == 0 {
		t.Errorf("no token ever existed; the user's grant is L3 and counts, and the report only has %v bindings, %v pinned, and %v user tokens", r.Bindings, r.PinnedBindings, r.UserTokens)
	}
}

// A grant whose signature does not hold gives nothing to what comes after it.
func TestForgedGrantGivesNothing(t *testing.T) {
	l := emptyLog(t)
	l.beginHosted(signer(t, "host"))
	op := signer(t, "operator")
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{PublicKey: op.Public().SPKI(), Operator: testOperator}}})
	m := l.header(&onusv1.Author{Operator: testOperator})
	m.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{Agent: testAgent, Scope: []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get"}, MaxTotal: "5", Unit: "EUR"}}}}
	g := l.sign(m, op)
	l.add(g, func(e *entry.Entry) { e.Envelope.Signature = make([]byte, 64) })
	a := l.header(&onusv1.Author{Agent: testAgent, Instance: "pod-1", Operator: testOperator})
	a.Grant = g.ID.String()
	a.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Action: &onusv1.Action{
		Element: &onusv1.ScopeElement{Type: "k8s.pod", Action: "get", Amount: "1", Unit: "EUR"}}}}
	l.add(l.sign(a, l.agent), nil)
	r := audit(l.entries, 100).Report()
	t.Log(faults(r))
	if r.Grants != 0 || r.Uses != 0 {
		t.Errorf("the forged grant counts: %d grants, %d uses under it, with the fault at its own entry alone", r.Grants, r.Uses)
	}
}
