package rpc_test

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/tree"
)

// fetch gets a path as a caller, and undoes no compression.
func (w *world) fetch(caller, path string, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, w.url+path, nil)
	must(w.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := withToken{&http.Transport{DisableCompression: true, DisableKeepAlives: true}, w.tokens[caller]}.RoundTrip(req)
	must(w.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp, string(b)
}

// growTo has the agent log plain records until the log has size entries.
func (s *server) growTo(size int64) {
	s.t.Helper()
	for s.ledger.Size() < size {
		_, err := s.ledger.Submit(context.Background(), ledger.Submission{Envelope: s.next(nil).Envelope})
		must(s.t, err)
	}
}

// A reader who knows nothing of Onus gets the tree of the checkpoint from tiles
// alone, and entries that hash to it.
func TestTiles(t *testing.T) {
	w := newWorld(t, nil)
	w.growTo(300)
	get := func(path string) string {
		t.Helper()
		resp, body := w.fetch("auditor", path)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, body)
		}
		return body
	}
	cp, err := w.key.Open([]byte(get("/checkpoint")))
	must(t, err)
	if cp.Size != w.ledger.Size() {
		t.Errorf("the checkpoint is of %d, the log has %d", cp.Size, w.ledger.Size())
	}
	rest := cp.Size - 256
	f := tree.NewFrontier()
	full := get("/tile/0/000")
	hashes := full + get(fmt.Sprintf("/tile/0/001.p/%d", rest))
	entries := get("/tile/entries/000") + get(fmt.Sprintf("/tile/entries/001.p/%d", rest))
	for i := range cp.Size {
		n := binary.BigEndian.Uint16([]byte(entries))
		leaf := tree.LeafHash([]byte(entries[2 : 2+n]))
		entries = entries[2+n:]
		if got := hashes[i*tree.HashSize:][:tree.HashSize]; got != string(leaf[:]) {
			t.Fatalf("entry %d does not hash to what the tile has", i)
		}
		f.Append(leaf, nil)
		if i == 255 {
			root := f.Root()
			if get("/tile/1/000.p/1") != string(root[:]) {
				t.Error("the hash of level 1 is not the root of the full tile")
			}
		}
	}
	if f.Root() != cp.Root || entries != "" || len(hashes) != int(cp.Size)*tree.HashSize {
		t.Errorf("root %s, want %s; %d bytes of entries are over", f.Root(), cp.Root, len(entries))
	}
	// What a log of another size had is still there.
	if got := get("/tile/0/000.p/17"); got != full[:17*tree.HashSize] {
		t.Error("a partial tile of an older size is not the full one's beginning")
	}
}

// The checkpoint is served with the cosignatures that it has.
func TestCheckpointWithCosignatures(t *testing.T) {
	s, _, policy := newWatchedServer(t)
	resp, err := s.client.Submit(t.Context(), &onusv1.SubmitRequest{Envelope: s.next(nil).Envelope.Proto(), Wait: onusv1.Wait_WAIT_WITNESSED})
	must(t, err)
	page, err := http.Get(s.url + "/checkpoint")
	must(t, err)
	defer page.Body.Close()
	signed, err := io.ReadAll(page.Body)
	must(t, err)
	c, by, err := tree.OpenCosigned(signed, s.key, policy)
	if err != nil || c.Size != resp.GetReceipt().GetIndex()+1 || !policy.Satisfied(by) {
		t.Errorf("the checkpoint of %d is cosigned by %v, %v", c.Size, by, err)
	}
}

