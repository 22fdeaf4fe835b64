package record

import (
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// parties is a set of kinds of party, as an author is one.
type parties uint16

const (
	anAgent parties = 1 << iota
	anOperator
	anAdministrator
	aService
	aClient
	aUser
	aReviewer
	theHost
)

var partyNames = []struct {
	party parties
	name  string
}{
	{anAgent, "an agent"}, {anOperator, "an operator"}, {anAdministrator, "an administrator"}, {aService, "a service"},
	{aClient, "a user client"}, {aUser, "a user"}, {aReviewer, "a reviewer"}, {theHost, "the host"},
}

// String names the parties for people: "an agent, an operator or the host".
func (p parties) String() string {
	var names []string
	for _, n := range partyNames {
		if p&n.party != 0 {
			names = append(names, n.name)
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

// partiesOf returns the kinds of party that an author names: exactly one, if
// it is valid. An agent's operator and instance are part of its name.
func partiesOf(a *onusv1.Author) parties {
	var p parties
	if a.GetAgent() != "" {
		p |= anAgent
	} else if a.GetOperator() != "" {
		p |= anOperator
	}
	if a.GetAdministrator() != "" {
		p |= anAdministrator
	}
	if a.GetService() != "" {
		p |= aService
	}
	if a.GetClient() != "" {
		p |= aClient
	}
	if a.GetUser() != "" {
		p |= aUser
	}
	if a.GetReviewer() != "" {
		p |= aReviewer
	}
	if a.GetHost() {
		p |= theHost
	}
	return p
}

func (c *checker) author(field string, a *onusv1.Author) {
	if err := checkAuthor(a); err != nil {
		c.fail(field+err.Field, err.Detail, err.Next)
	}
}

// checkAuthor returns an error whose field is what comes after the author's
// own.
func checkAuthor(a *onusv1.Author) *Error {
	const next = "name one party: an agent (agent, instance, operator), an operator, an administrator, a service, a client, a user, a reviewer or the host"
	if a == nil {
		return invalid("", "is missing", next)
	}
	c := &checker{}
	p := partiesOf(a)
	if p == 0 {
		c.fail(".agent", "is missing", next)
	}
	if p&(p-1) != 0 {
		c.fail("", "mixes more than one party", next)
	}
	if p != anAgent {
		c.want(a.GetInstance() == "", ".instance", "is set without an agent", next)
	}
	switch p {
	case anAgent:
		c.spiffe(".agent", a.GetAgent(), false)
		c.instance(".instance", a.GetInstance())
		c.operatorID(".operator", a.GetOperator())
	case anOperator:
		c.operatorID(".operator", a.GetOperator())
	case anAdministrator:
		c.want(isName(a.GetAdministrator(), 64, adminChars), ".administrator", "has characters other than a-z 0-9 . _ - or more than 64", "use the name that genesis has")
	case aService:
		c.spiffe(".service", a.GetService(), false)
	case aClient:
		c.clientID(".client", a.GetClient())
	case aUser:
		c.pseudonym(".user", a.GetUser(), UserPrefix)
	case aReviewer:
		c.reviewerName(".reviewer", a.GetReviewer())
	}
	c.want(isKeyID(a.GetKeyId()), ".key_id", "is not an RFC 7638 thumbprint", "use the signing key's thumbprint, 43 characters of base64url")
	return c.err
}

// bodyFitsAuthor: what a kind of party may say. What it may say of whom is for
// packages registry and authority, as far as the record alone does not show
// it.
func (c *checker) bodyFitsAuthor(m *onusv1.Record) {
	a := m.GetAuthor()
	p := partiesOf(a)
	what, by := speakers(m)
	if p&by == 0 {
		c.fail("author", "is "+p.String()+", which may not sign "+what, "have "+by.String()+" sign it")
	}
	switch p {
	case aClient, aUser:
		c.userSide(m, p)
	case anAgent:
		if m.GetCapture() != onusv1.Capture_CAPTURE_SELF {
			c.seen(m)
		}
		return
	}
	c.want(m.GetCapture() == onusv1.Capture_CAPTURE_SELF, "capture", "is not CAPTURE_SELF", "only agents' records may be made by others; say your own doing yourself")
}

// speakers says what a record's body is, for people, and who may sign it.
func speakers(m *onusv1.Record) (what string, by parties) {
	switch b := m.GetBody().(type) {
	case *onusv1.Record_Stages:
		d := b.Stages
		if d.GetInterpretation() == nil && d.GetDecision() == nil && d.GetAction() == nil {
			return "an intent", anAgent | aClient | aUser
		}
		return "stages other than an intent", anAgent
	case *onusv1.Record_Outcome:
		return "an outcome", anAgent
	case *onusv1.Record_Loss:
		return "a loss", anAgent
	case *onusv1.Record_Registration:
		if b.Registration.GetKey() == nil {
			return "the registration of a party", anAdministrator
		}
		return "the registration of a key", anAdministrator | anOperator | anAgent | aService | aClient | aUser | aReviewer
	case *onusv1.Record_Trigger:
		return "a trigger", anOperator | anAdministrator | aService
	case *onusv1.Record_Genesis:
		return "a genesis", anAdministrator
	case *onusv1.Record_Delegation:
		return "a grant", anAgent | anOperator | aClient | aUser
	case *onusv1.Record_Approval:
		return "an approval", aClient | aUser | aReviewer
	case *onusv1.Record_Denial:
		return "a denial", aClient | aUser | aReviewer
	case *onusv1.Record_Rejection:
		return "a rejection", theHost
	case *onusv1.Record_Revocation:
		return "a revocation", anAgent | anOperator | anAdministrator | aService | aClient | aUser | aReviewer
	case *onusv1.Record_Counter:
		return "a counter-record", aService
	case *onusv1.Record_KeySet:
		return "a key set", anAdministrator | theHost
	case *onusv1.Record_TrustBundle:
		return "a trust bundle", anAdministrator | theHost
	case *onusv1.Record_Read:
		return "a read", theHost
	case *onusv1.Record_Review:
		return "a review", aReviewer | theHost
	}
	return "a record without a body", 0
}

// userSide: whose word it is that a user's key or a user client signs. A
// client speaks for the record's user, save of its own key.
func (c *checker) userSide(m *onusv1.Record, p parties) {
	user := m.GetUser()
	if p == aUser {
		c.want(user == m.GetAuthor().GetUser(), "user", "is not the author's user", "name the user who signs")
		return
	}
	ownKey := m.GetRegistration() != nil || m.GetRevocation().GetKey() != ""
	c.want(user != "" || ownKey, "user", "is missing", "name the user for whom the client signs")
}

// seen: what a record that was not made by its author itself cannot be. A
// proxy may see what an agent does; it cannot bind or give anything for it.
func (c *checker) seen(m *onusv1.Record) {
	switch m.GetBody().(type) {
	case *onusv1.Record_Delegation, *onusv1.Record_Registration, *onusv1.Record_Revocation:
		what, _ := speakers(m)
		c.fail("capture", "is not CAPTURE_SELF, but the body is "+what, "have the agent record its own doing")
	}
}
