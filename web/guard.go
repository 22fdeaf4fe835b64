package web

import (
	"net/http"
	"strings"
)

// policy is the content security policy of every answer: nothing from
// elsewhere, nothing inline. A page that runs the verifier's WebAssembly says
// so with [visit.allowWasm].
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'none'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// allowWasm lets this one page compile WebAssembly. It still loads it from here
// alone.
func (v *visit) allowWasm() {
	v.w.Header().Set("Content-Security-Policy", strings.Replace(policy, "script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", 1))
}

// guard puts before every answer what holds for all: headers, methods, and that
// a form comes from a page of this site.
func (s *site) guard(next http.Handler) http.Handler {
	protect := http.NewCrossOriginProtection()
	protect.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not served as a visit: who asks from elsewhere is told nothing of who
		// is signed in here.
		s.refuse(w, r, &problem{http.StatusForbidden, "This was sent from a page of another site, and was not done.", "Do it from a page of this viewer."})
	}))
	inner := compress(protect.Handler(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Not no-referrer: under that a browser sends the site's own forms with
		// Origin: null, as it sends those of others.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
			inner.ServeHTTP(w, r)
		default:
			h.Set("Allow", "GET, HEAD, POST")
			s.refuse(w, r, &problem{http.StatusMethodNotAllowed, "This viewer answers GET, HEAD and POST.", "Use one of these."})
		}
	})
}

// refuse answers before anybody was asked who they are.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, p *problem) {
	v := &visit{site: s, w: w, r: r}
	v.fail(p)
}
