// Package bearer sends a token with the calls of the commands, and to no one
// but the server that it is for. It never prints one.
package bearer

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Usage is the help of the flag that Load reads.
const Usage = "the token that shows who you are, or @FILE to read it from a file, which other processes do not see"

// maxToken bounds a token's file.
const maxToken = 16 << 10

// Load returns the token that a flag gives: the token, or @ and its file.
// Empty means none.
func Load(flag string) (string, error) {
	path, isFile := strings.CutPrefix(flag, "@")
	if !isFile {
		return flag, check(flag)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("token %s can be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	if info.Size() > maxToken {
		return "", fmt.Errorf("token %s has more than %d bytes", path, maxToken)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	token := strings.TrimSuffix(string(text), "\n")
	if token == "" {
		return "", fmt.Errorf("token %s is empty", path)
	}
	if err := check(token); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return token, nil
}

func check(token string) error {
	if len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("this is no token: it has a space, a line break or a character that is not ASCII")
	}
	return nil
}

// Transport returns base, which then sends the token with each call to the
// server. Where others could read it on the way, it returns an error instead.
func Transport(base http.RoundTripper, server, token string) (http.RoundTripper, error) {
	if token == "" {
		return base, nil
	}
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "https" && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("the token would travel in clear to %s, and whoever sees it can use it: use https, or a tunnel that ends on this machine", u.Host)
	}
	return &transport{base, u.Scheme, u.Host, "Bearer " + token}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

type transport struct {
	base          http.RoundTripper
	scheme, host  string
	authorization string
}

// RoundTrip adds the token, unless a redirect leads elsewhere.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == t.scheme && req.URL.Host == t.host {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", t.authorization)
	}
	return t.base.RoundTrip(req)
}
