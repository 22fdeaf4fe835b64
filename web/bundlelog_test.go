package web_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/authority"
	"github.com/onus-ledger/onus/verifier/chain"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/registry"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web"
	"github.com/onus-ledger/onus/web/desk"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const bundles = "../verifier/chain/testdata/bundles"

// bundleLog is a whole log out of an evidence file: the scenarios' files hold
// all entries of theirs. What the engine says of it is the real thing.
type bundleLog struct {
	key     tree.LogKey
	bundle  *evidence.Bundle
	res     *evidence.Result
	entries []chain.Entry
	at      map[record.ID]int64
	// contents by index, and names by pseudonym: the files hold none, tests
	// put them in.
	contents map[int64][]*onusv1.Content
	names    map[string]string

	mu    sync.Mutex // state is for one goroutine
	state *authority.State
}

var _ web.Log = (*bundleLog)(nil)

func openBundle(t testing.TB, name string) *bundleLog {
	t.Helper()
	vkey, err := os.ReadFile(filepath.Join(bundles, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := tree.ParseLogKey(strings.TrimSpace(string(vkey)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(bundles, name+".onus"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := evidence.Read(f, evidence.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.Verify(evidence.Trust{LogKey: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Err(); err != nil {
		t.Fatal(err)
	}
	l := &bundleLog{key: key, bundle: b, res: res, at: map[record.ID]int64{}, contents: map[int64][]*onusv1.Content{}, names: map[string]string{}}
	l.state = authority.New(l.Registry(), authority.NewMemory())
	for i := range res.Leaves {
		c := &res.Leaves[i]
		if c.Index != int64(i) || c.Record == nil {
			t.Fatalf("%s does not hold the whole log: leaf %d is entry %d", name, i, c.Index)
		}
		l.entries = append(l.entries, chain.Entry{Index: c.Index, LogTime: c.Entry.Stamp.LogTime, Record: c.Record, Stamp: &c.Entry.Stamp})
		l.at[c.ID] = c.Index
		l.state.Add(c.Record, c.Index, &c.Entry.Stamp)
	}
	if int64(len(l.entries)) != res.Checkpoint.Size {
		t.Fatalf("%s does not hold the whole log: %d of %d entries", name, len(l.entries), res.Checkpoint.Size)
	}
	return l
}

func (l *bundleLog) Origin() string               { return l.res.Checkpoint.Origin }
func (l *bundleLog) Size() int64                  { return int64(len(l.entries)) }
func (l *bundleLog) Registry() *registry.Registry { return l.res.Registry.History() }
func (l *bundleLog) Key() tree.LogKey             { return l.key }
func (l *bundleLog) Checkpoint() []byte           { return l.bundle.Checkpoint }

func (l *bundleLog) Wait(ctx context.Context, size int64) error {
	if l.Size() > size {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (l *bundleLog) check(index int64) error {
	if index < 0 || index >= l.Size() {
		return fmt.Errorf("entry %d: %w", index, desk.ErrNotFound)
	}
	return nil
}

func (l *bundleLog) Entry(index int64) (chain.Entry, error) {
	if err := l.check(index); err != nil {
		return chain.Entry{}, err
	}
	return l.entries[index], nil
}

func (l *bundleLog) Index(id record.ID) (int64, error) {
	i, ok := l.at[id]
	if !ok {
		return 0, fmt.Errorf("record %s: %w", id, desk.ErrNotFound)
	}
	return i, nil
}

// Judge gathers the chain as the ledger does: up to the root, all that descends
// from it, and what names one of these as a cause, with its descendants.
func (l *bundleLog) Judge(id record.ID) (*desk.Judged, error) {
	top, err := l.Index(id)
	if err != nil {
		return nil, err
	}
	for {
		parent, err := record.ParseID(l.entries[top].Record.Msg.GetParent())
		if err != nil {
			break
		}
		up, ok := l.at[parent]
		if !ok {
			break
		}
		top = up
	}
	in := map[int64]bool{top: true}
	names := func(e chain.Entry) []string {
		return append(slices.Clone(e.Record.Msg.GetCauses()), e.Record.Msg.GetParent())
	}
	for grown := true; grown; {
		grown = false
		for _, e := range l.entries {
			if in[e.Index] {
				continue
			}
			for _, s := range names(e) {
				if up, err := record.ParseID(s); err == nil {
					if i, ok := l.at[up]; ok && in[i] {
						in[e.Index], grown = true, true
					}
				}
			}
		}
	}
	var entries []chain.Entry
	elsewhere := map[record.ID]int64{}
	for _, e := range l.entries {
		if !in[e.Index] {
			elsewhere[e.Record.ID] = e.Index
			continue
		}
		entries = append(entries, e)
	}
	c := chain.Build(entries, elsewhere, l.Registry().Genesis().GetPolicy())
	l.mu.Lock()
	defer l.mu.Unlock()
	j := &desk.Judged{Chain: c, Size: l.Size(), Time: l.entries[l.Size()-1].LogTime}
	j.Judgement = chain.Judge(c, chain.Basis{Registry: l.Registry(), Authority: l.state, Size: j.Size, Time: j.Time})
	return j, nil
}

func (l *bundleLog) Raw(index int64) ([]byte, error) {
	if err := l.check(index); err != nil {
		return nil, err
	}
	return l.bundle.Leaves[index].Raw, nil
}

func (l *bundleLog) Receipt(index int64) (*onusv1.ProvenRecord, error) {
	raw, err := l.Raw(index)
	if err != nil {
		return nil, err
	}
	nodes := map[[2]int64]tree.Hash{}
	f := tree.NewFrontier()
	for i := range l.bundle.Leaves {
		f.Append(l.bundle.Leaves[i].Hash(), func(level uint, at int64, h tree.Hash) { nodes[[2]int64{int64(level), at}] = h })
	}
	proof, err := tree.ProveInclusion(index, l.Size(), func(level uint, at int64) (tree.Hash, error) {
		h, ok := nodes[[2]int64{int64(level), at}]
		if !ok {
			return h, errors.New("no such node")
		}
		return h, nil
	})
	if err != nil {
		return nil, err
	}
	stamp, err := entry.Split(raw)
	if err != nil {
		return nil, err
	}
	e, err := entry.Parse(raw)
	if err != nil {
		return nil, err
	}
	return &onusv1.ProvenRecord{Envelope: e.Envelope.Proto(), Receipt: &onusv1.Receipt{Id: e.Envelope.ID().String(), Index: index,
		Stamp: stamp, Signature: e.Envelope.Signature, Inclusion: tree.FormatProof(proof), Checkpoint: string(l.Checkpoint())}}, nil
}

func (l *bundleLog) Contents(index int64) ([]*onusv1.Content, error) {
	return l.contents[index], l.check(index)
}

func (l *bundleLog) Name(pseudonym string) (string, error) {
	if name, ok := l.names[pseudonym]; ok {
		return name, nil
	}
	return "", fmt.Errorf("pseudonym: %w", desk.ErrNotFound)
}

func (l *bundleLog) Pseudonym(kind, name string) (string, error) {
	for p, n := range l.names {
		if n == name && (kind == "user") == strings.HasPrefix(p, record.UserPrefix) {
			return p, nil
		}
	}
	return "", fmt.Errorf("name: %w", desk.ErrNotFound)
}

// page cuts a page out of what matches; the token is the next index.
func page[T any](all []T, limit int, token string) ([]T, string, error) {
	from := 0
	if token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(all) {
			return nil, "", desk.ErrCursor
		}
		from = n
	}
	to := min(from+limit, len(all))
	if to == len(all) {
		return all[from:to], "", nil
	}
	return all[from:to], strconv.Itoa(to), nil
}

func (l *bundleLog) Records(q web.RecordQuery, limit int, token string) ([]int64, string, error) {
	var all []int64
	for _, e := range slices.Backward(l.entries) {
		m := e.Record.Msg
		a := m.GetAuthor()
		el := m.GetStages().GetAction().GetElement()
		is := func(want, got string) bool { return want == "" || want == got }
		if is(q.Agent, a.GetAgent()) && is(q.Instance, a.GetInstance()) && is(q.Operator, a.GetOperator()) && is(q.User, m.GetUser()) &&
			is(q.Session, m.GetSession()) && (q.Subject == "" || slices.Contains(m.GetSubjects(), q.Subject)) &&
			(q.Operation == "" || el != nil && record.Operation(el) == q.Operation) &&
			(q.Resource == "" || el != nil && slices.Contains(record.Resources(el), q.Resource)) &&
			(q.Since == 0 || e.LogTime >= q.Since) && (q.Before == 0 || e.LogTime < q.Before) {
			all = append(all, e.Index)
		}
	}
	return page(all, limit, token)
}

func (l *bundleLog) grant(e chain.Entry) (*web.Grant, bool) {
	g, ok := l.state.Grant(e.Record.ID, l.Size())
	if !ok {
		return nil, false
	}
	st := &onusv1.GrantStatus{Issuer: g.Issuer(), Basis: "delegated", Assurance: int32(g.Word.Assurance)}
	if path, err := l.state.Path(g.ID, l.Size()); err == nil && path.Basis() == onusv1.Basis_BASIS_OWN {
		st.Basis = "own"
	}
	if at, revoked := l.state.RevokedAt(g.ID, l.Size()); revoked {
		st.Revoked = &at
	}
	for _, u := range l.state.LimitUses(g, l.Size()) {
		st.Uses = append(st.Uses, &onusv1.LimitUse{Limit: int32(u.Limit), Total: u.Total, Unit: u.Unit})
	}
	if g.Expires >= 0 {
		st.Ends = timestamppb.New(msTime(g.Expires))
	}
	return &web.Grant{Index: e.Index, Time: e.LogTime, Record: e.Record, Status: st}, true
}

func (l *bundleLog) Grants(q web.GrantQuery, limit int, token string) ([]*web.Grant, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*web.Grant
	for _, e := range slices.Backward(l.entries) {
		d := e.Record.Msg.GetDelegation()
		if d == nil || q.Agent != "" && d.GetAgent() != q.Agent || q.User != "" && e.Record.Msg.GetUser() != q.User || q.Parent != "" && e.Record.Msg.GetGrant() != q.Parent || q.Before != 0 && e.LogTime >= q.Before {
			continue
		}
		if g, ok := l.grant(e); ok {
			all = append(all, g)
		}
	}
	return page(all, limit, token)
}

func (l *bundleLog) GrantPath(id record.ID) ([]*web.Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	path, err := l.state.Path(id, l.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, desk.ErrNotFound)
	}
	var all []*web.Grant
	for _, g := range path {
		if w, ok := l.grant(l.entries[g.Index]); ok {
			all = append(all, w)
		}
	}
	return all, nil
}

// Bundle hands out the file itself.
func (l *bundleLog) MakesBundles() bool { return true }

func (l *bundleLog) Bundle(ctx context.Context, ids []record.ID, where string, contents bool) (*evidence.Bundle, error) {
	for _, id := range ids {
		if _, err := l.Index(id); err != nil {
			return nil, err
		}
	}
	return l.bundle, ctx.Err()
}
