package openaichat

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a transcript.
const (
	// MaxLine is the most bytes a line may have.
	MaxLine = 4 << 20
	// MaxMessages is the most messages a conversation may have.
	MaxMessages = 4096
	// MaxCalls is the most tool calls a message may have.
	MaxCalls = 64
)

// Conversation is one line of a file.
type Conversation struct {
	// Line is its number, from 1.
	Line int
	// UserID is empty if the line has none.
	UserID   string
	Messages []Message
	// digest is the SHA-256 of the line, size its length.
	digest [sha256.Size]byte
	size   int
}

// Message is one message of a conversation.
type Message struct {
	// Role is system, developer, user, assistant or tool.
	Role string
	// Text is empty if nothing was said.
	Text string
	// Calls are an assistant's.
	Calls []Call
	// CallID is which call a tool's message answers.
	CallID string
}

// Call is one tool call.
type Call struct{ ID, Name, Arguments string }

// Error says where in a file something is wrong.
type Error struct {
	// Line is the number of the line, from 1.
	Line int
	// Field is where in the line's object, such as messages[3].tool_calls[0].id;
	// empty if the line as a whole is meant.
	Field string
	// Detail completes the sentence that Field begins.
	Detail string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d %s", e.Line, e.Detail)
	}
	return fmt.Sprintf("line %d: %s %s", e.Line, e.Field, e.Detail)
}

// Reader reads conversations one by one, in memory for one line.
type Reader struct {
	r    *bufio.Reader
	line int
}

// NewReader returns a reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next conversation, or io.EOF after the last. A line that is
// no conversation gives an [*Error].
func (r *Reader) Next() (*Conversation, error) {
	raw, err := r.readLine()
	if err != nil {
		return nil, err
	}
	c := &Conversation{Line: r.line, digest: sha256.Sum256(raw), size: len(raw)}
	if err := c.parse(raw); err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Line = r.line
		}
		return nil, err
	}
	return c, nil
}

func (r *Reader) readLine() ([]byte, error) {
	var line []byte
	for {
		chunk, err := r.r.ReadSlice('\n')
		line = append(line, chunk...)
		if len(line) > MaxLine+1 {
			r.line++
			return nil, &Error{Line: r.line, Detail: fmt.Sprintf("has more than %d bytes", MaxLine)}
		}
		switch {
		case err == nil:
			r.line++
			return bytes.TrimSuffix(line, []byte("\n")), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			r.line++
			return line, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("read line %d: %w", r.line+1, err)
		}
	}
}

func fail(field, format string, args ...any) error {
	return &Error{Field: field, Detail: fmt.Sprintf(format, args...)}
}

func (c *Conversation) parse(raw []byte) error {
	if !utf8.Valid(raw) {
		return fail("", "is not UTF-8")
	}
	top, err := object("", raw)
	if err != nil {
		return err
	}
	if c.UserID, err = optional(top, "user_id", ""); err != nil {
		return err
	}
	if len(c.UserID) > 512 {
		return fail("user_id", "has more than 512 bytes")
	}
	messages, err := list("messages", top["messages"])
	if err != nil {
		return err
	}
	if len(messages) == 0 || len(messages) > MaxMessages {
		return fail("messages", "has %d entries, not 1 to %d", len(messages), MaxMessages)
	}
	for i, raw := range messages {
		m, err := parseMessage(fmt.Sprintf("messages[%d]", i), raw)
		if err != nil {
			return err
		}
		c.Messages = append(c.Messages, m)
	}
	return c.checkCalls()
}

// members are what a message of each role may have.
var members = map[string][]string{
	"system":    {"role", "content", "name"},
	"developer": {"role", "content", "name"},
	"user":      {"role", "content", "name"},
	"assistant": {"role", "content", "name", "tool_calls"},
	"tool":      {"role", "content", "name", "tool_call_id"},
}

func parseMessage(at string, raw json.RawMessage) (m Message, err error) {
	o, err := object(at, raw)
	if err != nil {
		return m, err
	}
	if m.Role, err = text(o, "role", at); err != nil {
		return m, err
	}
	allowed, ok := members[m.Role]
	if !ok {
		return m, fail(at+".role", "is %.40q, not system, developer, user, assistant or tool", m.Role)
	}
	for k, v := range o {
		// What is null or empty says nothing: OpenAI writes "refusal": null.
		if !slices.Contains(allowed, k) && !isNothing(v) {
			return m, fail(at, "has a member %.40q, which a record of this role would hide", k)
		}
	}
	if m.Text, err = content(at+".content", o["content"], m.Role == "assistant"); err != nil {
		return m, err
	}
	switch m.Role {
	case "assistant":
		m.Calls, err = parseCalls(at+".tool_calls", o["tool_calls"])
	case "tool":
		m.CallID, err = text(o, "tool_call_id", at)
	}
	return m, err
}

func parseCalls(at string, raw json.RawMessage) ([]Call, error) {
	if isNothing(raw) {
		return nil, nil
	}
	calls, err := list(at, raw)
	if err != nil {
		return nil, err
	}
	if len(calls) > MaxCalls {
		return nil, fail(at, "has %d entries, at most %d are allowed", len(calls), MaxCalls)
	}
	var out []Call
	for i, raw := range calls {
		at := fmt.Sprintf("%s[%d]", at, i)
		o, err := object(at, raw)
		if err != nil {
			return nil, err
		}
		if kind, err := text(o, "type", at); err != nil {
			return nil, err
		} else if kind != "function" {
			return nil, fail(at+".type", "is %.40q, not function", kind)
		}
		f, err := object(at+".function", o["function"])
		if err != nil {
			return nil, err
		}
		var c Call
		if c.ID, err = text(o, "id", at); err != nil {
			return nil, err
		}
		if c.Name, err = text(f, "name", at+".function"); err != nil {
			return nil, err
		}
		if c.Arguments, err = optional(f, "arguments", at+".function"); err != nil {
			return nil, err
		}
		if !only(c.ID, 128, "") {
			return nil, fail(at+".id", "is empty, has more than 128 bytes, or a character that is not printable ASCII")
		}
		if !only(c.Name, 64, "-_.") {
			return nil, fail(at+".function.name", "has not 1 to 64 of A-Z a-z 0-9 - _ .")
		}
		out = append(out, c)
	}
	return out, nil
}

// checkCalls holds each result to a call that waits for one.
func (c *Conversation) checkCalls() error {
	waiting := map[string]bool{}
	for i, m := range c.Messages {
		at := fmt.Sprintf("messages[%d]", i)
		switch m.Role {
		case "user", "assistant":
			clear(waiting)
		case "tool":
			if !waiting[m.CallID] {
				return fail(at+".tool_call_id", "is %.80q, but no such call waits for its result", m.CallID)
			}
			delete(waiting, m.CallID)
		}
		for j, call := range m.Calls {
			if waiting[call.ID] {
				return fail(fmt.Sprintf("%s.tool_calls[%d].id", at, j), "is %.80q, as in another call of the message", call.ID)
			}
			waiting[call.ID] = true
		}
	}
	return nil
}

// only reports whether s has 1 to n bytes of letters, digits and more; more = ""
// stands for all printable ASCII but the space.
func only(s string, n int, more string) bool {
	if s == "" || len(s) > n {
		return false
	}
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (more != "" || c <= ' ' || c > '~') && !strings.ContainsRune(more, rune(c)) {
			return false
		}
	}
	return true
}
