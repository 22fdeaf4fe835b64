package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// secret is a text that cannot be compressed, so that a search for it finds
// it in compressed blocks too.
func secret(what string) string {
	b := make([]byte, 24)
	rand.Read(b)
	return what + hex.EncodeToString(b)
}

// told submits a record with texts: the user's words under the user's key,
// the arguments under the subject's, the decision under whose key is default.
func told(h *harness, user, subject string, words ...string) (*record.Record, []*onusv1.Content) {
	h.t.Helper()
	var texts []*onusv1.Text
	var contents []*onusv1.Content
	for _, w := range words {
		x, c := record.NewText([]byte(w))
		texts, contents = append(texts, x), append(contents, c)
	}
	contents[1].Subject = subject
	r := h.record(func(m *onusv1.Record) {
		m.User = user
		if subject != "" {
			m.Subjects = []string{subject}
		}
		d := m.GetStages()
		d.Intent = &onusv1.Intent{Text: texts[0]}
		d.Action.Arguments = texts[1]
		d.Decision = &onusv1.Decision{Text: texts[2]}
	})
	h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope, Contents: contents}))
	return r, contents
}

func (h *harness) mint(kind NameKind, names ...string) []string {
	h.t.Helper()
	ps, err := h.ledger.Mint(kind, names)
	if err != nil {
		h.t.Fatalf("Mint: %v", err)
	}
	return ps
}

// entryOf reads the entry that a record stands in.
func (h *harness) entryOf(r *record.Record) *Entry {
	h.t.Helper()
	index, err := h.ledger.Index(r.ID)
	if err != nil {
		h.t.Fatalf("Index: %v", err)
	}
	e, err := h.ledger.Entry(index)
	if err != nil {
		h.t.Fatalf("Entry: %v", err)
	}
	return e
}

func (h *harness) contents(r *record.Record) (words []string) {
	h.t.Helper()
	cs, err := h.ledger.Contents(h.entryOf(r))
	if err != nil {
		h.t.Fatalf("Contents: %v", err)
	}
	for _, c := range cs {
		words = append(words, string(c.Data))
	}
	return words
}

func TestContentsComeBack(t *testing.T) {
	h := newHarness(t, nil, nil)
	user, subject := h.mint(NameUser, "ann@example.com")[0], h.mint(NameSubject, "customer 7")[0]
	r, _ := told(h, user, subject, "find", "args", "decide")
	silent := h.link(nil)
	for range 2 {
		if diff := cmp.Diff([]string{"find", "decide", "args"}, h.contents(r)); diff != "" {
			t.Errorf("contents (-want +got):\n%s", diff)
		}
		cs, _ := h.ledger.Contents(h.entryOf(r))
		for i, f := range r.Texts() {
			if sum := record.Commit(cs[i].Salt, cs[i].Data); !bytes.Equal(sum[:], f.Text.GetCommitment()) {
				t.Errorf("the content of %s does not open its commitment", f.Path)
			}
		}
		if cs[0].Subject != user || cs[2].Subject != subject {
			t.Errorf("contents are under the keys of %q and %q", cs[0].Subject, cs[2].Subject)
		}
		if got := h.contents(silent); got != nil {
			t.Errorf("a record without texts has contents %q", got)
		}
		h.reopen()
	}
	// Without a user, the operator is the holder; and not all contents need
	// be sent.
	text, content := record.NewText([]byte("half"))
	kept, _ := record.NewText([]byte("kept back"))
	half := h.record(func(m *onusv1.Record) {
		m.GetStages().Intent = &onusv1.Intent{Text: text}
		m.GetStages().Action.Result = kept
	})
	h.must(h.ledger.Submit(context.Background(), Submission{Envelope: half.Envelope, Contents: []*onusv1.Content{content}}))
	if diff := cmp.Diff([]string{"half"}, h.contents(half)); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	h.checkRows()
}