// What caches are told: of tiles that they stay, of entries that they are the
// reader's alone, of the checkpoint that it does not, of errors nothing that
// stays.
func TestTileHeaders(t *testing.T) {
	w := newWorld(t, nil)
	w.growTo(260)
	const octets, text = "application/octet-stream", "text/plain; charset=utf-8"
	for path, want := range map[string]struct {
		status        int
		kind, caching string
	}{
		"/checkpoint":           {200, text, "no-cache"},
		"/tile/0/000":           {200, octets, "public, max-age=604800, immutable"},
		"/tile/0/001.p/4":       {200, octets, "public, max-age=604800, immutable"},
		"/tile/1/000.p/1":       {200, octets, "public, max-age=604800, immutable"},
		"/tile/entries/000":     {200, octets, "private, max-age=604800, immutable"},
		"/tile/entries/001.p/4": {200, octets, "private, max-age=604800, immutable"},
		// Not there yet, or never.
		"/tile/0/001":           {404, text, "no-store"},
		"/tile/0/001.p/200":     {404, text, "no-store"},
		"/tile/1/000":           {404, text, "no-store"},
		"/tile/2/000.p/1":       {404, text, "no-store"},
		"/tile/entries/001":     {404, text, "no-store"},
		"/tile/entries/002.p/1": {404, text, "no-store"},
		// Not a tile's path.
		"/tile/0/0":             {404, text, "no-store"},
		"/tile/0/%30%30%30":     {404, text, "no-store"},
		"/tile/0/000.p/256":     {404, text, "no-store"},
		"/tile/8/0/000":         {404, text, "no-store"},
		"/tile/":                {404, text, "no-store"},
		"/tile/entries/":        {404, text, "no-store"},
		"/tile/entries/0":       {404, text, "no-store"},
		"/tile/entries/000.p/0": {404, text, "no-store"},
	} {
		resp, body := w.fetch("auditor", path)
		h := resp.Header
		if resp.StatusCode != want.status || h.Get("Content-Type") != want.kind || h.Get("Cache-Control") != want.caching || h.Get("X-Content-Type-Options") != "nosniff" && want.kind == octets {
			t.Errorf("%s: %d, %v\n%.200s", path, resp.StatusCode, h, body)
		}
		if want.status != 200 && !strings.Contains(body, ": ") {
			t.Errorf("%s: %q does not say what to do", path, body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequest(method, w.url+"/tile/0/000", nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
	resp, err := http.Head(w.url + "/tile/0/000")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.ContentLength != 8192 {
		t.Errorf("HEAD: %d, %d bytes", resp.StatusCode, resp.ContentLength)
	}
}

// Entries are compressed for whoever takes gzip, and caches know that it
// differs; hashes cannot be compressed.
func TestTilesAreCompressed(t *testing.T) {
	w := newWorld(t, nil)
	w.growTo(256)
	resp, plain := w.fetch("auditor", "/tile/entries/000")
	if got := resp.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("unasked, entries come as %q", got)
	}
	if got := resp.Header.Get("Vary"); got != "Accept-Encoding, Authorization" {
		t.Errorf("Vary is %q", got)
	}
	resp, packed := w.fetch("auditor", "/tile/entries/000", "Accept-Encoding", "gzip, identity")
	if got := resp.Header.Get("Content-Encoding"); got != "gzip" || len(packed) >= len(plain) || resp.ContentLength != int64(len(packed)) {
		t.Fatalf("asked for gzip, entries come as %q, %d bytes of %d", got, len(packed), len(plain))
	}
	z, err := gzip.NewReader(strings.NewReader(packed))
	must(t, err)
	b, err := io.ReadAll(z)
	must(t, err)
	if string(b) != plain {
		t.Error("unpacked, the entries are others")
	}
	if resp, _ := w.fetch("auditor", "/tile/0/000", "Accept-Encoding", "gzip"); resp.Header.Get("Content-Encoding") != "" {
		t.Error("hashes are compressed")
	}
}

// Hashes are for everybody, entries for those who may read every record.
func TestWhoReadsTiles(t *testing.T) {
	w := newWorld(t, nil)
	w.tokens["unknown"] = "onus_" + strings.Repeat("A", 43)
	for _, caller := range []string{"nobody", "unknown", "agent", "operator", "strange agent", "auditor", "compliance", "administrator"} {
		for _, path := range []string{"/checkpoint", "/tile/0/000.p/1"} {
			if resp, body := w.fetch(caller, path); resp.StatusCode != 200 {
				t.Errorf("%s by %s: %d %s", path, caller, resp.StatusCode, body)
			}
		}
		want := 200
		switch {
		case caller == "nobody" || caller == "unknown":
			want = 401
		case callers[caller].Scoped():
			want = 403
		}
		before := w.srv.Denied()
		resp, body := w.fetch(caller, "/tile/entries/000.p/1")
		if resp.StatusCode != want {
			t.Errorf("entries by %s: %d %s, want %d", caller, resp.StatusCode, body, want)
		}
		if got := resp.Header.Get("WWW-Authenticate") != ""; got != (want == 401) {
			t.Errorf("entries by %s: WWW-Authenticate %q", caller, resp.Header.Get("WWW-Authenticate"))
		}
		if want == 200 {
			continue
		}
		if w.srv.Denied() != before+1 || resp.Header.Get("Cache-Control") != "no-store" || strings.Contains(body, "secret") {
			t.Errorf("entries by %s: denied %d, %v", caller, w.srv.Denied()-before, resp.Header)
		}
		if say := map[int]string{401: "token", 403: "EntryTile needs the role auditor, compliance or administrator"}[want]; !strings.Contains(body, say) {
			t.Errorf("entries by %s: %q does not say %q", caller, body, say)
		}
		// Whether a tile is there is not for them to know either.
		if resp, _ := w.fetch(caller, "/tile/entries/999"); resp.StatusCode != want {
			t.Errorf("entries that are not there, by %s: %d", caller, resp.StatusCode)
		}
	}
	w.checkLog()
}

// Where reads are recorded, so is that of a tile of entries, before it is
// answered; that of hashes tells nothing of records.
func TestReadsOfTilesAreRecorded(t *testing.T) {
	w := newWorldWith(t, func(p *onusv1.Policy) { p.RecordReads = true }, nil, nil)
	before := w.ledger.Size()
	w.fetch("auditor", "/checkpoint")
	w.fetch("auditor", "/tile/0/000.p/1")
	w.fetch("agent", "/tile/entries/000.p/1")
	if got := w.ledger.Size(); got != before {
		t.Errorf("%d reads were recorded of hashes, or of what was denied", got-before)
	}
	resp, _ := w.fetch("auditor", "/tile/entries/000.p/1")
	if resp.StatusCode != 200 || w.ledger.Size() != before+1 {
		t.Fatalf("%d; %d reads were recorded", resp.StatusCode, w.ledger.Size()-before)
	}
	e, err := w.ledger.Entry(before)
	must(t, err)
	if r := e.Record.Msg.GetRead(); r.GetCaller() != "the-auditor" || r.GetRole() != "auditor" || r.GetProcedure() != "EntryTile" {
		t.Errorf("recorded: %v", r)
	}
}
