package workload_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onus-ledger/onus/agent/workload"
	"github.com/onus-ledger/onus/agent/workload/workloadtest"
)

const (
	domain    = "example.com"
	plannerID = "spiffe://example.com/planner"
	ledgerID  = "spiffe://example.com/ledger"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// open opens a source, and closes it with the test.
func open(t *testing.T, cfg workload.Config) *workload.Source {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := workload.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// until waits for what another process would take a moment to do.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}

// leaf returns the certificate that a source presents now.
func leaf(t *testing.T, s *workload.Source) *x509.Certificate {
	t.Helper()
	chain, _, err := s.X509()
	if err != nil {
		t.Fatal(err)
	}
	return must(x509.ParseCertificate(chain[0]))
}

// serve runs an HTTP server that tells its clients who they are and from
// where they called: "nobody 127.0.0.1:4711", or serial and id. It returns its
// URL. A call of /stream is answered in two halves, the second when release is
// closed.
func serve(t *testing.T, s *workload.Source, release <-chan struct{}) string {
	t.Helper()
	srv := &http.Server{
		TLSConfig: s.ServerConfig(),
		ErrorLog:  log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := "nobody"
			if len(r.TLS.VerifiedChains) > 0 {
				c := r.TLS.VerifiedChains[0][0]
				who = c.SerialNumber.String() + " " + c.URIs[0].String()
			}
			fmt.Fprintf(w, "%s %s %s\n", who, r.RemoteAddr, r.Proto)
			if r.URL.Path == "/stream" {
				http.NewResponseController(w).Flush()
				select {
				case <-release:
				case <-r.Context().Done():
				}
				fmt.Fprintln(w, "end")
			}
		}),
	}
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	go srv.ServeTLS(s.Listener(ln), "", "")
	t.Cleanup(func() { srv.Close() })
	return "https://" + ln.Addr().String()
}

// call returns what the server said and the certificate that it presented.
func call(t *testing.T, c *http.Client, url string) (answer string, server *x509.Certificate, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp, err := c.Do(must(http.NewRequestWithContext(ctx, http.MethodGet, url, nil)))
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return strings.TrimSuffix(string(body), "\n"), resp.TLS.PeerCertificates[0], err
}

// dial makes a connection with a certificate of any kind, or none, and sends
// a request, because TLS 1.3 tells a client late that it is refused. It
// accepts any server.
func dial(t *testing.T, url string, svid *workloadtest.SVID) (*tls.Conn, string, error) {
	t.Helper()
	cfg := &tls.Config{InsecureSkipVerify: true}
	if svid != nil {
		cert := svid.TLS()
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	nc, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second)) // longer than until waits
	answer, err := ask(nc)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the server neither answered nor hung up")
	}
	return nc, answer, err
}

// ask makes one HTTP/1.1 request on a connection.
func ask(nc net.Conn) (string, error) {
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: ledger\r\n\r\n"); err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := nc.Read(b)
	_, answer, _ := strings.Cut(string(b[:n]), "\r\n\r\n")
	return strings.TrimSuffix(answer, "\n"), err
}
