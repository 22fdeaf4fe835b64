package verifier_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// newerField is a field that this version does not know.
var newerField = protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)

// seal signs a payload that record.Parse may refuse.
func (l *handLog) seal(t record.PayloadType, payload []byte, key string) record.Envelope {
	l.t.Helper()
	env := record.Envelope{Type: t, Payload: payload}
	var err error
	if env.Signature, err = signer(l.t, key).Sign(env.PAE()); err != nil {
		l.t.Fatal(err)
	}
	return env
}

// payload is the agent's next action, as key signs it.
func (l *handLog) payload(key string) []byte {
	l.t.Helper()
	b, err := proto.Marshal(l.action(signer(l.t, key)).Msg)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// addEnvelope appends an envelope that may hold no valid record.
func (l *handLog) addEnvelope(env record.Envelope, bend func(*entry.Stamp)) {
	l.t.Helper()
	index := int64(len(l.entries))
	e := entry.Entry{Stamp: entry.Stamp{LogTime: start + index, KeySetEntry: -1, KeyEntry: 3}, Envelope: env}
	e.Stamp.RegistryCount, e.Stamp.RegistryRoot = l.reg.Stamp(index)
	if bend != nil {
		bend(&e.Stamp)
	}
	raw, err := e.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	l.addRaw(raw)
}

// addType appends an entry with a payload type that Marshal does not write.
func (l *handLog) addType(code byte) {
	l.t.Helper()
	index := int64(len(l.entries))
	l.fill(1)
	raw := l.entries[index]
	stamp, err := entry.Split(raw)
	if err != nil {
		l.t.Fatal(err)
	}
	newer := append([]byte(nil), raw...)
	newer[len(stamp)] = code
	l.replaceLast(newer)
}

// replaceLast puts another entry in the place of the last one.
func (l *handLog) replaceLast(raw []byte) {
	entries := append(l.entries[:len(l.entries)-1:len(l.entries)-1], raw)
	l.entries, l.frontier = nil, tree.NewFrontier()
	for _, e := range entries {
		l.addRaw(e)
	}
}

// A record of a newer version is counted and not called broken; what of it
// can be checked is: stamp, time, id, and the signature with the key that it
// names.
func TestAuditNewerRecords(t *testing.T) {
	newer := func(l *handLog, key string) []byte { return append(l.payload(key), newerField...) }
	newerJSON := func(l *handLog, key string) []byte {
		b, err := protojson.Marshal(l.action(signer(t, key)).Msg)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(strings.Replace(string(b), "{", `{"severity":{"grade":1},`, 1))
	}
	for _, c := range []struct {
		name  string
		build func(l *handLog) // index 4
		want  []fault
		newer int64
	}{
		{"protobuf", func(l *handLog) { l.addEnvelope(l.seal(record.TypeProtobuf, newer(l, "agent"), "agent"), nil) }, nil, 1},
		{"JSON", func(l *handLog) { l.addEnvelope(l.seal(record.TypeJSON, newerJSON(l, "agent"), "agent"), nil) }, nil, 1},
		{"payload type", func(l *handLog) { l.addType(3) }, nil, 1},
		{"payload type 255", func(l *handLog) { l.addType(255) }, nil, 1},
		{"a key that is not known here", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, newer(l, "stranger"), "stranger"), nil)
		}, nil, 1},
		{"no author", func(l *handLog) { l.addEnvelope(l.seal(record.TypeProtobuf, newerField, "agent"), nil) }, nil, 1},
		{"wrong signature", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, newer(l, "agent"), "stranger"), nil)
		}, []fault{{4, verifier.BrokenSignature}}, 1},
		{"wrong signature, JSON", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeJSON, newerJSON(l, "agent"), "stranger"), nil)
		}, []fault{{4, verifier.BrokenSignature}}, 1},
		{"wrong key entry", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, newer(l, "agent"), "agent"), func(s *entry.Stamp) { s.KeyEntry = 2 })
		}, []fault{{4, verifier.BrokenStamp}}, 1},
		{"wrong registry", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, newer(l, "agent"), "agent"), func(s *entry.Stamp) { s.RegistryCount++ })
		}, []fault{{4, verifier.BrokenStamp}}, 1},
		{"wrong time", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, newer(l, "agent"), "agent"), func(s *entry.Stamp) { s.LogTime = 1 })
		}, []fault{{4, verifier.LogTimeDisputed}}, 1},
		{"twice", func(l *handLog) {
			env := l.seal(record.TypeProtobuf, newer(l, "agent"), "agent")
			l.addEnvelope(env, nil)
			l.addEnvelope(env, nil)
		}, []fault{{5, verifier.RecordTwice}}, 2},
		{"a newer ledger's claim", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, newer(l, "agent"), "agent"), func(s *entry.Stamp) {
				s.Assurance, s.User, s.KeySetEntry = 1, "u-"+strings.Repeat("a", 26), 2
			})
		}, nil, 1},
		{"unknown field, but cut", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, append(newerField, 0x0a, 0x7f), "agent"), nil)
		}, []fault{{4, verifier.BrokenEntry}}, 0},
		{"unknown field, but no JSON", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeJSON, []byte(`{"severity":1,`), "agent"), nil)
		}, []fault{{4, verifier.BrokenEntry}}, 0},
		{"known field twice", func(l *handLog) {
			l.addEnvelope(l.seal(record.TypeProtobuf, append(l.payload("agent"), 0x0a, 0), "agent"), nil)
		}, []fault{{4, verifier.BrokenEntry}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(t)
			c.build(l)
			l.fill(2) // goes on as before
			for _, chunk := range []int{1, 100} {
				a := audit(l.entries, chunk)
				if err := a.Matches(l.opened(), l.log.Key()); err != nil {
					t.Error(err)
				}
				r := a.Report()
				if diff := cmp.Diff(c.want, faults(r)); diff != "" || r.NotJudged != c.newer || r.ComparedTo != r.Entries {
					t.Errorf("chunks of %d: %+v\nfaults (-want +got):\n%s", chunk, r, diff)
				}
			}
		})
	}
}

