package ledger

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"google.golang.org/protobuf/testing/protocmp"
)

// A user's token that is good is stamped, with the entry of the key set that
// it was checked with. The key set came into the log by itself.
func TestTokenIsChecked(t *testing.T) {
	h, is := newUserHarness(t, nil)
	ctx := context.Background()
	requested := func(m *onusv1.Record) {
		m.GetStages().Intent = &onusv1.Intent{Requested: []*onusv1.ScopeElement{{Type: "k8s.pod", Action: "get", Location: "https://k8s.example.com/shop"}}}
	}
	details := func(location string) []obj {
		return []obj{{"type": "k8s.pod", "actions": []string{"get"}, "locations": []string{location}}}
	}
	keys := int64(0)
	for _, c := range []struct {
		name  string
		token obj
		edit  func(*onusv1.Record)
		want  uint8
	}{
		{"an ID token", nil, nil, 1},
		{"without azp", obj{"azp": nil}, nil, 1},
		{"for several audiences", obj{"aud": []string{"other", testClient}}, nil, 1},
		{"exchanged for the ledger", obj{"aud": testOrigin, "act": obj{"sub": testAgent}}, nil, 1},
		{"exchanged, with its OAuth client as actor", obj{"aud": testOrigin, "act": obj{"sub": testClient, "act": obj{"sub": "somebody"}}}, nil, 1},
		{"without a session of its own", obj{"sid": nil}, nil, 1},
		{"with authority, none claimed", obj{"authorization_details": details("https://k8s.example.com")}, nil, 1},
		{"with the authority that is claimed", obj{"authorization_details": details("https://k8s.example.com")}, requested, 2},
		{"with less authority than is claimed", obj{"authorization_details": details("https://k8s.example.com/other")}, requested, 1},
	} {
		r, sub := h.intent(is.token(c.token), c.edit)
		got := h.must(h.ledger.Submit(ctx, sub))
		if diff := cmp.Diff(&onusv1.TokenResult{Assurance: int32(c.want)}, got.Token, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		st := h.entryOf(r).Stamp
		if keys == 0 {
			keys = st.KeySetEntry
		}
		if st.Assurance != c.want || st.User != r.Msg.GetUser() || st.KeySetEntry != keys || keys < 1 {
			t.Errorf("%s: stamped with assurance %d of %s by entry %d, want %d of %s by entry %d", c.name, st.Assurance, st.User, st.KeySetEntry, c.want, r.Msg.GetUser(), keys)
		}
		h.checkReceipt(r, got.Receipt)
		again := h.must(h.ledger.Submit(ctx, sub))
		if !again.Duplicate || again.Token.GetAssurance() != int32(c.want) {
			t.Errorf("%s, again: %v", c.name, again)
		}
	}
	e, err := h.ledger.Entry(keys)
	if err != nil {
		t.Fatal(err)
	}
	if k := e.Record.Msg.GetKeySet(); !e.Record.Msg.GetAuthor().GetHost() || k.GetIssuer() != issuerURL || string(k.GetJwks()) != string(is.jwks()) {
		t.Errorf("entry %d is %v, want the issuer's key set, signed by the host", keys, e.Record.Msg)
	}
	if is.asked != 1 {
		t.Errorf("the issuer was asked %d times for one key set", is.asked)
	}
	h.checkLog()
	h.reopen() // with its stamps, the registry is folded again
	_, sub := h.intent(is.token(nil), nil)
	h.must(h.ledger.Submit(ctx, sub))
	if is.asked != 1 {
		t.Error("the key set in the log was not enough after a restart")
	}
	h.checkRows()
}

// Each bad token has its own refusal, and the record leaves no trace. It can be
// sent without the token.
func TestBadTokens(t *testing.T) {
	h, is := newUserHarness(t, nil)
	stranger := newIssuer(t)
	stranger.kid = is.kid
	asked, warm := h.intent(is.token(nil), nil) // the key set is in the log
	warmID := asked.ID.String()
	h.must(h.ledger.Submit(context.Background(), warm))
	now := time.Now().Unix()
	cut := func(token string) string { return token[:strings.LastIndex(token, ".")+1] }
	public := func() string { // signed with the public key as a shared secret
		return is.signed(obj{"alg": "HS256"}, claims(nil))
	}
	for _, c := range []struct {
		name, token, reason, field string
		edit                       func(*onusv1.Record)
	}{
		{"expired", is.token(obj{"iat": now - 2000, "exp": now - 100}), credential.ReasonExpired, "token.exp", nil},
		{"not yet valid", is.token(obj{"nbf": now + 300}), credential.ReasonNotYetValid, "token.nbf", nil},
		{"issued in the future", is.token(obj{"iat": now + 300}), credential.ReasonNotYetValid, "token.iat", nil},
		{"for another audience", is.token(obj{"aud": "wiki", "azp": nil}), credential.ReasonAudience, "token.aud", nil},
		{"a resource's access token", is.token(obj{"aud": "https://k8s.example.com"}), credential.ReasonAudience, "token.aud", nil},
		{"typed as an access token", is.signed(obj{"typ": "at+jwt"}, claims(nil)), credential.ReasonTokenType, "token.header.typ", nil},
		{"of another issuer", is.token(obj{"iss": "https://evil.example.com"}), credential.ReasonIssuer, "token.issuer", nil},
		{"of another client", is.token(obj{"azp": chatClient}), credential.ReasonOtherClient, "token.azp", nil},
		{"issued to another client", is.token(obj{"aud": chatClient, "azp": chatClient}), credential.ReasonAudience, "token.aud", nil},
		{"exchanged by another client", is.token(obj{"aud": testOrigin, "azp": chatClient}), credential.ReasonOtherClient, "token.azp", nil},
		{"exchanged by nobody", is.token(obj{"aud": testOrigin, "azp": nil}), credential.ReasonOtherClient, "token.aud", nil},
		{"for several audiences, of nobody", is.token(obj{"aud": []string{testClient, "other"}, "azp": nil}), credential.ReasonOtherClient, "token.azp", nil},
		{"alg none", cut(is.signed(obj{"alg": "none"}, claims(nil))), credential.ReasonAlgNone, "token.header.alg", nil},
		{"algorithm confused", public(), credential.ReasonAlgConfused, "token.header.alg", nil},
		{"unsigned", cut(is.token(nil)), credential.ReasonTokenUnsigned, "token", nil},
		{"signed by somebody else", stranger.token(nil), credential.ReasonSignature, "token", nil},
		{"with which another agent acts", is.token(obj{"aud": testOrigin, "act": obj{"sub": "spiffe://example.com/somebody-else"}}), registry.ReasonOtherActor, "token.actors[0]", nil},
		{"with which a user client acts", is.token(obj{"aud": testOrigin, "act": obj{"sub": chatClient}}), registry.ReasonOtherActor, "token.actors[0]", nil},
		{"handed on by another than the parent agent", is.token(obj{"aud": testOrigin, "act": obj{"sub": testAgent, "act": obj{"sub": "planner"}}}), registry.ReasonOtherActor, "token.actors[1]",
			func(m *onusv1.Record) {
				m.ParentAgent, m.Parent = "spiffe://example.com/other-planner", warmID
			}},
		{"no token", "hello", credential.ReasonTokenMalformed, "token", nil},
		{"of a client that says otherwise", is.token(obj{"azp": chatClient}), credential.ReasonOtherClient, "token.azp", func(m *onusv1.Record) { m.Token.Client = testClient }},

		{"not described", is.token(nil), ReasonTokenMismatch, "token", func(m *onusv1.Record) { m.Token = nil }},
		{"another token", is.token(nil), ReasonTokenMismatch, "token.digest", func(m *onusv1.Record) { m.Token.Digest = credential.TokenDigest("another") }},
		{"another issuer is described", is.token(nil), ReasonTokenMismatch, "token.issuer", func(m *onusv1.Record) { m.Token.Issuer = "https://other.example.com" }},
		{"more audiences are described", is.token(nil), ReasonTokenMismatch, "token.audience", func(m *onusv1.Record) { m.Token.Audience = append(m.Token.Audience, "wiki") }},
		{"a later end is described", is.token(nil), ReasonTokenMismatch, "token.expires", func(m *onusv1.Record) { m.Token.Expires.Seconds += 60 }},
		{"stronger authentication is described", is.token(nil), ReasonTokenMismatch, "token.amr", func(m *onusv1.Record) { m.Token.Amr = append(m.Token.Amr, "hwk") }},
		{"a key is described", is.token(nil), ReasonTokenMismatch, "token.confirms", func(m *onusv1.Record) { m.Token.Confirms = h.agent.Public().ID() }},
		{"an actor is described", is.token(nil), ReasonTokenMismatch, "token.actors", func(m *onusv1.Record) { m.Token.Actors = []*onusv1.Actor{{Subject: "x"}} }},
		{"another user", is.token(nil), ReasonTokenMismatch, "user", func(m *onusv1.Record) { m.User = h.mint(NameUser, issuerURL+" bob")[0] }},
		{"another session", is.token(nil), ReasonTokenMismatch, "session", func(m *onusv1.Record) { m.Session = h.mint(NameSession, issuerURL+" s2")[0] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			size := h.ledger.Size()
			m := h.step(nil)
			described := c.token
			if _, err := credential.ReadFacts(described); err != nil {
				described = is.token(nil) // it cannot be described: another is
			}
			h.describe(m, described)
			m.Token.Digest = credential.TokenDigest(c.token)
			if c.edit != nil {
				c.edit(m)
			}
			r := h.sign(m, h.agent)
			_, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope, UserToken: c.token})
			wantReason(t, err, c.reason)
			var e *record.Error
			if errors.As(err, &e) && (!strings.HasPrefix(e.Field, c.field) || e.Next == "") {
				t.Errorf("the field is %s, want %s; next: %q", e.Field, c.field, e.Next)
			}
			if err != nil && c.token != "hello" && strings.Contains(err.Error(), c.token) {
				t.Error("the refusal holds the token")
			}
			if h.ledger.Size() != size {
				t.Errorf("the log grew from %d to %d entries", size, h.ledger.Size())
			}
			if got, err := h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}); err != nil || got.Token != nil {
				t.Errorf("without the token: %v, %v", got, err)
			} else if e := h.entryOf(r); e.Stamp.Assurance != 0 || e.Stamp.User != "" {
				t.Errorf("without the token it is stamped with assurance %d", e.Stamp.Assurance)
			}
		})
	}
	h.checkLog()
	h.checkRows()
}

