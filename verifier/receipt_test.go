package verifier_test

import (
	"bytes"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"google.golang.org/protobuf/proto"
)

// receipt returns what a ledger would answer for the entry at index.
func (l *handLog) receipt(index int64) (*onusv1.Receipt, record.Envelope) {
	l.t.Helper()
	e, err := entry.Parse(l.entries[index])
	if err != nil {
		l.t.Fatal(err)
	}
	stamp, err := entry.Split(l.entries[index])
	if err != nil {
		l.t.Fatal(err)
	}
	return &onusv1.Receipt{Id: e.Envelope.ID().String(), Index: index, Stamp: stamp, Signature: e.Envelope.Signature,
		Inclusion: tree.FormatProof(l.inclusion(index)), Checkpoint: string(l.checkpoint())}, e.Envelope
}

func TestReceiptOfEveryEntry(t *testing.T) {
	l := newLog(t)
	for size := 4; size <= 70; size++ {
		for i := range l.entries {
			rec, env := l.receipt(int64(i))
			p, err := verifier.OpenReceipt(rec, env.Type, env.Payload, l.log.Key(), nil)
			if err != nil {
				t.Fatalf("entry %d of %d: %v", i, size, err)
			}
			if p.Index != int64(i) || p.Checkpoint.Size != int64(size) || p.Signed || p.Leaf != tree.LeafHash(l.entries[i]) || p.Stamp.LogTime != start+int64(i) {
				t.Errorf("entry %d of %d: proves %+v", i, size, p)
			}
		}
		l.fill(1)
	}
}

// Signed says whether the signature was checked, and it is checked with the
// signer's key alone.
func TestReceiptSigner(t *testing.T) {
	l := newLog(t)
	l.fill(3)
	rec, env := l.receipt(5)
	p, err := verifier.OpenReceipt(rec, env.Type, env.Payload, l.log.Key(), l.agent.Public())
	if err != nil || !p.Signed {
		t.Errorf("with the signer's key: %+v, %v", p, err)
	}
	if _, err := verifier.OpenReceipt(rec, env.Type, env.Payload, l.log.Key(), l.admin.Public()); err == nil {
		t.Error("with another's key: no error")
	}
	// A log that logged a forged signature: the leaf is proven, the signature
	// is not the signer's.
	l.add(l.action(l.agent), func(e *entry.Entry) { e.Envelope.Signature = make([]byte, 64) })
	rec, env = l.receipt(7)
	if p, err := verifier.OpenReceipt(rec, env.Type, env.Payload, l.log.Key(), nil); err != nil || p.Signed {
		t.Errorf("forged, not asked: %+v, %v", p, err)
	}
	if _, err := verifier.OpenReceipt(rec, env.Type, env.Payload, l.log.Key(), l.agent.Public()); err == nil || !strings.Contains(err.Error(), "logged signature") {
		t.Errorf("forged: %v", err)
	}
}

