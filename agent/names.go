package agent

import (
	"context"
	"fmt"
	"sync"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

type name struct {
	kind onusv1.NameKind
	name string
}

// names remembers pseudonyms. A ledger never gives a name another one, so
// nothing here goes stale.
type names struct {
	mu    sync.Mutex
	known map[name]string // under mu
}

// maxNames bounds the memory of names; it is emptied when full.
const maxNames = 16384

// User returns the pseudonym of a user, such as an e-mail address or the sub of
// a token. Only the ledger knows which name it stands for.
func (c *Client) User(ctx context.Context, name string) (string, error) {
	return c.one(ctx, onusv1.NameKind_NAME_KIND_USER, name)
}

// Session returns the pseudonym of a user's session. Where the user came with a
// token, [Client.TokenUser] names user and session as the ledger expects it.
func (c *Client) Session(ctx context.Context, name string) (string, error) {
	return c.one(ctx, onusv1.NameKind_NAME_KIND_SESSION, name)
}

// Subject returns the pseudonym of a customer, account or case that is touched.
func (c *Client) Subject(ctx context.Context, name string) (string, error) {
	return c.one(ctx, onusv1.NameKind_NAME_KIND_SUBJECT, name)
}

func (c *Client) one(ctx context.Context, kind onusv1.NameKind, name string) (string, error) {
	ps, err := c.Mint(ctx, kind, name)
	if err != nil {
		return "", err
	}
	return ps[0], nil
}

// Mint returns the pseudonyms of many names of one kind, asking the ledger for
// those that it does not know yet. Errors are a [*RefusedError] or an
// [*OutageError].
func (c *Client) Mint(ctx context.Context, kind onusv1.NameKind, many ...string) ([]string, error) {
	out := make([]string, len(many))
	var ask []string
	asked := map[string]bool{}
	c.names.mu.Lock()
	for i, n := range many {
		if out[i] = c.names.known[name{kind, n}]; out[i] == "" && !asked[n] {
			ask, asked[n] = append(ask, n), true
		}
	}
	c.names.mu.Unlock()
	fresh := make(map[string]string, len(ask))
	for len(ask) > 0 {
		n := min(len(ask), 256)
		ps, err := c.mint(ctx, kind, ask[:n])
		if err != nil {
			return nil, err
		}
		for i, p := range ps {
			fresh[ask[i]] = p
		}
		ask = ask[n:]
	}
	c.names.mu.Lock()
	defer c.names.mu.Unlock()
	if len(c.names.known)+len(fresh) > maxNames {
		clear(c.names.known)
	}
	for n, p := range fresh {
		c.names.known[name{kind, n}] = p
	}
	for i, n := range many {
		if out[i] == "" {
			out[i] = fresh[n]
		}
	}
	return out, nil
}

func (c *Client) mint(ctx context.Context, kind onusv1.NameKind, ask []string) ([]string, error) {
	prefix := map[onusv1.NameKind]string{
		onusv1.NameKind_NAME_KIND_USER:    record.UserPrefix,
		onusv1.NameKind_NAME_KIND_SUBJECT: record.SubjectPrefix,
		onusv1.NameKind_NAME_KIND_SESSION: record.SessionPrefix,
	}[kind]
	var resp *onusv1.MintResponse
	err := c.retry(ctx, new(bool), func(ctx context.Context) (err error) {
		resp, err = c.rpc.Mint(ctx, &onusv1.MintRequest{Kind: kind, Names: ask})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(resp.GetPseudonyms()) != len(ask) {
		return nil, fmt.Errorf("the ledger gave %d pseudonyms for %d names", len(resp.GetPseudonyms()), len(ask))
	}
	for _, p := range resp.GetPseudonyms() {
		if !record.IsPseudonym(p, prefix) {
			return nil, fmt.Errorf("the ledger gave %.40q, which is no pseudonym of that kind", p)
		}
	}
	return resp.GetPseudonyms(), nil
}
