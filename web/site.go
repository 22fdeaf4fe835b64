package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/web/desk"
)

// Config says what a viewer shows and to whom.
type Config struct {
	Log  Log
	Desk *desk.Desk
	// Officer writes reviews; nil: this viewer only reads.
	Officer Officer
	// Who says who looks, or returns an error that wraps [ErrSignIn] or
	// [ErrForbidden]. Nil: whoever reaches the port may see everything, which
	// is for loopback.
	Who func(*http.Request) (Viewer, error)
	// SignIn serves everything below /sign-in; nil: nobody signs in.
	SignIn http.Handler
	// Reading is called before a page with records is answered, with the
	// page's name and the record if it is about one; an error keeps it from
	// being answered. Nil: reads are not recorded.
	Reading func(ctx context.Context, v Viewer, page string, id record.ID) error
	// Source is what is shown, in a few words, where it is not a running
	// ledger: a file's name.
	Source string
	// Logger hears what an operator should know; nil means silence.
	Logger *slog.Logger
}

// Errors that Config.Who returns, wrapped.
var (
	// ErrSignIn: nobody is signed in.
	ErrSignIn = errors.New("sign in first")
	// ErrForbidden: whoever it is may not use the viewer.
	ErrForbidden = errors.New("this is not for your role")
)

//go:embed templates assets
var files embed.FS

// site is the viewer at work.
type site struct {
	Config
	pages map[string]*template.Template
	mux   *http.ServeMux
}

// visit is one request of one viewer.
type visit struct {
	*site
	Viewer
	w http.ResponseWriter
	r *http.Request
}

// problem is an answer that is not a page as asked for: its status, and what
// people read.
type problem struct {
	status      int
	what, next_ string
}

func (p *problem) Error() string { return p.what }

// page registers a page. What a handler returns as an error becomes an error
// page: a *problem as it says, what wraps desk.ErrNotFound 404, all else 500
// with the text in the log alone.
func (s *site) page(pattern string, serve func(*visit) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, serve) })
}

// render answers with a page made of a template and its data.
func (v *visit) render(name string, data any) error {
	var b bytes.Buffer
	if err := v.pages[name].Execute(&b, data); err != nil {
		return err
	}
	_, err := v.w.Write(b.Bytes())
	return err
}

// New returns the viewer's handler.
func New(cfg Config) http.Handler { panic("web: not built") }

func (s *site) serve(w http.ResponseWriter, r *http.Request, serve func(*visit) error) {
	panic("web: not built")
}