// No part of a receipt can be changed.
func TestReceiptChanged(t *testing.T) {
	l := newLog(t)
	l.fill(20)
	good, env := l.receipt(11)
	next, otherEnv := l.receipt(12)
	olderSize := newLog(t)
	olderSize.fill(15)
	older, _ := olderSize.receipt(11)
	otherLog, err := tree.NewLogSigner(testOrigin, priv("other"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := otherLog.Sign(l.frontier.Size(), l.frontier.Root())
	if err != nil {
		t.Fatal(err)
	}
	// One that has opened the good one, and so remembers its checkpoint, is not
	// taken in either.
	seen := verifier.NewReceipts(l.log.Key())
	if _, err := seen.Open(good, env.Type, env.Payload, nil); err != nil {
		t.Fatal(err)
	}
	own, err := record.Parse(env)
	if err != nil {
		t.Fatal(err)
	}
	for name, bend := range bends(next, older, foreign) {
		r := proto.Clone(good).(*onusv1.Receipt)
		bend(r)
		if p, err := verifier.OpenReceipt(r, env.Type, env.Payload, l.log.Key(), nil); err == nil {
			t.Errorf("%s: accepted, %+v", name, p)
		}
		if p, err := seen.Open(r, env.Type, env.Payload, nil); err == nil {
			t.Errorf("%s, by Receipts: accepted, %+v", name, p)
		}
		if p, err := seen.OpenOwn(r, own, l.agent.Public()); err == nil {
			t.Errorf("%s, of one's own: accepted, %+v", name, p)
		}
	}
	if p, err := verifier.OpenReceipt(good, otherEnv.Type, otherEnv.Payload, l.log.Key(), nil); err == nil {
		t.Errorf("another payload: accepted, %+v", p)
	}
	bent := bytes.Clone(env.Payload)
	bent[20] ^= 1
	if p, err := verifier.OpenReceipt(good, env.Type, bent, l.log.Key(), nil); err == nil {
		t.Errorf("changed payload: accepted, %+v", p)
	}
	if p, err := verifier.OpenReceipt(good, record.TypeJSON, env.Payload, l.log.Key(), nil); err == nil {
		t.Errorf("another payload type: accepted, %+v", p)
	}
	if p, err := verifier.OpenReceipt(good, env.Type, env.Payload, otherLog.Key(), nil); err == nil {
		t.Errorf("another log's key: accepted, %+v", p)
	}
	if p, err := verifier.OpenReceipt(good, env.Type, env.Payload, tree.LogKey{}, nil); err == nil {
		t.Errorf("no key: accepted, %+v", p)
	}
	if p, err := verifier.OpenReceipt(nil, env.Type, env.Payload, l.log.Key(), nil); err == nil {
		t.Errorf("no receipt: accepted, %+v", p)
	}
}

// bends changes a receipt in every part: next is that of another record, older
// that of the same record in a smaller tree, foreign another log's checkpoint.
func bends(next, older *onusv1.Receipt, foreign []byte) map[string]func(*onusv1.Receipt) {
	return map[string]func(*onusv1.Receipt){
		"id of another record":      func(r *onusv1.Receipt) { r.Id = next.Id },
		"id in upper case":          func(r *onusv1.Receipt) { r.Id = strings.ToUpper(r.Id) },
		"no id":                     func(r *onusv1.Receipt) { r.Id = "" },
		"index":                     func(r *onusv1.Receipt) { r.Index++ },
		"negative index":            func(r *onusv1.Receipt) { r.Index = -1 },
		"index beyond the log":      func(r *onusv1.Receipt) { r.Index = 24 },
		"log time":                  func(r *onusv1.Receipt) { r.Stamp[8] ^= 1 },
		"key entry":                 func(r *onusv1.Receipt) { r.Stamp[56] ^= 1 },
		"stamp of another":          func(r *onusv1.Receipt) { r.Stamp = next.Stamp },
		"stamp cut":                 func(r *onusv1.Receipt) { r.Stamp = r.Stamp[:len(r.Stamp)-1] },
		"stamp longer":              func(r *onusv1.Receipt) { r.Stamp = append(r.Stamp, 0) },
		"no stamp":                  func(r *onusv1.Receipt) { r.Stamp = nil },
		"signature":                 func(r *onusv1.Receipt) { r.Signature[3] ^= 1 },
		"no signature":              func(r *onusv1.Receipt) { r.Signature = nil },
		"proof hash":                func(r *onusv1.Receipt) { r.Inclusion[1][0] ^= 1 },
		"proof hash cut":            func(r *onusv1.Receipt) { r.Inclusion[1] = r.Inclusion[1][:31] },
		"proof longer":              func(r *onusv1.Receipt) { r.Inclusion = append(r.Inclusion, make([]byte, 32)) },
		"proof shorter":             func(r *onusv1.Receipt) { r.Inclusion = r.Inclusion[1:] },
		"proof in another order":    func(r *onusv1.Receipt) { r.Inclusion[0], r.Inclusion[1] = r.Inclusion[1], r.Inclusion[0] },
		"proof without end":         func(r *onusv1.Receipt) { r.Inclusion = make([][]byte, tree.MaxProof+1) },
		"proof of another":          func(r *onusv1.Receipt) { r.Inclusion = next.Inclusion },
		"older checkpoint":          func(r *onusv1.Receipt) { r.Checkpoint = older.Checkpoint },
		"another log's checkpoint":  func(r *onusv1.Receipt) { r.Checkpoint = string(foreign) },
		"checkpoint's size":         func(r *onusv1.Receipt) { r.Checkpoint = strings.Replace(r.Checkpoint, "\n24\n", "\n25\n", 1) },
		"checkpoint not signed":     func(r *onusv1.Receipt) { r.Checkpoint, _, _ = strings.Cut(r.Checkpoint, "\n\n") },
		"no checkpoint":             func(r *onusv1.Receipt) { r.Checkpoint = "" },
		"checkpoint of a megabyte":  func(r *onusv1.Receipt) { r.Checkpoint += strings.Repeat("x", 1<<20) },
		"checkpoint with extension": func(r *onusv1.Receipt) { r.Checkpoint = strings.Replace(r.Checkpoint, "\n\n", "\nmore\n\n", 1) },
	}
}

// A record that was made for another log and stands in this one is told.
func TestReceiptOfAnotherLogsRecord(t *testing.T) {
	l := newLog(t)
	m := l.action(l.agent).Msg
	m.Origin = "staging.example.com/log"
	l.add(l.sign(m, l.agent), nil)
	rec, env := l.receipt(4)
	if _, err := verifier.OpenReceipt(rec, env.Type, env.Payload, l.log.Key(), nil); err == nil || !strings.Contains(err.Error(), "staging.example.com/log") {
		t.Errorf("OpenReceipt: %v", err)
	}
}
