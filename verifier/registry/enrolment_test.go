package registry_test

import (
	"crypto/x509"
	"testing"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
)

// A workloads log has what workloads enrol with: the trust bundle of
// example.com and the keys of the issuer kube, which names the planner and the
// erp by their service accounts.
type workloads struct {
	*testLog
	home *domain                 // example.com
	kube func(claims obj) string // signs a token
}

const (
	plannerAccount = "system:serviceaccount:shop:planner"
	erpAccount     = "system:serviceaccount:shop:erp"
)

func workloadsLog(t testing.TB) *workloads {
	l := &workloads{testLog: fullLog(t), home: newDomain(t, "example.com")}
	k := ecKey(t)
	l.kube = func(claims obj) string { return es256(t, k, claims) }
	l.add(newClass(t, planner, nil, &onusv1.Workload{Issuer: kube, Subject: plannerAccount}))
	l.add(newService(t, erp, acme, &onusv1.Workload{Issuer: kube, Subject: erpAccount}))
	l.add(newIssuer(t, kube, false, true))
	l.add(keySet(t, theHost(), "host", kube, jwks(t, k), now))
	l.add(trustBundle(t, admin("root"), "root", "example.com", l.home.bundle(1), now))
	return l
}

func keyID(t testing.TB, name string) string { return signer(t, name).Public().ID() }

func audience(t testing.TB, keyName string) string {
	return credential.EnrolmentAudience(origin, signer(t, keyName).Public())
}

// account is the claims of a token for a service account that enrols a key.
func account(t testing.TB, subject, keyName string) obj {
	return obj{"iss": kube, "sub": subject, "aud": []string{audience(t, keyName)},
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
}

// jwtSVID is the claims of a JWT-SVID that enrols a key.
func jwtSVID(t testing.TB, id, keyName string) obj {
	return obj{"sub": id, "aud": audience(t, keyName), "exp": now.Add(5 * time.Minute).Unix()}
}

// enrols makes the record of a planner's instance that enrols its own key.
func enrols(t testing.TB, instance, keyName string, k *onusv1.KeyBinding) *record.Record {
	t.Helper()
	k.Agent, k.Instance, k.Operator = planner, instance, acme
	return bindTo(t, agent(planner, instance, acme), keyName, keyName, k)
}

func bySVID(s *onusv1.X509SVID) *onusv1.KeyBinding {
	return &onusv1.KeyBinding{Credential: &onusv1.KeyBinding_Svid{Svid: s}}
}

func byToken(token string) *onusv1.KeyBinding {
	return &onusv1.KeyBinding{Credential: &onusv1.KeyBinding_WorkloadToken{WorkloadToken: token}}
}

// vouched is an SVID whose own key signed for another one.
func vouched(t testing.TB, s *onusv1.X509SVID, leafName, boundName string) *onusv1.X509SVID {
	s.Possession = possession(t, leafName, boundName, leafName)
	return s
}

// A workload enrols the key of an instance by itself. What it shows decides how
// well the binding is established, and an SVID's own key ends with the SVID.
func TestSelfEnrolment(t *testing.T) {
	svidEnds := now.Add(time.Hour).UnixMilli() + 1
	for _, tt := range []struct {
		name     string
		enrol    func(l *workloads) *record.Record
		level    string // and by whose keys
		notAfter int64
	}{
		{"an SVID whose key is bound", func(l *workloads) *record.Record {
			return enrols(t, "pod-1", "pod", bySVID(l.home.svid("pod", nil, planner)))
		}, "K2 trust domain example.com", svidEnds},
		{"an SVID whose key is to end before it", func(l *workloads) *record.Record {
			return enrols(t, "pod-1", "pod", endingAt(bySVID(l.home.svid("pod", nil, planner)), now.Add(time.Minute)))
		}, "K2 trust domain example.com", now.Add(time.Minute).UnixMilli()},
		{"an SVID whose key is to end after it", func(l *workloads) *record.Record {
			return enrols(t, "pod-1", "pod", endingAt(bySVID(l.home.svid("pod", nil, planner)), now.Add(24*time.Hour)))
		}, "K2 trust domain example.com", svidEnds},
		{"an SVID that vouches for the key", func(l *workloads) *record.Record {
			return enrols(t, "pod-1", "pod", bySVID(vouched(t, l.home.svid("leaf", nil, planner), "leaf", "pod")))
		}, "K2 trust domain example.com", -1},
		{"a JWT-SVID", func(l *workloads) *record.Record {
			return enrols(t, "pod-1", "pod", byToken(es256(t, l.home.jwt, jwtSVID(t, planner, "pod"))))
		}, "K1 trust domain example.com", -1},
		{"a token of a service account", func(l *workloads) *record.Record {
			return enrols(t, "pod-1", "pod", byToken(l.kube(account(t, plannerAccount, "pod"))))
		}, "K1 issuer " + kube, -1},
		{"a service, by its account", func(l *workloads) *record.Record {
			k := byToken(l.kube(account(t, erpAccount, "pod")))
			k.Service = erp
			return bindTo(t, service(erp), "pod", "pod", k)
		}, "K1 issuer " + kube, -1},
		{"a service, by its SVID", func(l *workloads) *record.Record {
			k := bySVID(l.home.svid("pod", nil, erp))
			k.Service = erp
			return bindTo(t, service(erp), "pod", "pod", k)
		}, "K2 trust domain example.com", svidEnds},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := workloadsLog(t)
			r := tt.enrol(l)
			at := l.size
			b, err := l.reg.Bound(r, at)
			if err != nil || b.Index != at || b.Key.ID() != keyID(t, "pod") || b.SignedBy != keyID(t, "pod") {
				t.Fatalf("before it is added: %+v, %v", b, err)
			}
			l.add(r)
			if l.reg.Key(keyID(t, "pod"), at) != nil {
				t.Error("the key was bound before its entry")
			}
			b = l.reg.Key(keyID(t, "pod"), l.size)
			if b == nil || b.Index != at || b.Level.String()+" "+b.CheckedWith != tt.level || b.NotAfter != tt.notAfter || b.SignedBy != keyID(t, "pod") || b.Party() != registry.PartyOf(r.Msg.GetAuthor()) {
				t.Errorf("bound as %+v, want level %s to %d", b, tt.level, tt.notAfter)
			}
			// The entry that binds its own signer is still bound at its own index.
			if b, err := l.reg.Authenticate(r, at); err != nil || b.Index != at {
				t.Errorf("its own entry: %+v, %v", b, err)
			}
			l.checkStamps()
		})
	}
}

