package entry_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

var update = flag.Bool("update", false, "write the vector files anew")

const vectorDir = "../../testdata/entry"

// A vector is a leaf and what it says, for other implementations to compare
// with. An absent index is null.
type vector struct {
	Comment       string      `json:"comment"`
	LogTime       int64       `json:"log_time_ms"`
	RegistryCount int64       `json:"registry_count"`
	RegistryRoot  string      `json:"registry_root_hex"`
	KeyEntry      int64       `json:"key_entry"`
	Assurance     uint8       `json:"assurance"`
	KeySetEntry   *int64      `json:"key_set_entry"`
	User          string      `json:"user"`
	Uses          []vectorUse `json:"uses"`
	PayloadType   string      `json:"payload_type"`
	Signature     string      `json:"signature_hex"`
	Payload       string      `json:"payload_hex"`
	Leaf          string      `json:"leaf_hex"`
	LeafHash      string      `json:"leaf_hash_hex"`
}

type vectorUse struct {
	Kind     string  `json:"kind"` // "limit" or "approval"
	ID       string  `json:"id"`
	Previous *int64  `json:"previous"`
	Limit    *uint16 `json:"limit,omitempty"`
	Total    *string `json:"total,omitempty"`
	Denial   *int64  `json:"denial,omitempty"`
}

func readVectors(t *testing.T) map[string]vector {
	t.Helper()
	if *update {
		writeVectors(t)
	}
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	if err != nil || len(files) < 4 {
		t.Fatalf("found %d vectors (%v), want at least 4", len(files), err)
	}
	vs := map[string]vector{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		vs[filepath.Base(file)] = v
	}
	return vs
}

func TestVectors(t *testing.T) {
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			want := v.entry(t)
			leaf := unhex(t, v.Leaf)
			if got := mustMarshal(t, want); string(got) != string(leaf) {
				t.Errorf("Marshal of the fields\ngot  %x\nwant %x", got, leaf)
			}
			got, err := entry.Parse(leaf)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse of the leaf (-fields +leaf)\n%s", diff)
			}
			if got := tree.LeafHash(leaf); hex.EncodeToString(got[:]) != v.LeafHash {
				t.Errorf("leaf hash = %x, want %s", got, v.LeafHash)
			}
			stamp, err := entry.Split(leaf)
			if err != nil {
				t.Fatal(err)
			}
			s, err := entry.ParseStamp(stamp)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Stamp, s); diff != "" {
				t.Errorf("ParseStamp (-fields +stamp)\n%s", diff)
			}
			// What the author of a record does with a receipt.
			if rebuilt, err := entry.Assemble(stamp, want.Envelope); err != nil || string(rebuilt) != string(leaf) {
				t.Errorf("Assemble: %v\ngot  %x\nwant %x", err, rebuilt, leaf)
			}
		})
	}
}

func (v vector) entry(t *testing.T) *entry.Entry {
	t.Helper()
	index := func(i *int64) int64 {
		if i == nil {
			return -1
		}
		return *i
	}
	typ, err := record.ParsePayloadType(v.PayloadType)
	if err != nil {
		t.Fatal(err)
	}
	e := &entry.Entry{
		Stamp: entry.Stamp{
			LogTime: v.LogTime, RegistryCount: v.RegistryCount, RegistryRoot: tree.Hash(unhex(t, v.RegistryRoot)),
			KeyEntry: v.KeyEntry, Assurance: v.Assurance, KeySetEntry: index(v.KeySetEntry), User: v.User,
		},
		Envelope: record.Envelope{Type: typ, Payload: unhex(t, v.Payload), Signature: unhex(t, v.Signature)},
	}
	for _, u := range v.Uses {
		id, err := record.ParseID(u.ID)
		if err != nil {
			t.Fatal(err)
		}
		use := entry.Use{Approval: u.Kind == "approval", ID: id, Previous: index(u.Previous)}
		if use.Approval {
			use.Denial = index(u.Denial)
		} else {
			use.Limit, use.Total = *u.Limit, *u.Total
		}
		e.Stamp.Uses = append(e.Stamp.Uses, use)
	}
	return e
}

func vectorOf(t *testing.T, comment string, e *entry.Entry) vector {
	t.Helper()
	index := func(i int64) *int64 {
		if i < 0 {
			return nil
		}
		return &i
	}
	leaf := mustMarshal(t, e)
	hash := tree.LeafHash(leaf)
	v := vector{
		Comment: comment,
		LogTime: e.Stamp.LogTime, RegistryCount: e.Stamp.RegistryCount, RegistryRoot: hex.EncodeToString(e.Stamp.RegistryRoot[:]),
		KeyEntry: e.Stamp.KeyEntry, Assurance: e.Stamp.Assurance, KeySetEntry: index(e.Stamp.KeySetEntry), User: e.Stamp.User,
		Uses:        []vectorUse{},
		PayloadType: e.Envelope.Type.String(),
		Signature:   hex.EncodeToString(e.Envelope.Signature), Payload: hex.EncodeToString(e.Envelope.Payload),
		Leaf: hex.EncodeToString(leaf), LeafHash: hex.EncodeToString(hash[:]),
	}
	for _, u := range e.Stamp.Uses {
		vu := vectorUse{Kind: "limit", ID: u.ID.String(), Previous: index(u.Previous), Limit: &u.Limit, Total: &u.Total}
		if u.Approval {
			vu = vectorUse{Kind: "approval", ID: u.ID.String(), Previous: index(u.Previous), Denial: index(u.Denial)}
		}
		v.Uses = append(v.Uses, vu)
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeVectors(t *testing.T) {
	t.Helper()
	first := plainEntry(t)
	first.Stamp.LogTime, first.Stamp.RegistryCount, first.Stamp.RegistryRoot, first.Stamp.KeyEntry = 0, 0, tree.Empty, 0
	json1 := plainEntry(t)
	json1.Envelope.Type, json1.Envelope.Payload = record.TypeJSON, []byte(`{"origin":"log.example.com/prod"}`)
	rsa := fullEntry(t)
	rsa.Envelope.Signature = filler(256)
	uses := fullEntry(t)
	uses.Stamp.Uses = nil
	for i := range entry.MaxUses {
		u := limitUse()
		u.Limit, u.Previous, u.Total = uint16(i), -1, "0"
		uses.Stamp.Uses = append(uses.Stamp.Uses, u)
	}
	for name, v := range map[string]struct {
		comment string
		entry   *entry.Entry
	}{
		"first":     {"the least that an entry has: an empty registry before it", first},
		"no-uses":   {"an entry that draws on no limit and no approval", plainEntry(t)},
		"both-uses": {"a total limit and an approval, and a user whose word was checked", fullEntry(t)},
		"json":      {"a JSON payload; the layout does not look into it, and the signature is another payload's", json1},
		"rsa":       {"a signature of RSA-2048's size; its bytes are made up", rsa},
		"most-uses": {"as many use stamps as an entry may have", uses},
	} {
		b, err := json.MarshalIndent(vectorOf(t, v.comment, v.entry), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(vectorDir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(vectorDir, name+".json"), append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
