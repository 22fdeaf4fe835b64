// Package witness asks witnesses to cosign a log's checkpoints.
//
// A witness remembers the largest tree that it has seen of a log, and cosigns
// a larger one only with a proof that it is an extension. So a log whose
// checkpoints several independent witnesses cosign cannot show two histories.
// c2sp.org/tlog-witness is the protocol: one POST with the size that the
// witness is thought to have, the proof from there, and the checkpoint.
//
// A witness is a stranger. What it answers is bounded in size and in time, no
// redirect is followed, and a cosignature is checked with the key that the
// policy names before anybody uses it. Of its errors only the status counts;
// its words are not repeated.
package witness

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/onus-ledger/onus/verifier/tree"
)

const (
	// maxReply bounds what a witness may answer: several lines, of which one
	// with ML-DSA-44 has about 3,300 bytes.
	maxReply = 16 << 10
	// maxProof is the most hashes that a request may have: "MUST NOT send more
	// than 63", c2sp.org/tlog-witness.
	maxProof = 63
	// Timeout is how long one request may take.
	Timeout = 5 * time.Second
	// maxRetryAfter bounds how long a witness may have us stay away.
	maxRetryAfter = time.Minute
	// maxTime is the last second of the year 9999, where calendars and JSON end.
	maxTime = 253402300799
)

// Client asks one witness about one log. Its methods are safe for concurrent
// use, but c2sp.org/tlog-witness has one request at a time make sense.
type Client struct {
	witness tree.Witness
	key     tree.LogKey
	policy  *tree.Policy
	prefix  string
	http    *http.Client
}

// NewClient returns a client for a witness of the policy. The witness must
// have an address: https, or http to this machine.
func NewClient(w tree.Witness, policy *tree.Policy, key tree.LogKey) (*Client, error) {
	if w.URL == "" {
		return nil, fmt.Errorf("witness %q has no address: add the URL where it takes checkpoints to its line in the policy", w.Name)
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("witness %q: %.200q is not an http or https URL", w.Name, w.URL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, fmt.Errorf("witness %q: %.200q has a user, query or fragment: leave it out", w.Name, w.URL)
	case u.Scheme == "http" && !isLocal(u):
		return nil, fmt.Errorf("witness %q: %.200q is plain http to another machine, where whoever is in between can stop cosignatures unseen: use https", w.Name, w.URL)
	}
	return &Client{witness: w, key: key, policy: policy, prefix: strings.TrimRight(w.URL, "/"), http: newHTTP()}, nil
}

func isLocal(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func newHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: Timeout}).DialContext,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // a small answer that grows is a trick
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        90 * time.Second,
		},
		// A redirect is an answer like another that is not 200.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Witness returns the witness as the policy has it.
func (c *Client) Witness() tree.Witness { return c.witness }

// Close lets the connections go that wait for another request.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// SizeError says that the witness has another size of the log than the one
// that the request proves from. It is the witness's word, and nothing more.
type SizeError struct{ Size int64 }

func (e *SizeError) Error() string { return fmt.Sprintf("the witness has size %d of the log", e.Size) }

// StatusError is an answer that is neither a cosignature nor a size.
type StatusError struct {
	Code int
	// RetryAfter is how long the witness asks to be left alone; 0 if it does
	// not say. At most a minute.
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	what := "an answer that the protocol does not have"
	switch {
	case e.Code == http.StatusBadRequest:
		what = "it takes the request for malformed, or the old size for larger than the new one"
	case e.Code == http.StatusForbidden:
		what = "it does not trust the log's key: give its operator the log's verifier key"
	case e.Code == http.StatusNotFound:
		what = "it does not know this log: give its operator the log's verifier key, and check the witness's address"
	case e.Code == http.StatusConflict:
		what = "it has another tree of the log, and does not say of what size"
	case e.Code == http.StatusUnprocessableEntity:
		what = "to it, this tree is no extension of the one that it has: one of the two has forked"
	case e.Code == http.StatusTooManyRequests:
		what = "it is asked too often"
	case e.Code >= 500:
		what = "it has trouble of its own"
	case e.Code >= 300 && e.Code < 400:
		what = "it redirects, which is not followed: put the final address into the policy"
	}
	return fmt.Sprintf("the witness answered %d: %s", e.Code, what)
}

