// Package tlog serves a ledger the way c2sp.org/tlog-tiles asks for, so that
// programs that know nothing of Onus can read it, follow it and build proofs:
//
//	/checkpoint                  the signed note of the durable head
//	/tile/<L>/<N>[.p/<W>]        256 hashes of a level of the tree, or W of them
//	/tile/entries/<N>[.p/<W>]    256 entries, or W of them
//
// Hashes say nothing about records and are for everybody; entries are not. So
// there are two handlers, and whoever mounts [Entries] sees to it who gets there.
package tlog

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/tree"
)

const (
	// A tile never changes, a partial one as little as a full one: a width is
	// part of its path, and more entries make another path. So the
	// specification calls both immutable, and "its caching headers SHOULD be
	// long-lived". Partial tiles that nobody asks for any more leave a cache by
	// themselves. A week is what other logs say.
	immutable = "max-age=604800, immutable"
	// Hash tiles may be kept by caches that many readers share.
	cacheHashes = "public, " + immutable
	// Entries may be kept by the reader alone, who had the right to read them.
	cacheEntries = "private, " + immutable
	// The checkpoint is asked for anew each time. "[Its] headers SHOULD prevent
	// caching beyond a few seconds."
	cacheCheckpoint = "no-cache"
	// A tile that is not there may be there in a moment.
	cacheErrors = "no-store"
)

// Hashes serves /checkpoint and the tiles of hashes.
func Hashes(l *ledger.Ledger, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() == "/checkpoint" {
			answer(w, "text/plain; charset=utf-8", cacheCheckpoint, l.CosignedCheckpoint())
			return
		}
		p, ok := tilePath(w, r)
		if !ok {
			return
		}
		if p.Level == tree.EntryLevel {
			fail(w, http.StatusNotFound, "entries are not served here")
			return
		}
		b, err := l.HashTile(p.Level, p.N, p.Width)
		if err != nil {
			failTile(w, log, p, err)
			return
		}
		answer(w, "application/octet-stream", cacheHashes, b)
	})
}

// Entries serves the tiles of entries to all who get here. They are compressed
// for those who ask for that.
func Entries(l *ledger.Ledger, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := tilePath(w, r)
		if !ok {
			return
		}
		if p.Level != tree.EntryLevel {
			fail(w, http.StatusNotFound, "only entries are served here")
			return
		}
		b, err := l.EntryTile(p.N, p.Width)
		if err != nil {
			failTile(w, log, p, err)
			return
		}
		w.Header().Set("Vary", "Accept-Encoding, Authorization")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			w.Header().Set("Content-Encoding", "gzip")
			b = compress(b)
		}
		answer(w, "application/octet-stream", cacheEntries, b)
	})
}

// tilePath reads the path as it was sent: a tile has one spelling, and none with
// an escaped digit.
func tilePath(w http.ResponseWriter, r *http.Request) (tree.TilePath, bool) {
	p, err := tree.ParseTilePath(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err != nil {
		fail(w, http.StatusNotFound, err.Error()+": tiles are named as c2sp.org/tlog-tiles says, such as /tile/0/x001/234.p/5")
		return tree.TilePath{}, false
	}
	return p, true
}

func answer(w http.ResponseWriter, contentType, cache string, b []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", cache)
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(b)
}

// failTile answers with what the ledger says of a tile that it does not give.
func failTile(w http.ResponseWriter, log *slog.Logger, p tree.TilePath, err error) {
	if errors.Is(err, ledger.ErrNotFound) {
		fail(w, http.StatusNotFound, err.Error()+": fetch the checkpoint first, and the tiles that its size needs")
		return
	}
	// What an unexpected error says is for the operator's log.
	log.Error("tile not served", "tile", p.String(), "err", err)
	fail(w, http.StatusInternalServerError, "the tile could not be read: tell the ledger's operator; the log has the details")
}

func fail(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Cache-Control", cacheErrors)
	http.Error(w, text, code)
}
