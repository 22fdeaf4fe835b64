package rpc_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/rpc"
)

// closed lets nobody in.
type closed struct{}

func (closed) Authenticate(context.Context, identity.Request) (identity.Caller, error) {
	return identity.Caller{}, identity.ErrNone
}

// Pages have what is no call, no checkpoint and no health check, and say for
// themselves who may see them: the guard of calls is not theirs.
func TestPages(t *testing.T) {
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "page "+r.URL.Path)
	})
	for _, with := range []bool{true, false} {
		s := newServer(t, func(s *rpc.Server) {
			if s.Identity = (closed{}); with {
				s.Pages = pages
			}
		})
		get := func(path string) (int, string) {
			resp, err := http.Get(s.url + path)
			must(t, err)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			must(t, err)
			return resp.StatusCode, string(b)
		}
		for _, path := range []string{"/", "/find", "/sign-in/callback", "/onus.v2"} {
			status, body := get(path)
			if with && (status != http.StatusOK || body != "page "+path) || !with && status != http.StatusNotFound {
				t.Errorf("with pages %t: %s: %d %s", with, path, status, body)
			}
		}
		for _, path := range []string{"/checkpoint", "/livez", "/readyz", "/onus.v1.LedgerService/GetRecord", "/onus.v1.LedgerService/Nothing"} {
			if _, body := get(path); body == "page "+path {
				t.Errorf("%s is a page", path)
			}
		}
		resp, err := http.Post(s.url+"/onus.v1.LedgerService/GetRecord", "application/json", strings.NewReader("{}"))
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("with pages %t: a call without a credential: %s", with, resp.Status)
		}
	}
}

// What is open on loopback is open under a loopback name alone, pages too.
func TestPagesUnderAnotherName(t *testing.T) {
	s := newServer(t, func(s *rpc.Server) {
		s.Pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	})
	for host, want := range map[string]int{"evil.example.com": http.StatusMisdirectedRequest, "127.0.0.1.evil.example.com": http.StatusMisdirectedRequest, "localhost:1": http.StatusOK, "[::1]": http.StatusOK, "127.0.0.1": http.StatusOK} {
		req, err := http.NewRequest(http.MethodGet, s.url+"/", nil)
		must(t, err)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("as %s: %s, want %d", host, resp.Status, want)
		}
	}
}
