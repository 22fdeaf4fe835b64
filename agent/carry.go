package agent

import (
	"fmt"
	"net/http"

	"github.com/onus-ledger/onus/verifier/record"
)

// Header is the HTTP header that carries a link: once, in its text form.
const Header = "Onus-Parent"

// MetaKey is the key under which MCP's _meta and A2A's metadata carry a link,
// as a string in its text form.
const MetaKey = "io.github.onus-ledger/parent"

// Inject puts the link into a request's headers. A zero link changes nothing.
func Inject(h http.Header, l Link) {
	if !l.IsZero() {
		h.Set(Header, l.String())
	}
}

// Extract returns the link in a request's headers; a zero link if there is
// none. Its grant is left out: anybody can write one there, and an agent that
// acted under it would do a stranger's work on what somebody else granted. The
// gate of package callee takes the grant over, from a caller that has proven to
// be one that may hand it on. Who proves callers in another way reads the header
// with [ParseLink], and must ask [Client.Grant] whether that caller gave it.
func Extract(h http.Header) (Link, error) {
	switch vs := h.Values(Header); len(vs) {
	case 0:
		return Link{}, nil
	case 1:
		l, err := ParseLink(vs[0])
		if err != nil {
			return Link{}, fmt.Errorf("header %s: %w", Header, err)
		}
		return l.Under(record.ID{}), nil
	default:
		return Link{}, fmt.Errorf("header %s stands there %d times: one record asks for the work", Header, len(vs))
	}
}

// InjectMeta puts the link into the metadata of an MCP request (params._meta)
// or an A2A message (metadata). A zero link changes nothing.
func InjectMeta(meta map[string]any, l Link) {
	if !l.IsZero() {
		meta[MetaKey] = l.String()
	}
}

// ExtractMeta returns the link in a message's metadata; a zero link if there is
// none. Its grant is left out, as [Extract] says.
func ExtractMeta(meta map[string]any) (Link, error) {
	v, ok := meta[MetaKey]
	if !ok {
		return Link{}, nil
	}
	s, ok := v.(string)
	if !ok {
		return Link{}, fmt.Errorf("metadata %s is %T, not a string", MetaKey, v)
	}
	l, err := ParseLink(s)
	if err != nil {
		return Link{}, fmt.Errorf("metadata %s: %w", MetaKey, err)
	}
	return l.Under(record.ID{}), nil
}

// Transport sends the link in a request's context along with the request. Use
// it in the clients that call other agents, and only there: it tells whoever is
// called, redirects included, the record's id and the agent's name.
type Transport struct {
	// Base makes the requests; nil means http.DefaultTransport.
	Base http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. A header that is set already stays.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	if l, ok := LinkFrom(req.Context()); ok && len(req.Header.Values(Header)) == 0 {
		req = req.Clone(req.Context()) // a RoundTripper must not change its request
		Inject(req.Header, l)
	}
	return base.RoundTrip(req)
}

// Middleware puts the link in a request's headers into its context, without its
// grant: see [Extract]. What is done in that context names the caller's record
// as its parent, and is not done on anybody's authority because the caller says
// so. Behind a gate of package callee, the gate's link stays, with the grant
// that it took over. A request whose header is not a link is answered with 400
// Bad Request: to pass over it would lose who asked for the work.
func Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		l, err := Extract(req.Header)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if has, _ := LinkFrom(req.Context()); !l.IsZero() && has.Record != l.Record {
			req = req.WithContext(WithLink(req.Context(), l))
		}
		next.ServeHTTP(w, req)
	})
}
