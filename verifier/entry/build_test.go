package entry_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var user = "u-" + strings.Repeat("a", 26)

// signed returns a real record, the same in every run.
func signed(t testing.TB) record.Envelope {
	t.Helper()
	s, err := record.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.Sign(&onusv1.Record{
		Origin:      "log.example.com/prod",
		Nonce:       bytes.Repeat([]byte{7}, record.NonceSize),
		Author:      &onusv1.Author{Agent: "spiffe://example.com/planner", Instance: "pod-7", Operator: "acme/it"},
		Capture:     onusv1.Capture_CAPTURE_SELF,
		ClaimedTime: &timestamppb.Timestamp{Seconds: 1_790_000_000},
		Body: &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{
			Action: &onusv1.Action{Element: &onusv1.ScopeElement{Type: "order", Action: "create"}},
		}},
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	return r.Envelope
}

// filler returns n bytes that are the same in every run.
func filler(n int) []byte {
	var b []byte
	for sum := sha256.Sum256([]byte("filler")); len(b) < n; sum = sha256.Sum256(sum[:]) {
		b = append(b, sum[:]...)
	}
	return b[:n]
}

func limitUse() entry.Use {
	return entry.Use{ID: sha256.Sum256([]byte("grant")), Limit: 2, Previous: 41, Total: "48000.5"}
}

func approvalUse() entry.Use {
	return entry.Use{Approval: true, ID: sha256.Sum256([]byte("approval")), Previous: -1, Denial: 40}
}

// plainEntry draws on nothing and says nothing about a user.
func plainEntry(t testing.TB) *entry.Entry {
	return &entry.Entry{
		Stamp: entry.Stamp{
			LogTime: 1_790_000_000_123, RegistryCount: 5, RegistryRoot: tree.LeafHash([]byte("registry")),
			KeyEntry: 4, KeySetEntry: -1,
		},
		Envelope: signed(t),
	}
}

// fullEntry has every field.
func fullEntry(t testing.TB) *entry.Entry {
	e := plainEntry(t)
	e.Stamp.Assurance, e.Stamp.KeySetEntry, e.Stamp.User = 2, 3, user
	e.Stamp.Uses = []entry.Use{limitUse(), approvalUse()}
	return e
}

func mustMarshal(t testing.TB, e *entry.Entry) []byte {
	t.Helper()
	b, err := e.Marshal()
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return b
}
