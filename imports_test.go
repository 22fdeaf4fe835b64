package onus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/onus-ledger/onus"

// The house: which folder may import which others of this module. A folder
// stands for itself; "verifier/..." for all below it too. The first line that
// matches a package is its rule, and a package without a rule is not agreed.
// Files of tests are free.
var house = []struct {
	folder  string
	imports []string
	why     string
}{
	{".", nil, "the root package holds no code"},
	{"gen/...", []string{"gen/..."}, "generated code knows nothing of what uses it"},

	{"verifier", []string{"gen/onus/v1", "verifier/..."}, "the verifier is the trusted base: nothing above it is part of it"},
	{"verifier/chain", []string{"gen/onus/v1", "verifier/record", "verifier/entry", "verifier/tree", "verifier/credential", "verifier/registry", "verifier/authority"}, "verifier/chain stands on what verifier/authority stands on, and on that"},
	{"verifier/authority", []string{"gen/onus/v1", "verifier/record", "verifier/entry", "verifier/tree", "verifier/credential", "verifier/registry"}, "verifier/authority stands on record, entry, tree, credential and registry alone"},
	{"verifier/evidence", []string{"gen/onus/v1", "verifier/record", "verifier/entry", "verifier/tree", "verifier/registry"}, "verifier/evidence stands on record, entry, tree and registry alone"},
	{"verifier/tree", nil, "verifier/tree is the lowest: it knows hashes, not records"},
	{"verifier/tiles", []string{"verifier/tree"}, "verifier/tiles stands on tree alone: it knows hashes and bytes, not records"},
	{"verifier/record", []string{"gen/onus/v1", "verifier/tree"}, "verifier/record stands on tree alone"},
	{"verifier/credential", []string{"verifier/record"}, "verifier/credential stands on record alone"},
	{"verifier/entry", []string{"gen/onus/v1", "verifier/record", "verifier/tree"}, "verifier/entry stands on record and tree alone"},
	{"verifier/registry", []string{"gen/onus/v1", "verifier/record", "verifier/entry", "verifier/tree", "verifier/credential"}, "verifier/registry stands on record, entry, tree and credential alone"},

	{"ledger/tlog", []string{"verifier/tree", "ledger"}, "ledger/tlog serves the ledger's tiles, and knows nothing of who may read"},
	{"ledger/rpc/...", []string{"gen/...", "verifier/...", "ledger/..."}, "ledger/rpc turns messages into the ledger's calls, and knows neither SDK nor viewer"},
	{"ledger/identity/...", []string{"gen/onus/v1", "verifier/..."}, "ledger/identity stands below the ledger"},
	{"ledger/witness/...", []string{"verifier/...", "ledger/witness/..."}, "ledger/witness asks witnesses, and stands below the ledger"},
	{"ledger", []string{"gen/onus/v1", "verifier/...", "ledger/identity/...", "ledger/witness"}, "the ledger knows neither RPC, nor SDK, nor viewer"},
	{"agent/workload/...", []string{"agent/workload/..."}, "agent/workload knows SPIFFE and nothing of records"},
	{"agent/...", []string{"gen/...", "verifier/...", "agent/..."}, "an agent's author imports the SDK without the server"},
	{"web/report", []string{"gen/onus/v1", "verifier/..."}, "web/report has the words and the pictures, for pages and commands alike"},
	{"web/desk", []string{"gen/onus/v1", "verifier/...", "web/report"}, "web/desk declares what it needs of a log and does not know the ledger"},
	{"web/signin", []string{"web"}, "web/signin knows browsers and providers, and asks others who people are"},
	{"web/filelog", []string{"gen/onus/v1", "verifier/...", "web", "web/desk"}, "web/filelog is the viewer's log over a file, without a server"},
	{"web", []string{"gen/onus/v1", "verifier/...", "web/report", "web/desk"}, "the pages know neither where the log comes from nor how people sign in"},
	{"web/...", []string{"gen/onus/v1", "verifier/...", "web/..."}, "the viewer declares what it needs and does not know the ledger"},

	{"cmd/internal/...", []string{"gen/...", "verifier/...", "cmd/internal/..."}, "what both tools use knows nothing of the server"},
	{"cmd/onus-verify/...", []string{"gen/...", "verifier/...", "web/report", "cmd/internal/...", "cmd/onus-verify/..."}, "the auditor's tool never imports the server's code"},
	{"cmd/onus/...", []string{"gen/...", "verifier/...", "ledger/...", "agent/...", "web/...", "cmd/internal/...", "cmd/onus/..."}, "cmd/onus does not import the auditor's tool"},
}

