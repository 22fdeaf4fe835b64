package workload_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent/workload"
	"github.com/onus-ledger/onus/agent/workload/workloadtest"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// bundle is what a source gives of a domain, read again.
func bundle(t *testing.T, s *workload.Source, domain string) *spiffebundle.Bundle {
	t.Helper()
	jwks, err := s.Bundle(domain)
	if err != nil {
		t.Fatal(err)
	}
	return must(spiffebundle.Parse(spiffeid.RequireTrustDomainFromString(domain), jwks))
}

// What a source gives out verifies against the bundle that it gives out.
func TestSource(t *testing.T) {
	t.Parallel()
	for name, intermediate := range map[string]bool{"signed by the root": false, "signed by an intermediate": true} {
		td := workloadtest.New(t, domain)
		if intermediate {
			td.AddIntermediate()
		}
		// The path alone names the socket too; the first ID is the default.
		s := open(t, workload.Config{Socket: strings.TrimPrefix(td.Serve(plannerID, "spiffe://example.com/other"), "unix://")})
		if s.ID() != plannerID {
			t.Errorf("%s: id %s, want %s", name, s.ID(), plannerID)
		}
		b := bundle(t, s, domain)

		chain, key, err := s.X509()
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{false: 1, true: 2}[intermediate]; len(chain) != want {
			t.Errorf("%s: %d certificates, want %d", name, len(chain), want)
		}
		id, _, err := x509svid.ParseAndVerify(chain, b)
		if err != nil || id.String() != plannerID {
			t.Errorf("%s: chain of %s: %v", name, id, err)
		}
		if !must(x509.ParseCertificate(chain[0])).PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
			t.Errorf("%s: the key is not that of the leaf", name)
		}
		// The SVID's own key signs records.
		if signer, err := record.NewSigner(key); err != nil || !bytes.Equal(signer.Public().SPKI(), must(x509.ParseCertificate(chain[0])).RawSubjectPublicKeyInfo) {
			t.Errorf("%s: the key as a signer of records: %v", name, err)
		}
		chain[0][0]++ // the chain is the caller's
		if again, _, err := s.X509(); err != nil || bytes.Equal(again[0], chain[0]) {
			t.Errorf("%s: the caller's copy is the source's own: %v", name, err)
		}

		token, err := s.JWT(t.Context(), "ledger")
		if err != nil {
			t.Fatal(err)
		}
		svid, err := jwtsvid.ParseAndValidate(token, b, []string{"ledger"})
		if err != nil || svid.ID.String() != plannerID {
			t.Errorf("%s: token %v: %v", name, svid, err)
		}
		if _, err := jwtsvid.ParseAndValidate(token, b, []string{"another"}); err == nil {
			t.Errorf("%s: the token is for any audience", name)
		}
		if _, err := s.JWT(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "audience is empty") {
			t.Errorf("%s: token for nobody: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	td := workloadtest.New(t, domain)
	good := td.Serve(plannerID)
	gone := td.Serve(plannerID)
	td.Stop(gone)
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "")
	for name, c := range map[string]struct {
		cfg  workload.Config
		want string
	}{
		"no socket":          {workload.Config{}, "SPIFFE_ENDPOINT_SOCKET is not set: name the Workload API"},
		"not a socket":       {workload.Config{Socket: "http://example.com"}, `Socket "http://example.com"`},
		"relative":           {workload.Config{Socket: "api.sock"}, "use unix:///PATH"},
		"no ID":              {workload.Config{Socket: good, ServerID: "ledger.example.com"}, `ServerID "ledger.example.com"`},
		"a domain":           {workload.Config{Socket: good, ServerID: "spiffe://example.com"}, "names a trust domain and no workload"},
		"nobody there":       {workload.Config{Socket: gone}, "is the SPIFFE agent running"},
		"no identity issued": {workload.Config{Socket: td.Serve()}, "no identity issued: register this workload"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		s, err := workload.Open(ctx, c.cfg)
		cancel()
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", good)
	if s := open(t, workload.Config{}); s.ID() != plannerID {
		t.Errorf("from the environment: %s", s.ID())
	}
}

// A Workload API that goes away takes nothing with it but the renewal, and
// what was renewed meanwhile comes when it is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	td := workloadtest.New(t, domain)
	td.SetLifetime(2 * time.Second)
	socket := td.Serve(plannerID)
	s := open(t, workload.Config{Socket: socket})
	first := leaf(t, s)
	td.Stop(socket)
	if got := leaf(t, s); !got.Equal(first) {
		t.Error("the SVID went with the Workload API")
	}
	if _, err := s.JWT(t.Context(), "ledger"); err == nil || !strings.Contains(err.Error(), `JWT-SVID of spiffe://example.com/planner for "ledger"`) {
		t.Errorf("token without Workload API: %v", err)
	}
	var err error
	until(t, "the SVID has expired", func() bool { _, _, err = s.X509(); return err != nil })
	if !strings.Contains(err.Error(), "expired at "+first.NotAfter.UTC().Format(time.RFC3339)) || !strings.Contains(err.Error(), "Unavailable") {
		t.Errorf("expired SVID: %v, want since when and why", err)
	}
	td.SetLifetime(time.Hour)
	td.Rotate()
	td.Start(socket)
	until(t, "a new SVID is there", func() bool { _, _, err = s.X509(); return err == nil })
	if leaf(t, s).Equal(first) || s.ID() != plannerID {
		t.Error("the SVID is the old one")
	}
}

func TestWatchBundles(t *testing.T) {
	t.Parallel()
	td, partner := workloadtest.New(t, domain), workloadtest.New(t, "partner.example")
	s := open(t, workload.Config{Socket: td.Serve(plannerID)})
	type news struct {
		domain string
		jwks   []byte
	}
	heard := make(chan news, 100)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- s.WatchBundles(ctx, func(domain string, jwks []byte) { heard <- news{domain, jwks} })
	}()
	// wants waits for a bundle of a domain with so many of each; X.509 and JWT
	// keys may come one after the other. 0 is a domain that has gone.
	wants := func(domain string, keys int) {
		t.Helper()
		var got string
		for {
			select {
			case n := <-heard:
				if n.domain != domain {
					t.Fatalf("heard of %s, want %s", n.domain, domain)
				}
				if n.jwks == nil {
					if keys == 0 {
						return
					}
					t.Fatalf("%s went away", domain)
				}
				b := must(spiffebundle.Parse(spiffeid.RequireTrustDomainFromString(domain), n.jwks))
				if got = string(n.jwks); len(b.X509Authorities()) == keys && len(b.JWTAuthorities()) == keys {
					// The same as at that time from Bundle, however often.
					for range 10 {
						if again := must(s.Bundle(domain)); string(again) != got {
							t.Fatalf("Bundle gives\n%s\nafter\n%s", again, got)
						}
					}
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("no bundle of %s with %d keys of each kind, last:\n%s", domain, keys, got)
			}
		}
	}
	wants(domain, 1)
	td.AddRoot()
	wants(domain, 2)
	td.DropRoots()
	wants(domain, 1)
	td.Federate(partner)
	wants("partner.example", 1)
	partner.AddRoot()
	wants("partner.example", 2)
	td.Rotate() // an SVID is no bundle
	td.Unfederate()
	wants("partner.example", 0)
	if _, err := s.Bundle("partner.example"); err == nil || !strings.Contains(err.Error(), "gives those of example.com") {
		t.Errorf("a domain that is not trusted: %v", err)
	}
	if _, err := s.Bundle("Not A Domain"); err == nil {
		t.Error("no domain has a bundle")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("WatchBundles ends with %v", err)
	}
	if len(heard) > 0 {
		t.Errorf("heard of %s without a change", (<-heard).domain)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	td := workloadtest.New(t, domain)
	s := open(t, workload.Config{Socket: td.Serve(plannerID)})
	ended := make(chan error, 1)
	told := make(chan struct{}, 1)
	go func() {
		ended <- s.WatchBundles(context.Background(), func(string, []byte) { told <- struct{}{} })
	}()
	<-told
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, _, errX509 := s.X509()
	_, errJWT := s.JWT(t.Context(), "ledger")
	_, errBundle := s.Bundle(domain)
	_, errHTTP := s.HTTPClient().Get("https://127.0.0.1:1")
	for name, err := range map[string]error{"WatchBundles": <-ended, "X509": errX509, "JWT": errJWT, "Bundle": errBundle, "HTTPClient": errHTTP} {
		if !errors.Is(err, workload.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
}
