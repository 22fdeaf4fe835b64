package credential

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Facts is what a verified token says. Of a claim that is absent it holds the
// zero value.
//
// Times are the token's own, to be compared without skew: a token that is
// accepted up to [Skew] after it expired still says when it expired.
type Facts struct {
	// Digest names the token: see [TokenDigest].
	Digest string
	// KeyID is the RFC 7638 thumbprint of the key that verified it.
	KeyID string

	Issuer          string   // iss; may be empty in a JWT-SVID
	Subject         string   // sub
	Audience        []string // aud, one or more
	AuthorizedParty string   // azp
	ClientID        string   // client_id
	Session         string   // sid
	ID              string   // jti
	Nonce           string   // nonce
	ACR             string   // acr: how strongly the user was authenticated
	AMR             []string // amr: by which methods

	IssuedAt  time.Time // iat
	NotBefore time.Time // nbf
	Expires   time.Time // exp
	AuthTime  time.Time // auth_time

	// Confirms is the thumbprint of the key that the token is bound to: cnf's
	// jkt or that of its jwk. Other ways of binding are not read.
	Confirms string

	// Actors holds the RFC 8693 actors, the current one (outermost) first.
	// Only the first may decide access; the others are history.
	Actors []Actor
	// MayAct is who may become the actor, or nil.
	MayAct *Actor

	// Details is RFC 9396 authorization_details.
	Details []Detail
}

// Actor is who acts for a token's subject. RFC 8693, section 4.1.
type Actor struct {
	Subject  string // sub
	Issuer   string // iss, or empty: the token's own
	ClientID string // client_id, or empty
}

// maxActors bounds the chain of actors.
const maxActors = 8

// Client returns the client that the token was issued to, if it says so: azp,
// or client_id.
func (f *Facts) Client() string {
	if f.AuthorizedParty != "" {
		return f.AuthorizedParty
	}
	return f.ClientID
}

// BoundKey returns the thumbprint of the key that the token is bound to:
// Confirms, or else a nonce that has the form of a thumbprint. OpenID Connect
// lets the client choose the nonce, so that the thumbprint of a device's key
// binds that key to the login. A random nonce of that form binds nothing:
// nobody has a key for it.
func (f *Facts) BoundKey() string {
	if f.Confirms == "" && isDigest(f.Nonce) {
		return f.Nonce
	}
	return f.Confirms
}

// readFacts reads all claims but checks none against an expectation. Claims
// that it does not know are left alone, as RFC 7519, section 4, asks.
func readFacts(c *object, maxSubject int) *Facts {
	f := &Facts{
		Issuer: c.text("iss", 1024), Subject: c.text("sub", maxSubject),
		AuthorizedParty: c.text("azp", 1024), ClientID: c.text("client_id", 1024),
		Session: c.text("sid", 255), ID: c.text("jti", 255), Nonce: c.text("nonce", 255),
		ACR: c.text("acr", 255), AMR: c.texts("amr", 16, 64),
		IssuedAt: c.when("iat"), NotBefore: c.when("nbf"), Expires: c.when("exp"), AuthTime: c.when("auth_time"),
	}
	// RFC 7519, section 4.1.3: a string or an array of strings.
	if s, ok := c.m["aud"].(string); ok {
		f.Audience = []string{c.asText("aud", s, 1024)}
	} else {
		f.Audience = c.texts("aud", 32, 1024)
	}
	if len(f.Audience) == 0 || slices.Contains(f.Audience, "") {
		c.fail("aud", "is empty")
	}
	// OpenID Connect Core, section 2: ASCII. It becomes a pseudonym, so one
	// user must have one spelling.
	if f.Subject == "" || strings.ContainsFunc(f.Subject, func(r rune) bool { return r > '~' }) {
		c.fail("sub", "is empty or not ASCII")
	}
	for _, t := range []struct {
		name string
		time time.Time
	}{{"iat", f.IssuedAt}, {"nbf", f.NotBefore}} {
		if !t.time.IsZero() && !t.time.Before(f.Expires) {
			c.fail("exp", "is not after "+t.name)
		}
	}
	f.Confirms = readConfirmation(c)
	f.Actors = readActors(c)
	if o := c.object("may_act"); o != nil {
		f.MayAct = readActor(o)
	}
	f.Details = readDetails(c)
	return f
}