// outside lists what else verifier/... may import beyond the standard
// library. Auditors read that folder to know what they trust.
var outside = []string{"google.golang.org/protobuf/...", "github.com/transparency-dev/merkle/...", "golang.org/x/mod/..."}

// never lists what must not even be reached, through any number of imports.
var never = []struct {
	folder string
	deps   []string
	why    string
}{
	// oasisprotocol is the server's quick check of signatures: whoever checks the
	// server asks crypto/ed25519.
	{"verifier/...", []string{"net/http/...", "os/exec", "plugin", "github.com/cockroachdb/...", "connectrpc.com/...", "github.com/oasisprotocol/...", module + "/ledger/..."}, "the verifier does no I/O and has no server code"},
	{"cmd/onus-verify/...", []string{"github.com/cockroachdb/...", "github.com/oasisprotocol/...", module + "/ledger/..."}, "the auditor's tool never imports the server's code"},
	{"cmd/internal/...", []string{"github.com/cockroachdb/...", module + "/ledger/..."}, "what both tools use knows nothing of the server"},
	{"web/...", []string{module + "/ledger/..."}, "the viewer declares what it needs and does not know the ledger"},
	{"web/report", []string{"net/http/...", "github.com/cockroachdb/..."}, "web/report is also in the auditor's tool"},
	{"agent/...", []string{"github.com/cockroachdb/...", module + "/ledger/..."}, "an agent's author imports the SDK without the server"},
	{"gen/onus/v1", []string{"net/http/...", "connectrpc.com/..."}, "the messages are part of the verifier's trusted base"},
}

// vague names say what a package is not.
var vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib"}

// matches reports whether p is the pattern's folder or, with "/...", below it.
func matches(pattern, p string) bool {
	if prefix, deep := strings.CutSuffix(pattern, "/..."); deep {
		return p == prefix || strings.HasPrefix(p, prefix+"/")
	}
	return p == pattern
}

func anyMatch(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, p) })
}

func isStandard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// checkFolder reports what is wrong with a package in that folder, or "".
func checkFolder(folder string) string {
	for _, part := range strings.Split(folder, "/") {
		if slices.Contains(vague, part) {
			return fmt.Sprintf("package %s is named %q, which says nothing: put what is in it where it is used", folder, part)
		}
	}
	for _, r := range house {
		if matches(r.folder, folder) {
			return ""
		}
	}
	return fmt.Sprintf("%s holds Go, but the house has no such room: add it to the table in imports_test.go and to docs/design.md, or put it elsewhere", folder)
}

// checkImport reports why the package in that folder may not import p, or "".
func checkImport(folder, p string) string {
	ours, mine := strings.CutPrefix(p, module+"/")
	switch {
	case p == module:
		return "the root package holds no code"
	case mine:
		for _, r := range house {
			if matches(r.folder, folder) {
				if anyMatch(r.imports, ours) {
					return ""
				}
				return r.why
			}
		}
	case matches("verifier/...", folder) && !isStandard(p) && !anyMatch(outside, p):
		return "verifier/... imports only the standard library, " + strings.Join(outside, ", ") + " and itself"
	}
	return checkReach(folder, p)
}

// checkReach reports why the package in that folder may not reach p through
// others, or "".
func checkReach(folder, p string) string {
	for _, r := range never {
		if matches(r.folder, folder) && anyMatch(r.deps, p) {
			return r.why
		}
	}
	return ""
}

// TestImports holds the sources to the tables above, file by file.
func TestImports(t *testing.T) {
	files := 0
	// Reading every file here, and not only asking go list, has a second
	// use: go test sees what was read, and never reports an old result.
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // a module of its own: bench, tools
			}
			if base := d.Name(); name != "." && (base == "testdata" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		folder := path.Dir(filepath.ToSlash(name))
		if why := checkFolder(folder); why != "" {
			t.Errorf("%s: %s", name, why)
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return nil
		}
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s: %v", fset.Position(spec.Pos()), err)
				continue
			}
			if why := checkImport(folder, p); why != "" {
				t.Errorf("%s: package %s must not import %s: %s", fset.Position(spec.Pos()), folder, p, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("only %d Go files were found: is this the root of the module?", files)
	}
}