// A SPIFFE ID from a registered issuer counts where the registration names both.
func TestNamedIssuerMaySpeakOfSPIFFEIDs(t *testing.T) {
	l := workloadsLog(t)
	claims := account(t, "spiffe://other.org/planner", "pod")
	wantRefusal(t, l.submit(enrols(t, "pod-1", "pod", byToken(l.kube(claims)))), credential.ReasonTrustDomain, "registration.key.workload_token.sub")
	l.add(newClass(t, planner, nil, &onusv1.Workload{Issuer: kube, Subject: "spiffe://other.org/planner"}))
	l.add(enrols(t, "pod-1", "pod", byToken(l.kube(claims))))

	// Its word on the class's own id alone does not count: that is the trust
	// domain's, whose keys did not sign.
	own := account(t, planner, "pod 2")
	wantRefusal(t, l.submit(enrols(t, "pod-2", "pod 2", byToken(l.kube(own)))), credential.ReasonSignature, "registration.key.workload_token")
}

// What a token or a certificate is refused for is said by package credential,
// with the field of the record.
func TestBadCredentials(t *testing.T) {
	l := workloadsLog(t)
	abroad := newDomain(t, "other.org")
	const (
		token = "registration.key.workload_token"
		svid  = "registration.key.svid"
	)
	ok := account(t, plannerAccount, "pod")
	unsigned := func(header obj, claims obj) string { return part(t, header) + "." + part(t, claims) + "." }
	hmac := part(t, obj{"alg": "HS256", "kid": "k"}) + "." + part(t, ok) + "." + b64([]byte("the public key as a secret"))
	change := func(f func(*x509.Certificate)) *onusv1.KeyBinding { return bySVID(l.home.svid("pod", f, planner)) }
	mixed := byToken(l.kube(ok))
	for _, tt := range []struct {
		name, reason, field string
		k                   *onusv1.KeyBinding
	}{
		{"expired token", credential.ReasonExpired, token + ".exp",
			byToken(l.kube(with(ok, obj{"iat": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-time.Hour).Unix()})))},
		{"token from the future", credential.ReasonNotYetValid, token + ".nbf",
			byToken(l.kube(with(ok, obj{"nbf": now.Add(30 * time.Minute).Unix()})))},
		{"token for another audience", credential.ReasonAudience, token + ".aud",
			byToken(l.kube(with(ok, obj{"aud": []string{"https://kubernetes.default.svc"}})))},
		{"token for another key", credential.ReasonAudience, token + ".aud", byToken(l.kube(account(t, plannerAccount, "other")))},
		{"token for another log", credential.ReasonAudience, token + ".aud",
			byToken(l.kube(with(ok, obj{"aud": credential.EnrolmentAudience("log.example.com/staging", signer(t, "pod").Public())})))},
		{"token of another issuer", credential.ReasonIssuer, token + ".iss", byToken(l.kube(with(ok, obj{"iss": login})))},
		{"token without signature", credential.ReasonTokenUnsigned, token, byToken(unsigned(obj{"alg": "ES256", "kid": "k"}, ok))},
		{"alg none", credential.ReasonAlgNone, token + ".header.alg", byToken(unsigned(obj{"alg": "none"}, ok))},
		{"alg confused", credential.ReasonAlgConfused, token + ".header.alg", byToken(hmac)},
		{"token signed by somebody else", credential.ReasonSignature, token, byToken(es256(t, ecKey(t), ok))},
		{"token of another account", registry.ReasonOtherWorkload, token + ".sub", byToken(l.kube(account(t, erpAccount, "pod")))},
		{"JWT-SVID of another workload", registry.ReasonOtherWorkload, token + ".sub", byToken(es256(t, l.home.jwt, jwtSVID(t, clerk, "pod")))},
		{"JWT-SVID of a foreign trust domain", credential.ReasonTrustDomain, token + ".sub",
			byToken(es256(t, abroad.jwt, jwtSVID(t, "spiffe://other.org/planner", "pod")))},
		{"JWT-SVID that expired", credential.ReasonExpired, token + ".exp",
			byToken(es256(t, l.home.jwt, with(jwtSVID(t, planner, "pod"), obj{"exp": now.Add(-time.Hour).Unix()})))},

		{"SVID with two URIs", credential.ReasonSVIDNames, svid + ".chain[0].subjectAltName", bySVID(l.home.svid("pod", nil, planner, clerk))},
		{"SVID of an authority", credential.ReasonSVIDIsCA, svid + ".chain[0].basicConstraints", change(func(c *x509.Certificate) { c.IsCA = true })},
		{"SVID of a foreign trust domain", credential.ReasonTrustDomain, svid + ".chain[0].subjectAltName",
			bySVID(abroad.svid("pod", nil, "spiffe://other.org/planner"))},
		{"SVID that another root signed", credential.ReasonSVIDChain, svid + ".chain", bySVID(abroad.svid("pod", nil, planner))},
		{"SVID that expired", credential.ReasonSVIDExpired, svid + ".chain[0]",
			change(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) })},
		{"SVID from the future", credential.ReasonSVIDNotYetValid, svid + ".chain[0]",
			change(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) })},
		{"SVID that may sign certificates", credential.ReasonSVIDUsage, svid + ".chain[0].keyUsage",
			change(func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign })},
		{"no certificate at all", credential.ReasonSVIDMalformed, svid + ".chain[0]", bySVID(&onusv1.X509SVID{Chain: [][]byte{{1}}})},
		{"SVID of another workload", registry.ReasonOtherWorkload, svid + ".chain[0].subjectAltName", bySVID(l.home.svid("pod", nil, clerk))},
		{"SVID of another key, which did not vouch", registry.ReasonNoPossession, svid + ".possession", bySVID(l.home.svid("leaf", nil, planner))},
		{"SVID whose key vouched for another key", registry.ReasonNoPossession, svid + ".possession",
			bySVID(vouched(t, l.home.svid("leaf", nil, planner), "leaf", "other"))},
		{"SVID for which another key vouched", registry.ReasonNoPossession, svid + ".possession",
			bySVID(&onusv1.X509SVID{Chain: l.home.svid("leaf", nil, planner).Chain, Possession: possession(t, "pod", "pod", "leaf")})},
		{"SVID that vouches for its own key", record.ReasonInvalid, svid + ".possession",
			bySVID(vouched(t, l.home.svid("pod", nil, planner), "pod", "pod"))},
		{"a key that ended already", registry.ReasonTime, "registration.key.not_after", endingAt(mixed, now)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := enrols(t, "pod-1", "pod", tt.k)
			if _, err := l.reg.Authenticate(r, l.size); err != nil {
				t.Fatalf("not even authentic: %v", err)
			}
			wantRefusal(t, l.reg.Check(r, l.size, asserted()), tt.reason, tt.field)
			wantRefusal(t, l.submit(r), tt.reason, tt.field)
		})
	}
	l.checkStamps()
}

