package peers

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/ledger/identity"
	"github.com/onus-ledger/onus/ledger/rpc"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
)

// fetcher is Tessera's reader of our log.
func (s *served) fetcher(token string) *client.HTTPFetcher {
	s.t.Helper()
	u, err := url.Parse(s.url)
	must(s.t, err)
	f, err := client.NewHTTPFetcher(u, nil)
	must(s.t, err)
	if token != "" {
		f.SetAuthorizationHeader("Bearer " + token)
	}
	return f
}

// leafHashes takes an entry bundle apart, with Tessera's reader of it.
func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(b.Entries))
	for i, e := range b.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	return hashes, nil
}

func (s *served) fsck(f fsck.Fetcher) error {
	return fsck.New(origin, s.verifier(), f, leafHashes, fsck.Opts{N: 4}).Check(context.Background())
}

// tesseraReader follows a log with Tessera's client.
type tesseraReader struct {
	s       *served
	f       *client.HTTPFetcher
	roots   map[int64]tree.Hash // at the sizes that were looked at
	tracker *client.LogStateTracker
}

func newTesseraReader(s *served) *tesseraReader {
	return &tesseraReader{s: s, f: s.fetcher(""), roots: map[int64]tree.Hash{}}
}

// check has fsck read the whole log at its present size, and compares the proofs
// that Tessera makes of our tiles with ours.
func (r *tesseraReader) check(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	size := r.s.ledger.Size()
	cp, raw, _, err := client.FetchCheckpoint(ctx, r.f.ReadCheckpoint, r.s.verifier(), origin)
	if err != nil || int64(cp.Size) != size {
		t.Fatalf("checkpoint at %d: %+v, %v", size, cp, err)
	}
	r.roots[size] = tree.Hash(cp.Hash)
	if err := r.s.fsck(r.f); err != nil {
		t.Fatalf("fsck at %d: %v", size, err)
	}
	builder, err := client.NewProofBuilder(ctx, cp.Size, r.f.ReadTile)
	must(t, err)
	for _, index := range []int64{0, size / 2, size - 1, rand.Int64N(size), rand.Int64N(size)} {
		theirs, err := builder.InclusionProof(ctx, uint64(index))
		must(t, err)
		_, ours, err := r.s.ledger.Inclusion(index, size)
		must(t, err)
		if got := tree.FormatProof(ours); fmt.Sprint(got) != fmt.Sprint(theirs) {
			t.Errorf("inclusion of %d in %d: ours has %d hashes, Tessera's %d, or others", index, size, len(got), len(theirs))
		}
		entry, err := r.s.ledger.Raw(index)
		must(t, err)
		must(t, proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), cp.Size, rfc6962.DefaultHasher.HashLeaf(entry), theirs, cp.Hash))
	}
	for old, root := range r.roots {
		theirs, err := builder.ConsistencyProof(ctx, uint64(old), cp.Size)
		must(t, err)
		_, _, ours, err := r.s.ledger.Consistency(old, size)
		must(t, err)
		if got := tree.FormatProof(ours); fmt.Sprint(got) != fmt.Sprint(theirs) {
			t.Errorf("consistency of %d with %d: ours has %d hashes, Tessera's %d, or others", old, size, len(got), len(theirs))
		}
		must(t, proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old), cp.Size, theirs, root[:], cp.Hash))
	}
	if r.tracker == nil {
		r.tracker, err = client.NewLogStateTracker(ctx, r.f.ReadTile, raw, r.s.verifier(), origin, client.UnilateralConsensus(r.f.ReadCheckpoint))
		must(t, err)
	} else if _, _, _, err := r.tracker.Update(ctx); err != nil || int64(r.tracker.Latest().Size) != size {
		t.Errorf("followed to %d, not %d: %v", r.tracker.Latest().Size, size, err)
	}
}

// Tessera's fsck reads every entry and every tile over HTTP, and finds the tree
// that we signed; its client builds the proofs that we build.
func TestTessera(t *testing.T) {
	s := serveLog(t, nil)
	r := newTesseraReader(s)
	for _, size := range []int64{4, 5, 17, 128, 255, 256, 257, 300, 511, 512, 513, 1000} {
		s.growTo(size)
		r.check(t)
	}
}

// The same past the first full tile of level 1, to the size that is the example
// of c2sp.org/tlog-tiles; and random proofs against the references there.
func TestLargeLog(t *testing.T) {
	s := serveLog(t, nil)
	r := newTesseraReader(s)
	for _, size := range []int64{65535, 65536, 65537, 70000} {
		s.growTo(size)
		r.check(t)
	}
	refs := &references{}
	refs.add(s)
	refs.random(t, s, 1000)
}

// A fetcher that changes what it fetched.
type changed struct {
	fsck.Fetcher
	entries, tile func([]byte) []byte
}

func (c changed) ReadEntryBundle(ctx context.Context, i uint64, p uint8) ([]byte, error) {
	b, err := c.Fetcher.ReadEntryBundle(ctx, i, p)
	if err == nil && c.entries != nil {
		b = c.entries(b)
	}
	return b, err
}

func (c changed) ReadTile(ctx context.Context, l, i uint64, p uint8) ([]byte, error) {
	b, err := c.Fetcher.ReadTile(ctx, l, i, p)
	if err == nil && c.tile != nil {
		b = c.tile(b)
	}
	return b, err
}

// The check that finds our log in order finds what is not.
func TestTesseraFindsChanges(t *testing.T) {
	s := serveLog(t, nil)
	s.growTo(300)
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1] ^= 1
		return b
	}
	for name, f := range map[string]fsck.Fetcher{
		"an entry":     changed{Fetcher: s.fetcher(""), entries: flip},
		"a hash":       changed{Fetcher: s.fetcher(""), tile: flip},
		"a short tile": changed{Fetcher: s.fetcher(""), tile: func(b []byte) []byte { return b[:len(b)-32] }},
	} {
		if err := s.fsck(f); err == nil {
			t.Errorf("with %s changed, fsck finds nothing", name)
		}
	}
}

// With roles, hashes are read by everybody, and entries with an auditor's token,
// which Tessera's fetcher sends.
func TestTesseraWithAToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	tokens := map[identity.Role]string{}
	for _, role := range []identity.Role{identity.Auditor, identity.Agent} {
		token, hash := identity.NewToken()
		c := identity.Caller{Name: role.String(), Role: role}
		if role == identity.Agent {
			c.Scope = agentID
		}
		must(t, identity.AppendLine(file, identity.Line{Caller: c, Hash: hash}))
		tokens[role] = token
	}
	known, err := identity.OpenTokens(file)
	must(t, err)
	s := serveLog(t, func(srv *rpc.Server) { srv.Identity = known })
	s.growTo(300)
	must(t, s.fsck(s.fetcher(tokens[identity.Auditor])))
	for who, want := range map[string]string{"": "401", tokens[identity.Agent]: "403"} {
		f := s.fetcher(who)
		if err := s.fsck(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fsck: %v, want %s", err, want)
		}
		b, err := client.NewProofBuilder(context.Background(), 300, f.ReadTile)
		must(t, err)
		if _, err := b.InclusionProof(context.Background(), 7); err != nil {
			t.Errorf("a proof from hashes alone: %v", err)
		}
	}
}
