package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/rpc"
)

// listener is one that only has an address.
type listener struct {
	net.Listener
	addr string
}

func (l listener) Addr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", l.addr)
	if err != nil {
		panic(err)
	}
	return a
}

// Beyond loopback a server is open only where somebody insists, and then warns.
func TestOpenServing(t *testing.T) {
	for _, c := range []struct {
		addr            string
		who             access
		served, warning bool
	}{
		{"127.0.0.1:1", access{}, true, false},
		{"[::1]:1", access{}, true, false},
		{"127.0.0.2:1", access{}, true, false},
		{"0.0.0.0:1", access{}, false, false},
		{"[::]:1", access{}, false, false},
		{"10.0.0.1:1", access{}, false, false},
		{"192.168.0.1:1", access{}, false, false},
		{"0.0.0.0:1", access{open: true}, true, true},
		{"127.0.0.1:1", access{open: true}, true, false},
		{"0.0.0.0:1", access{tokens: "t"}, true, true}, // in clear
		{"127.0.0.1:1", access{tokens: "t"}, true, false},
	} {
		ln := listener{addr: c.addr}
		if err := c.who.check(ln); (err == nil) != c.served {
			t.Errorf("%s %+v: %v", c.addr, c.who, err)
		}
		if !c.served {
			continue
		}
		var out, warn bytes.Buffer
		c.who.announce(&out, &warn, &rpc.Server{}, ln)
		if strings.Count(out.String(), "\n") != 1 || !strings.HasPrefix(out.String(), "  callers  ") {
			t.Errorf("%s %+v: said %q", c.addr, c.who, &out)
		}
		if strings.Contains(warn.String(), "WARNING") != c.warning {
			t.Errorf("%s %+v: warned %q", c.addr, c.who, &warn)
		}
	}
}

// onus serve with --client-ca knows an agent by its certificate.
func TestServeClientCertificates(t *testing.T) {
	dir := t.TempDir()
	authority := issue(t, nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	server := issue(t, authority, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	id, err := url.Parse("spiffe://example.com/k8s-agent")
	if err != nil {
		t.Fatal(err)
	}
	client := issue(t, authority, &x509.Certificate{URIs: []*url.URL{id}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca := write("ca.pem", "CERTIFICATE", authority.Certificate[0])
	l, err := dataDir(filepath.Join(dir, "ledger")).create("log.example.com/agents", "root", nil, ledger.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	onus, err := os.Executable() // TestMain makes the test the command, by this name
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "onus")
	if err := os.Symlink(onus, link); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, link, filepath.Join(dir, "ledger"), "--client-ca", ca,
		"--tls-cert", write("server.pem", "CERTIFICATE", server.Certificate[0]), "--tls-key", write("server.key", "PRIVATE KEY", key))

	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	for _, c := range []struct {
		certs []tls.Certificate
		want  connect.Code
	}{{nil, connect.CodeUnauthenticated}, {[]tls.Certificate{*client}, connect.CodePermissionDenied}} {
		hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: c.certs}}}
		api := onusv1connect.NewLedgerServiceClient(hc, s.url)
		_, err := api.GetRecord(context.Background(), &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Index{}})
		if got := connect.CodeOf(err); got != c.want {
			t.Errorf("with %d certificates: %v, want %v", len(c.certs), err, c.want)
		}
		if _, err := api.GetCheckpoint(context.Background(), &onusv1.GetCheckpointRequest{}); (err == nil) != (c.certs != nil) {
			t.Errorf("with %d certificates: checkpoint: %v", len(c.certs), err)
		}
	}
}

// issue makes a certificate that by signs, or itself.
func issue(t *testing.T, by *tls.Certificate, tmpl *x509.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.SerialNumber = big.NewInt(time.Now().UnixNano())
	tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := tmpl, crypto.PrivateKey(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
