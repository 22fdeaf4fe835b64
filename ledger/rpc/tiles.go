package rpc

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"connectrpc.com/connect"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger/tlog"
)

// The log as c2sp.org/tlog-tiles has it, beside the procedures. It is plain
// HTTP, so that the gate of the procedures does not see it; entries pass the
// same table all the same.

// entryTile is the name under which the table, the server's log and recorded
// reads know the fetching of entries as tiles.
const (
	entryTile          = "EntryTile"
	entryTileProcedure = "/tile/entries/" + entryTile
)

// mountTiles adds the paths of tlog-tiles.
func (s *service) mountTiles(mux *http.ServeMux) {
	hashes := tlog.Hashes(s.ledger, s.log)
	mux.Handle("GET /checkpoint", hashes)
	mux.Handle("GET /tile/", hashes)
	mux.Handle("GET /tile/entries/", s.readersOfEntries(tlog.Entries(s.ledger, s.log)))
}

// readersOfEntries lets those in who may read every record, and has the read
// logged first where the log's policy asks for that.
func (s *service) readersOfEntries(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, err := s.guard.enterPlain(r, entryTileProcedure)
		if err != nil {
			plainError(w, err)
			return
		}
		if err := s.recordRead(r.Context(), entryTile, "")(); err != nil {
			plainError(w, s.fail(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// enterPlain is enter for what is no procedure: plain HTTP, held to the same table.
func (g *guard) enterPlain(r *http.Request, procedure string) (*http.Request, error) {
	c, err := g.authenticate(r.Context(), r.Header)
	if err == nil {
		err = mayCall(c, procedure)
	}
	if err != nil {
		return nil, g.deny(err, procedure, c, r.RemoteAddr)
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c)), nil
}

// plainError writes a Connect error for a client that speaks plain HTTP: what is
// wrong, and what to do.
func plainError(w http.ResponseWriter, err error) {
	status, text := http.StatusInternalServerError, "internal error"
	var e *connect.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case connect.CodeUnauthenticated:
			status = http.StatusUnauthorized
		case connect.CodePermissionDenied:
			status = http.StatusForbidden
		case connect.CodeResourceExhausted:
			status = http.StatusTooManyRequests
		case connect.CodeUnavailable, connect.CodeCanceled, connect.CodeDeadlineExceeded:
			status = http.StatusServiceUnavailable
		}
		text = e.Message()
		for name, values := range e.Meta() {
			w.Header()[name] = values
		}
		for _, d := range e.Details() {
			if v, err := d.Value(); err == nil {
				if p, ok := v.(*onusv1.Problem); ok {
					text += ": " + p.GetNext()
					if after := p.GetRetryAfter().AsDuration(); after > 0 {
						w.Header().Set("Retry-After", strconv.Itoa(max(1, int(after.Seconds()))))
					}
				}
			}
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}