// readConfirmation reads cnf: RFC 9449, section 6.1, and RFC 7800, section 3.2.
func readConfirmation(c *object) string {
	cnf := c.object("cnf")
	if cnf == nil {
		return ""
	}
	jkt := cnf.text("jkt", 64)
	if jkt != "" && !isDigest(jkt) {
		cnf.fail("jkt", "is not the base64url of a SHA-256")
	}
	jwk := cnf.object("jwk")
	if jwk == nil {
		return jkt
	}
	k, why, err := parseKey(c.path+"cnf.jwk", jwk.m)
	switch {
	case err != nil:
		cnf.fail("jwk", "is not a public key: "+err.Error())
	case why != "":
		cnf.fail("jwk", why)
	case jkt != "" && jkt != k.thumb:
		cnf.fail("jkt", "is not the thumbprint of jwk")
	default:
		return k.thumb
	}
	return ""
}

func isDigest(s string) bool {
	b, err := decode64(s)
	return err == nil && len(b) == sha256.Size
}

func readActors(c *object) []Actor {
	var all []Actor
	for o := c.object("act"); o != nil && *c.err == nil; o = o.object("act") {
		if len(all) == maxActors {
			c.fail("act", fmt.Sprintf("names more than %d actors", maxActors))
			return nil
		}
		all = append(all, *readActor(o))
	}
	return all
}

// readActor reads who an actor is. Its exp, nbf and aud mean nothing: RFC
// 8693, section 4.1.
func readActor(o *object) *Actor {
	o.need("sub")
	a := &Actor{Subject: o.text("sub", 2048), Issuer: o.text("iss", 1024), ClientID: o.text("client_id", 1024)}
	if a.Subject == "" {
		o.fail("sub", "is empty")
	}
	return a
}

// Detail is one element of RFC 9396 authorization_details.
type Detail struct {
	Type       string
	Locations  []string
	Actions    []string
	Datatypes  []string
	Identifier string
	Privileges []string
	// Unit is what the limits count, such as "EUR".
	Unit string
	// Limits holds members with any other name whose value is a decimal, as a
	// number or as a string, without sign and exponent.
	Limits map[string]string
	// Unread names the members of another form, sorted. They may narrow what
	// the rest seems to allow: a detail with such members covers nothing for
	// certain.
	Unread []string
}

const (
	maxDetails = 64
	maxWords   = 64
	maxLimits  = 16
)

// readDetails reads authorization_details. RFC 9396, sections 2 and 2.2.
func readDetails(c *object) []Detail {
	var all []Detail
	for i, v := range c.list("authorization_details", maxDetails) {
		o := c.asObject(fmt.Sprintf("authorization_details[%d]", i), v)
		if o == nil {
			return nil
		}
		o.need("type")
		d := Detail{
			Type: o.text("type", 255), Identifier: o.text("identifier", 1024),
			Locations: o.texts("locations", maxWords, 1024), Actions: o.texts("actions", maxWords, 255),
			Datatypes: o.texts("datatypes", maxWords, 255), Privileges: o.texts("privileges", maxWords, 255),
		}
		if d.Type == "" {
			o.fail("type", "is empty")
		}
		for name, v := range o.m {
			switch name {
			case "type", "locations", "actions", "datatypes", "identifier", "privileges":
				continue
			}
			n, number := decimal(v)
			unit, word := v.(string)
			switch {
			case name == "unit" && word && unit != "" && len(unit) <= 32:
				d.Unit = unit
			case name != "unit" && number:
				if d.Limits == nil {
					d.Limits = map[string]string{}
				}
				d.Limits[name] = n
			default:
				d.Unread = append(d.Unread, name)
			}
		}
		slices.Sort(d.Unread)
		if len(d.Limits)+len(d.Unread) > maxLimits {
			o.fail("type", fmt.Sprintf("stands beside more than %d members that RFC 9396 does not name", maxLimits))
		}
		all = append(all, d)
	}
	return all
}

// decimal returns the decimal that a JSON number or string is: digits, perhaps
// a dot and more digits, no zeros before.
func decimal(v any) (string, bool) {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = string(v)
	case string:
		s = v
	}
	ok := len(s) <= 28 && isPlainNumber(s) && (s[0] != '0' || len(s) == 1 || s[1] == '.')
	return s, ok
}
