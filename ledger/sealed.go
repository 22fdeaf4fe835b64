package ledger

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/record"
)

// A user's token is kept sealed under the user's key, as contents are. It is a
// credential until it expires, so until then nobody is shown it, not even who
// may read all else.

// sealToken seals the token of the record r: holder length u8, holder, nonce
// and ciphertext, with the record's id as associated data.
func (v *vault) sealToken(r *record.Record, token string) ([]byte, error) {
	holder := r.Msg.GetUser()
	key, err := v.holderOrNew(holder)
	if err != nil {
		return nil, err
	}
	sealed := append([]byte{byte(len(holder))}, holder...)
	return key.Seal(sealed, nil, []byte(token), tokenOf(r.ID)), nil
}

// tokenOf is the associated data of a record's token: a token belongs to one
// record, and a token's row is no content's.
func tokenOf(id record.ID) []byte { return append([]byte("onus/v1 user token"), id[:]...) }

// UserToken returns the user's token that was checked when the entry was
// admitted, once it has expired. It is empty if there is none, if it has not
// expired, and if nobody can read it any more.
func (l *Ledger) UserToken(e *Entry) (string, error) {
	expired := e.Record.Msg.GetToken().GetExpires().AsTime().Add(credential.Skew)
	if e.Stamp.Assurance == 0 || l.cfg.Clock().Before(expired) {
		return "", nil
	}
	return l.vault.userToken(e)
}

// userToken unseals the token of an entry.
func (v *vault) userToken(e *Entry) (string, error) {
	where := fmt.Sprintf("user's token of entry %d", e.Index)
	row, err := get(v.db, keyUserToken(e.Index))
	if errors.Is(err, pebble.ErrNotFound) {
		return "", &CorruptionError{Key: where, What: "is missing"}
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", where, err)
	}
	if len(row) < 1 || len(row) < 1+int(row[0]) {
		return "", &CorruptionError{Key: where, What: "is too short"}
	}
	holder, sealed := string(row[1:1+row[0]]), row[1+row[0]:]
	v.mu.Lock()
	key, err := v.holder(holder)
	v.mu.Unlock()
	if errors.Is(err, ErrNotFound) {
		return "", nil // its key was destroyed
	}
	if err != nil {
		return "", err
	}
	token, err := key.Open(nil, nil, sealed, tokenOf(e.Record.ID))
	if err != nil {
		return "", &CorruptionError{Key: where, What: "does not decrypt"}
	}
	if credential.TokenDigest(string(token)) != e.Record.Msg.GetToken().GetDigest() {
		return "", &CorruptionError{Key: where, What: "is not the one that the record speaks of"}
	}
	return string(token), nil
}