// TestDependencies holds what is reached through others, which only the go
// command knows.
func TestDependencies(t *testing.T) {
	type listed struct {
		ImportPath string
		Imports    []string
		Deps       []string
		Module     *struct{ Path string }
	}
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Imports,Deps,Module", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages[p.ImportPath] = p
	}
	// route finds a shortest way from one package to another.
	route := func(from, to string) string {
		came := map[string]string{from: ""}
		for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
			if queue[0] == to {
				way := to
				for p := came[to]; p != ""; p = came[p] {
					way = p + " → " + way
				}
				return way
			}
			for _, next := range packages[queue[0]].Imports {
				if _, seen := came[next]; !seen {
					came[next] = queue[0]
					queue = append(queue, next)
				}
			}
		}
		return to
	}
	checked := 0
	for _, p := range packages {
		folder, ours := strings.CutPrefix(p.ImportPath, module+"/")
		if !ours {
			continue
		}
		checked++
		for _, dep := range p.Deps {
			why := checkReach(folder, dep)
			if why == "" && matches("verifier/...", folder) && packages[dep].Module != nil {
				if m := packages[dep].Module.Path; m != module && !anyMatch(outside, m) {
					why = "verifier/... stands on the standard library, " + strings.Join(outside, ", ") + " and itself"
				}
			}
			if why != "" {
				t.Errorf("package %s must not reach %s: %s\n\t%s", folder, dep, why, route(p.ImportPath, dep))
			}
		}
	}
	if checked < 5 {
		t.Errorf("go list named %d packages of this module", checked)
	}
}

// TestImportRules shows that the tables bite.
func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		folder, path string
		ok           bool
	}{
		{"verifier/record", "crypto/sha256", true},
		{"verifier/record", module + "/gen/onus/v1", true},
		{"verifier/record", module + "/gen/onus/v1/onusv1connect", false},
		{"verifier/record", module + "/verifier/tree", true},
		{"verifier/record", module + "/verifier/entry", false},
		{"verifier/record", module + "/verifier/chain", false},
		{"verifier/record", "net/http", false},
		{"verifier/record", "net/http/httputil", false},
		{"verifier/record", "github.com/google/go-cmp/cmp", false},
		{"verifier/tree", "github.com/transparency-dev/merkle/proof", true},
		{"verifier/tree", module + "/verifier/record", false},
		{"verifier/chain", module + "/verifier/registry", true},
		{"verifier/chain", module + "/verifier", false},
		{"verifier", module + "/ledger", false},
		{"verifier", "os/exec", false},
		{"ledger", module + "/verifier/registry", true},
		{"ledger", module + "/ledger/rpc", false},
		{"ledger", module + "/agent", false},
		{"ledger", module + "/web", false},
		{"ledger/rpc", module + "/ledger", true},
		{"ledger/rpc", module + "/agent", false},
		{"agent", module + "/ledger", false},
		{"agent", module + "/gen/onus/v1/onusv1connect", true},
		{"web", module + "/ledger", false},
		{"web/static", module + "/agent", false},
		{"cmd/onus-verify", module + "/verifier", true},
		{"cmd/onus-verify", module + "/ledger", false},
		{"cmd/onus-verify", module + "/cmd/onus", false},
		{"cmd/onus-verify", module + "/cmd/internal/keyfile", true},
		{"cmd/internal/keyfile", module + "/ledger", false},
		{"cmd/onus", module + "/ledger/rpc", true},
		{"cmd/onus", module, false},
	} {
		if why := checkImport(c.folder, c.path); (why == "") != c.ok {
			t.Errorf("%s importing %s: allowed = %t, want %t (%s)", c.folder, c.path, why == "", c.ok, why)
		}
	}
	for folder, ok := range map[string]bool{
		"ledger": true, "verifier/registry": true, "cmd/onus/demo": true,
		"internal": false, "ledger/util": false, "verifier/json": false, "common": false, "agent/helpers": false,
	} {
		if why := checkFolder(folder); (why == "") != ok {
			t.Errorf("folder %s: allowed = %t, want %t (%s)", folder, why == "", ok, why)
		}
	}
}
