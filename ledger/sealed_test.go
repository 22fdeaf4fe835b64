package ledger

import (
	"context"
	"encoding/base64"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"google.golang.org/protobuf/proto"
)

// The token is sealed off the log under the user's key, is shown to nobody
// before it has expired, and afterwards verifies with the issuer's keys.
func TestTokenIsDisclosedAfterItExpired(t *testing.T) {
	var clock atomic.Int64
	start := time.Now()
	h, is := newUserHarness(t, func(c *Config) {
		c.Clock = func() time.Time { return start.Add(time.Duration(clock.Load())) }
	})
	token := is.token(nil)
	r, sub := h.intent(token, nil)
	h.must(h.ledger.Submit(context.Background(), sub))
	disclosed := func() string {
		t.Helper()
		got, err := h.ledger.UserToken(h.entryOf(r))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, after := range []time.Duration{0, 14 * time.Minute, 15*time.Minute + 59*time.Second - time.Second} {
		clock.Store(int64(after))
		if disclosed() != "" {
			t.Errorf("the token is shown %v after it was issued", after)
		}
	}
	clock.Store(int64(17 * time.Minute))
	if got := disclosed(); got != token {
		t.Fatalf("disclosed %q", got)
	}
	set, err := credential.ParseKeySet(is.jwks())
	if err != nil {
		t.Fatal(err)
	}
	e := h.entryOf(r)
	if _, err := verifier.CheckUserToken(e.Record, &e.Stamp, disclosed(), set); err != nil {
		t.Errorf("the disclosed token: %v", err)
	}
	if plain, _ := h.submit(nil); plain != nil {
		if got, err := h.ledger.UserToken(h.entryOf(plain)); got != "" || err != nil {
			t.Errorf("of a record without a token: %q, %v", got, err)
		}
	}

	// Nothing of it is in the log or readable in the database.
	payload := strings.Split(token, ".")[1]
	if _, err := base64.RawURLEncoding.DecodeString(payload); err != nil {
		t.Fatal(err)
	}
	row, err := h.ledger.get(keyUserToken(e.Index))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(e.Raw)+string(row), payload) {
		t.Error("the token is readable")
	}

	// To destroy the user's key is to forget it.
	h.close()
	db := h.database()
	if err := db.Delete(keyHolder(r.Msg.GetUser()), nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h.open()
	if got := disclosed(); got != "" {
		t.Error("the token is shown after its key was destroyed")
	}
}

// A stamp of a token follows from record and registry alone, so it stands up to
// the audit; and no record gets one for a token that it does not describe.
func TestStampIsThatOfTheRecord(t *testing.T) {
	h, is := newUserHarness(t, nil)
	r, sub := h.intent(is.token(nil), nil)
	h.must(h.ledger.Submit(context.Background(), sub))
	e := h.entryOf(r)
	bad := proto.Clone(r.Msg).(*onusv1.Record)
	bad.Token = nil
	forged := h.sign(bad, h.agent)
	if err := h.ledger.Registry().CheckAssurance(forged, e.Index+1, &entry.Stamp{Assurance: 1, KeySetEntry: e.Stamp.KeySetEntry, User: bad.GetUser()}); err == nil {
		t.Error("a stamp of a token that the record does not describe passed")
	}
	if rep := h.checkLog(); rep.FaultCount != 0 {
		t.Errorf("%d faults", rep.FaultCount)
	}
}
