package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/onus-ledger/onus/web/report"
)

// frame is the dot of every page's template.
type frame struct {
	// Title is the page's, Nav the entry of the navigation that it is under:
	// overview, find, agents, operators, users, grants, revocations, evidence.
	Title, Nav string
	Viewer     Viewer
	// Source is what is shown where it is no running ledger.
	Source string
	Head   head
	// CanReview: this viewer may write reviews, here.
	CanReview bool
	// CanSignOut: somebody is signed in, and can end that.
	CanSignOut bool
	// Checked: what the page says was checked by this server. It is not where
	// nothing was judged, or the reader's browser is to check.
	Checked bool
	// Here is the address of the page, for forms that come back to it.
	Here string
	Data any
}

// head is the log as this page shows it.
type head struct {
	Origin string
	Size   int64
	// Time is the log time of the newest entry in milliseconds; 0 if it is not
	// shown.
	Time int64
	// AsOf is the size that the desk's answers are as of, and Behind how many
	// entries it still has to take in.
	AsOf, Behind int64
	// Stopped says why the desk takes in nothing any more; empty: it does.
	Stopped string
}

func (v *visit) frame(title, nav string, data any) frame {
	f := frame{Title: title, Nav: nav, Viewer: v.Viewer, Source: v.Source, Data: data, Here: v.r.URL.RequestURI(), Checked: true,
		CanReview: v.Officer != nil && v.Reviews, CanSignOut: v.SignIn != nil && v.Who != nil && v.Viewer != (Viewer{})}
	if v.r.Method == http.MethodPost {
		f.Here = "/"
	}
	if v.Who == nil || v.Viewer != (Viewer{}) { // nothing of the log for who is not known
		f.Head = v.head()
	}
	return f
}

func (v *visit) head() head {
	h := head{Origin: v.Log.Origin(), Size: v.Log.Size()}
	if h.Size > 0 {
		if e, err := v.Log.Entry(h.Size - 1); err == nil {
			h.Time = e.LogTime
		}
	}
	if v.Desk != nil {
		h.AsOf = min(v.Desk.AsOf(), h.Size)
		h.Behind = h.Size - h.AsOf
		h.Stopped = stoppedWord(v.Desk.Err())
	}
	return h
}

// maxStopped bounds what a page says of an error.
const maxStopped = 200

// stoppedWord is the first line of an error, in what a page can bear. The rest is
// for the server's own log.
func stoppedWord(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if r := []rune(line); len(r) > maxStopped {
		line = string(r[:maxStopped]) + "…"
	}
	return report.Clean(line)
}

// render answers with a page: the template of that name, with the title and the
// entry of the navigation that it is under.
func (v *visit) render(name, title, nav string, data any) error {
	return v.send(http.StatusOK, name, v.frame(title, nav, data))
}

// send answers with a page and a status. Nothing is sent before all of it is
// made, so that a page that fails half-way is an error page and not half a
// page.
func (v *visit) send(status int, name string, f frame) error {
	t, ok := v.pages[name]
	if !ok {
		return fmt.Errorf("there is no template %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", f); err != nil {
		return fmt.Errorf("make page %s: %w", name, err)
	}
	v.done()
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		v.w.Write(b.Bytes()) // a reader who is gone is no error of ours
	}
	return nil
}

// attach answers with a file to be saved. name is ours, never foreign.
func (v *visit) attach(contentType, name string, b []byte) error {
	v.done()
	h := v.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	v.w.WriteHeader(http.StatusOK)
	if v.r.Method != http.MethodHead {
		v.w.Write(b)
	}
	return nil
}

// redirect sends the browser to another page of this site.
func (v *visit) redirect(to string) error {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// parsePages reads the templates. A file that defines "main" is a page by its
// name without .html, and may define "head" for its own style sheets and
// modules; what the other files define can be used on every page.
func parsePages(a *assets) map[string]*template.Template {
	funcs := words()
	funcs["asset"] = a.url
	root := template.New("").Funcs(funcs).Option("missingkey=error")
	names := map[string]string{}
	entries, err := files.ReadDir("templates")
	if err != nil {
		panic("web: " + err.Error())
	}
	for _, e := range entries {
		b, err := files.ReadFile("templates/" + e.Name())
		if err != nil {
			panic("web: " + err.Error())
		}
		alone := template.Must(template.New(e.Name()).Funcs(funcs).Parse(string(b)))
		if alone.Lookup("main") != nil {
			names[strings.TrimSuffix(e.Name(), path.Ext(e.Name()))] = string(b)
			continue
		}
		template.Must(root.New(e.Name()).Parse(string(b)))
	}
	pages := map[string]*template.Template{}
	for name, text := range names {
		t := template.Must(root.Clone())
		pages[name] = template.Must(t.New(name + ".html").Parse(text))
	}
	return pages
}

// query makes the part of an address after its question mark, of pairs of names
// and values: only what is set, in the order given.
func query(pairs ...string) (string, error) {
	if len(pairs)%2 != 0 {
		return "", errors.New("a name without a value")
	}
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	return b.String(), nil
}
