package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// The rows that say what was used up, and the sealed tokens, are truth: one
// that was changed, removed or added is found.
func TestCheckFindsDamageOfAuthority(t *testing.T) {
	mem := vfs.NewCrashableMem()
	is := newIssuer(t)
	h := newHarness(t, mem, func(c *Config) { c.Keys = is })
	h.enrolUsers()
	h.enrolOperator()
	root := h.own(&onusv1.Grant{Scope: orders("100")})
	h.log(root, h.order(root, "10"), h.order(root, "20"))
	r, sub := h.intent(is.token(nil), nil)
	h.must(h.ledger.Submit(context.Background(), sub))
	token := h.entryOf(r).Index
	h.checkRows()

	// The rows of authority, whatever they are called.
	db := h.database()
	var keys [][]byte
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixAuthority}, UpperBound: []byte{prefixAuthority + 1}})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, append([]byte(nil), it.Key()...))
	}
	if err := errors.Join(it.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if len(keys) < 4 {
		t.Fatalf("%d rows of authority: this test tests nothing", len(keys))
	}
	all := []damage{
		{"row of authority too many", put(keyAuthority("zz"), []byte("x")), "authority rows", true},
		{"token", flip(keyUserToken(token), -1), fmt.Sprint("token of entry ", token), true},
		{"token cut", put(keyUserToken(token), []byte{200}), fmt.Sprint("token of entry ", token), true},
		{"token gone", drop(keyUserToken(token)), fmt.Sprint("token of entry ", token), true},
		{"token of another entry", put(keyUserToken(1), []byte{0}), "users' tokens", true},
	}
	for i, k := range keys {
		all = append(all, damage{fmt.Sprint("row of authority ", i), flip(k, -1), "authority row", true},
			damage{fmt.Sprint("row of authority gone ", i), drop(k), "authority row", true})
	}
	for _, c := range all {
		h := h.on(mem.CrashClone(vfs.CrashCloneCfg{}))
		h.t = t
		h.change(c.do)
		got, err := Check(context.Background(), h.cfg, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if said := strings.Join(got.Problems, "\n"); !strings.Contains(said, c.want) {
			t.Errorf("%s: Check says %q, want a problem that names %q", c.name, said, c.want)
		}
	}

	// A reader says what is damaged, and goes on.
	broken := h.on(mem.CrashClone(vfs.CrashCloneCfg{}))
	broken.change(func(db *pebble.DB) error {
		for _, k := range keys {
			if err := db.Set(k, []byte{1}, pebble.Sync); err != nil {
				return err
			}
		}
		return nil
	})
	broken.open()
	defer broken.close()
	var damaged *CorruptionError
	if _, err := broken.ledger.GrantPath(root.ID); !errors.As(err, &damaged) {
		t.Errorf("GrantPath over broken rows: %v, want a CorruptionError", err)
	}
}
