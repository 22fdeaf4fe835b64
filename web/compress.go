package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// What is not smaller afterwards is not compressed.
const minCompressed = 1 << 10

var zippers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.DefaultCompression) // only a level that there is not fails
	return w
}}

// compress answers text in gzip to those who take it. Pages hold no secret that
// an attacker could guess at by their length: forms are held by their origin,
// and not by a token in the page.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if r.Method == http.MethodHead || !takesGzip(r.Header.Get("Accept-Encoding")) {
			next.ServeHTTP(w, r)
			return
		}
		z := &zipped{ResponseWriter: w}
		defer z.close()
		next.ServeHTTP(z, r)
	})
}

// takesGzip reads an Accept-Encoding. RFC 9110, section 12.5.3.
func takesGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			if !ok {
				return true
			}
			weight, err := strconv.ParseFloat(q, 64)
			return err == nil && weight > 0
		}
	}
	return false
}

// zipped decides at the header whether to compress.
type zipped struct {
	http.ResponseWriter
	zip     *gzip.Writer
	decided bool
}

func (z *zipped) WriteHeader(status int) {
	if !z.decided && status >= 200 {
		z.decided = true
		h := z.Header()
		n, err := strconv.Atoi(h.Get("Content-Length"))
		small := err == nil && n < minCompressed
		if status != http.StatusNoContent && status != http.StatusNotModified && status != http.StatusPartialContent &&
			h.Get("Content-Encoding") == "" && !small && compressible(h.Get("Content-Type")) {
			h.Set("Content-Encoding", "gzip")
			h.Del("Content-Length")
			z.zip = zippers.Get().(*gzip.Writer)
			z.zip.Reset(z.ResponseWriter)
		}
	}
	z.ResponseWriter.WriteHeader(status)
}

func (z *zipped) Write(b []byte) (int, error) {
	if !z.decided {
		z.WriteHeader(http.StatusOK)
	}
	if z.zip != nil {
		return z.zip.Write(b)
	}
	return z.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (z *zipped) Unwrap() http.ResponseWriter { return z.ResponseWriter }

func (z *zipped) close() {
	if z.zip != nil {
		z.zip.Close() // a reader who is gone is no error of ours
		zippers.Put(z.zip)
	}
}

func compressible(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	switch t {
	case "text/html", "text/css", "text/javascript", "text/csv", "text/plain", "application/json", "image/svg+xml", "application/wasm":
		return true
	}
	return false
}
