package record_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func TestEveryRecordIsValid(t *testing.T) {
	for _, name := range recordNames() {
		t.Run(name, func(t *testing.T) {
			mustParse(t, everyRecord[name]())
			b, err := protojson.Marshal(everyRecord[name]())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parse(record.TypeJSON, b); err != nil {
				t.Errorf("refused as JSON: %v", err)
			}
		})
	}
}

// The tests of rules, of the readers and of the vectors start from these
// records, so a field that none of them sets would be tested by nobody.
func TestEveryFieldIsSetInAValidRecord(t *testing.T) {
	set := map[protoreflect.FullName]bool{}
	var walk func(protoreflect.Message)
	walk = func(m protoreflect.Message) {
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			set[fd.FullName()] = true
			switch {
			case fd.Message() != nil && fd.IsList():
				for i := range v.List().Len() {
					walk(v.List().Get(i).Message())
				}
			case fd.Message() != nil:
				walk(v.Message())
			}
			return true
		})
	}
	for _, valid := range everyRecord {
		walk(valid().ProtoReflect())
	}
	walk(plain("x").ProtoReflect())
	var unset []string
	seen := map[protoreflect.FullName]bool{}
	var all func(protoreflect.MessageDescriptor)
	all = func(md protoreflect.MessageDescriptor) {
		if seen[md.FullName()] {
			return
		}
		seen[md.FullName()] = true
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			if !set[fd.FullName()] && md.ParentFile().Package() == "onus.v1" {
				unset = append(unset, string(fd.FullName()))
			}
			if fd.Message() != nil {
				all(fd.Message())
			}
		}
	}
	all((*onusv1.Record)(nil).ProtoReflect().Descriptor())
	if len(unset) > 0 {
		t.Errorf("no valid record of these tests sets %s", strings.Join(unset, ", "))
	}
}

func TestPartyRefusals(t *testing.T) {
	as := func(a *onusv1.Author) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.Author = a; a.KeyId = keyID }
	}
	testRefusals(t, trigger, []refusal{
		{"two parties", "author", as(&onusv1.Author{Service: erp, Client: "chat"})},
		{"an operator and the host", "author", as(&onusv1.Author{Operator: "acme/it", Host: true})},
		{"a reviewer and a user", "author", as(&onusv1.Author{Reviewer: "bob", User: alice})},
		{"an agent and the host", "author", as(&onusv1.Author{Agent: planner, Instance: "i", Operator: "acme/it", Host: true})},
		{"a service with an instance", "author.instance", as(&onusv1.Author{Service: erp, Instance: "pod-1"})},
		{"a service with an operator", "author", as(&onusv1.Author{Service: erp, Operator: "acme/it"})},
		{"a service that is no SPIFFE ID", "author.service", as(&onusv1.Author{Service: "erp"})},
		{"a client in upper case", "author.client", as(&onusv1.Author{Client: "Chat"})},
		{"a client with a relative segment", "author.client", as(&onusv1.Author{Client: "acme/.."})},
		{"a user by name", "author.user", as(&onusv1.Author{User: "alice"})},
		{"a user that is a subject", "author.user", as(&onusv1.Author{User: pseudonym("s-", 'a')})},
		{"a reviewer with a slash", "author.reviewer", as(&onusv1.Author{Reviewer: "acme/bob"})},
		{"a reviewer of 65 characters", "author.reviewer", as(&onusv1.Author{Reviewer: strings.Repeat("b", 65)})},
		{"a service without key id", "author.key_id", func(m *onusv1.Record) { m.Author = &onusv1.Author{Service: erp} }},
	})
	testAccepted(t, approval, []acceptance{
		{"a reviewer of 64 characters", func(m *onusv1.Record) { m.Author.Reviewer = strings.Repeat("b", 64) }},
	})
	// Only agents count their records.
	for party := range by {
		if party != "agent" {
			m := saidBy(party)
			m.Sequence = 1
			_, err := parse(record.TypeProtobuf, marshal(t, m))
			wantRefusal(t, err, record.ReasonInvalid, "sequence")
		}
	}
}

