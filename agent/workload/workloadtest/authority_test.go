package workloadtest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent/workload/workloadtest"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	workloadpb "github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const id = "spiffe://example.com/planner"

// What is issued verifies against the bundle of that time, and after a change
// of roots against the one that has its root.
func TestBundle(t *testing.T) {
	t.Parallel()
	td := workloadtest.New(t, "example.com")
	parse := func() *spiffebundle.Bundle {
		b, err := spiffebundle.Parse(spiffeid.RequireTrustDomainFromString("example.com"), td.Bundle())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	check := func(when string, b *spiffebundle.Bundle, svid *workloadtest.SVID, token string, want bool) {
		t.Helper()
		got, _, err := x509svid.ParseAndVerify(svid.Chain, b)
		if (err == nil) != want || (want && got.String() != id) {
			t.Errorf("%s: X.509-SVID of %s: %v, want good: %t", when, got, err, want)
		}
		if _, err := jwtsvid.ParseAndValidate(token, b, []string{"ledger"}); (err == nil) != want {
			t.Errorf("%s: JWT-SVID: %v, want good: %t", when, err, want)
		}
	}
	first, svid, token := parse(), td.Issue(id), td.JWT(id, "ledger")
	check("one root", first, svid, token, true)
	td.AddRoot()
	both, newSVID, newToken := parse(), td.Issue(id), td.JWT(id, "ledger")
	check("old of two", both, svid, token, true)
	check("new of two", both, newSVID, newToken, true)
	check("new by the old bundle", first, newSVID, newToken, false)
	td.DropRoots()
	check("the root was dropped", parse(), svid, token, false)
	check("the root has stayed", parse(), newSVID, newToken, true)
	td.AddIntermediate()
	if svid := td.Issue(id); len(svid.Chain) != 2 {
		t.Errorf("by an intermediate: %d certificates, want 2", len(svid.Chain))
	} else {
		check("by an intermediate", parse(), svid, newToken, true)
	}
	td.SetLifetime(-2 * time.Minute) // readers of tokens allow for a minute
	check("expired", parse(), td.Issue(id), td.JWT(id, "ledger"), false)
}

// Tokens may be made wrong, and are then refused.
func TestSign(t *testing.T) {
	t.Parallel()
	td := workloadtest.New(t, "example.com")
	b, err := spiffebundle.Parse(spiffeid.RequireTrustDomainFromString("example.com"), td.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"sub": id, "aud": "ledger", "exp": time.Now().Add(time.Minute).Unix()}
	for name, c := range map[string]struct {
		header map[string]any
		want   string // empty for good
	}{
		"good":        {nil, ""},
		"alg none":    {map[string]any{"alg": "none"}, "unable to parse JWT token"},
		"no key id":   {map[string]any{"kid": nil}, "missing key id"},
		"unknown key": {map[string]any{"kid": "x"}, `no JWT authority "x" found`},
	} {
		_, err := jwtsvid.ParseAndValidate(td.Sign(c.header, claims), b, []string{"ledger"})
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The whole Workload API, as go-spiffe's client calls it.
func TestServe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	td, partner := workloadtest.New(t, "example.com"), workloadtest.New(t, "partner.example")
	td.Federate(partner)
	socket := td.Serve(id, "spiffe://example.com/second")
	c, err := workloadapi.New(ctx, workloadapi.WithAddr(socket))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	x, err := c.FetchX509Context(ctx)
	if err != nil || len(x.SVIDs) != 2 || x.DefaultSVID().ID.String() != id || x.Bundles.Len() != 2 {
		t.Errorf("X.509 context %+v: %v", x, err)
	}
	if set, err := c.FetchX509Bundles(ctx); err != nil || set.Len() != 2 {
		t.Errorf("X.509 bundles: %v", err)
	}
	if set, err := c.FetchJWTBundles(ctx); err != nil || set.Len() != 2 {
		t.Errorf("JWT bundles: %v", err)
	}
	tokens, err := c.FetchJWTSVIDs(ctx, jwtsvid.Params{Audience: "ledger"})
	if err != nil || len(tokens) != 2 {
		t.Fatalf("%d JWT-SVIDs: %v", len(tokens), err)
	}
	if svid, err := c.ValidateJWTSVID(ctx, tokens[1].Marshal(), "ledger"); err != nil || svid.ID.String() != "spiffe://example.com/second" {
		t.Errorf("validate: %v: %v", svid, err)
	}
	if _, err := c.ValidateJWTSVID(ctx, tokens[1].Marshal(), "another"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("validate for another: %v", err)
	}
	if _, err := c.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "ledger", Subject: spiffeid.RequireFromString("spiffe://example.com/third")}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a JWT-SVID of somebody else: %v", err)
	}

	// Without the header that no proxy would add nothing is given out.
	conn, err := grpc.NewClient(socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := workloadpb.NewSpiffeWorkloadAPIClient(conn).FetchX509SVID(ctx, &workloadpb.X509SVIDRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("without the header: %v", err)
	}
}
