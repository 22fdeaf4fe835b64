package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
	"sync"
)

// SignInPage is what the page for signing in shows. Package web/signin fills it;
// the page has no navigation, since it says nothing of the log but its name.
type SignInPage struct {
	// Origin is the log's name.
	Origin string
	// Provider is the host of the OpenID provider; empty without one. Token:
	// access tokens are taken.
	Provider string
	Token    bool
	// Next is the page to show afterwards, a path of this viewer.
	Next string
	// Problem and Advice say what went wrong, and what to do next.
	Problem, Advice string
	// Viewer is who is signed in; nil for nobody.
	Viewer *Viewer
}

// signInTemplate stands alone: it is no page of the site, and needs nothing of
// it but the style sheets.
var signInTemplate = sync.OnceValue(func() *template.Template {
	a := loadAssets()
	return template.Must(template.New("signin.html").Funcs(template.FuncMap{"asset": a.url, "say": say}).ParseFS(files, "templates/signin.html"))
})

// RenderSignIn answers with the page for signing in.
func RenderSignIn(w http.ResponseWriter, status int, p SignInPage) error {
	var b bytes.Buffer
	if err := signInTemplate().ExecuteTemplate(&b, "signin", p); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}