// Names get one pseudonym for ever, one for each kind, that says nothing.
func TestPseudonyms(t *testing.T) {
	h := newHarness(t, nil, nil)
	first := h.mint(NameUser, "ann", "bob", "ann")
	if first[0] != first[2] || first[0] == first[1] {
		t.Errorf("ann, bob, ann are %q", first)
	}
	subject, session := h.mint(NameSubject, "ann")[0], h.mint(NameSession, "ann")[0]
	for kind, p := range map[NameKind]string{NameUser: first[0], NameSubject: subject, NameSession: session} {
		if !record.IsPseudonym(p, string(kind)) {
			t.Errorf("%q is no pseudonym with prefix %q", p, kind)
		}
	}
	if first[0][2:] == subject[2:] || subject[2:] == session[2:] {
		t.Errorf("pseudonyms of one name are linked: %s %s %s", first[0], subject, session)
	}
	for range 2 {
		if diff := cmp.Diff(first, h.mint(NameUser, "ann", "bob", "ann")); diff != "" {
			t.Errorf("again (-want +got):\n%s", diff)
		}
		for p, want := range map[string]string{first[0]: "ann", first[1]: "bob", subject: "ann", session: "ann"} {
			if got, err := h.ledger.Name(p); got != want {
				t.Errorf("Name(%s) = %q, %v, want %q", p, got, err, want)
			}
		}
		h.reopen()
	}
	if _, err := h.ledger.Name("u-" + strings.Repeat("a", 26)); !errors.Is(err, ErrNotFound) {
		t.Errorf("Name of no pseudonym: %v, want ErrNotFound", err)
	}
	for _, bad := range []string{"", strings.Repeat("x", 513)} {
		_, err := h.ledger.Mint(NameUser, []string{"eve", bad})
		wantReason(t, err, record.ReasonInvalid)
	}
	if p := h.mint(NameUser, "eve")[0]; !record.IsPseudonym(p, record.UserPrefix) {
		t.Errorf("eve is %q", p)
	}
	if n, err := h.ledger.Name(h.mint(NameUser, "eve")[0]); n != "eve" {
		t.Errorf("Name = %q, %v", n, err)
	}
}

// Nothing that the vault keeps stands in the database in clear.
func TestNothingInClear(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem, nil)
	name, customer, sessionName := secret("ann"), secret("customer"), secret("session")
	words := []string{secret("find"), secret("args"), secret("decide")}
	marker := secret("marker") // stands in the log in clear
	user, subject := h.mint(NameUser, name)[0], h.mint(NameSubject, customer)[0]
	h.mint(NameSession, sessionName)
	told(h, user, subject, words...)
	_, contents := told(h, user, subject, secret("x"), secret("y"), secret("z"))
	h.submit(func(m *onusv1.Record) { m.GetStages().Action.Element.Identifier = marker })

	hidden := append([]string{name, customer, sessionName, string(h.cfg.ContentKey),
		string(h.cfg.Signer.(ed25519.PrivateKey).Seed()), string(contents[0].Salt)}, words...)
	search := func(when string) {
		t.Helper()
		found := 0
		files, err := mem.List("db")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := mem.UnsafeGetFileDataBuffer(mem.PathJoin("db", f))
			if err != nil {
				t.Fatal(err)
			}
			found += bytes.Count(b, []byte(marker))
			for _, s := range hidden {
				if bytes.Contains(b, []byte(s)) {
					t.Errorf("%s: %s has %q in clear", when, f, s)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s: the search does not even find what is in clear", when)
		}
	}
	search("in the write-ahead log")
	h.close()
	search("in tables")
}

