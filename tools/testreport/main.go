// Testreport turns `go test -json` into what a person wants to read: the
// closing line of each package, everything about tests that failed, and one
// line for each suite that was skipped because the machine lacks something.
//
// A suite says so with t.Skip("SKIPPED: WHAT: install with: COMMAND"). With
// ONUS_CI set, suites fail instead of skipping, and so does testreport if one
// skips all the same.
//
// It exits 1 if anything failed or if it read no result at all.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
}

func main() {
	if !report(os.Stdin, os.Stdout, os.Getenv("ONUS_CI") != "") {
		os.Exit(1)
	}
}

// report copies what matters from r to w and says whether all passed.
func report(r io.Reader, w io.Writer, ci bool) bool {
	held := map[string][]string{} // output of tests that have not ended, by package and test
	var skipped []string
	said := map[string]bool{}
	passed, failed := 0, 0
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil:
			fmt.Fprintf(w, "%s", line) // go's own words, not a test's
		default:
			key := e.Package + "\x00" + e.Test
			switch {
			case e.Action == "build-output":
				fmt.Fprint(w, e.Output)
			case e.Action == "output" && e.Test == "":
				if s := e.Output; s != "PASS\n" && !strings.HasPrefix(s, "coverage:") {
					fmt.Fprint(w, s)
				}
			case e.Action == "output" && strings.HasPrefix(e.Output, "=== "):
				// RUN, PAUSE, CONT, NAME: of interest to nobody here
			case e.Action == "output":
				held[key] = append(held[key], e.Output)
				if at := strings.Index(e.Output, "SKIPPED:"); at >= 0 {
					if s := strings.TrimSpace(e.Output[at:]); !said[s] {
						said[s] = true
						skipped = append(skipped, s)
					}
				}
			case e.Test == "" && (e.Action == "pass" || e.Action == "skip"):
				passed++
			case e.Test == "" && e.Action == "fail", e.Action == "build-fail":
				failed++
			case e.Action == "fail":
				fmt.Fprint(w, strings.Join(held[key], ""))
				delete(held, key)
			case e.Action == "pass", e.Action == "skip":
				delete(held, key)
			}
		}
		if err != nil {
			break
		}
	}
	// A test that a panic or a time-out cut short has no end: it is the one
	// to look at.
	for key, lines := range held {
		pkg, test, _ := strings.Cut(key, "\x00")
		fmt.Fprintf(w, "--- not finished: %s in %s\n%s", test, pkg, strings.Join(lines, ""))
		failed++
	}
	for _, s := range skipped {
		fmt.Fprintln(w, s)
	}
	if ci && len(skipped) > 0 {
		fmt.Fprintln(w, "with ONUS_CI set no suite may be skipped")
		return false
	}
	if failed == 0 && passed == 0 {
		fmt.Fprintln(w, "no test results were read")
	}
	return failed == 0 && passed > 0
}
