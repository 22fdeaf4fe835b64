package record_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/encoding/protojson"
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
	if want := len(comments) + 3; err != nil || len(files) != want {
		t.Fatalf("found %d vectors (%v), want %d", len(files), err, want)
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

// comments says what the vectors in protobuf are, one for each of everyRecord.
var comments = map[string]string{
	"decision":          "a decision record with every field set",
	"genesis":           "the body of entry 0",
	"outcome":           "an outcome",
	"loss":              "a loss of four records",
	"trigger":           "a trigger by an operator",
	"operator":          "the registration of an operator",
	"agent-class":       "the registration of an agent class",
	"key-binding":       "the binding of an instance's key by an administrator",
	"revocation":        "the revocation of an agent class by an administrator",
	"intent":            "an intent that a user client signs, beside the user's token",
	"proposal":          "a decision with a proposal",
	"delegation":        "a grant by an agent under its own grant, with every field set",
	"approval":          "an approval by a reviewer",
	"denial":            "a denial by a user's device",
	"rejection":         "a rejection by the host",
	"counter":           "a counter-record by a service, with every field set",
	"key-set":           "a key set, fetched by the host",
	"trust-bundle":      "a trust bundle by an administrator",
	"read":              "a read by an auditor",
	"review":            "a review of a finding, signed by the host for an officer, with every field set",
	"review-open":       "a review of a chain as a whole by a reviewer, who says nothing yet",
	"service":           "the registration of a service",
	"user-client":       "the registration of a user client",
	"reviewer":          "the registration of a reviewer",
	"issuer":            "the registration of an issuer",
	"full-agent-class":  "the registration of an agent class with every field set",
	"host-genesis":      "the body of entry 0 of a log whose host has a key",
	"successor-genesis": "the body of entry 0 of a log that succeeds another, of seven entries",
	"enrolment-svid":    "an agent's key that enrols itself with an X.509-SVID; the certificates are made up",
	"enrolment-token":   "a service's key that enrols itself with a workload token, which is made up",
	"enrolment-device":  "the key of a user's device that enrols itself, beside a token that is bound to it",
	"rotation-agent":    "an agent's key that binds the next one, with its signature over the binding statement",
	"rotation-operator": "an operator's key that binds the next one",
	"rotation-service":  "a service's key that binds the next one",
	"rotation-client":   "a user client's key that binds the next one",
	"rotation-user":     "the key of a user's device that binds that of another",
	"rotation-reviewer": "a reviewer's key that binds the next one",
	"revoked-key":       "a key that revokes itself",
	"revoked-instance":  "the revocation of an instance by its operator",
	"revoked-operator":  "the revocation of an operator by an administrator",
	"revoked-grant":     "the revocation of a grant by an agent",
	"revoked-session":   "the revocation of a session by its user",
}

func writeVectors(t *testing.T) {
	t.Helper()
	s := signerOf(t, edKey(1))
	type signed struct {
		comment string
		typ     record.PayloadType
		payload []byte
	}
	vectors := map[string]signed{
		"json-action":     {"an action in ProtoJSON, spaces and all", record.TypeJSON, jsonRecord()},
		"json-delegation": {"a grant in ProtoJSON", record.TypeJSON, compactJSON(t, delegation())},
		"json-enrolment":  {"an enrolment by an X.509-SVID in ProtoJSON", record.TypeJSON, compactJSON(t, enrolment())},
	}
	for name, comment := range comments {
		vectors["protobuf-"+name] = signed{comment, record.TypeProtobuf, marshal(t, everyRecord[name]())}
	}
	for name, v := range vectors {
		r, err := record.SignPayload(v.typ, v.payload, s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(vectorOf(v.comment, r, s.Public()), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		writeVector(t, filepath.Join(vectorDir, name+".json"), b)
	}
}

func writeVector(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compactJSON is protojson's text without the spaces that it varies.
func compactJSON(t testing.TB, m *onusv1.Record) []byte {
	t.Helper()
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
