package web

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/web/desk"
)

// TestPanic: a page that panics is an error page, the operator is told, and the
// next page is answered.
func TestPanic(t *testing.T) {
	var logged bytes.Buffer
	s := &site{Config: Config{Log: hostileLog{text: "log.example.com"}, Logger: slog.New(slog.NewTextHandler(&logged, nil))}, assets: loadAssets(), mux: http.NewServeMux()}
	s.pages = parsePages(s.assets)
	s.page("GET /boom", func(*visit) error { panic("secret words") })
	s.page("GET /abort", func(*visit) error { panic(http.ErrAbortHandler) })
	h := s.guard(s.mux)
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/boom", nil))
		if w.Code != 500 || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), "fault of the viewer") {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	}
	if !strings.Contains(logged.String(), "secret words") || !strings.Contains(logged.String(), "serve_test.go") {
		t.Errorf("logged %s", &logged)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("an aborted answer ends with %v", p)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/abort", nil))
}

func TestTakesGzip(t *testing.T) {
	for header, want := range map[string]bool{"": false, "gzip": true, "br, gzip": true, "GZIP;q=1": true, "gzip; q=0.5": true, "gzip;q=0": false, "gzip;q=0.000": false, "gzip;q=x": false, "xgzip": false, "*": false} {
		if takesGzip(header) != want {
			t.Errorf("%q: %v", header, !want)
		}
	}
}

// TestDrawBins: the picture is XML, each outcome that was there has a part with
// its own fill, and no part stands outside.
func TestDrawBins(t *testing.T) {
	outcomes := append(chain.Outcomes(), chain.NothingDone)
	for _, n := range []int{0, 1, 2, 30, 60} {
		var bins []desk.Bin
		for i := range n {
			b := desk.Bin{From: int64(i) * 86_400_000, To: int64(i+1) * 86_400_000}
			for k, o := range outcomes {
				if (i+k)%2 == 0 {
					b.Counts = append(b.Counts, chain.Count{Outcome: o, Actions: 1 + (i*7+k*k*1_000_000)%1_000_003})
				}
			}
			bins = append(bins, b)
		}
		c := drawBins(bins)
		if n == 0 {
			if c.Picture != "" {
				t.Errorf("no column is drawn as %s", c.Picture)
			}
			continue
		}
		parts := map[string]int{}
		d := xml.NewDecoder(strings.NewReader(string(c.Picture)))
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%d columns: %v", n, err)
			}
			e, ok := tok.(xml.StartElement)
			if !ok || e.Name.Local != "rect" {
				continue
			}
			at := map[string]float64{}
			class := ""
			for _, a := range e.Attr {
				if a.Name.Local == "class" {
					class = a.Value
				} else {
					var f float64
					fmt.Sscan(a.Value, &f)
					at[a.Name.Local] = f
				}
			}
			if name, ok := strings.CutPrefix(class, "col-"); ok {
				parts[name]++
				if at["x"] < 0 || at["x"]+at["width"] > chartWidth || at["y"] < 0 || at["y"]+at["height"] > chartHeight || at["height"] <= 0 {
					t.Errorf("%d columns: a part %s stands outside: %v", n, name, at)
				}
			}
		}
		for k, o := range outcomes {
			want := 0
			for i := range n {
				if (i+k)%2 == 0 {
					want++
				}
			}
			if got := parts[outcomeClass(o)]; got != want {
				t.Errorf("%d columns: %s has %d parts, want %d", n, o, got, want)
			}
		}
	}
	// What has no outcome was not judged, and is drawn so.
	c := drawBins([]desk.Bin{{To: 86_400_000, Counts: []chain.Count{{Actions: 2}}}})
	if !strings.Contains(string(c.Picture), `class="col-unjudged"`) {
		t.Error("a case that is too large is not drawn")
	}
}