// Credentials are checked as of log time, with what the log held before.
func TestCredentialsAreCheckedAsOfLogTime(t *testing.T) {
	l := workloadsLog(t)
	late := now.Add(2 * time.Hour)
	r := enrols(t, "pod-1", "pod", bySVID(l.home.svid("pod", nil, planner)))
	s := asserted()
	s.LogTime = late.UnixMilli()
	wantRefusal(t, l.submitWith(r, s), credential.ReasonSVIDExpired, "registration.key.svid.chain[0]")
	l.add(r)

	// The domain's root and key changed: what is shown now is checked with the
	// new bundle.
	old := enrols(t, "pod-2", "pod 2", byToken(es256(t, l.home.jwt, jwtSVID(t, planner, "pod 2"))))
	if err := l.reg.Check(old, l.size, asserted()); err != nil {
		t.Fatal(err)
	}
	next := newDomain(t, "example.com")
	l.add(trustBundle(t, theHost(), "host", "example.com", next.bundle(2), now))
	wantRefusal(t, l.submit(old), credential.ReasonSignature, "registration.key.workload_token")
	l.add(enrols(t, "pod-2", "pod 2", byToken(es256(t, next.jwt, jwtSVID(t, planner, "pod 2")))))
}

// With nothing to verify a credential with, nothing is enrolled, and the
// message says what is missing.
func TestEnrolmentNeedsRegisteredTrust(t *testing.T) {
	l := fullLog(t)
	home := newDomain(t, "example.com")
	k := ecKey(t)
	token := func(name string) *onusv1.KeyBinding { return byToken(es256(t, k, account(t, plannerAccount, name))) }
	wantRefusal(t, l.submit(enrols(t, "pod-1", "pod", bySVID(home.svid("pod", nil, planner)))), registry.ReasonNotRegistered, "registration.key.svid")
	wantRefusal(t, l.submit(enrols(t, "pod-1", "pod", byToken(es256(t, home.jwt, jwtSVID(t, planner, "pod"))))), registry.ReasonNotRegistered, "registration.key.workload_token")
	wantRefusal(t, l.submit(enrols(t, "pod-1", "pod", token("pod"))), registry.ReasonOtherWorkload, "registration.key.workload_token")
	l.add(newClass(t, planner, nil, &onusv1.Workload{Issuer: kube, Subject: plannerAccount}))
	wantRefusal(t, l.submit(enrols(t, "pod-1", "pod", token("pod"))), registry.ReasonNotRegistered, "registration.key.workload_token.iss")
	l.add(newIssuer(t, kube, true, false)) // users' tokens only
	wantRefusal(t, l.submit(enrols(t, "pod-1", "pod", token("pod"))), registry.ReasonNotRegistered, "registration.key.workload_token.iss")
	l.add(newIssuer(t, kube, true, true))
	wantRefusal(t, l.submit(enrols(t, "pod-1", "pod", token("pod"))), registry.ReasonNoKeySet, "registration.key.workload_token")
	l.add(keySet(t, theHost(), "host", kube, jwks(t, k), now))
	l.add(enrols(t, "pod-1", "pod", token("pod")))
}

