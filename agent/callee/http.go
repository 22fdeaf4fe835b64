package callee

import (
	"encoding/json"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
)

// Middleware lets requests through that prove who makes them; [From] tells the
// handler. Others get 401 Unauthorized with a problem (RFC 9457) that says what
// is wrong; 403 for a grant that is not the caller's; 400 for a link that is
// none; 503 while the ledger cannot be asked.
func (g *Gate) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		who, err := g.check(req.Context(), call{req.Header, req.Method, req.URL.EscapedPath()})
		if err != nil {
			g.answer(w, err)
			return
		}
		next.ServeHTTP(w, req.WithContext(with(req.Context(), who)))
	})
}

var statuses = map[connect.Code]int{
	connect.CodeUnauthenticated:  http.StatusUnauthorized,
	connect.CodePermissionDenied: http.StatusForbidden,
	connect.CodeInvalidArgument:  http.StatusBadRequest,
	connect.CodeUnavailable:      http.StatusServiceUnavailable,
}

// problem is RFC 9457's, with our own members.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Reason string `json:"reason"`
	Field  string `json:"field,omitempty"`
	Next   string `json:"next"`
}

func (g *Gate) answer(w http.ResponseWriter, err error) {
	r := refusalOf(err)
	p := problem{Status: statuses[r.code], Detail: r.Error(), Reason: r.err.Reason, Field: r.err.Field, Next: r.err.Next}
	p.Title = http.StatusText(p.Status)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	switch r.code {
	case connect.CodeUnauthenticated:
		h.Set("WWW-Authenticate", challenge) // RFC 9110, section 11.6.1
	case connect.CodeUnavailable:
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may be gone
}

const challenge = agent.ProofHeader + ` realm="onus"`

// refusalOf returns the refusal that an error is; of any other, such as the
// end of the caller's context, one that says to try again.
func refusalOf(err error) *refusal {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r
	}
	return refuse(connect.CodeUnavailable, ReasonLedger, "", "the call ended before the caller was known", "try again")
}
