package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Where all places are taken, a costly page says that it had no turn and when to
// come again; a place that is given back, twice even, is one place; and a page
// that fails, or panics, gives its own back.
func TestCrowd(t *testing.T) {
	s := &site{Config: Config{Log: hostileLog{text: "log.example.com"}}, assets: loadAssets(), mux: http.NewServeMux(), crowd: newCrowd(1, 0)}
	s.Logger = slog.New(slog.DiscardHandler)
	s.pages = parsePages(s.assets)
	for name, then := range map[string]func(*visit) error{
		"page":  func(v *visit) error { return v.attach("text/plain", "x.txt", nil) },
		"fail":  func(*visit) error { return errors.New("no") },
		"panic": func(*visit) error { panic("no") },
	} {
		s.page("GET /"+name, func(v *visit) error {
			for range 2 { // a second time it has its place
				if err := v.costly(); err != nil {
					return err
				}
			}
			return then(v)
		})
	}
	h := s.guard(s.mux)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for _, c := range []struct {
		path string
		want int
	}{{"/page", 200}, {"/fail", 500}, {"/panic", 500}, {"/page", 200}} {
		if w := get(c.path); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.path, w.Code, c.want)
		}
	}
	leave, err := s.crowd.enter(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if w := get("/page"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != retryAfter {
		t.Errorf("in a crowd: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	leave()
	leave()
	if w := get("/page"); w.Code != http.StatusOK {
		t.Errorf("after it: %d", w.Code)
	}
	if leave, err = s.crowd.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer leave()
	if w := get("/page"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a place that was given back twice is two: %d", w.Code)
	}
}
