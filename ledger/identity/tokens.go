package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// Tokens is a token file. It knows callers by their tokens, and says who the
// workloads and the subjects of OIDC tokens are that it names.
type Tokens struct {
	path string
	// Recheck is how long, at most, a change of the file is overlooked that
	// its time and size do not show; 0 means a second. It is set before use.
	Recheck time.Duration

	mu   sync.Mutex // guards all below
	info fs.FileInfo
	read time.Time
	text []byte
	// lines are what the file says; err is why nobody is let in instead.
	lines []Line
	err   error
}

// OpenTokens reads the token file at path. It must exist, be a file that only
// its owner can write, and be in order.
func OpenTokens(path string) (*Tokens, error) {
	t := &Tokens{path: path}
	if _, err := t.current(); err != nil {
		return nil, err
	}
	return t, nil
}

// Len returns the number of lines.
func (t *Tokens) Len() int {
	lines, _ := t.current()
	return len(lines)
}

// current returns the lines of the file as it is now. A file that cannot be
// read, or is not in order, lets nobody in: to go on with the lines of before
// would keep a credential that may just have been revoked.
func (t *Tokens) current() ([]Line, error) {
	info, err := os.Stat(t.path)
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	recheck := t.Recheck
	if recheck == 0 {
		recheck = time.Second
	}
	// Time and size show a change at once, in nearly all cases. Two changes
	// within a tick of the file system's clock can look like one, so what is
	// known is never older than recheck.
	if err == nil && t.info != nil && os.SameFile(info, t.info) && info.ModTime().Equal(t.info.ModTime()) &&
		info.Size() == t.info.Size() && info.Mode() == t.info.Mode() && now.Sub(t.read) < recheck {
		return t.lines, t.err
	}
	text, info, err := readTokens(t.path)
	same := err == nil && t.err == nil && t.info != nil && bytes.Equal(text, t.text)
	t.info, t.read, t.text = info, now, text
	if same {
		return t.lines, nil
	}
	t.lines, t.err = nil, err
	if err == nil {
		t.lines, t.err = ParseLines(text)
	}
	if t.err != nil {
		t.err = fmt.Errorf("token file %s: %w", t.path, t.err)
	}
	return t.lines, t.err
}

// readTokens reads the file and looks at its permissions, of what was opened
// and not of what the name stands for a moment later.
func readTokens(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: make it with onus token new --name NAME --role administrator --tokens %s", fs.ErrNotExist, path)
	}
	if err != nil {
		return nil, nil, errors.Unwrap(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if why := checkMode(info, path); why != nil {
		return nil, info, why
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	return text, info, err
}

func checkMode(info fs.FileInfo, path string) error {
	if !info.Mode().IsRegular() {
		return errors.New("is not a file")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("can be written by others (mode %04o), who could let themselves in: chmod 600 %s", info.Mode().Perm(), path)
	}
	return nil
}

var errUnknownToken = &RefusedError{"the token is not known here", "check that it is this ledger's; its operator makes one with onus token new"}

// Authenticate implements [Authenticator] for bearer tokens that [NewToken]
// made.
func (t *Tokens) Authenticate(_ context.Context, req Request) (Caller, error) {
	hash, ok := HashToken(req.Bearer)
	if !ok {
		return Caller{}, ErrNone
	}
	return t.ByHash(hash)
}

// HashToken returns the SHA-256 of a token as the file has it; false for what
// has not the form of one that [NewToken] makes.
func HashToken(token string) (hash [sha256.Size]byte, ok bool) {
	if !isToken(token) {
		return hash, false
	}
	return sha256.Sum256([]byte(token)), true
}

// ByHash returns who shows the token with that hash, as the file is now. It is
// for who has checked a token and keeps its hash alone, as a browser's session
// does. The errors are those of [Authenticator].
func (t *Tokens) ByHash(hash [sha256.Size]byte) (Caller, error) {
	lines, err := t.current()
	if err != nil {
		return Caller{}, &UnavailableError{"the ledger cannot tell who is calling", err}
	}
	found := -1
	// All lines are looked at, each in constant time: how long it takes says
	// nothing about a token, nor about its hash. The lines of other credentials
	// hold zeros, the hash of nothing that anybody will find; but a caller of
	// this could pass them.
	for i := range lines {
		if subtle.ConstantTimeCompare(lines[i].Hash[:], hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 || hash == [sha256.Size]byte{} {
		return Caller{}, errUnknownToken
	}
	return lines[found].Caller, nil
}

// BySubject returns who a subject of an OpenID provider is, as the file is now.
// That it is that subject who calls is for its caller to have verified. The
// errors are those of [Authenticator].
func (t *Tokens) BySubject(issuer, subject string) (Caller, error) {
	c, ok, err := t.find(func(l Line) bool { return l.Issuer != "" && l.Issuer == issuer && l.Subject == subject })
	if err == nil && !ok {
		err = &RefusedError{"the OIDC token is of somebody who is not known here", nextSubject}
	}
	return c, err
}

// workload returns who a workload is by its line, if it has one.
func (t *Tokens) workload(id string) (Caller, bool, error) {
	return t.find(func(l Line) bool { return l.SPIFFEID == id })
}

func (t *Tokens) find(is func(Line) bool) (Caller, bool, error) {
	lines, err := t.current()
	if err != nil {
		return Caller{}, false, &UnavailableError{"the ledger cannot tell who is calling", err}
	}
	if i := slices.IndexFunc(lines, is); i >= 0 {
		return lines[i].Caller, true, nil
	}
	return Caller{}, false, nil
}

// AppendLine adds a line to the token file at path, which it makes if there is
// none, and syncs it. The file must be in order before and after.
func AppendLine(path string, l Line) error {
	if err := l.Check(); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(appendTo(f, path, l), f.Close())
}

func appendTo(f *os.File, path string, l Line) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if why := checkMode(info, path); why != nil {
		return fmt.Errorf("token file %s: %w", path, why)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return err
	}
	if _, err := ParseLines(text); err != nil {
		return fmt.Errorf("token file %s: %w", path, err)
	}
	more := l.String() + "\n"
	switch {
	case len(text) == 0:
		more = "# name  role[=scope]  credential: delete a line to revoke it\n" + more
	case text[len(text)-1] != '\n':
		more = "\n" + more
	}
	if _, err := ParseLines(append(text, more...)); err != nil {
		return fmt.Errorf("token file %s: with the new line: %w", path, err)
	}
	// One write, so that a server that reads meanwhile sees all of it.
	if _, err := f.WriteString(more); err != nil {
		return err
	}
	return f.Sync()
}