// Disagrees reports whether the witness says that it has another history.
func (e *StatusError) Disagrees() bool {
	return e.Code == http.StatusUnprocessableEntity || e.Code == http.StatusConflict
}

// Add asks the witness to cosign a checkpoint that the log signed, and returns
// the cosignature, checked. proof shows that the tree of size old is a prefix;
// it is empty if old is 0 or the checkpoint's own size. The errors are a
// *[SizeError], after which another attempt from that size makes sense, a
// *[StatusError], or that of a transport or of an answer that is no good.
//
// After an error the witness may have cosigned all the same.
func (c *Client) Add(ctx context.Context, old int64, proof []tree.Hash, checkpoint []byte) (tree.Cosignature, error) {
	if len(proof) > maxProof {
		panic("witness: a consistency proof of more than 63 hashes")
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.prefix+"/add-checkpoint", strings.NewReader(request(old, proof, checkpoint)))
	if err != nil {
		return tree.Cosignature{}, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return tree.Cosignature{}, unreached(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		lines, err := readReply(resp)
		if err != nil {
			return tree.Cosignature{}, err
		}
		return c.cosignature(checkpoint, lines)
	case http.StatusConflict:
		if size, ok := readSize(resp); ok {
			return tree.Cosignature{}, &SizeError{size}
		}
	}
	return tree.Cosignature{}, statusOf(resp)
}

// request writes the body of add-checkpoint.
func request(old int64, proof []tree.Hash, checkpoint []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.Write(checkpoint)
	return b.String()
}

// unreached takes the request's address off an error: the policy has it.
func unreached(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the witness did not answer within %v: %w", Timeout, context.DeadlineExceeded)
	}
	return fmt.Errorf("the witness is not reached: %w", err)
}

func readReply(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, unreached(err)
	}
	if len(body) > maxReply {
		return nil, fmt.Errorf("the witness answered with more than %d bytes", maxReply)
	}
	return body, nil
}

// cosignature finds the witness's own cosignature in its answer. The answer
// may hold others, by keys of its that the policy does not name.
func (c *Client) cosignature(checkpoint, lines []byte) (tree.Cosignature, error) {
	// An answer with an empty line could move the end of the note's text.
	if len(lines) == 0 || lines[len(lines)-1] != '\n' || strings.Contains("\n"+string(lines), "\n\n") {
		return tree.Cosignature{}, errors.New("the witness answered 200 without signature lines")
	}
	_, cosigned, err := tree.OpenCosigned(append(append([]byte(nil), checkpoint...), lines...), c.key, c.policy)
	if err != nil {
		return tree.Cosignature{}, fmt.Errorf("the witness's answer is no good: %w", err)
	}
	for _, cs := range cosigned {
		switch {
		case cs.Key != c.witness.Key:
		case cs.Time == 0 || cs.Time > maxTime:
			// Whether its clock is right is not for us to say, ours may be wrong;
			// this is no clock.
			return tree.Cosignature{}, fmt.Errorf("the witness's answer is no good: %d seconds since 1970 is no time to have cosigned at", cs.Time)
		default:
			return cs, nil
		}
	}
	return tree.Cosignature{}, fmt.Errorf("the witness's answer has no cosignature by %s, the key in the policy", c.witness.Key)
}

// readSize reads the size that a 409 tells: a decimal and a newline, under
// their own media type.
func readSize(resp *http.Response) (int64, bool) {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || t != "text/x.tlog.size" {
		return 0, false
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 32))
	if err != nil {
		return 0, false
	}
	size, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
	return size, err == nil && size >= 0 && string(body) == strconv.FormatInt(size, 10)+"\n"
}

func statusOf(resp *http.Response) *StatusError {
	e := &StatusError{Code: resp.StatusCode}
	// RFC 9110, section 10.2.3; the form with a date is not worth a parser.
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32); err == nil {
		e.RetryAfter = min(time.Duration(s)*time.Second, maxRetryAfter)
	}
	return e
}