// With another content key nothing can be read, and the error says why; the
// log itself still verifies.
func TestWrongContentKey(t *testing.T) {
	h := newHarness(t, nil, nil)
	user := h.mint(NameUser, "ann")[0]
	r, _ := told(h, user, "", "find", "args", "decide")
	h.close()
	right := h.cfg.ContentKey
	for _, short := range [][]byte{nil, right[:31], append(bytes.Clone(right), 0)} {
		h.cfg.ContentKey = short
		if l, err := Open(h.cfg); err == nil || !strings.Contains(err.Error(), "content key") {
			t.Errorf("Open with a content key of %d bytes: %v, %v", len(short), l, err)
		}
		if _, err := Check(context.Background(), h.cfg, nil); err == nil {
			t.Errorf("Check with a content key of %d bytes: no error", len(short))
		}
	}
	h.cfg.ContentKey = seed("another")
	l, err := Open(h.cfg)
	if err != nil { // which is best: said at once
		if !strings.Contains(err.Error(), "content key") {
			t.Errorf("Open: %v, want an error that names the content key", err)
		}
	} else {
		h.ledger = l
		h.run()
		if _, err := l.Contents(h.entryOf(r)); err == nil || !strings.Contains(err.Error(), "content key") {
			t.Errorf("Contents: %v, want an error that names the content key", err)
		}
		if _, err := l.Name(user); err == nil || !strings.Contains(err.Error(), "content key") {
			t.Errorf("Name: %v, want an error that names the content key", err)
		}
		// A ledger that goes on with another key gives one name two
		// pseudonyms, for ever.
		if ps, err := l.Mint(NameUser, []string{"ann"}); err == nil && ps[0] != user {
			t.Errorf("Mint gave the name the second pseudonym %s under another content key; want an error at Open", ps[0])
		}
		h.checkLog()
		h.close()
	}
	h.cfg.ContentKey = right
	h.open()
	if diff := cmp.Diff([]string{"find", "decide", "args"}, h.contents(r)); diff != "" {
		t.Errorf("contents with the right key (-want +got):\n%s", diff)
	}
}

// To destroy a holder's key is to forget what is under it, and nothing else.
func TestForgottenHolder(t *testing.T) {
	h := newHarness(t, nil, nil)
	user, subject := h.mint(NameUser, "ann")[0], h.mint(NameSubject, "customer 7")[0]
	r, _ := told(h, user, subject, "find", "args", "decide")
	h.change(func(db *pebble.DB) error { return db.Delete(keyHolder(subject), pebble.Sync) })
	h.open()
	if diff := cmp.Diff([]string{"find", "decide"}, h.contents(r)); diff != "" {
		t.Errorf("subject forgotten (-want +got):\n%s", diff)
	}
	if n, err := h.ledger.Name(subject); err == nil {
		t.Errorf("the forgotten subject's name is %q", n)
	}
	h.change(func(db *pebble.DB) error { return db.Delete(keyHolder(user), pebble.Sync) })
	h.open()
	if got := h.contents(r); got != nil {
		t.Errorf("user forgotten, and still %q", got)
	}
	h.checkLog()
	got := h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope}))
	h.checkReceipt(r, got.Receipt)
	h.checkRows()
}

// A commitment can stand in two records. What the second sends must not put
// the first's content under another holder's key: to forget one holder would
// lose, or keep, the content of the other.
func TestContentStaysWithItsFirstHolder(t *testing.T) {
	h := newHarness(t, nil, nil)
	users := h.mint(NameUser, "ann", "bob")
	text, content := record.NewText([]byte("shared words"))
	var rs []*record.Record
	for _, u := range users {
		r := h.record(func(m *onusv1.Record) { m.User = u; m.GetStages().Intent = &onusv1.Intent{Text: text} })
		h.must(h.ledger.Submit(context.Background(), Submission{Envelope: r.Envelope, Contents: []*onusv1.Content{content}}))
		rs = append(rs, r)
	}
	h.change(func(db *pebble.DB) error { return db.Delete(keyHolder(users[1]), pebble.Sync) })
	h.open()
	if diff := cmp.Diff([]string{"shared words"}, h.contents(rs[0])); diff != "" {
		t.Errorf("bob was forgotten, and ann's content (-want +got):\n%s", diff)
	}
}
