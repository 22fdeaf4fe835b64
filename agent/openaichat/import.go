package openaichat

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/onus-ledger/onus/agent"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// SecretSize is the size of Options.Secret.
const SecretSize = 32

// Options say how a file is imported.
type Options struct {
	// Agent signs and submits the records: the agent whose transcripts these
	// are, or the one that runs the import. It must be set.
	Agent *agent.Agent
	// Name is the import's: 1 to 64 of A-Z a-z 0-9 . _ -, such as "airline". It
	// stands in external request ids and sessions. It must be set.
	Name string
	// Secret is 32 random bytes, kept by whoever imports. Instances, nonces and
	// salts are derived from it and from the conversation, so that the same file
	// imported again, under the same name, key and time, makes the same records,
	// which the log answers as duplicates; so an import that broke off is just
	// run again. Who knows the secret can test guesses at the committed texts. It
	// must be set; for an import that is never repeated it may be thrown away.
	Secret []byte
	// Time is the claimed time of all records, as transcripts have none: that of
	// the file. It must be set, and is the same when the import is repeated.
	Time time.Time
	// Tools is the prefix of tools' locations; empty means [DefaultTools].
	Tools string
	// Progress hears what is done so far, after each batch; nil means nobody
	// does.
	Progress func(Summary)
}

// Summary counts what was imported. All records counted are proven.
type Summary struct {
	Conversations, Messages int
	// Records is how many records were made; Duplicates of them were in the log
	// before.
	Records, Duplicates int
	// Actions are tool calls. Each has one outcome.
	Actions, Succeeded, Failed, Unknown int
}

func (o *Options) check() error {
	switch {
	case o.Agent == nil:
		return errors.New("options: Agent is missing")
	case !only(o.Name, 64, "-_."):
		return fmt.Errorf("name %.80q has not 1 to 64 of A-Z a-z 0-9 . _ -", o.Name)
	case len(o.Secret) != SecretSize:
		return fmt.Errorf("the import secret has %d bytes, not %d", len(o.Secret), SecretSize)
	case o.Time.IsZero():
		return errors.New("the claimed time is missing: use the file's")
	}
	return nil
}

// Conversations are gathered until they make this many records, or lines this
// long, and then submitted.
const (
	windowRecords = 256
	windowBytes   = 2 * MaxLine
)

// Import reads a file and logs its conversations. It returns when all records
// are durable and proven. On an error it returns what was done until then; the
// conversations before the one in the error are logged, and maybe a part of it.
//
// Errors: an [*Error] about the file, and those of [agent.Agent.Submit].
func Import(ctx context.Context, r io.Reader, o Options) (Summary, error) {
	if err := o.check(); err != nil {
		return Summary{}, err
	}
	if o.Tools == "" {
		o.Tools = DefaultTools
	}
	im := &importer{o: o}
	in := NewReader(r)
	for {
		c, err := in.Next()
		if errors.Is(err, io.EOF) {
			return im.sum, im.submit(ctx)
		}
		if err != nil {
			return im.sum, errors.Join(im.submit(ctx), err)
		}
		im.add(c)
		if im.records >= windowRecords || im.bytes >= windowBytes {
			if err := im.submit(ctx); err != nil {
				return im.sum, err
			}
		}
	}
}

// importer holds the conversations that are read and not submitted yet.
type importer struct {
	o       Options
	sum     Summary
	open    []conversation
	records int
	bytes   int
}

type conversation struct {
	*Conversation
	name  string
	steps []Step
}

func (im *importer) add(c *Conversation) {
	name := fmt.Sprintf("%s/%d", im.o.Name, c.Line)
	steps := c.Steps(name, im.o.Tools)
	im.open = append(im.open, conversation{c, name, steps})
	im.records += len(steps)
	im.bytes += c.size
}

