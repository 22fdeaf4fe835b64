package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// takePictures takes those that the README shows, and those that people look at
// before a release.
func takePictures(t *testing.T, b *tab, w *browserWorld) {
	must(t, os.MkdirAll(*pictures, 0o755))
	chain := "/chain/" + w.s4.String()
	b.open(chain)
	action := b.firstCard()
	for _, p := range []struct {
		name, path    string
		width, height int64
		dark          bool
		at            string // what stands at the top, if not the page
		whole         bool
	}{
		{name: "overview", path: "/"},
		{name: "overview-dark", path: "/", dark: true},
		{name: "overview-narrow", path: "/", width: 390, height: 844},
		{name: "overview-whole", path: "/", whole: true},
		{name: "find", path: "/find"},
		{name: "find-narrow", path: "/find", width: 390, height: 844},
		{name: "chain", path: chain},
		{name: "chain-dark", path: chain, dark: true},
		{name: "chain-narrow", path: chain, width: 390, height: 844},
		{name: "chain-4k", path: chain, width: 3840, height: 2160},
		{name: "chain-whole", path: chain, whole: true},
		{name: "picture", path: chain, at: "#picture"},
		{name: "picture-dark", path: chain, at: "#picture", dark: true},
		{name: "picture-narrow", path: chain, at: "#picture", width: 390, height: 844},
		{name: "long", path: "/chain/" + w.chains[2000].String()},
		{name: "long-picture", path: "/chain/" + w.chains[2000].String(), at: "#picture"},
		{name: "permissions", path: chain + "?tab=permissions"},
		{name: "permissions-narrow", path: chain + "?tab=permissions", width: 390, height: 844},
		{name: "timeline", path: chain + "?tab=timeline"},
		{name: "records", path: chain + "?tab=records"},
		{name: "record", path: "/record/@" + action, whole: true},
		{name: "record-narrow", path: "/record/@" + action, width: 390, height: 844},
		{name: "agents", path: "/agents"},
		{name: "agent", path: "/agents?id=spiffe%3A%2F%2Fexample.com%2Fcontract-reader", whole: true},
		{name: "operators", path: "/operators"},
		{name: "users", path: "/users"},
		{name: "grants", path: "/grants"},
		{name: "revocations", path: "/revocations"},
		{name: "evidence", path: chain + "/evidence"},
		{name: "check", path: "/check?chain=" + w.s4.String()},
		{name: "check-dark", path: "/check?chain=" + w.s4.String(), dark: true},
	} {
		if p.width == 0 {
			p.width, p.height = 1440, 900
		}
		scheme := "light"
		if p.dark {
			scheme = "dark"
		}
		b.viewport(p.width, p.height)
		b.media("", "prefers-color-scheme:"+scheme)
		b.open(p.path)
		if p.at != "" {
			eval[bool](b, `(document.querySelector(%q).scrollIntoView(), true)`, p.at)
		}
		shoot := chromedp.CaptureScreenshot()
		if p.whole {
			shoot = chromedp.FullScreenshot(100)
		}
		png, err := chromedp.Run(b.ctx, shoot)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(*pictures, p.name+".png"), png, 0o644))
	}
	b.media("", "forced-colors:active")
	b.viewport(1440, 900)
	b.open(chain)
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(*pictures, "chain-forced-colours.png"), png, 0o644))
	b.media("")
	b.viewport(1440, 900)
	for name, path := range map[string]string{"overview": "/", "chain": chain} {
		b.open(path)
		pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(*pictures, name+".pdf"), pdf, 0o644))
	}
}
