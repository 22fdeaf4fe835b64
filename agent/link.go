package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/onus-ledger/onus/verifier/record"
)

// Link names a record that asks for work: in which log it stands, or soon
// will, and which agent signed it. An agent hands it to the agents that it
// calls, over HTTP ([Transport], [Inject]) or in a message's metadata
// ([InjectMeta]); their records then name it as their parent.
//
// A link is not a credential. Anybody can write one, and what it says counts
// only where the log's own records bear it out.
//
// Its text form is four fields, a space between each two: the version, the
// record's id, the agent's SPIFFE ID and the log's origin.
//
//	v1 5e88…42d8 spiffe://example.com/planner log.example.com/agents
type Link struct {
	Record record.ID
	// Agent is the class of the agent that signed the record.
	Agent string
	// Origin is the log's name.
	Origin string
}

const (
	linkVersion = "v1"
	// maxLink: version, id, SPIFFE ID, origin, spaces.
	maxLink = 2 + 64 + 2048 + 255 + 3
)

// IsZero reports whether l names no record.
func (l Link) IsZero() bool { return l.Record.IsZero() }

// String returns the text form; empty for a zero link.
func (l Link) String() string {
	if l.IsZero() {
		return ""
	}
	return strings.Join([]string{linkVersion, l.Record.String(), l.Agent, l.Origin}, " ")
}

// ParseLink reads what [Link.String] writes for a link that names a record, and
// nothing else.
func ParseLink(s string) (Link, error) {
	if len(s) > maxLink {
		return Link{}, fmt.Errorf("a link has at most %d bytes, this has %d", maxLink, len(s))
	}
	f := strings.Split(s, " ")
	if len(f) != 4 {
		return Link{}, fmt.Errorf("a link has 4 fields with single spaces between them, this has %d", len(f))
	}
	if f[0] != linkVersion {
		return Link{}, fmt.Errorf("version %.20q of links is not known here", f[0])
	}
	id, err := record.ParseID(f[1])
	if err != nil {
		return Link{}, fmt.Errorf("the link's record: %w", err)
	}
	if why := record.CheckSPIFFE(f[2]); why != "" {
		return Link{}, errors.New("the link's agent " + why)
	}
	if why := record.CheckOrigin(f[3]); why != "" {
		return Link{}, errors.New("the link's origin " + why)
	}
	return Link{Record: id, Agent: f[2], Origin: f[3]}, nil
}

type linkKey struct{}

// WithLink returns a context in which records are made at the request of l: a
// [Step] without Parent takes it from there.
func WithLink(ctx context.Context, l Link) context.Context {
	return context.WithValue(ctx, linkKey{}, l)
}

// LinkFrom returns the context's link, if it has one.
func LinkFrom(ctx context.Context) (Link, bool) {
	l, ok := ctx.Value(linkKey{}).(Link)
	return l, ok && !l.IsZero()
}
