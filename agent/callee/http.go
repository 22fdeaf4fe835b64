package callee

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"github.com/onus-ledger/onus/agent"
	"github.com/onus-ledger/onus/agent/internal/problem"
)

// Middleware lets requests through that prove who makes them; [From] tells the
// handler. Others get 401 Unauthorized with a problem (RFC 9457) that says what
// is wrong; 403 for a grant that is not the caller's to act under, or to hand on;
// 400 for a link that is none; 503 while the ledger cannot be asked.
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

func (g *Gate) answer(w http.ResponseWriter, err error) {
	r := refusalOf(err)
	switch r.code {
	case connect.CodeUnauthenticated:
		w.Header().Set("WWW-Authenticate", challenge) // RFC 9110, section 11.6.1
	case connect.CodeUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	problem.Write(w, statuses[r.code], r.err)
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
