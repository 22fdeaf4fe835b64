// Command verifypage makes verify.html: one file with the verifier inside, as
// WebAssembly, which a browser opens from disk without any network. The viewer
// runs the same build: with -dir the parts are written for it to embed.
//
// It is run from the root of the project (make build and make dist do):
//
//	go -C tools run ./verifypage -version v1.2.3 -dir ../web/wasm -o ../dist/verify.html
//
// The same sources and the same Go give the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

func main() {
	out := flag.String("o", "", "write verify.html to this file")
	dir := flag.String("dir", "", "write the parts that the viewer embeds to this folder")
	version := flag.String("version", "unreleased", "the version that the page shows")
	flag.Parse()
	if *out == "" && *dir == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run("..", *version, *dir, *out); err != nil {
		fmt.Fprintln(os.Stderr, "verifypage:", err)
		os.Exit(1)
	}
}

func run(root, version, dir, out string) error {
	p, err := build(root, version)
	if err != nil {
		return err
	}
	if dir != "" {
		if err := p.write(dir, version); err != nil {
			return err
		}
	}
	if out != "" {
		return os.WriteFile(out, p.whole(), 0o644)
	}
	return nil
}

// place stands in the page where the packed verifier belongs, in base64. Package
// web puts it there too, so that a program holds the verifier once.
const place = "VERIFY.WASM.GZ"

// parts are what verify.html and the viewer are made of.
type parts struct {
	wasm     []byte // packed
	wasmExec string
	page     []byte // verify.html with place in it
}

// whole is verify.html.
func (p *parts) whole() []byte {
	return bytes.Replace(p.page, []byte(place), []byte(base64.StdEncoding.EncodeToString(p.wasm)), 1)
}

// write writes the parts, the verifier last: where it is, all are.
func (p *parts) write(dir, version string) error {
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"version", []byte(version + "\n")}, {"wasm_exec.js", []byte(p.wasmExec)}, {"verify.html.in", p.page}, {"verify.wasm.gz", p.wasm},
	} {
		// Names that begin with a dot are not embedded.
		tmp := filepath.Join(dir, "."+f.name)
		if err := os.WriteFile(tmp, f.data, 0o644); err != nil {
			return err
		}
		if err := os.Rename(tmp, filepath.Join(dir, f.name)); err != nil {
			return err
		}
	}
	return nil
}

// build makes the parts out of the project at root.
func build(root, version string) (*parts, error) {
	wasm, err := buildWasm(root, version)
	if err != nil {
		return nil, err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	read := func(name string) string {
		b, e := os.ReadFile(name)
		if e != nil && err == nil {
			err = e
		}
		return string(b)
	}
	dir := filepath.Join(root, "cmd", "onus-verify", "page")
	html, style, script := read(filepath.Join(dir, "page.html")), read(filepath.Join(dir, "page.css")), read(filepath.Join(dir, "page.js"))
	wasmExec := read(filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"))
	report := read(filepath.Join(root, "web", "report", "page.tmpl"))
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(report, "<style>")
	reportStyle, _, found := strings.Cut(rest, "</style>")
	if !found {
		return nil, errors.New("the report's template has no style")
	}
	t, err := template.New("page").Option("missingkey=error").Parse(html)
	if err != nil {
		return nil, fmt.Errorf("page.html: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]string{
		"Version": version, "Style": style, "Script": script, "WasmExec": wasmExec, "Wasm": place,
		// Nothing runs but what stands here. The report is shown in a frame of
		// this page, which its policy binds too.
		"ScriptHashes": hash(wasmExec) + " " + hash(script),
		"StyleHashes":  hash(style) + " " + hash(reportStyle),
	})
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(b.Bytes(), []byte(place)); n != 1 {
		return nil, fmt.Errorf("page.html: %q stands in the page %d times, and must once", place, n)
	}
	return &parts{wasm, wasmExec, b.Bytes()}, nil
}

// hash is a source expression of Content Security Policy Level 3, section
// 2.3.1.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// buildWasm compiles the verifier and packs it.
func buildWasm(root, version string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "verifypage-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "verify.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+version, "-o", file, "./cmd/onus-verify/wasm")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("build the verifier: %w", err)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(code); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
