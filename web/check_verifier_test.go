package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onus-ledger/onus/verifier"
)

// made is a folder as make leaves it, with some bytes for the verifier.
func made(t *testing.T) (dir fstest.MapFS, code []byte) {
	t.Helper()
	code = bytes.Repeat([]byte("\x00asm\x01\x00\x00\x00"), 1000)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(code)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"wasm/README.md":      {Data: []byte("what lies here")},
		"wasm/version":        {Data: []byte("v9-<test>\n")},
		"wasm/wasm_exec.js":   {Data: []byte("globalThis.Go = 1;")},
		"wasm/verify.html.in": {Data: []byte("<!doctype html><script>" + place + "</script>")},
		"wasm/verify.wasm.gz": {Data: b.Bytes()},
	}, code
}

// checkSite serves the pages about evidence alone.
func checkSite(b *browserVerifier) http.Handler {
	s := &site{Config: Config{Log: hostileLog{text: "log.example.com"}}, assets: loadAssets(), mux: http.NewServeMux()}
	s.pages = parsePages(s.assets)
	s.page("/", (*visit).nowhere)
	s.evidencePages(b)
	return s.guard(s.mux)
}

func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestNoVerifier: a program that was built without the verifier says so, and
// what to do; its pages may compile nothing.
func TestNoVerifier(t *testing.T) {
	b, err := readVerifier(fstest.MapFS{"wasm/README.md": {Data: []byte("what lies here")}})
	if b != nil || err != nil {
		t.Fatalf("a folder with the README alone gives %v, %v", b, err)
	}
	h := checkSite(nil)
	w := ask(h, "GET", "/check")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "make build") || !strings.Contains(w.Body.String(), "onus-verify bundle evidence.onus --log-key log.vkey") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if strings.Contains(w.Header().Get("Content-Security-Policy"), "wasm") || strings.Contains(w.Body.String(), "check.js") {
		t.Error("a page without a verifier is made for one")
	}
	if w := ask(h, "GET", "/verify.html"); w.Code != 404 || !strings.Contains(w.Body.String(), "make dist") {
		t.Errorf("verify.html: status %d: %s", w.Code, w.Body)
	}
}

// TestVerifierServed: the verifier comes packed, as what it is, to be kept for
// ever; one page alone may compile it; and verify.html holds the same one.
func TestVerifierServed(t *testing.T) {
	dir, code := made(t)
	b, err := readVerifier(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := checkSite(b)
	page := ask(h, "GET", "/check")
	if csp := page.Header().Get("Content-Security-Policy"); page.Code != 200 || strings.Count(csp, "'wasm-unsafe-eval'") != 1 || !strings.Contains(csp, "script-src 'self' 'wasm-unsafe-eval'; ") {
		t.Errorf("status %d, policy %s", page.Code, csp)
	}
	for _, want := range []string{b.Wasm, b.Exec, b.Hash, "v9-&lt;test&gt;", "<noscript>", "hidden"} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, st := range standings {
		if !strings.Contains(page.Body.String(), fmt.Sprintf(`data-standing="%s"`, st.Standing)) {
			t.Errorf("the page has no mark for %s", st.Standing)
		}
	}
	if strings.Contains(ask(h, "GET", "/nowhere").Header().Get("Content-Security-Policy"), "wasm") {
		t.Error("every page may compile WebAssembly")
	}

	packed := ask(h, "GET", b.Wasm, "Accept-Encoding", "gzip")
	plain := ask(h, "GET", b.Wasm)
	for name, w := range map[string]*httptest.ResponseRecorder{"packed": packed, "plain": plain, "head": ask(h, "HEAD", b.Wasm), "start": ask(h, "GET", b.Exec)} {
		want := "application/wasm"
		if name == "start" {
			want = "text/javascript; charset=utf-8"
		}
		if w.Code != 200 || w.Header().Get("Content-Type") != want || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, %v", name, w.Code, w.Header())
		}
	}
	if packed.Header().Get("Content-Encoding") != "gzip" || !bytes.Equal(packed.Body.Bytes(), dir["wasm/verify.wasm.gz"].Data) {
		t.Errorf("who takes gzip does not get it as it lies: %v", packed.Header())
	}
	if plain.Header().Get("Content-Encoding") != "" || !bytes.Equal(plain.Body.Bytes(), code) {
		t.Errorf("who takes no gzip does not get it unpacked: %v", plain.Header())
	}
	if w := ask(h, "GET", strings.Replace(b.Wasm, "verify.", "verify.0", 1)); w.Code != 404 {
		t.Errorf("another build's address: status %d", w.Code)
	}

	w := ask(h, "GET", "/verify.html")
	sum := sha256.Sum256(w.Body.Bytes())
	if w.Code != 200 || w.Header().Get("Content-Disposition") != `attachment; filename="verify.html"` || hex.EncodeToString(sum[:]) != b.Hash || w.Body.Len() != b.Size {
		t.Errorf("verify.html: status %d, %v, %x, want %s", w.Code, w.Header(), sum, b.Hash)
	}
	if !bytes.Contains(w.Body.Bytes(), []byte(base64.StdEncoding.EncodeToString(dir["wasm/verify.wasm.gz"].Data))) {
		t.Error("verify.html holds another verifier")
	}
}

// TestHalfAVerifier: what make did not finish is not served.
func TestHalfAVerifier(t *testing.T) {
	whole, _ := made(t)
	for name, spoil := range map[string]func(fstest.MapFS){
		"no wasm_exec.js": func(d fstest.MapFS) { delete(d, "wasm/wasm_exec.js") },
		"no version":      func(d fstest.MapFS) { delete(d, "wasm/version") },
		"no page":         func(d fstest.MapFS) { delete(d, "wasm/verify.html.in") },
		"no place":        func(d fstest.MapFS) { d["wasm/verify.html.in"] = &fstest.MapFile{Data: []byte("x")} },
		"two places":      func(d fstest.MapFS) { d["wasm/verify.html.in"] = &fstest.MapFile{Data: []byte(place + place)} },
	} {
		d := maps.Clone(whole)
		spoil(d)
		if b, err := readVerifier(fs.FS(d)); b != nil || err == nil || !strings.Contains(err.Error(), "make build") {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}

// TestStandingsHaveShapes: each standing of evidence has a word of its own.
func TestStandingsHaveShapes(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range []verifier.Standing{verifier.Genuine, verifier.NotAnchored, verifier.Broken, verifier.Forked} {
		found := false
		for _, st := range standings {
			if st.Standing == s && !seen[st.Word] {
				found, seen[st.Word] = true, true
			}
		}
		if !found {
			t.Errorf("%s has no word of its own", s)
		}
	}
}
