package web

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

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
	// SignIn serves everything below /sign-in, and ends a session on
	// POST /sign-in/out; nil: nobody signs in.
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

// site is the viewer at work. It does not change once it is made.
type site struct {
	Config
	pages  map[string]*template.Template
	assets *assets
	mux    *http.ServeMux
	// crowd bounds costly pages, files the evidence files under way.
	crowd, files *crowd
	judged       *judgedChains
}

// New returns the viewer's handler. It panics if the templates that are part
// of the program are not good.
func New(cfg Config) http.Handler {
	s := &site{Config: cfg, assets: loadAssets(), mux: http.NewServeMux(),
		crowd: newCrowd(costlyAtOnce(), patience), files: newCrowd(maxFiles, patience), judged: newJudgedChains(cfg.Log)}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.pages = parsePages(s.assets)
	s.routes()
	return s.guard(s.mux)
}

// routes registers all that the viewer answers.
func (s *site) routes() {
	s.mux.Handle("GET "+assetPrefix+"{name}", s.assets)
	if s.SignIn != nil {
		s.mux.Handle("/sign-in", s.SignIn)
		s.mux.Handle("/sign-in/", s.SignIn)
	}
	s.page("/", (*visit).nowhere)
	s.coreRoutes()
	s.chainRoutes()
	s.recordRoutes()
	s.partyRoutes()
	s.evidenceRoutes()
}

// coreRoutes are the pages about the log as a whole.
func (s *site) coreRoutes() {
	s.page("GET /{$}", (*visit).overview)
	s.page("GET /find", (*visit).find)
	s.page("GET /find.csv", (*visit).findCSV)
	s.page("POST /review", (*visit).review)
}

// visit is one request of one viewer.
type visit struct {
	*site
	Viewer
	w http.ResponseWriter
	r *http.Request
	// now is when it began, for ages.
	now time.Time
	// leave gives back the place of costly; nil without one.
	leave func()
}

// reading tells who keeps a record of reads what is about to be shown. Call it
// before a page with records is rendered; id is zero for one about no record in
// particular.
func (v *visit) reading(page string, id record.ID) error {
	if v.Reading == nil {
		return nil
	}
	return v.Reading(v.r.Context(), v.Viewer, page, id)
}

// realName returns the name behind a pseudonym, for those who may see it; else,
// or where it is not known, nothing.
func (v *visit) realName(pseudonym string) string {
	if !v.Contents || pseudonym == "" {
		return ""
	}
	name, err := v.Log.Name(pseudonym)
	if err != nil {
		return ""
	}
	return name
}
