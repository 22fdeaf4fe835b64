package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
)

// What make has built for browsers: see web/wasm/README.md. A plain go build
// may find the README alone.
//
//go:embed wasm
var built embed.FS

// browserVerifier is the verifier for browsers, and verify.html, which holds the
// same build.
type browserVerifier struct {
	// Version is what was built.
	Version string
	// Wasm and Exec are the addresses of the verifier and of what starts it.
	Wasm, Exec string
	// Size and Hash are those of verify.html, Hash in hexadecimal.
	Size int
	Hash string

	packed []byte // the verifier, gzip
	start  []byte // wasm_exec.js
	page   []byte // verify.html
}

// place stands in verify.html.in where the packed verifier belongs, in base64:
// tools/verifypage puts it there.
const place = "VERIFY.WASM.GZ"

// embedded is the verifier that is part of this program; nil if there is none.
// It is read once: it is large.
var embedded = sync.OnceValues(func() (*browserVerifier, error) { return readVerifier(built) })

// readVerifier returns the verifier that make put into a folder "wasm"; nil if
// there is none.
func readVerifier(dir fs.FS) (*browserVerifier, error) {
	packed, err := fs.ReadFile(dir, "wasm/verify.wasm.gz")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	b := &browserVerifier{packed: packed}
	read := func(name string) []byte {
		data, e := fs.ReadFile(dir, "wasm/"+name)
		if e != nil && err == nil {
			err = e
		}
		return data
	}
	b.Version, b.start = strings.TrimSpace(string(read("version"))), read("wasm_exec.js")
	page := read("verify.html.in")
	if err != nil {
		return nil, fmt.Errorf("read the verifier for browsers: %w: run make build again", err)
	}
	if n := bytes.Count(page, []byte(place)); n != 1 {
		return nil, fmt.Errorf("read the verifier for browsers: verify.html.in has %d places for it, and must have one: run make build again", n)
	}
	b.page = bytes.Replace(page, []byte(place), []byte(base64.StdEncoding.EncodeToString(packed)), 1)
	sum := sha256.Sum256(b.page)
	b.Size, b.Hash = len(b.page), hex.EncodeToString(sum[:])
	b.Wasm, b.Exec = assetPrefix+hashed("verify", packed, ".wasm"), assetPrefix+hashed("wasm_exec", b.start, ".js")
	return b, nil
}

// hashed is a file's name with a part of its hash, as loadAssets makes it.
func hashed(name string, data []byte, ext string) string {
	sum := sha256.Sum256(data)
	return name + "." + hex.EncodeToString(sum[:6]) + ext
}

// register serves what the page needs to run the verifier.
func (b *browserVerifier) register(mux *http.ServeMux) {
	serve := func(address, contentType string, write func(w http.ResponseWriter, r *http.Request)) {
		mux.HandleFunc("GET "+address, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			w.Header().Set("Content-Type", contentType)
			write(w, r)
		})
	}
	serve(b.Exec, types[".js"], func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			w.Write(b.start) // a reader who is gone is no error of ours
		}
	})
	serve(b.Wasm, types[".wasm"], b.sendWasm)
}

// sendWasm sends the verifier as it lies here, packed; to who does not take
// that, unpacked on the way.
func (b *browserVerifier) sendWasm(w http.ResponseWriter, r *http.Request) {
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", fmt.Sprint(len(b.packed)))
		if r.Method != http.MethodHead {
			w.Write(b.packed)
		}
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(b.packed))
	if err != nil {
		http.Error(w, "the verifier for browsers cannot be unpacked", http.StatusInternalServerError)
		return
	}
	io.Copy(w, z)
}
