package rpc_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier"
	"google.golang.org/protobuf/encoding/protojson"
)

// h2c returns a client that speaks HTTP/2 without TLS, as gRPC clients do.
func h2c() *http.Client {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: t}
}

func TestEveryProtocolSubmitsAndStreams(t *testing.T) {
	s := newServer(t, nil)
	for name, c := range map[string]onusv1connect.LedgerServiceClient{
		"connect":            onusv1connect.NewLedgerServiceClient(http.DefaultClient, s.url),
		"connect over h2c":   onusv1connect.NewLedgerServiceClient(h2c(), s.url),
		"connect JSON":       onusv1connect.NewLedgerServiceClient(http.DefaultClient, s.url, connect.WithProtoJSON()),
		"connect by GET":     onusv1connect.NewLedgerServiceClient(http.DefaultClient, s.url, connect.WithHTTPGet()),
		"gRPC":               onusv1connect.NewLedgerServiceClient(h2c(), s.url, connect.WithGRPC()),
		"gRPC-Web":           onusv1connect.NewLedgerServiceClient(http.DefaultClient, s.url, connect.WithGRPCWeb()),
		"gRPC-Web with JSON": onusv1connect.NewLedgerServiceClient(http.DefaultClient, s.url, connect.WithGRPCWeb(), connect.WithProtoJSON()),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			r := s.next(nil)
			resp, err := c.Submit(ctx, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto()})
			must(t, err)
			proven, err := verifier.OpenReceipt(resp.GetReceipt(), r.Envelope.Type, r.Envelope.Payload, s.key, s.agent.Public())
			must(t, err)

			got, err := c.GetRecord(ctx, &onusv1.GetRecordRequest{Key: &onusv1.GetRecordRequest_Id{Id: r.ID.String()}})
			must(t, err)
			if got.GetRecord().GetIndex() != proven.Index {
				t.Errorf("GetRecord: index %d, want %d", got.GetRecord().GetIndex(), proven.Index)
			}
			stream, err := c.Follow(ctx, &onusv1.FollowRequest{From: 0, Until: proven.Index + 1})
			must(t, err)
			n := int64(0)
			for stream.Receive() {
				n += int64(len(stream.Msg().GetEntries()))
			}
			must(t, stream.Err())
			if n != proven.Index+1 {
				t.Errorf("Follow: %d entries, want %d", n, proven.Index+1)
			}
		})
	}
}

// What curl does: POST of JSON, with the envelope in DSSE's own form.
func TestPlainJSON(t *testing.T) {
	s := newServer(t, nil)
	r := s.next(nil)
	body, err := protojson.Marshal(&onusv1.SubmitRequest{Envelope: r.Envelope.Proto()})
	must(t, err)
	if want := `"payloadType":`; !bytes.Contains(body, []byte(want)) {
		t.Errorf("the request %s has no %s", body, want)
	}
	resp, err := http.Post(s.url+"/onus.v1.LedgerService/Submit", "application/json", bytes.NewReader(body))
	must(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, answer)
	}
	var got struct {
		Receipt struct{ ID, Index string }
	}
	must(t, json.Unmarshal(answer, &got))
	if got.Receipt.ID != r.ID.String() || got.Receipt.Index != "4" {
		t.Errorf("got %+v, want id %s at index 4", got, r.ID)
	}
}

func TestTLS(t *testing.T) {
	cert, pool := selfSigned(t)
	s := newServer(t, func(srv *rpc.Server) { srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} })
	url := strings.Replace(s.url, "http://", "https://", 1)
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2}
		resp, err := (&http.Client{Transport: tr}).Get(url + "/checkpoint")
		must(t, err)
		resp.Body.Close()
		if (resp.ProtoMajor == 2) != h2 || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got HTTP/%d, status %d", name, resp.ProtoMajor, resp.StatusCode)
		}
	}
	if resp, err := http.Get(s.url + "/checkpoint"); err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("a server with TLS answers in clear")
		}
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestPlainPages(t *testing.T) {
	s := newServer(t, nil)
	get := func(path string) (int, http.Header, string) {
		resp, err := http.Get(s.url + path)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, resp.Header, string(b)
	}
	code, header, body := get("/checkpoint")
	cp, err := s.key.Open([]byte(body))
	if code != 200 || err != nil || cp.Size != 4 {
		t.Errorf("/checkpoint: %d, %v, %+v", code, err, cp)
	}
	if got := header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("/checkpoint: content type %q", got)
	}
	if got := header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("/checkpoint: cache control %q", got)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if code, _, body := get(path); code != 200 || body != "ok\n" {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	if code, _, _ := get("/nothing"); code != 404 {
		t.Errorf("/nothing: %d, want 404", code)
	}
}

// A web page that has its own name point to this machine gets nothing from a
// ledger that is open.
func TestOpenLedgerAnswersToLoopbackNames(t *testing.T) {
	s := newServer(t, nil)
	for host, want := range map[string]int{"": 200, "localhost": 200, "[::1]:80": 200, "evil.example.com": 421, "evil.example.com:80": 421} {
		req, err := http.NewRequest(http.MethodGet, s.url+"/checkpoint", nil)
		must(t, err)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("host %q: status %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func TestHealth(t *testing.T) {
	s := newServer(t, nil)
	for _, c := range []struct{ path, body, want string }{
		{"/grpc.health.v1.Health/Check", `{}`, `SERVING`},
		{"/grpc.health.v1.Health/Check", `{"service":"onus.v1.LedgerService"}`, `SERVING`},
		{"/grpc.health.v1.Health/Check", `{"service":"other"}`, `not_found`},
	} {
		resp, err := http.Post(s.url+c.path, "application/json", strings.NewReader(c.body))
		must(t, err)
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		must(t, err)
		if !strings.Contains(string(b), c.want) {
			t.Errorf("%s %s: got %s, want %s", c.path, c.body, b, c.want)
		}
	}
}

// What grpcurl and the like ask first.
func TestReflectionNamesTheService(t *testing.T) {
	s := newServer(t, nil)
	stream := grpcreflect.NewClient(h2c(), s.url, connect.WithGRPC()).NewStream(context.Background())
	defer stream.Close()
	names, err := stream.ListServices()
	must(t, err)
	if !slices.Contains(names, onusv1connect.LedgerServiceName) {
		t.Errorf("got %v, want %s among them", names, onusv1connect.LedgerServiceName)
	}
	files, err := stream.FileContainingSymbol(onusv1connect.LedgerServiceName)
	must(t, err)
	if len(files) == 0 || files[0].GetName() != "onus/v1/ledger.proto" {
		t.Errorf("the service's file is not described: %d files", len(files))
	}
}
