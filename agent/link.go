package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/onus-ledger/onus/verifier/record"
)

// Link names a record that asks for work: in which log it stands, or soon
// will, and which agent signed it. With a grant it also says under which
// authority the work is to be done. An agent hands it to the agents that it
// calls, over HTTP ([Transport], [Inject]) or in a message's metadata
// ([InjectMeta]); their records then name it as their parent, and act under
// the grant.
//
// A link is not a credential. Anybody can write one, and what it says counts
// only where the log's own records bear it out. So the grant of a link that
// came from outside is no authority until it is known who sent it: [Extract],
// [ExtractMeta] and [Middleware] leave it out, and the gate of package callee
// takes it over from a proven caller that may hand it on.
//
// Its text form is four or five fields, a space between each two: the version,
// the record's id, the agent's SPIFFE ID or "-" where no agent signed the
// record, the log's origin, and the id of the grant's record if there is one.
//
//	v1 5e88…42d8 spiffe://example.com/planner log.example.com/agents
//	v1 5e88…42d8 spiffe://example.com/planner log.example.com/agents 91c0…0a7f
//	v1 5e88…42d8 - log.example.com/agents
type Link struct {
	Record record.ID
	// Agent is the class of the agent that signed the record; empty if it was
	// another party: a user, a client, a service.
	Agent string
	// Origin is the log's name.
	Origin string
	// Grant is what was granted to whoever gets the link; zero if nothing was.
	Grant record.ID
}

const (
	linkVersion = "v1"
	noAgent     = "-"
	// maxLink: version, id, SPIFFE ID, origin, grant, spaces.
	maxLink = 2 + 64 + 2048 + 255 + 64 + 4
)

// IsZero reports whether l names no record.
func (l Link) IsZero() bool { return l.Record.IsZero() }

// Under returns the same link with a grant: what is asked for is to be done
// under it.
func (l Link) Under(grant record.ID) Link {
	l.Grant = grant
	return l
}

// String returns the text form; empty for a zero link.
func (l Link) String() string {
	if l.IsZero() {
		return ""
	}
	f := []string{linkVersion, l.Record.String(), l.Agent, l.Origin}
	if l.Agent == "" {
		f[2] = noAgent
	}
	if !l.Grant.IsZero() {
		f = append(f, l.Grant.String())
	}
	return strings.Join(f, " ")
}

// ParseLink reads what [Link.String] writes for a link that names a record, and
// nothing else.
func ParseLink(s string) (Link, error) {
	if len(s) > maxLink {
		return Link{}, fmt.Errorf("a link has at most %d bytes, this has %d", maxLink, len(s))
	}
	f := strings.Split(s, " ")
	if len(f) != 4 && len(f) != 5 {
		return Link{}, fmt.Errorf("a link has 4 or 5 fields with single spaces between them, this has %d", len(f))
	}
	if f[0] != linkVersion {
		return Link{}, fmt.Errorf("version %.20q of links is not known here", f[0])
	}
	id, err := record.ParseID(f[1])
	if err != nil {
		return Link{}, fmt.Errorf("the link's record: %w", err)
	}
	l := Link{Record: id, Origin: f[3]}
	if f[2] != noAgent {
		if why := record.CheckSPIFFE(f[2]); why != "" {
			return Link{}, errors.New("the link's agent " + why)
		}
		l.Agent = f[2]
	}
	if why := record.CheckOrigin(f[3]); why != "" {
		return Link{}, errors.New("the link's origin " + why)
	}
	if len(f) == 5 {
		if l.Grant, err = record.ParseID(f[4]); err != nil {
			return Link{}, fmt.Errorf("the link's grant: %w", err)
		}
	}
	return l, nil
}

type linkKey struct{}

// held is a link in a context, and the one that it stands before.
type held struct {
	Link
	outer *held
}

// WithLink returns a context in which records are made at the request of l: a
// [Step] without Parent takes it from there, and one without Grant acts under
// the link's, as [Step] says. It takes l at its word: a link with a grant must
// not come from a caller who is not proven.
func WithLink(ctx context.Context, l Link) context.Context {
	outer, _ := ctx.Value(linkKey{}).(*held)
	return context.WithValue(ctx, linkKey{}, &held{l, outer})
}

// LinkFrom returns the context's link, if it has one.
func LinkFrom(ctx context.Context) (Link, bool) {
	if h, _ := ctx.Value(linkKey{}).(*held); h != nil && !h.IsZero() {
		return h.Link, true
	}
	return Link{}, false
}

// grantFrom returns the grant that the context gives to an agent: that of the
// nearest link that the agent did not sign itself. What an agent puts into its
// own links is meant for those that it calls.
func grantFrom(ctx context.Context, agent string) record.ID {
	h, _ := ctx.Value(linkKey{}).(*held)
	for h != nil && !h.IsZero() && h.Agent == agent {
		h = h.outer
	}
	if h == nil {
		return record.ID{}
	}
	return h.Grant
}
