package record_test

import (
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Valid records of the parties beside agents' stages: what is given, approved,
// enrolled and seen. Together with those of build_test.go they set every field
// of the schema.

const (
	erp   = "spiffe://example.com/erp"
	login = "https://login.example.com"
)

var (
	alice  = pseudonym("u-", 'a')
	office = pseudonym("x-", 'b') // a session
)

// by is who says a record, one of each kind of party.
var by = map[string]*onusv1.Author{
	"agent":         {Agent: planner, Instance: "pod-7_a.B", Operator: "acme/it", KeyId: keyID},
	"operator":      {Operator: "acme/it", KeyId: keyID},
	"administrator": {Administrator: "root", KeyId: keyID},
	"service":       {Service: erp, KeyId: keyID},
	"client":        {Client: "acme/chat", KeyId: keyID},
	"user":          {User: alice, KeyId: keyID},
	"reviewer":      {Reviewer: "bob", KeyId: keyID},
	"host":          {Host: true, KeyId: keyID},
}

func saidBy(party string) *onusv1.Record {
	m := header()
	m.Author = proto.CloneOf(by[party])
	if party == "client" || party == "user" {
		m.User = alice
		m.Session = office
	}
	return m
}

func at(seconds int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: seconds} }

func userToken() *onusv1.UserToken {
	return &onusv1.UserToken{
		Digest: strings.Repeat("d", 43), Issuer: login, Audience: []string{"chat", "log"}, Client: "chat", Id: "jti-1",
		Issued: at(1_789_999_000), Expires: at(1_790_003_000), Authenticated: at(1_789_998_000),
		Acr: "urn:mace:incommon:iap:silver", Amr: []string{"pwd", "otp"}, Confirms: keyID,
		Actors: []*onusv1.Actor{{Subject: "clerk", Issuer: "https://other.example.com", Client: "clerk-client"}, {Subject: "front"}},
	}
}

// intent is what a user asks for through a client, beside a token.
func intent() *onusv1.Record {
	m := saidBy("client")
	m.Token = userToken()
	m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
		Intent: &onusv1.Intent{Text: commitment("order paper"), Requested: []*onusv1.ScopeElement{element()}},
	}}
	return m
}

// proposal is a decision that waits for an approval.
func proposal() *onusv1.Record {
	m := saidBy("agent")
	m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
		Decision: &onusv1.Decision{Text: commitment("order at A"), Proposal: element()},
	}}
	return m
}

func approvalRule() *onusv1.ApprovalRule {
	return &onusv1.ApprovalRule{Above: "1000.00", Unit: "EUR", Operations: []string{"order:create", "a:b:*"},
		Approvers: []string{"bob", "eve"}, Assurance: 2}
}

// delegation is a grant by an agent under its own grant.
func delegation() *onusv1.Record {
	m := saidBy("agent")
	m.Grant = idOf("parent grant")
	m.User, m.Session = alice, pseudonym("x-", 'b')
	m.Body = &onusv1.Record_Delegation{Delegation: &onusv1.Grant{
		Agent: "spiffe://example.com/clerk", Instance: "pod-1",
		Scope: []*onusv1.GrantElement{
			{Element: &onusv1.ScopeElement{Type: "order", Action: "*", Location: "https://erp.example.com/orders",
				Identifier: "*", Datatypes: []string{"*"}, Recipient: alice}, MaxItem: "100", MaxTotal: "5000.00", Unit: "EUR"},
			{Element: &onusv1.ScopeElement{Type: "stock", Action: "read"}},
		},
		NotBefore: at(1_790_000_000), Expires: at(1_790_100_000), MaxDepth: 2,
		Approvals: []*onusv1.ApprovalRule{approvalRule()}, EndsWithSession: true, Purpose: commitment("paper for Q4"),
	}}
	return m
}

func approval() *onusv1.Record {
	m := saidBy("reviewer")
	m.Body = &onusv1.Record_Approval{Approval: &onusv1.Approval{
		Proposal: idOf("proposal"), Expires: at(1_790_100_000), Reason: commitment("cheap enough"),
	}}
	return m
}

func denial() *onusv1.Record {
	m := saidBy("user")
	m.Body = &onusv1.Record_Denial{Denial: &onusv1.Denial{Proposal: idOf("proposal"), Reason: commitment("too dear")}}
	return m
}

func rejection() *onusv1.Record {
	m := saidBy("host")
	m.Body = &onusv1.Record_Rejection{Rejection: &onusv1.Rejection{Record: idOf("refused"), Author: saidBy("agent").Author, Revocation: 7}}
	return m
}

func counter() *onusv1.Record {
	m := saidBy("service")
	m.Parent = idOf("action")
	m.Body = &onusv1.Record_Counter{Counter: &onusv1.CounterRecord{
		Caller: planner, CallerInstance: "pod-7", CallerKey: keyID, Grant: idOf("grant"), Element: element(),
		Token:             &onusv1.TokenFacts{Sub: alice, Act: []string{"clerk"}, Azp: "chat"},
		ExternalRequestId: "req-1", Decision: onusv1.TargetDecision_TARGET_DECISION_ALLOWED,
		Status: onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED,
	}}
	return m
}