// The genesis is never left unjudged.
func TestAuditNewerGenesis(t *testing.T) {
	l := newLog(t)
	e, err := entry.Parse(l.entries[0])
	if err != nil {
		t.Fatal(err)
	}
	env := l.seal(record.TypeProtobuf, append(e.Envelope.Payload[:len(e.Envelope.Payload):len(e.Envelope.Payload)], newerField...), "admin")
	l.entries, l.frontier = nil, tree.NewFrontier()
	l.addEnvelope(env, nil)
	if r := audit(l.entries, 1).Report(); r.NotJudged != 0 || len(r.Faults) == 0 || r.Faults[0].Finding != verifier.BrokenEntry {
		t.Errorf("%+v", r)
	}
}

// What nothing in the log bears out, an audit does not believe.
func TestAuditClaimsOfTheHost(t *testing.T) {
	user := "u-" + strings.Repeat("a", 26)
	limit := entry.Use{ID: record.ID{1}, Previous: -1, Total: "0"}
	approval := entry.Use{Approval: true, ID: record.ID{1}, Previous: -1, Denial: -1}
	for name, bend := range map[string]func(*entry.Stamp){
		"token":     func(s *entry.Stamp) { s.Assurance, s.User, s.KeySetEntry = 1, user, 2 },
		"authority": func(s *entry.Stamp) { s.Assurance, s.User, s.KeySetEntry = 2, user, 0 },
		"limit":     func(s *entry.Stamp) { s.Uses = []entry.Use{limit} },
		"approval":  func(s *entry.Stamp) { s.Uses = []entry.Use{approval} },
	} {
		l := newLog(t)
		l.add(l.action(l.agent), func(e *entry.Entry) { bend(&e.Stamp) })
		l.fill(1)
		r := audit(l.entries, 100).Report()
		if diff := cmp.Diff([]fault{{4, verifier.BrokenStamp}}, faults(r)); diff != "" {
			t.Errorf("%s: faults (-want +got):\n%s", name, diff)
		}
	}
}

// An audit compares records until its set of ids is full, whatever stands
// between them, and says up to where; and those in the set with all after.
func TestAuditComparesUntilFull(t *testing.T) {
	for _, c := range []struct {
		max  int
		to   int64
		want []fault
	}{
		{1000, 12, []fault{{4, verifier.BrokenEntry}, {8, verifier.BrokenEntry}, {9, verifier.RecordTwice}, {11, verifier.RecordTwice}}},
		{8, 12, []fault{{4, verifier.BrokenEntry}, {8, verifier.BrokenEntry}, {9, verifier.RecordTwice}, {11, verifier.RecordTwice}}},
		// Full with the ids of entries 0 to 3 and 5: entry 6 is compared with
		// them, but not remembered, nor is 7, which stands at 11 again.
		{5, 7, []fault{{4, verifier.BrokenEntry}, {8, verifier.BrokenEntry}, {9, verifier.RecordTwice}}},
		{4, 6, []fault{{4, verifier.BrokenEntry}, {8, verifier.BrokenEntry}}},
	} {
		t.Run(fmt.Sprint(c.max), func(t *testing.T) {
			l := newLog(t)
			r5, r7 := l.action(l.agent), l.action(l.agent)
			l.addRaw([]byte{1, 2, 3}) // 4
			l.add(r5, nil)
			l.fill(1)
			l.add(r7, nil)
			l.addRaw(nil)  // 8
			l.add(r5, nil) // 9
			l.fill(1)
			l.add(r7, nil) // 11
			a := verifier.NewAudit()
			a.SetMaxIDs(c.max)
			for i := range l.entries {
				a.Add(l.entries[i : i+1])
			}
			r := a.Report()
			if diff := cmp.Diff(c.want, faults(r)); diff != "" || r.ComparedTo != c.to {
				t.Errorf("compared to %d, want %d; faults (-want +got):\n%s", r.ComparedTo, c.to, diff)
			}
		})
	}
}
