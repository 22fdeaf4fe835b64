package record_test

import (
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// A predecessor is named by what it signed itself, and is another log.
func TestPredecessor(t *testing.T) {
	type P = onusv1.Predecessor
	in := func(change func(*P)) func(*onusv1.Record) {
		return func(m *onusv1.Record) { change(m.GetGenesis().Predecessor) }
	}
	is := func(origin string, size int64) func(*onusv1.Record) {
		return func(m *onusv1.Record) { m.GetGenesis().Predecessor = predecessor(origin, size) }
	}
	const key, cp = "genesis.predecessor.log_key", "genesis.predecessor.checkpoint"
	testRefusals(t, successorGenesis, []refusal{
		{"empty", key, in(func(p *P) { p.Reset() })},
		{"no key", key, in(func(p *P) { p.LogKey = "" })},
		{"no checkpoint", cp, in(func(p *P) { p.Checkpoint = nil })},
		{"this log itself", key, is(origin, 7)},
		{"an empty log", cp, is("log.example.com/before", 0)},
		{"another log's key", cp, in(func(p *P) { p.LogKey = predecessor("log.example.com/other", 7).LogKey })},
		{"another size", cp, in(func(p *P) { p.Checkpoint = []byte(strings.Replace(string(p.Checkpoint), "\n7\n", "\n8\n", 1)) })},
		{"a line cut off", cp, in(func(p *P) { p.Checkpoint = p.Checkpoint[:len(p.Checkpoint)-1] })},
		{"too long", cp, in(func(p *P) { p.Checkpoint = append(p.Checkpoint, strings.Repeat("— w AAAAAAA=\n", 1200)...) })},
	})
	testAccepted(t, successorGenesis, []acceptance{
		{"a log of one entry", is("log.example.com/before", 1)},
		{"cosignatures beside", in(func(p *P) { p.Checkpoint = append(p.Checkpoint, strings.Repeat("— w AAAAAAA=\n", 90)...) })},
	})
}