func keySet() *onusv1.Record {
	m := saidBy("host")
	m.Body = &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{Issuer: login, Jwks: []byte(`{"keys":[]}`), Fetched: at(1_790_000_000)}}
	return m
}

func trustBundle() *onusv1.Record {
	m := byAdmin()
	m.Body = &onusv1.Record_TrustBundle{TrustBundle: &onusv1.TrustBundle{Domain: "example.com", Bundle: []byte(`{"keys":[]}`), Fetched: at(1_790_000_000)}}
	return m
}

func reading() *onusv1.Record {
	m := saidBy("host")
	m.Body = &onusv1.Record_Read{Read: &onusv1.Read{Caller: "audit@example.com", Role: "auditor", Procedure: "GetChain", Record: idOf("read")}}
	return m
}

// review is what an officer says who is signed in to the host's viewer.
func review() *onusv1.Record {
	m := saidBy("host")
	m.User, m.Causes = alice, []string{idOf("action")}
	m.Body = &onusv1.Record_Review{Review: &onusv1.Review{
		Record: idOf("action"), Finding: "LIMIT_EXCEEDED", Disposition: onusv1.Disposition_DISPOSITION_ESCALATED,
		Note: commitment("purchasing has to decide"), Assignee: pseudonym("u-", 'e'),
	}}
	return m
}

// ownReview is by a reviewer, of a chain as a whole.
func ownReview() *onusv1.Record {
	m := saidBy("reviewer")
	m.Causes = []string{idOf("intent")}
	m.Body = &onusv1.Record_Review{Review: &onusv1.Review{Record: idOf("intent"), Disposition: onusv1.Disposition_DISPOSITION_OPEN}}
	return m
}

func registering(r *onusv1.Registration) *onusv1.Record {
	m := byAdmin()
	m.Body = &onusv1.Record_Registration{Registration: r}
	return m
}

func service() *onusv1.Record {
	return registering(&onusv1.Registration{Subject: &onusv1.Registration_Service{Service: &onusv1.Service{
		Id: erp, Operator: "acme/it", DisplayName: "ERP", Locations: []string{"https://erp.example.com/orders", "urn:acme:stock"},
		Records: true, Workloads: []*onusv1.Workload{{Issuer: "https://k8s.example.com", Subject: "system:serviceaccount:shop:erp"}},
	}}})
}

func userClient() *onusv1.Record {
	return registering(&onusv1.Registration{Subject: &onusv1.Registration_Client{Client: &onusv1.UserClient{
		Id: "acme/chat", Operator: "acme/it", DisplayName: "Chat", OauthClient: &onusv1.OAuthClient{Issuer: login, Id: "chat"},
	}}})
}

func reviewer() *onusv1.Record {
	return registering(&onusv1.Registration{Subject: &onusv1.Registration_Reviewer{Reviewer: &onusv1.Reviewer{
		Name: "bob", Operator: "acme/it", Post: "Head of Purchasing",
	}}})
}

func issuer() *onusv1.Record {
	return registering(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{
		Url: login, JwksUri: login + "/keys?version=1", Users: true, Workloads: true,
	}}})
}

// fullAgentClass has every field of an agent class set.
func fullAgentClass() *onusv1.Record {
	m := agentClass()
	a := m.GetRegistration().GetAgent()
	a.Owner, a.RiskClass, a.Observed = "Head of Logistics", "high", true
	a.Ceiling = []*onusv1.GrantElement{{Element: &onusv1.ScopeElement{Type: "*", Action: "*"}, MaxItem: "80000", Unit: "EUR"}}
	a.OauthClients = []*onusv1.OAuthClient{{Issuer: login, Id: "planner"}}
	a.Workloads = []*onusv1.Workload{{Issuer: "https://k8s.example.com", Subject: "system:serviceaccount:shop:planner"}}
	return m
}

// hostGenesis is of a log whose host has a key.
func hostGenesis() *onusv1.Record {
	m := genesis()
	g := m.GetGenesis()
	g.HostKey = mustSPKI(8)
	g.Policy.Revoked = onusv1.RevokedRecords_REVOKED_RECORDS_REJECT
	g.Policy.RecordReads, g.Policy.Observed = true, true
	g.Policy.Approvals = []*onusv1.ApprovalRule{approvalRule()}
	return m
}

// successorGenesis is of a log that goes on where another was given up.
func successorGenesis() *onusv1.Record {
	m := hostGenesis()
	m.GetGenesis().Predecessor = predecessor("log.example.com/before", 7)
	return m
}

// predecessor is a log of that origin and size.
func predecessor(origin string, size int64) *onusv1.Predecessor {
	s, err := tree.NewLogSigner(origin, edKey(20))
	if err != nil {
		panic(err)
	}
	root := tree.Empty
	if size > 0 {
		root = tree.LeafHash([]byte("before"))
	}
	cp, err := s.Sign(size, root)
	if err != nil {
		panic(err)
	}
	return &onusv1.Predecessor{LogKey: s.Key().String(), Checkpoint: cp}
}

