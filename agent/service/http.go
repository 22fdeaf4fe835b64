package service

import (
	"bufio"
	"net"
	"net/http"

	"github.com/onus-ledger/onus/agent/internal/problem"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Middleware logs a counter-record of each request, when the answer's status is
// known and before it goes out. 401 and 403 say that the caller was refused,
// anything else that it was allowed: then 2xx and 3xx that it succeeded, other
// 4xx that it failed, and 5xx that nobody can tell.
//
// A request that could not be recorded as Config.Describe words it gets 400 Bad
// Request, with a problem (RFC 9457), and is not carried out; so does one that
// brings a link which is none: to pass over it would lose who asked for the
// work.
func (r *Recorder) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, s, err := r.look(req.Context(), req.Header)
		if err == nil {
			if r.cfg.Describe != nil {
				s.seen = r.cfg.Describe(req)
			}
			err = r.check(s)
		}
		if err != nil {
			problem.Write(w, http.StatusBadRequest, problemOf(err))
			return
		}
		if !r.begin() {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "the request was not carried out: it could not be recorded now: try again", http.StatusServiceUnavailable)
			return
		}
		a := &answer{ResponseWriter: w, recorder: r, sighting: s}
		returned := false
		defer func() {
			switch {
			case returned:
				a.tell(http.StatusOK) // as net/http does
			default: // a panic, or runtime.Goexit
				a.tell(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(a, req.WithContext(ctx))
		returned = true
	})
}

// answer records the request when its status is known.
type answer struct {
	http.ResponseWriter
	recorder *Recorder
	sighting *sighting
	told     bool
}

// tell records the request, once.
func (a *answer) tell(status int) {
	if a.told {
		return
	}
	a.told = true
	decision, ended := judge(status)
	if status == http.StatusUnauthorized {
		// Nobody vouches for this token; its words would fill the ledger's
		// book of pseudonyms.
		a.sighting.token = nil
	}
	a.recorder.record(a.sighting, decision, ended)
}

func judge(status int) (onusv1.TargetDecision, onusv1.OutcomeStatus) {
	const allowed = onusv1.TargetDecision_TARGET_DECISION_ALLOWED
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return onusv1.TargetDecision_TARGET_DECISION_DENIED, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	case status < 400:
		return allowed, onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	case status < 500:
		return allowed, onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	}
	return allowed, onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols { // others come before the answer
		a.tell(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	a.tell(http.StatusOK)
	return a.ResponseWriter.Write(p)
}

// Flush implements [http.Flusher].
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (a *answer) FlushError() error {
	a.tell(http.StatusOK)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker].
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.tell(http.StatusSwitchingProtocols)
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap lets [http.ResponseController] set deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