// An instance enrols one key by itself. One process must not take the place of
// another of its class.
func TestAnInstanceEnrolsOnce(t *testing.T) {
	l := workloadsLog(t)
	token := func(name string) *onusv1.KeyBinding { return byToken(l.kube(account(t, plannerAccount, name))) }
	l.add(enrols(t, "pod-1", "pod", token("pod")))
	wantRefusal(t, l.submit(enrols(t, "pod-1", "thief", token("thief"))), registry.ReasonConflict, "registration.key.instance")
	// Not even once its key was revoked: a new instance takes over.
	l.add(revoke(t, admin("root"), "root", ofKey(t, "pod")))
	wantRefusal(t, l.submit(enrols(t, "pod-1", "thief", token("thief"))), registry.ReasonConflict, "registration.key.instance")
	l.add(enrols(t, "pod-2", "pod 2", token("pod 2")))
	// The same key again, for itself or for another instance.
	wantRefusal(t, l.submit(enrols(t, "pod-2", "pod 2", token("pod 2"))), registry.ReasonConflict, "registration.key.public_key")
	wantRefusal(t, l.submit(enrols(t, "pod-3", "pod 2", token("pod 2"))), registry.ReasonConflict, "registration.key.public_key")
	// An administrator may give an instance a second key, its operator too.
	l.add(newKey(t, "pod 2b", planner, "pod-2", acme))
	l.add(bindTo(t, operatorAuthor(acme), "acme", "pod 2c", &onusv1.KeyBinding{Agent: planner, Instance: "pod-2", Operator: acme}))
	// Nothing is replaced on the word of a credential.
	k := token("pod 4")
	k.Replaces = keyID(t, "pod 2")
	wantRefusal(t, l.submit(enrols(t, "pod-4", "pod 4", k)), registry.ReasonNotPermitted, "registration.key.replaces")
	// A service has no instances: each of its processes may enrol a key.
	for _, name := range []string{"erp 1", "erp 2"} {
		k := byToken(l.kube(account(t, erpAccount, name)))
		k.Service = erp
		l.add(bindTo(t, service(erp), name, name, k))
	}
}