func mustSPKI(seed byte) []byte {
	p, err := record.NewPublicKey(edKey(seed).Public())
	if err != nil {
		panic(err)
	}
	return p.SPKI()
}

// enrolment is an agent's key that binds itself, with an X.509-SVID.
func enrolment() *onusv1.Record {
	m := saidBy("agent")
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: mustSPKI(1), Agent: planner, Instance: "pod-7_a.B", Operator: "acme/it", NotAfter: at(1_800_000_000),
		Credential: &onusv1.KeyBinding_Svid{Svid: &onusv1.X509SVID{Chain: [][]byte{{0x30}, {0x30}}, Possession: []byte("signature")}},
	}}}}
	return m
}

// serviceEnrolment is a service's key that binds itself, with a token.
func serviceEnrolment() *onusv1.Record {
	m := saidBy("service")
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: mustSPKI(1), Service: erp, Credential: &onusv1.KeyBinding_WorkloadToken{WorkloadToken: "e30.e30.c2ln"},
	}}}}
	return m
}

// deviceEnrolment is the key of a user's device that binds itself, beside a
// token that is bound to it.
func deviceEnrolment() *onusv1.Record {
	m := saidBy("user")
	m.Token = userToken()
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: &onusv1.KeyBinding{
		PublicKey: mustSPKI(1), User: alice,
	}}}}
	return m
}

// rotation binds key 2 to a party, signed by that party's key 1.
func rotation(party string) *onusv1.Record {
	m := saidBy(party)
	a := m.Author
	k := &onusv1.KeyBinding{PublicKey: mustSPKI(2), Agent: a.Agent, Instance: a.Instance, Operator: a.Operator,
		Service: a.Service, Client: a.Client, User: a.User, Reviewer: a.Reviewer,
		Replaces: keyID, ReplacedUntil: at(1_790_100_000), Possession: possession(2, origin)}
	m.Body = &onusv1.Record_Registration{Registration: &onusv1.Registration{Subject: &onusv1.Registration_Key{Key: k}}}
	return m
}

// possession shows for the signing key, key 1, that somebody has that key.
func possession(seed byte, origin string) []byte {
	k := edKey(seed)
	p, err := record.NewPublicKey(k.Public())
	if err != nil {
		panic(err)
	}
	s, err := record.NewSigner(k)
	if err != nil {
		panic(err)
	}
	sig, err := s.Sign(record.BindingStatement(origin, p.ID(), keyID))
	if err != nil {
		panic(err)
	}
	return sig
}

func revokedBy(party string, r *onusv1.Revocation) *onusv1.Record {
	m := saidBy(party)
	m.Body = &onusv1.Record_Revocation{Revocation: r}
	return m
}

// everyRecord names a valid record of every body and every kind of party.
var everyRecord = map[string]func() *onusv1.Record{
	"decision": decision, "outcome": outcome, "loss": loss, "trigger": trigger, "genesis": genesis,
	"operator": operator, "agent-class": agentClass, "key-binding": keyBinding, "revocation": revocation,
	"intent": intent, "proposal": proposal, "delegation": delegation, "approval": approval, "denial": denial,
	"rejection": rejection, "counter": counter, "key-set": keySet, "trust-bundle": trustBundle, "read": reading,
	"review": review, "review-open": ownReview,
	"service": service, "user-client": userClient, "reviewer": reviewer, "issuer": issuer,
	"full-agent-class": fullAgentClass, "host-genesis": hostGenesis, "successor-genesis": successorGenesis,
	"enrolment-svid": enrolment, "enrolment-token": serviceEnrolment, "enrolment-device": deviceEnrolment,
	"rotation-agent":    func() *onusv1.Record { return rotation("agent") },
	"rotation-operator": func() *onusv1.Record { return rotation("operator") },
	"rotation-service":  func() *onusv1.Record { return rotation("service") },
	"rotation-client":   func() *onusv1.Record { return rotation("client") },
	"rotation-user":     func() *onusv1.Record { return rotation("user") },
	"rotation-reviewer": func() *onusv1.Record { return rotation("reviewer") },
	"revoked-key": func() *onusv1.Record {
		return revokedBy("service", &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: keyID}})
	},
	"revoked-instance": func() *onusv1.Record {
		return revokedBy("operator", &onusv1.Revocation{Target: &onusv1.Revocation_Instance{Instance: &onusv1.InstanceName{Agent: planner, Instance: "pod-1"}}})
	},
	"revoked-operator": func() *onusv1.Record {
		return revokedBy("administrator", &onusv1.Revocation{Target: &onusv1.Revocation_Operator{Operator: "acme/it"}})
	},
	"revoked-grant": func() *onusv1.Record {
		return revokedBy("agent", &onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: idOf("grant")}})
	},
	"revoked-session": func() *onusv1.Record {
		return revokedBy("user", &onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: pseudonym("x-", 'b')}})
	},
}

// recordNames are the names of everyRecord in one order.
func recordNames() []string {
	var names []string
	for name := range everyRecord {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
