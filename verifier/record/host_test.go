package record_test

import (
	"bytes"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// The rules for what the host and target services say they saw.

func TestKeySets(t *testing.T) {
	in := func(change func(*onusv1.KeySet)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetKeySet()) }
	}
	testRefusals(t, keySet, []refusal{
		{"of nobody", "key_set.issuer", in(func(k *onusv1.KeySet) { k.Issuer = "" })},
		{"of what is no URL", "key_set.issuer", in(func(k *onusv1.KeySet) { k.Issuer = "login.example.com" })},
		{"of nothing", "key_set.jwks", in(func(k *onusv1.KeySet) { k.Jwks = nil })},
		{"never fetched", "key_set.fetched", in(func(k *onusv1.KeySet) { k.Fetched = nil })},
		{"fetched before 1970", "key_set.fetched", in(func(k *onusv1.KeySet) { k.Fetched = at(-1) })},
	})
	testAccepted(t, keySet, []acceptance{
		{"by an administrator", func(m *onusv1.Record) { m.Author = byAdmin().Author }},
		{"of a whole payload's size", in(func(k *onusv1.KeySet) { k.Jwks = bytes.Repeat([]byte{'x'}, record.MaxPayload-400) })},
	})
}

func TestTrustBundles(t *testing.T) {
	in := func(change func(*onusv1.TrustBundle)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetTrustBundle()) }
	}
	testRefusals(t, trustBundle, []refusal{
		{"of nobody", "trust_bundle.domain", in(func(b *onusv1.TrustBundle) { b.Domain = "" })},
		{"of a SPIFFE ID", "trust_bundle.domain", in(func(b *onusv1.TrustBundle) { b.Domain = "spiffe://example.com" })},
		{"in upper case", "trust_bundle.domain", in(func(b *onusv1.TrustBundle) { b.Domain = "Example.com" })},
		{"of dots", "trust_bundle.domain", in(func(b *onusv1.TrustBundle) { b.Domain = ".." })},
		{"of a name too long", "trust_bundle.domain", in(func(b *onusv1.TrustBundle) { b.Domain = strings.Repeat("d", 256) })},
		{"of nothing", "trust_bundle.bundle", in(func(b *onusv1.TrustBundle) { b.Bundle = nil })},
		{"never fetched", "trust_bundle.fetched", in(func(b *onusv1.TrustBundle) { b.Fetched = nil })},
	})
	testAccepted(t, trustBundle, []acceptance{
		{"by the host", func(m *onusv1.Record) { m.Author = saidBy("host").Author }},
		{"of the longest name", in(func(b *onusv1.TrustBundle) { b.Domain = strings.Repeat("d", 255) })},
	})
}

func TestRejections(t *testing.T) {
	in := func(change func(*onusv1.Rejection)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetRejection()) }
	}
	testRefusals(t, rejection, []refusal{
		{"of nothing", "rejection.record", in(func(r *onusv1.Rejection) { r.Record = "" })},
		{"of what is no id", "rejection.record", in(func(r *onusv1.Rejection) { r.Record = "record" })},
		{"of nobody's", "rejection.author", in(func(r *onusv1.Rejection) { r.Author = nil })},
		{"of an author without a party", "rejection.author.agent", in(func(r *onusv1.Rejection) { r.Author = &onusv1.Author{KeyId: keyID} })},
		{"of two authors'", "rejection.author", in(func(r *onusv1.Rejection) { r.Author.Host = true })},
		{"of an author without a key", "rejection.author.key_id", in(func(r *onusv1.Rejection) { r.Author.KeyId = "" })},
		{"by no revocation", "rejection.revocation", in(func(r *onusv1.Rejection) { r.Revocation = 0 })},
		{"by a negative revocation", "rejection.revocation", in(func(r *onusv1.Rejection) { r.Revocation = -1 })},
	})
	testAccepted(t, rejection, []acceptance{
		{"by the entry after genesis", in(func(r *onusv1.Rejection) { r.Revocation = 1 })},
		{"of an operator's", in(func(r *onusv1.Rejection) { r.Author = trigger().Author })},
	})
}

func TestReads(t *testing.T) {
	in := func(change func(*onusv1.Read)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetRead()) }
	}
	testRefusals(t, reading, []refusal{
		{"by nobody", "read.caller", in(func(r *onusv1.Read) { r.Caller = "" })},
		{"by a name too long", "read.caller", in(func(r *onusv1.Read) { r.Caller = strings.Repeat("c", 257) })},
		{"in no role", "read.role", in(func(r *onusv1.Read) { r.Role = "" })},
		{"of no procedure", "read.procedure", in(func(r *onusv1.Read) { r.Procedure = "" })},
		{"of a path", "read.procedure", in(func(r *onusv1.Read) { r.Procedure = "/onus.v1/GetChain" })},
		{"of a procedure too long", "read.procedure", in(func(r *onusv1.Read) { r.Procedure = strings.Repeat("P", 65) })},
		{"of what is no record", "read.record", in(func(r *onusv1.Read) { r.Record = "record" })},
	})
	testAccepted(t, reading, []acceptance{{"of many", in(func(r *onusv1.Read) { r.Record, r.Procedure = "", strings.Repeat("P", 64) })}})
}

func TestCounterRecords(t *testing.T) {
	type C = onusv1.CounterRecord
	in := func(change func(*C)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetCounter()) }
	}
	testRefusals(t, counter, []refusal{
		{"empty", "counter.element", func(m *onusv1.Record) { m.Body = &onusv1.Record_Counter{Counter: &C{}} }},
		{"caller that is no SPIFFE ID", "counter.caller", in(func(r *C) { r.Caller = "planner" })},
		{"instance of nobody", "counter.caller_instance", in(func(r *C) { r.Caller, r.CallerKey = "", "" })},
		{"key of nobody", "counter.caller_key", in(func(r *C) { r.Caller, r.CallerInstance = "", "" })},
		{"instance is two dots", "counter.caller_instance", in(func(r *C) { r.CallerInstance = ".." })},
		{"key that is none", "counter.caller_key", in(func(r *C) { r.CallerKey = "key" })},
		{"grant that is no id", "counter.grant", in(func(r *C) { r.Grant = "grant" })},
		{"no element", "counter.element", in(func(r *C) { r.Element = nil })},
		{"any type", "counter.element.type", in(func(r *C) { r.Element.Type = "*" })},
		{"quantity of none", "counter.element.quantity", in(func(r *C) { r.Element.Quantity = "0" })},
		{"token's sub by name", "counter.token.sub", in(func(r *C) { r.Token.Sub = "alice" })},
		{"too many actors", "counter.token.act", in(func(r *C) { r.Token.Act = many(9, "a") })},
		{"empty actor", "counter.token.act[0]", in(func(r *C) { r.Token.Act[0] = "" })},
		{"azp too long", "counter.token.azp", in(func(r *C) { r.Token.Azp = strings.Repeat("a", 257) })},
		{"request id with a newline", "counter.external_request_id", in(func(r *C) { r.ExternalRequestId = "a\nb" })},
		{"unknown decision", "counter.decision", in(func(r *C) { r.Decision = 3 })},
		{"unknown status", "counter.status", in(func(r *C) { r.Status = 4 })},
		{"negative status", "counter.status", in(func(r *C) { r.Status = -1 })},
	})
	testAccepted(t, counter, []acceptance{
		{"the element alone", func(m *onusv1.Record) {
			m.Parent = ""
			m.Body = &onusv1.Record_Counter{Counter: &C{Element: element()}}
		}},
		{"a caller that only said who it is", in(func(r *C) { r.CallerInstance, r.CallerKey = "", "" })},
	})
}
