package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// asked is what a request asks for that the library does not read.
type asked struct {
	details    []map[string]any // RFC 9396, section 2: authorization_details
	thumbprint string           // RFC 9449, section 10: dpop_jkt
	resources  []string         // RFC 8707, section 2: resource
}

type askedKey struct{}

func askedOf(ctx context.Context) asked {
	a, _ := ctx.Value(askedKey{}).(asked)
	return a
}

// handler reads what the library does not, and plays an issuer that is down.
func (p *provider) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		if down && (r.URL.Path == "/keys" || strings.HasPrefix(r.URL.Path, "/.well-known/")) {
			http.Error(w, "down for a test", http.StatusServiceUnavailable)
			return
		}
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a := asked{thumbprint: r.Form.Get("dpop_jkt"), resources: r.Form["resource"]}
		if s := r.Form.Get("authorization_details"); s != "" {
			if err := json.Unmarshal([]byte(s), &a.details); err != nil {
				http.Error(w, "invalid_authorization_details", http.StatusBadRequest) // RFC 9396, section 5
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askedKey{}, a)))
	})
}

// control is what only a test may ask for, on a port of its own.
func (p *provider) control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(value string) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.PathValue("value")); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	handle("POST /rotate", func(string) error { return p.rotate() })
	handle("POST /down/{value}", func(value string) (err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.down, err = strconv.ParseBool(value)
		return err
	})
	handle("POST /ago/{value}", func(value string) (err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ago, err = time.ParseDuration(value)
		return err
	})
	return mux
}
