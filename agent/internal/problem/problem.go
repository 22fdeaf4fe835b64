// Package problem answers HTTP requests that are not let through, in the form
// of RFC 9457 with our own members: what is wrong, where, and what to do.
package problem

import (
	"encoding/json"
	"net/http"

	"github.com/onus-ledger/onus/verifier/record"
)

type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Reason string `json:"reason"`
	Field  string `json:"field,omitempty"`
	Next   string `json:"next"`
}

// Write answers with a status and what an error says. Headers that are set
// already go out with it.
func Write(w http.ResponseWriter, status int, e *record.Error) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{ // the caller may be gone
		Title: http.StatusText(status), Status: status,
		Detail: e.Error(), Reason: e.Reason, Field: e.Field, Next: e.Next,
	})
}
