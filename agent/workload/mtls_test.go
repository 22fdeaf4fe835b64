package workload_test

import (
	"bufio"
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent/workload"
	"github.com/onus-ledger/onus/agent/workload/workloadtest"
)

// pair is a client and a server of one trust domain.
type pair struct {
	td             *workloadtest.Authority
	client, server *workload.Source
	http           *http.Client
	url            string
	release        chan struct{} // ends the streams
}

func newPair(t *testing.T) *pair {
	td := workloadtest.New(t, domain)
	p := &pair{td: td, release: make(chan struct{})}
	p.client = open(t, workload.Config{Socket: td.Serve(plannerID), ServerID: ledgerID})
	p.server = open(t, workload.Config{Socket: td.Serve(ledgerID)})
	p.http = p.client.HTTPClient()
	p.url = serve(t, p.server, p.release)
	return p
}

// check makes a call and holds it to the SVIDs that are the newest. It returns
// the client's address.
func (p *pair) check(t *testing.T) string {
	t.Helper()
	answer, server, err := call(t, p.http, p.url)
	if err != nil {
		t.Fatal(err)
	}
	who, address, _ := strings.Cut(answer, " 127")
	if want := leaf(t, p.client).SerialNumber.String() + " " + plannerID; who != want {
		t.Errorf("the server saw %s, want %s", who, want)
	}
	if !strings.HasSuffix(answer, "HTTP/2.0") {
		t.Errorf("called by %s, want HTTP/2", answer)
	}
	if server.URIs[0].String() != ledgerID {
		t.Errorf("the server is %s", server.URIs[0])
	}
	return address
}

// rotate issues a new SVID to one workload, and waits until it is there.
func (p *pair) rotate(t *testing.T, s *workload.Source) {
	t.Helper()
	old := leaf(t, s)
	p.td.Rotate(s.ID())
	until(t, "a new SVID", func() bool { return !leaf(t, s).Equal(old) })
}

// The client's SVID is renewed while it is busy: the call that is under way
// ends on its connection, the next opens one with the new SVID.
func TestClientRotates(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	before := p.check(t)
	if again := p.check(t); again != before {
		t.Errorf("two calls came from %s and %s, want one connection", before, again)
	}
	resp, err := p.http.Get(p.url + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stream := bufio.NewScanner(resp.Body)
	if !stream.Scan() || !strings.Contains(stream.Text(), before) {
		t.Fatalf("the stream is %q, want it from %s", stream.Text(), before)
	}
	p.rotate(t, p.client)
	if after := p.check(t); after == before {
		t.Error("the new SVID is not used: the next call went out on the old connection")
	}
	close(p.release)
	if !stream.Scan() || stream.Text() != "end" {
		t.Errorf("the stream broke off: %q, %v", stream.Text(), stream.Err())
	}
}

// The server's SVID is renewed while it serves: open connections go on, new
// ones see the new SVID.
func TestServerRotates(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	before := p.check(t)
	p.rotate(t, p.server)
	if after := p.check(t); after != before {
		t.Error("the client's connection was lost")
	}
	p.http.CloseIdleConnections()
	_, server, err := call(t, p.http, p.url)
	if err != nil || !server.Equal(leaf(t, p.server)) {
		t.Errorf("a new connection, %v, does not see the new SVID", err)
	}
}

// A root is replaced: at no time does a call fail, whoever is renewed first,
// and when the old root has gone, what it signed is good for nothing.
func TestRootRotates(t *testing.T) {
	t.Parallel()
	for name, clientFirst := range map[string]bool{"client first": true, "server first": false} {
		p := newPair(t)
		p.check(t)
		old := p.td.Issue("spiffe://example.com/laggard")
		held, _, err := dial(t, p.url, old)
		if err != nil {
			t.Fatalf("%s: an SVID of the old root: %v", name, err)
		}
		roots := func(n int) {
			t.Helper()
			for _, s := range []*workload.Source{p.client, p.server} {
				until(t, "roots in the bundle", func() bool { return len(bundle(t, s, domain).X509Authorities()) == n })
			}
		}
		p.td.AddRoot()
		roots(2)
		p.check(t)
		first, second := p.client, p.server
		if !clientFirst {
			first, second = second, first
		}
		for _, s := range []*workload.Source{first, second} {
			p.rotate(t, s)
			p.http.CloseIdleConnections()
			p.check(t)
		}
		if _, err := ask(held); err != nil {
			t.Errorf("%s: a connection of the old root, which is trusted: %v", name, err)
		}

		p.td.DropRoots()
		roots(1)
		p.check(t)
		until(t, "the server ends the connection of the old root", func() bool { _, err := ask(held); return err != nil })
		if _, _, err := dial(t, p.url, old); err == nil {
			t.Errorf("%s: the old root still opens connections", name)
		}
		p.check(t)
	}
}

// Who may connect, by the certificate that is shown.
func TestClients(t *testing.T) {
	t.Parallel()
	td, partner, stranger := workloadtest.New(t, domain), workloadtest.New(t, "partner.example"), workloadtest.New(t, "stranger.example")
	td.Federate(partner)
	impostor := workloadtest.New(t, domain) // the same name, another root
	byRoot := td.Issue(plannerID)
	td.AddIntermediate()
	server := serve(t, open(t, workload.Config{Socket: td.Serve(ledgerID)}), nil)
	for name, c := range map[string]struct {
		svid *workloadtest.SVID
		want string // who the server sees; empty for nobody is let in
	}{
		"signed by the root":                   {byRoot, plannerID},
		"signed by an intermediate":            {td.Issue(plannerID), plannerID},
		"none":                                 {nil, "nobody"},
		"federated domain":                     {partner.Issue("spiffe://partner.example/a"), "spiffe://partner.example/a"},
		"foreign domain":                       {stranger.Issue("spiffe://stranger.example/a"), ""},
		"another authority of the same name":   {impostor.Issue(plannerID), ""},
		"federated authority for own domain":   {partner.Issue(plannerID), ""},
		"foreign authority for own domain":     {stranger.Issue(plannerID), ""},
		"own authority for a federated domain": {td.Issue("spiffe://partner.example/a"), ""},
		"expired":                              {td.Issue(plannerID, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), ""},
		"not valid yet":                        {td.Issue(plannerID, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), ""},
		"two URIs":                             {td.Issue(plannerID, func(c *x509.Certificate) { c.URIs = append(c.URIs, must(url.Parse("spiffe://example.com/b"))) }), ""},
		"no URI":                               {td.Issue(plannerID, func(c *x509.Certificate) { c.URIs, c.DNSNames = nil, []string{"planner.example.com"} }), ""},
		"another URI":                          {td.Issue("https://example.com/planner"), ""},
		"an authority":                         {td.Issue(plannerID, func(c *x509.Certificate) { c.IsCA = true }), ""},
		"signs certificates":                   {td.Issue(plannerID, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }), ""},
	} {
		_, answer, err := dial(t, server, c.svid)
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s: let in as %q", name, answer)
		case c.want != "" && (err != nil || !strings.Contains(" "+answer, " "+c.want+" ")):
			t.Errorf("%s: %q, %v, want %s", name, answer, err, c.want)
		}
	}
}