// What enrols is held to its class: registered, with its own operator, and not
// revoked.
func TestEnrolmentOfWhom(t *testing.T) {
	l := workloadsLog(t)
	home := l.home
	stranger := bySVID(home.svid("pod", nil, clerk))
	stranger.Agent, stranger.Instance, stranger.Operator = clerk, "i", acme
	wantRefusal(t, l.submit(bindTo(t, agent(clerk, "i", acme), "pod", "pod", stranger)), registry.ReasonNotRegistered, "registration.key.agent")
	foreign := bySVID(home.svid("pod", nil, planner))
	foreign.Agent, foreign.Instance, foreign.Operator = planner, "i", globex
	wantRefusal(t, l.submit(bindTo(t, agent(planner, "i", globex), "pod", "pod", foreign)), registry.ReasonConflict, "registration.key.operator")
	for _, rev := range []*onusv1.Revocation{ofInstance(planner, "pod-1"), ofAgent(planner), ofOperator(acme)} {
		l := workloadsLog(t)
		r := enrols(t, "pod-1", "pod", bySVID(l.home.svid("pod", nil, planner)))
		l.add(revoke(t, admin("root"), "root", rev))
		wantRefusal(t, l.submit(r), registry.ReasonRevoked, "author")
	}
	l.add(revoke(t, admin("root"), "root", ofOperator(acme)))
	k := bySVID(home.svid("pod", nil, erp))
	k.Service = erp
	wantRefusal(t, l.submit(bindTo(t, service(erp), "pod", "pod", k)), registry.ReasonRevoked, "author")
	wantRefusal(t, l.submit(bindTo(t, admin("root"), "root", "new", &onusv1.KeyBinding{Reviewer: "carol"})), registry.ReasonRevoked, "registration.key")
}
