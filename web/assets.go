package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

const assetPrefix = "/assets/"

// assets are the files beside the pages. Their addresses hold a part of their
// hash, so that a browser may keep them for ever and never has an old one.
type assets struct {
	urls  map[string]string // by file name
	files map[string]asset  // by the last part of the address
}

type asset struct {
	contentType string
	plain, zip  []byte // zip is nil where it is not smaller
}

// types are those of the files that there may be.
var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".wasm": "application/wasm", ".html": "text/html; charset=utf-8",
}

func loadAssets() *assets {
	a := &assets{urls: map[string]string{}, files: map[string]asset{}}
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic("web: " + err.Error())
	}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		contentType, ok := types[ext]
		if e.IsDir() || !ok {
			continue
		}
		plain, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			panic("web: " + err.Error())
		}
		sum := sha256.Sum256(plain)
		name := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		f := asset{contentType: contentType, plain: plain}
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // only a level that there is not fails
		z.Write(plain)
		z.Close()
		if b.Len() < len(plain) {
			f.zip = b.Bytes()
		}
		a.urls[e.Name()], a.files[name] = assetPrefix+name, f
	}
	return a
}

// url returns the address of a file; templates call it as "asset".
func (a *assets) url(name string) (string, error) {
	u, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return u, nil
}

// ServeHTTP answers with a file, to anybody: they say nothing of the log.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("name")]
	if !ok {
		http.Error(w, "there is no such file: load the page again", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", f.contentType)
	b := f.plain
	if f.zip != nil && takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		b = f.zip
	}
	h.Set("Content-Length", fmt.Sprint(len(b)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(b) // a reader who is gone is no error of ours
	}
}