// Which servers a client talks to.
func TestServers(t *testing.T) {
	t.Parallel()
	td, partner, stranger := workloadtest.New(t, domain), workloadtest.New(t, "partner.example"), workloadtest.New(t, "stranger.example")
	td.Federate(partner)
	partner.Federate(td)
	stranger.Federate(td)
	impostor := workloadtest.New(t, domain)
	own := serve(t, open(t, workload.Config{Socket: td.Serve(ledgerID)}), nil)
	socket := td.Serve(plannerID)
	for name, c := range map[string]struct {
		serverID, url, want string // want: of the error; empty for none
	}{
		"the one":                       {ledgerID, own, ""},
		"any of the own domain":         {"", own, ""},
		"another of the own domain":     {"spiffe://example.com/another", own, "the server is spiffe://example.com/ledger, want spiffe://example.com/another"},
		"one whose name begins like it": {"spiffe://example.com/ledge", own, "the server is spiffe://example.com/ledger"},
		"federated, named":              {"spiffe://partner.example/ledger", serve(t, open(t, workload.Config{Socket: partner.Serve("spiffe://partner.example/ledger")}), nil), ""},
		"federated, not named":          {"", serve(t, open(t, workload.Config{Socket: partner.Serve("spiffe://partner.example/ledger")}), nil), "of another trust domain than example.com: set ServerID"},
		"foreign, named":                {"spiffe://stranger.example/ledger", serve(t, open(t, workload.Config{Socket: stranger.Serve("spiffe://stranger.example/ledger")}), nil), "no X.509 bundle"},
		"impostor":                      {ledgerID, serve(t, open(t, workload.Config{Socket: impostor.Serve(ledgerID)}), nil), "certificate signed by unknown authority"},
		"without TLS":                   {ledgerID, strings.Replace(own, "https:", "http:", 1), "use https"},
	} {
		client := open(t, workload.Config{Socket: socket, ServerID: c.serverID}).HTTPClient()
		_, _, err := call(t, client, c.url)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Nobody goes on with an SVID that has expired: neither a client nor a server
// whose Workload API gives no new one.
func TestExpired(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.check(t)
	p.td.SetLifetime(time.Second)
	p.rotate(t, p.client)
	until(t, "the client's SVID has expired", func() bool { _, _, err := p.client.X509(); return err != nil })
	p.http.CloseIdleConnections()
	if _, _, err := call(t, p.http, p.url); err == nil || !strings.Contains(err.Error(), "the SVID of "+plannerID+" expired at") {
		t.Errorf("the client's SVID has expired: %v", err)
	}
	p.td.SetLifetime(time.Hour)
	p.td.Rotate(plannerID)
	until(t, "the client has a new one", func() bool { _, _, err := p.client.X509(); return err == nil })
	p.check(t)

	p.td.SetLifetime(time.Second)
	p.rotate(t, p.server)
	until(t, "the server's SVID has expired", func() bool { _, _, err := p.server.X509(); return err != nil })
	p.http.CloseIdleConnections()
	if _, _, err := call(t, p.http, p.url); err == nil || !strings.Contains(err.Error(), "remote error: tls:") {
		t.Errorf("the server's SVID has expired: %v, want an alert", err)
	}
}
