package ledger

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"
)

var (
	// -seed replays a run of the tests that decide by chance.
	seedFlag = flag.Uint64("seed", 0, "seed of the model and crash tests; 0 takes a new one and prints it")
	// -long makes the tests that decide by chance go on ten times as long.
	longFlag = flag.Bool("long", false, "run the model and crash tests ten times as long")
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = rand.Uint64()
	}
	os.Exit(m.Run())
}

// newRand returns the randomness of one test, and has its seed printed if the
// test fails.
func newRand(t *testing.T) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay with: go test -run '^%s$' -seed %d", t.Name(), *seedFlag)
		}
	})
	t.Logf("seed %d", *seedFlag)
	return rand.New(rand.NewPCG(*seedFlag, 0))
}

// long scales a count of rounds.
func long(n int) int {
	if *longFlag {
		return 10 * n
	}
	return n
}
