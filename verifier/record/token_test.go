package record_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

func inToken(change func(*onusv1.UserToken)) func(*onusv1.Record) {
	return func(m *onusv1.Record) { change(m.Token) }
}

func many(n int, s string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestUserToken(t *testing.T) {
	type T = onusv1.UserToken
	long := func(n int) string { return strings.Repeat("x", n) }
	testRefusals(t, intent, []refusal{
		{"empty", "token.digest", func(m *onusv1.Record) { m.Token = &T{} }},
		{"digest too short", "token.digest", inToken(func(t *T) { t.Digest = t.Digest[:42] })},
		{"digest in hexadecimal", "token.digest", inToken(func(t *T) { t.Digest = strings.Repeat("0", 64) })},
		{"no issuer", "token.issuer", inToken(func(t *T) { t.Issuer = "" })},
		{"issuer too long", "token.issuer", inToken(func(t *T) { t.Issuer = "https://" + long(1017) })},
		{"no audience", "token.audience", inToken(func(t *T) { t.Audience = nil })},
		{"too many audiences", "token.audience", inToken(func(t *T) { t.Audience = many(33, "a") })},
		{"empty audience", "token.audience[1]", inToken(func(t *T) { t.Audience[1] = "" })},
		{"audience too long", "token.audience[0]", inToken(func(t *T) { t.Audience[0] = long(1025) })},
		{"client with a newline", "token.client", inToken(func(t *T) { t.Client = "a\nb" })},
		{"client too long", "token.client", inToken(func(t *T) { t.Client = long(1025) })},
		{"id too long", "token.id", inToken(func(t *T) { t.Id = long(257) })},
		{"issued before 1970", "token.issued", inToken(func(t *T) { t.Issued = at(-1) })},
		{"no end", "token.expires", inToken(func(t *T) { t.Expires = nil })},
		{"ends after 9999", "token.expires", inToken(func(t *T) { t.Expires = at(253402300800) })},
		{"authenticated before 1970", "token.authenticated", inToken(func(t *T) { t.Authenticated = at(-1) })},
		{"acr too long", "token.acr", inToken(func(t *T) { t.Acr = long(257) })},
		{"too many methods", "token.amr", inToken(func(t *T) { t.Amr = many(17, "pwd") })},
		{"empty method", "token.amr[0]", inToken(func(t *T) { t.Amr[0] = "" })},
		{"method with a tab", "token.amr[1]", inToken(func(t *T) { t.Amr[1] = "a\tb" })},
		{"bound to what is no key", "token.confirms", inToken(func(t *T) { t.Confirms = "key" })},
		{"too many actors", "token.actors", inToken(func(t *T) {
			for len(t.Actors) < 9 {
				t.Actors = append(t.Actors, t.Actors[1])
			}
		})},
		{"actor without subject", "token.actors[0].subject", inToken(func(t *T) { t.Actors[0].Subject = "" })},
		{"actor's subject too long", "token.actors[1].subject", inToken(func(t *T) { t.Actors[1].Subject = long(2049) })},
		{"actor's issuer with a space behind", "token.actors[0].issuer", inToken(func(t *T) { t.Actors[0].Issuer += " " })},
		{"actor's client too long", "token.actors[0].client", inToken(func(t *T) { t.Actors[0].Client = long(1025) })},
	})
	testRefusals(t, proposal, []refusal{
		{"without user", "token", func(m *onusv1.Record) { m.Session, m.Token = office, userToken() }},
		{"without session", "token", func(m *onusv1.Record) { m.User, m.Token = alice, userToken() }},
	})
	testAccepted(t, proposal, []acceptance{
		{"with user and session", func(m *onusv1.Record) { m.User, m.Session, m.Token = alice, office, userToken() }},
	})
	testAccepted(t, intent, []acceptance{
		{"only what every token has", func(m *onusv1.Record) {
			t := m.Token
			m.Token = &T{Digest: t.Digest, Issuer: t.Issuer, Audience: t.Audience[:1], Expires: t.Expires}
		}},
		{"as much as it may have", inToken(func(t *T) {
			t.Issuer, t.Client, t.Id, t.Acr = "https://"+long(1016), long(1024), long(256), long(256)
			t.Audience, t.Amr = many(32, "a"), many(16, "pwd")
			for len(t.Actors) < 8 {
				t.Actors = append(t.Actors, &onusv1.Actor{Subject: long(2048), Issuer: long(1024), Client: long(1024)})
			}
		})},
		{"spaces inside", inToken(func(t *T) { t.Acr = "level 2" })},
	})
}
