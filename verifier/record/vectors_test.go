package record_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier/record"
)

var update = flag.Bool("update", false, "write the vector files anew")

const vectorDir = "../../testdata/record"

// A vector is a signed record, for other implementations to compare with:
// the id is the SHA-256 of pae, the signature is key's over pae.
type vector struct {
	Comment     string `json:"comment"`
	PayloadType string `json:"payload_type"`
	Payload     string `json:"payload_hex"`
	PublicKey   string `json:"public_key_spki_hex"`
	KeyID       string `json:"key_id"`
	Signature   string `json:"signature_hex"`
	PAE         string `json:"pae_hex"`
	ID          string `json:"id"`
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("found %d vectors (%v), want at least 2", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want vector
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			typ, err := record.ParsePayloadType(want.PayloadType)
			if err != nil {
				t.Fatal(err)
			}
			r, err := record.Parse(record.Envelope{Type: typ, Payload: unhex(t, want.Payload), Signature: unhex(t, want.Signature)})
			if err != nil {
				t.Fatal(err)
			}
			key, err := record.ParsePublicKey(unhex(t, want.PublicKey))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.VerifySignature(key); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want, vectorOf(want.Comment, r, key)); diff != "" {
				t.Errorf("(-file +code)\n%s", diff)
			}
		})
	}
}

func vectorOf(comment string, r *record.Record, key *record.PublicKey) vector {
	return vector{
		Comment:     comment,
		PayloadType: r.Envelope.Type.String(),
		Payload:     hex.EncodeToString(r.Envelope.Payload),
		PublicKey:   hex.EncodeToString(key.SPKI()),
		KeyID:       key.ID(),
		Signature:   hex.EncodeToString(r.Envelope.Signature),
		PAE:         hex.EncodeToString(r.Envelope.PAE()),
		ID:          r.ID.String(),
	}
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
	s := signerOf(t, edKey(1))
	for name, v := range map[string]struct {
		comment string
		typ     record.PayloadType
		payload []byte
	}{
		"protobuf-decision": {"a decision record with every field set", record.TypeProtobuf, marshal(t, decision())},
		"protobuf-genesis":  {"the body of entry 0", record.TypeProtobuf, marshal(t, genesis())},
		"json-action":       {"an action in ProtoJSON, spaces and all", record.TypeJSON, jsonRecord()},
	} {
		r, err := record.SignPayload(v.typ, v.payload, s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(vectorOf(v.comment, r, s.Public()), "", "  ")
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
