package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

const issuerKeysUsage = "an issuer's key set that you hold, as ISSUER=FILE (a JWKS); may be repeated"

// pinnedKeys are the issuers' key sets that the auditor holds, by issuer. An
// issuer may have several: it rotated.
type pinnedKeys map[string][]*credential.KeySet

// loadIssuerKeys reads ISSUER=FILE flags. A file's name has no "=".
func loadIssuerKeys(flags []string) (pinnedKeys, error) {
	pinned := pinnedKeys{}
	for _, f := range flags {
		i := strings.LastIndex(f, "=")
		if i <= 0 || i == len(f)-1 {
			return nil, fmt.Errorf("--issuer-keys %q is not ISSUER=FILE, such as https://login.example.com=jwks.json", f)
		}
		b, err := os.ReadFile(f[i+1:])
		if err != nil {
			return nil, fmt.Errorf("--issuer-keys: %w", err)
		}
		set, err := credential.ParseKeySet(b)
		if err != nil {
			return nil, fmt.Errorf("--issuer-keys %s: %w", f[i+1:], err)
		}
		pinned[f[:i]] = append(pinned[f[:i]], set)
	}
	return pinned, nil
}

// The states of what evidence shows.
const (
	stateVerified = "verified" // checked here
	stateAttested = "attested" // the ledger says that it checked
	stateAsserted = "asserted" // somebody said so
)

// userWord is what a receipt shows of the user in a record.
type userWord struct {
	State string `json:"state"`
	// Text says it for people.
	Text string `json:"text"`
	// Subject is the user at the issuer, where the token is disclosed and
	// verified.
	Subject string `json:"subject,omitempty"`
}

// judgeUser says how strong the user's word is. An error says that the
// evidence contradicts itself.
func judgeUser(p *verifier.Proven, token string, pinned pinnedKeys) (*userWord, error) {
	m := p.Record.Msg
	said := m.GetToken()
	switch {
	case m.GetAuthor().GetUser() != "":
		return &userWord{State: stateAttested, Text: "signed with a key of a user's device: onus-verify log URL shows whose it is"}, nil
	case m.GetUser() == "" && token == "":
		return nil, nil
	case said == nil && token != "":
		return nil, errors.New("the file holds a user's token, but the record speaks of none")
	case said == nil:
		return &userWord{State: stateAsserted, Text: "the author says that it was for this user; no token shows it"}, nil
	}
	otherwise := attested(p)
	switch sets := pinned[said.GetIssuer()]; {
	case token == "":
		otherwise.Text += "; the token is not in the file: onus receipt ID --user-token discloses it, once it has expired"
		return otherwise, nil
	case len(sets) == 0:
		if got := credential.TokenDigest(token); got != said.GetDigest() {
			return nil, fmt.Errorf("the user's token in the file has digest %s, the record speaks of %s", got, said.GetDigest())
		}
		otherwise.Text += fmt.Sprintf("; check the token with the issuer's keys: --issuer-keys %s=FILE", said.GetIssuer())
		return otherwise, nil
	default:
		return checkToken(p, token, sets, otherwise)
	}
}

// attested is what the stamp alone says.
func attested(p *verifier.Proven) *userWord {
	switch p.Stamp.Assurance {
	case 0:
		return &userWord{State: stateAsserted, Text: "the author says so; the ledger could not check the user's token"}
	case 1:
		return &userWord{State: stateAttested, Text: "the ledger says that it checked the user's token"}
	}
	return &userWord{State: stateAttested, Text: "the ledger says that it checked the user's token, and that this authority stands in it"}
}

// checkToken checks the token with the pinned keys. A token of a key that none
// of the sets holds is not broken: the issuer may have had another.
func checkToken(p *verifier.Proven, token string, sets []*credential.KeySet, otherwise *userWord) (*userWord, error) {
	var err error
	for _, keys := range sets {
		var facts *credential.Facts
		if facts, err = verifier.CheckUserToken(p.Record, &p.Stamp, token, keys); err == nil {
			return &userWord{State: stateVerified, Subject: facts.Subject,
				Text: fmt.Sprintf("the token is of %s, for %q, signed with a key that you gave, and was in force at log time", facts.Issuer, facts.Subject)}, nil
		}
		var e *record.Error
		if !errors.As(err, &e) || e.Reason != credential.ReasonUnknownKey {
			break
		}
	}
	var e *record.Error
	if errors.As(err, &e) && e.Reason == credential.ReasonUnknownKey {
		otherwise.Text += "; the keys that you gave do not hold the one that signed the token: give the issuer's keys of that time"
		return otherwise, nil
	}
	return nil, fmt.Errorf("the user's token: %s", record.What(err))
}
