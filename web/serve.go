package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/onus-ledger/onus/web/desk"
)

// Bounds of a request.
const (
	// maxQuery is the most bytes of an address after its question mark.
	maxQuery = 16 << 10
	// maxForm is the most bytes of a form.
	maxForm = 64 << 10
)

// problem is an answer that is not a page as asked for: its status, and what
// people read: what is wrong, and what to do next.
type problem struct {
	status      int
	what, next_ string
}

func (p *problem) Error() string { return p.what }

// badRequest says that what was asked cannot be asked.
func badRequest(next, format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...), next}
}

// notFound says that there is no such thing.
func notFound(next, format string, args ...any) *problem {
	return &problem{http.StatusNotFound, fmt.Sprintf(format, args...), next}
}

// forbidden says that the viewer's role does not allow it.
func forbidden(next, format string, args ...any) *problem {
	return &problem{http.StatusForbidden, fmt.Sprintf(format, args...), next}
}

// page registers a page. What a handler returns as an error becomes an error
// page: a *problem as it says, what wraps desk.ErrNotFound 404, all else 500
// with the text in the log alone.
func (s *site) page(pattern string, serve func(*visit) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, serve) })
}

func (s *site) serve(w http.ResponseWriter, r *http.Request, serve func(*visit) error) {
	v := &visit{site: s, w: w, r: r, now: time.Now(), Viewer: Viewer{Role: "open: nobody signs in", Contents: true, Reviews: true}}
	if s.Who != nil {
		who, err := s.Who(r)
		if err != nil {
			v.Viewer = Viewer{}
			s.unknown(v, err)
			return
		}
		v.Viewer = who
	}
	defer func() { v.done() }()
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.Logger.Error("page panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			v.fail(errBug)
		}
	}()
	if err := v.check(); err != nil {
		v.fail(err)
		return
	}
	if err := serve(v); err != nil {
		v.fail(err)
	}
}

var errBug = errors.New("the page panicked")

// unknown answers whoever may not look: people are sent to sign in.
func (s *site) unknown(v *visit, err error) {
	switch {
	case errors.Is(err, ErrForbidden):
		v.fail(forbidden("Ask who runs this ledger for a role that may.", "%s.", sentence(err.Error())))
	case !errors.Is(err, ErrSignIn):
		v.fail(err)
	case s.SignIn != nil && (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead):
		http.Redirect(v.w, v.r, "/sign-in?next="+url.QueryEscape(v.r.URL.RequestURI()), http.StatusSeeOther)
	default:
		v.fail(&problem{http.StatusUnauthorized, "You are not signed in, or no longer.", "Sign in, then do it again."})
	}
}

// check refuses a request that no page could make sense of.
func (v *visit) check() error {
	const next = "Go back to the page that you came from, or begin at the overview."
	if len(v.r.URL.RawQuery) > maxQuery {
		return badRequest(next, "The address has %d bytes after its question mark; %d are the most.", len(v.r.URL.RawQuery), maxQuery)
	}
	q, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return badRequest(next, "The address is not well written after its question mark.")
	}
	for name, values := range q {
		for _, s := range append(values, name) {
			if !isText(s) {
				return badRequest(next, "The address holds bytes that are no text.")
			}
		}
	}
	if !isText(v.r.URL.Path) {
		return badRequest(next, "The address holds bytes that are no text.")
	}
	return nil
}

// isText reports whether s is UTF-8 without control characters, save those of
// line ends.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < ' ' && r != '\n' && r != '\r' && r != '\t') || r == 0x7f
	})
}

// form reads the form of a POST, which is bounded.
func (v *visit) form() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("What was sent is larger than %d bytes.", maxForm), "Shorten the note, and send it again."}
		}
		return badRequest("Go back and send the form again.", "The form cannot be read.")
	}
	for _, values := range v.r.PostForm {
		for _, s := range values {
			if !isText(s) {
				return badRequest("Go back, and leave out signs that do not print.", "The form holds bytes that are no text.")
			}
		}
	}
	return nil
}

// nowhere answers addresses that there are not.
func (v *visit) nowhere() error {
	if v.r.Method == http.MethodPost {
		v.w.Header().Set("Allow", "GET, HEAD")
		return &problem{http.StatusMethodNotAllowed, "Nothing can be sent to this address.", "Go back to the page that you came from."}
	}
	return notFound("Look for it with Find, or begin at the overview.", "There is no page with this address.")
}

// errorPage is what the template "error" shows.
type errorPage struct {
	Status     int
	What, Next string
}

// fail answers with an error page.
func (v *visit) fail(err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, desk.ErrNotFound):
		p = notFound("Compare the id with where you have it from, or look for it with Find.", "The log has no such record.")
	case errors.Is(err, desk.ErrNotShown):
		p = notFound("Ask for it where the whole log is at hand.", "The log has this entry, and it is not shown here.")
	case errors.Is(err, desk.ErrCursor):
		p = badRequest("Begin at the first page of the search.", "The page's address does not belong to this search, or was changed.")
	case v.r.Context().Err() != nil:
		return // nobody is there to read it
	default:
		if !errors.Is(err, errBug) {
			v.Logger.Error("page failed", "path", v.r.URL.Path, "err", err)
		}
		p = &problem{http.StatusInternalServerError, "The page could not be made. This is a fault of the viewer or of its ledger, and says nothing of the records.", "Try again. If it stays so, tell who runs this ledger; the reason is in its log."}
	}
	if p.status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", retryAfter)
	}
	title := fmt.Sprintf("%d %s", p.status, http.StatusText(p.status))
	f := v.frame(title, "", errorPage{p.status, p.what, p.next_})
	f.Checked = false
	if err := v.send(p.status, "error", f); err != nil {
		v.Logger.Error("error page failed", "path", v.r.URL.Path, "err", err)
		http.Error(v.w, p.what, p.status)
	}
}

// sentence writes the first letter large and drops a full stop at the end.
func sentence(s string) string {
	s = strings.TrimSuffix(s, ".")
	if s == "" {
		return s
	}
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:]
}

// localPath returns a path on this site, or "/" for anything else: where to go
// back to is a part of what was sent.
func localPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\r\n\t") {
		return "/"
	}
	return s
}