// Who may bring a user's token: the agent and the user client that it was
// issued to, and nobody else.
func TestTokensByAuthor(t *testing.T) {
	h, is := newUserHarness(t, nil)
	say := func(a *onusv1.Author, s record.Signer, token string, fill func(*onusv1.Record)) error {
		m := &onusv1.Record{Origin: testOrigin, Nonce: NewNonce(), Author: a, Capture: onusv1.Capture_CAPTURE_SELF, ClaimedTime: h.step(nil).ClaimedTime}
		h.describe(m, token)
		fill(m)
		_, err := h.ledger.Submit(context.Background(), Submission{Envelope: h.sign(m, s).Envelope, UserToken: token})
		return err
	}
	intent := func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Stages{Stages: &onusv1.DecisionRecord{Intent: &onusv1.Intent{Requested: []*onusv1.ScopeElement{{Type: "t", Action: "a"}}}}}
	}
	trigger := func(m *onusv1.Record) {
		m.Body = &onusv1.Record_Trigger{Trigger: &onusv1.Trigger{Name: "nightly"}}
	}
	chat := &onusv1.Author{Client: "chat"}
	if err := say(chat, h.chat(), is.token(obj{"aud": chatClient, "azp": chatClient}), intent); err != nil {
		t.Errorf("a user client with its own token: %v", err)
	}
	wantReason(t, say(chat, h.chat(), is.token(nil), intent), credential.ReasonAudience)
	wantReason(t, say(chat, h.chat(), is.token(obj{"aud": chatClient, "azp": testClient}), intent), credential.ReasonOtherClient)
	admin := &onusv1.Author{Administrator: "root"}
	wantReason(t, say(admin, h.admin, is.token(nil), trigger), registry.ReasonNotPermitted)

	// An agent class without an OAuth client of the issuer.
	other := newSigner(t)
	const id = "spiffe://example.com/other"
	h.must(h.register(agentReg(id, testOperator)))
	h.must(h.register(keyReg(other, id, "", testOperator)))
	wantReason(t, say(&onusv1.Author{Agent: id, Instance: "i", Operator: testOperator}, other, is.token(nil), intent), credential.ReasonOtherClient)
	h.checkLog()
}