// submit logs what is open, whole conversations at a time.
func (im *importer) submit(ctx context.Context) error {
	open := im.open
	im.open, im.records, im.bytes = nil, 0, 0
	if len(open) == 0 {
		return nil
	}
	var sessions, users []string
	for _, c := range open {
		sessions, users = append(sessions, c.name), append(users, c.UserID)
	}
	sessions, err := im.o.Agent.Mint(ctx, onusv1.NameKind_NAME_KIND_SESSION, sessions...)
	if err != nil {
		return fmt.Errorf("pseudonyms of sessions: %w", err)
	}
	if users, err = im.users(ctx, users); err != nil {
		return fmt.Errorf("pseudonyms of users: %w", err)
	}
	var signed []*agent.Signed
	for i, c := range open {
		s, err := im.sign(c, sessions[i], users[i])
		if err != nil {
			return fmt.Errorf("line %d: %w", c.Line, err)
		}
		signed = append(signed, s...)
	}
	receipts, err := im.o.Agent.Submit(ctx, signed...)
	im.count(open, receipts)
	if im.o.Progress != nil {
		im.o.Progress(im.sum)
	}
	return err
}

// users mints those names that are not empty.
func (im *importer) users(ctx context.Context, names []string) ([]string, error) {
	var named []string
	for _, n := range names {
		if n != "" {
			named = append(named, n)
		}
	}
	minted, err := im.o.Agent.Mint(ctx, onusv1.NameKind_NAME_KIND_USER, named...)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(names))
	for i, n := range names {
		if n != "" {
			out[i], minted = minted[0], minted[1:]
		}
	}
	return out, nil
}

// sign signs a conversation's records, which are an instance of their own.
func (im *importer) sign(c conversation, session, user string) ([]*agent.Signed, error) {
	key := im.key(c)
	// Not a plain digest of the conversation: that would let anybody who reads
	// the log test guesses at the conversation.
	instance := fmt.Sprintf("import-%d-%s", c.Line, hex.EncodeToString(mac(key, "instance")[:12]))
	author, err := im.o.Agent.Author(agent.AuthorConfig{
		Instance: instance,
		Capture:  onusv1.Capture_CAPTURE_IMPORT,
		Rand:     &stream{key: key},
		Clock:    func() time.Time { return im.o.Time },
	})
	if err != nil {
		return nil, err
	}
	signed := make([]*agent.Signed, len(c.steps))
	for i, s := range c.steps {
		step := s.Step
		step.Session, step.User = session, user
		if s.After >= 0 {
			step.Parent = signed[s.After].Link()
		}
		var causes []record.ID
		for _, j := range s.Because {
			causes = append(causes, signed[j].Record.ID)
		}
		step.Causes = causes
		if signed[i], err = author.Sign(step); err != nil {
			return nil, err
		}
	}
	return signed, nil
}

func (im *importer) count(open []conversation, receipts []*agent.Receipt) {
	for _, c := range open {
		whole := true
		for i, s := range c.steps {
			r := receipts[i]
			if r == nil {
				whole = false
				continue
			}
			im.sum.Records++
			if r.Duplicate {
				im.sum.Duplicates++
			}
			switch {
			case s.Action != nil:
				im.sum.Actions++
			case s.Outcome == nil:
			case s.Outcome.Status == agent.Succeeded:
				im.sum.Succeeded++
			case s.Outcome.Status == agent.Failed:
				im.sum.Failed++
			default:
				im.sum.Unknown++
			}
		}
		receipts = receipts[len(c.steps):]
		if whole {
			im.sum.Conversations++
			im.sum.Messages += len(c.Messages)
		}
	}
}

// key is the conversation's own. The log is in it, so that the same import into
// two logs cannot be told to be the same by its commitments; the rule's version
// is, so that a salt never serves two texts.
func (im *importer) key(c conversation) []byte {
	h := hmac.New(sha256.New, im.o.Secret)
	fmt.Fprintf(h, "onus openaichat v1\n%s\n%s\n%x\n", im.o.Agent.Origin(), c.name, c.digest)
	return h.Sum(nil)
}

func mac(key []byte, what string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, what)
	return h.Sum(nil)
}

// stream is HMAC-SHA-256 in counter mode: random bytes that come the same again
// to who has the key.
type stream struct {
	key   []byte
	count uint64
	rest  []byte
}

func (s *stream) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], s.count)
		s.count++
		s.rest = mac(s.key, "stream"+string(n[:]))
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
