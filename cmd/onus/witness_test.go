package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	"github.com/onus-ledger/onus/ledger/witness/witnesstest"
	"github.com/rogpeppe/go-internal/testscript"
)

// watch VKEY POLICY starts three witnesses of the log with the key in file
// VKEY, and writes a policy in which two of them make the quorum.
func cmdWatch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: watch VKEY POLICY")
	}
	key, err := keyfile.LoadLogKey(ts.MkAbs(args[0]))
	ts.Check(err)
	var text strings.Builder
	for i := range 3 {
		w, err := witnesstest.New(fmt.Sprintf("w%d.example.com", i), key)
		ts.Check(err)
		s := httptest.NewServer(w)
		ts.Defer(s.Close)
		fmt.Fprintf(&text, "witness w%d %s %s\n", i, w.Key(), s.URL)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text.String()+"group two 2 w0 w1 w2\nquorum two\n"), 0o666))
}
