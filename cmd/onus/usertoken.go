package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/spf13/cobra"
)

const userTokenUsage = "the user's ID token: a file, - for standard input, or the token itself; it stays off the log"

// loadJWT reads a token that a flag names: a file, @FILE as curl has it, - for
// standard input, or the compact token itself.
func loadJWT(flag, value string, stdin io.Reader) (string, error) {
	if strings.HasPrefix(value, "eyJ") {
		return value, nil
	}
	var text []byte
	var err error
	if path := strings.TrimPrefix(value, "@"); path == "-" {
		text, err = io.ReadAll(io.LimitReader(stdin, credential.MaxToken+2))
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) > credential.MaxToken {
		return "", fmt.Errorf("%s: more than %d bytes: this is no token", flag, credential.MaxToken)
	}
	return token, nil
}

// userWord is what a record takes from a user's token.
type userWord struct {
	token         string
	facts         *credential.Facts
	user, session string
}

// userWord reads a user's token and gets the pseudonyms that stand for the user
// and the session in this log. The ledger verifies the token, not we.
func (p *signatory) userWord(cmd *cobra.Command, flag string) (*userWord, error) {
	token, err := loadJWT("--user-token", flag, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	facts, err := credential.ReadFacts(token)
	if err != nil {
		return nil, err
	}
	u := &userWord{token: token, facts: facts}
	for _, n := range []struct {
		kind onusv1.NameKind
		name string
		to   *string
	}{{onusv1.NameKind_NAME_KIND_USER, verifier.UserName(facts), &u.user}, {onusv1.NameKind_NAME_KIND_SESSION, verifier.SessionName(facts), &u.session}} {
		resp, err := p.client.Mint(cmd.Context(), &onusv1.MintRequest{Kind: n.kind, Names: []string{n.name}})
		if err != nil {
			return nil, fmt.Errorf("pseudonym: %w", err)
		}
		if len(resp.GetPseudonyms()) != 1 {
			return nil, errors.New("pseudonym: the server sent none")
		}
		*n.to = resp.GetPseudonyms()[0]
	}
	return u, nil
}

// fill sets what a record says of the token.
func (u *userWord) fill(m *onusv1.Record) {
	m.User, m.Session, m.Token = u.user, u.session, verifier.UserTokenOf(u.facts)
}

// assuranceWord says how strong a user's word is.
func assuranceWord(level int32) string {
	switch level {
	case 0:
		return "asserted: the author says so"
	case 1:
		return "the user's token was checked"
	case 2:
		return "the user's token was checked, and it holds this authority"
	case 3:
		return "signed by the user's own key"
	}
	return "unknown"
}

// userWordLine says how strong the word is that a record takes from a user: of
// an intent, a grant, an answer to a proposal; empty for other records.
func userWordLine(m *onusv1.Record, assurance uint8) string {
	asks := m.GetStages().GetIntent() != nil || m.GetDelegation() != nil && m.GetGrant() == "" || m.GetApproval() != nil || m.GetDenial() != nil
	level := int32(assurance)
	switch {
	case !asks || m.GetUser() == "":
		return ""
	case m.GetAuthor().GetUser() != "":
		level = 3
	}
	return fmt.Sprintf("the user's word: L%d, %s", level, assuranceWord(level))
}

// tokenWord says how the ledger took a token.
func tokenWord(t *onusv1.TokenResult) string {
	s := "L" + strconv.Itoa(int(t.GetAssurance())) + ", " + assuranceWord(t.GetAssurance())
	if t.GetWhy() != "" {
		s += " (" + t.GetWhy() + ")"
	}
	return s
}

// parseSpan reads a span of time: what Go reads, or whole days such as 30d.
func parseSpan(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0 && n <= 36500
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

func now() time.Time { return time.Now() }
