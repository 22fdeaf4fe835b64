package evidence_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const login = "https://login.example.com"

// What the ledger says that it checked is attested where the registry bears it
// out, and never more.
func TestAttested(t *testing.T) {
	l := newLog(t)
	l.register(&onusv1.Registration{Subject: &onusv1.Registration_Issuer{Issuer: &onusv1.Issuer{Url: login, Users: true}}})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := credential.NewKey("k", credential.UseSig, private.Public())
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := credential.MarshalKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	set := l.add("root", &onusv1.Record{Author: administrator(), Body: &onusv1.Record_KeySet{KeySet: &onusv1.KeySet{
		Issuer: login, Jwks: jwks, Fetched: timestamppb.New(time.UnixMilli(start))}}})
	// One that the ledger checked, and one that it says so of without keys.
	for _, keySet := range []int64{set, 3} {
		m := &onusv1.Record{Author: agent(), User: alice, Session: session, Token: &onusv1.UserToken{
			Digest: strings.Repeat("A", 43), Issuer: login, Audience: []string{"planner"},
			Expires: timestamppb.New(time.UnixMilli(start + 1_000_000))},
			Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Text: l.text("go on")}}}}
		l.addRecord(l.sign("agent", m), func(e *entry.Entry) {
			e.Stamp.Assurance, e.Stamp.KeySetEntry, e.Stamp.User = 1, keySet, alice
			e.Stamp.Uses = []entry.Use{{ID: record.ID{1}, Previous: -1, Total: "0", Denial: 0}}
		})
	}
	res := verify(t, l.bundle(6, 7), l.trust())
	wantFaults(t, "attested", res, evidence.Fault{Index: 7, Finding: evidence.BrokenStamp})
	good, bad := checked(t, res, 6), checked(t, res, 7)
	if !good.Sound() || good.State(evidence.UserWord) != evidence.Attested || good.State(evidence.UseStamps) != evidence.Attested {
		t.Errorf("user's word %s, use stamps %s", good.State(evidence.UserWord), good.State(evidence.UseStamps))
	}
	if bad.Sound() || bad.State(evidence.UserWord) != evidence.Broken {
		t.Errorf("with keys that are none: user's word %s", bad.State(evidence.UserWord))
	}
}

// A file whose genesis is none names no key to check it with.
func TestNoGenesis(t *testing.T) {
	l := &testLog{t: t, log: logSigner(t, origin, "log"), frontier: tree.NewFrontier()}
	l.addRaw([]byte{entry.Version, 0})
	b := l.bundleOf(0)
	b.Leaves[0].Registry = true
	broken := []evidence.Fault{{Index: 0, Finding: evidence.BrokenEntry}, {Index: -1, Finding: evidence.BrokenCheckpoint}}
	wantFaults(t, "no genesis, no key", verify(t, b, evidence.Trust{}), broken...)
	wantFaults(t, "no genesis", verify(t, b, l.trust()), broken[0])
}

// Errors say what is wrong and what to do about it.
func TestMessages(t *testing.T) {
	l, b := full(t)
	unanchored := verify(t, b, evidence.Trust{}).Err()
	b.Contents[0].Data = nil
	var got []string
	for _, err := range []error{
		unanchored,
		verify(t, b, l.trust()).Err(),
		&evidence.FormatError{Offset: 17, Section: "entries", Detail: "index 5 does not come after 7"},
		&evidence.FormatError{Offset: -1, Detail: "it is empty"},
		&evidence.LimitError{What: "a section of entries", Size: 5, Limit: 4},
	} {
		got = append(got, err.Error())
	}
	want := []string{
		"the evidence agrees with itself, but nothing shows that it is of the log example.com/log: get the log's key from who runs it, and give it",
		"the evidence is broken: entry 4: PAYLOAD_MISMATCH: contents[0] opens no commitment of the record",
		"the evidence's section of entries, byte 17: index 5 does not come after 7: get the file again from who made it",
		"the evidence: it is empty",
		"the evidence has a section of entries of size 5, and the limit is 4: raise the limit, or ask for fewer records",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got)\n%s", diff)
	}
}