// Who may sign what: each body by each kind of party.
func TestWhoMaySayWhat(t *testing.T) {
	stages := func(d *onusv1.DecisionRecord) func(string) *onusv1.Record {
		return func(party string) *onusv1.Record {
			m := saidBy(party)
			m.Body = &onusv1.Record_Stages{Stages: d}
			return m
		}
	}
	body := func(valid func() *onusv1.Record) func(string) *onusv1.Record {
		return func(party string) *onusv1.Record {
			m, b := saidBy(party), valid()
			m.Parent, m.Body = b.Parent, b.Body
			return m
		}
	}
	text := commitment("x")
	with := func(d *onusv1.DecisionRecord) *onusv1.DecisionRecord {
		d.Intent = &onusv1.Intent{Text: text}
		return d
	}
	for name, tt := range map[string]struct {
		record func(party string) *onusv1.Record
		by     string
	}{
		"an intent":                         {stages(with(&onusv1.DecisionRecord{})), "agent client user"},
		"an interpretation":                 {stages(&onusv1.DecisionRecord{Interpretation: &onusv1.Interpretation{Text: text}}), "agent"},
		"an intent and its interpretation":  {stages(with(&onusv1.DecisionRecord{Interpretation: &onusv1.Interpretation{Text: text}})), "agent"},
		"an intent and a decision":          {stages(with(&onusv1.DecisionRecord{Decision: &onusv1.Decision{Text: text}})), "agent"},
		"an intent and an action":           {stages(with(&onusv1.DecisionRecord{Action: &onusv1.Action{Element: element()}})), "agent"},
		"an outcome":                        {body(outcome), "agent"},
		"an operator":                       {body(operator), "administrator"},
		"an agent class":                    {body(agentClass), "administrator"},
		"a service":                         {body(service), "administrator"},
		"a user client":                     {body(userClient), "administrator"},
		"a reviewer":                        {body(reviewer), "administrator"},
		"an issuer":                         {body(issuer), "administrator"},
		"a key of the party, by another":    {rotationOrAdmin, "administrator agent client operator reviewer service user"},
		"a trigger":                         {body(trigger), "administrator operator service"},
		"a genesis":                         {body(genesis), "administrator"},
		"an approval":                       {body(approval), "client reviewer user"},
		"a denial":                          {body(denial), "client reviewer user"},
		"a rejection":                       {body(rejection), "host"},
		"a counter-record":                  {body(counter), "service"},
		"a key set":                         {body(keySet), "administrator host"},
		"a trust bundle":                    {body(trustBundle), "administrator host"},
		"a read":                            {body(reading), "host"},
		"a review":                          {reviewOf, "host reviewer"},
		"a revocation of the signing key":   {body(everyRecord["revoked-key"]), "administrator agent client operator reviewer service user"},
		"a revocation of a grant":           {body(everyRecord["revoked-grant"]), "administrator agent client operator user"},
		"a revocation of a session":         {body(everyRecord["revoked-session"]), "administrator client user"},
		"a revocation of an agent class":    {body(revocation), "administrator operator"},
		"a revocation of an instance":       {body(everyRecord["revoked-instance"]), "administrator operator"},
		"a grant under a grant":             {grantUnder(idOf("parent grant")), "agent"},
		"a grant under none, for a user":    {grantUnder(""), "agent client operator user"},
		"a loss, which only agents count":   {lossOf, "agent"},
		"a revocation of an operator's key": {revocationOfAnother, "administrator operator"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for party := range by {
				if _, err := parse(record.TypeProtobuf, marshal(t, tt.record(party))); err == nil {
					got = append(got, party)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.by, strings.Join(got, " ")); diff != "" {
				t.Errorf("who may sign it: (-want +got)\n%s", diff)
			}
		})
	}
	// The refusal names the author, and who may sign it instead.
	_, err := parse(record.TypeProtobuf, marshal(t, body(keySet)("agent")))
	wantRefusal(t, err, record.ReasonInvalid, "author")
	const want = "author is an agent, which may not sign a key set: have an administrator or the host sign it"
	if err != nil && err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func rotationOrAdmin(party string) *onusv1.Record {
	switch party {
	case "administrator":
		return keyBinding()
	case "host":
		m := keyBinding()
		m.Author = saidBy("host").Author
		return m
	}
	return rotation(party)
}

func reviewOf(party string) *onusv1.Record {
	m := saidBy(party)
	m.Causes, m.Body = ownReview().Causes, ownReview().Body
	return m
}

func grantUnder(parent string) func(string) *onusv1.Record {
	return func(party string) *onusv1.Record {
		m := saidBy(party)
		m.User, m.Session = alice, pseudonym("x-", 'b')
		m.Grant, m.Body = parent, delegation().Body
		return m
	}
}

func lossOf(party string) *onusv1.Record {
	m := saidBy(party)
	m.Body = loss().Body
	if party == "agent" {
		m.Sequence, m.Previous = 7, idOf("previous")
	}
	return m
}

func revocationOfAnother(party string) *onusv1.Record {
	return revokedBy(party, &onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: strings.Repeat("k", 43)}})
}

// What others made of an agent's doing gives and binds nothing; what any
// other party says, it says itself.
func TestCapture(t *testing.T) {
	recorded := func(m *onusv1.Record) { m.Capture = onusv1.Capture_CAPTURE_RECORDER }
	testAccepted(t, decision, []acceptance{{"stages by an agent", recorded}})
	testAccepted(t, outcome, []acceptance{{"an outcome", recorded}})
	for _, name := range []string{"delegation", "enrolment-svid", "rotation-agent", "revoked-grant", "intent", "denial", "approval", "counter", "key-set", "trigger", "operator", "review", "review-open"} {
		testRefusals(t, everyRecord[name], []refusal{{name, "capture", recorded}})
	}
}

// Whose word it is that a client or a device signs.
func TestUserSide(t *testing.T) {
	none := func(m *onusv1.Record) { m.User, m.Token = "", nil }
	other := func(m *onusv1.Record) { m.User = pseudonym("u-", 'z') }
	testRefusals(t, intent, []refusal{{"a client's intent of nobody", "user", none}})
	testAccepted(t, intent, []acceptance{{"of any user", other}, {"without a token", func(m *onusv1.Record) { m.Token = nil }}})
	testRefusals(t, denial, []refusal{{"a user's denial of nobody", "user", none}, {"a user's denial of another", "user", other}})
	testAccepted(t, everyRecord["rotation-client"], []acceptance{{"a client's own key", none}})
	testRefusals(t, everyRecord["rotation-user"], []refusal{{"a user's key for nobody", "user", none}})
	byClient := func(r *onusv1.Revocation) func() *onusv1.Record {
		return func() *onusv1.Record { return revokedBy("client", r) }
	}
	testAccepted(t, byClient(&onusv1.Revocation{Target: &onusv1.Revocation_Key{Key: keyID}}), []acceptance{{"revocation of the client's key", none}})
	testRefusals(t, byClient(&onusv1.Revocation{Target: &onusv1.Revocation_Grant{Grant: idOf("grant")}}), []refusal{{"revocation of a grant", "user", none}})
	testRefusals(t, byClient(&onusv1.Revocation{Target: &onusv1.Revocation_Session{Session: pseudonym("x-", 'b')}}), []refusal{{"revocation of a session", "user", none}})
}