// When an issuer's keys cannot be had, the record is kept, its word on the user
// is asserted, and that is said, counted and never mended in silence.
func TestIssuerUnreachable(t *testing.T) {
	ctx := context.Background()
	var log syncBuffer
	logged := func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }
	kept := func(t *testing.T, h *harness, is *issuer, says string) Submission {
		t.Helper()
		before := h.ledger.UncheckedTokens()
		r, sub := h.intent(is.token(nil), nil)
		got := h.must(h.ledger.Submit(ctx, sub))
		// What happened may tell of the host's network: that is for its log.
		if want := "the keys of " + issuerURL + " cannot be had now"; got.Token.GetAssurance() != 0 || got.Token.GetWhy() != want {
			t.Errorf("token: %v, want asserted because %s", got.Token, want)
		}
		if !strings.Contains(log.String(), says) {
			t.Errorf("the log does not say %q: %s", says, log.String())
		}
		e := h.entryOf(r)
		if st := e.Stamp; st.Assurance != 0 || st.User != "" || st.KeySetEntry != -1 {
			t.Errorf("stamped with assurance %d of %q by entry %d", st.Assurance, st.User, st.KeySetEntry)
		}
		if _, err := h.ledger.get(keyUserToken(e.Index)); err == nil {
			t.Error("a token that was not checked is kept")
		}
		if n := h.ledger.UncheckedTokens(); n != before+1 {
			t.Errorf("%d unchecked tokens, want %d", n, before+1)
		}
		return sub
	}
	t.Run("down", func(t *testing.T) {
		h, is := newUserHarness(t, logged)
		is.down = errors.New("connection refused")
		sub := kept(t, h, is, "connection refused")
		is.down = nil
		again := h.must(h.ledger.Submit(ctx, sub))
		if !again.Duplicate || again.Token.GetAssurance() != 0 || again.Token.GetWhy() == "" {
			t.Errorf("the same record when the issuer is back: %v, want it asserted for ever", again)
		}
		_, next := h.intent(is.token(nil), nil)
		if got := h.must(h.ledger.Submit(ctx, next)); got.Token.GetAssurance() != 1 {
			t.Errorf("a new record when the issuer is back: %v", got.Token)
		}
		// With the key set in the log, the issuer need not be there.
		is.down = errors.New("connection refused")
		_, next = h.intent(is.token(nil), nil)
		if got := h.must(h.ledger.Submit(ctx, next)); got.Token.GetAssurance() != 1 {
			t.Errorf("a known key while the issuer is down: %v", got.Token)
		}
		is.rotate()
		kept(t, h, is, "connection refused")
		// What can be said without its keys is said.
		_, bad := h.intent(is.signed(obj{"typ": "at+jwt"}, claims(nil)), nil)
		_, err := h.ledger.Submit(ctx, bad)
		wantReason(t, err, credential.ReasonTokenType)
		h.checkLog()
		h.checkRows()
	})
	t.Run("publishes secrets", func(t *testing.T) {
		h, is := newUserHarness(t, logged)
		is.published = []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"a"}]}`)
		size := h.ledger.Size()
		kept(t, h, is, "is refused")
		if got := h.ledger.Size() - size; got != 1 {
			t.Errorf("the log grew by %d entries: the key set is in it", got)
		}
	})
	t.Run("no source", func(t *testing.T) {
		h, is := newUserHarness(t, func(c *Config) { logged(c); c.Keys = nil })
		kept(t, h, is, "fetches no key sets")
	})
	t.Run("no host key", func(t *testing.T) {
		h, is := newUserHarness(t, logged)
		h.close()
		h.cfg.HostKey = nil
		h.open()
		kept(t, h, is, "without a host key")
		if is.asked != 0 {
			t.Error("the issuer was asked for keys that cannot be logged")
		}
	})
	t.Run("the caller goes away", func(t *testing.T) {
		h, is := newUserHarness(t, logged)
		is.down = context.Canceled
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, sub := h.intent(is.token(nil), nil)
		size := h.ledger.Size()
		if _, err := h.ledger.Submit(ctx, sub); !errors.Is(err, context.Canceled) || h.ledger.Size() != size {
			t.Errorf("Submit: %v, and the log grew by %d", err, h.ledger.Size()-size)
		}
	})
}

// A token is held to the log time that its entry gets, not only to the clock
// at admission; and to a log that is ahead of the clock.
func TestTokenExpiresByLogTime(t *testing.T) {
	var clock atomic.Int64
	start := time.Now()
	h, is := newUserHarness(t, func(c *Config) {
		c.Clock = func() time.Time { return start.Add(time.Duration(clock.Load())) }
	})
	token := is.token(obj{"exp": start.Unix() + 60})
	r, sub := h.intent(token, nil)
	p, _, err := h.ledger.admit(context.Background(), sub)
	if err != nil {
		t.Fatal(err)
	}
	clock.Store(int64(3 * time.Minute)) // it waits, and expires meanwhile
	if err := h.ledger.enqueue(p); err != nil {
		t.Fatal(err)
	}
	_, err = h.ledger.await(context.Background(), p)
	wantReason(t, err, credential.ReasonExpired)
	if _, err := h.ledger.Index(r.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the record is in the log: %v", err)
	}
	h.submit(nil)  // log time is three minutes ahead now
	clock.Store(0) // and the clock goes back
	_, err = h.ledger.Submit(context.Background(), sub)
	wantReason(t, err, credential.ReasonExpired)
	h.checkLog()
}

// syncBuffer is where a ledger logs to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
