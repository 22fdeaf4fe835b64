package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// vault keeps what must not be in the log: contents, and the names behind
// pseudonyms. Each holder (a user, a subject, an operator) has a key of its
// own, wrapped by the content key that the ledger was opened with. Contents
// and names are sealed under their holder's key, so that forgetting one
// holder is destroying one key.
type vault struct {
	db   *pebble.DB // set by open
	wrap cipher.AEAD
	hash []byte // keys the hash of names
	// check tells the content key from another, and tells nothing of it.
	check []byte

	// mu makes minting of names and of holders' keys one at a time, and
	// guards keys, a cache of unwrapped keys by holder.
	mu   sync.Mutex
	keys map[string]cipher.AEAD

	// namesMu guards names, a cache of pseudonyms that were minted.
	namesMu sync.RWMutex
	names   map[string]struct{}
}

// The bounds of the caches; each is emptied when full.
const (
	maxCachedKeys  = 16384
	maxCachedNames = 65536
)

type sealedContent struct {
	commitment [record.CommitmentSize]byte
	// sealed is: holder length u8, holder, nonce, ciphertext of salt ‖ data,
	// with record id and commitment as associated data: a content belongs to
	// one record, so that who copies another's commitment reads nothing.
	sealed []byte
}

func newVault(contentKey []byte) (*vault, error) {
	if len(contentKey) != 32 {
		return nil, fmt.Errorf("the content key has %d bytes, not 32", len(contentKey))
	}
	wrapKey, err := hkdf.Key(sha256.New, contentKey, nil, "onus/v1 wrap holders' keys", 32)
	if err != nil {
		return nil, err
	}
	hashKey, err := hkdf.Key(sha256.New, contentKey, nil, "onus/v1 hash names", 32)
	if err != nil {
		return nil, err
	}
	check, err := hkdf.Key(sha256.New, contentKey, nil, "onus/v1 check the content key", 16)
	if err != nil {
		return nil, err
	}
	wrap, err := newAEAD(wrapKey)
	if err != nil {
		return nil, err
	}
	return &vault{wrap: wrap, hash: hashKey, check: check, keys: map[string]cipher.AEAD{}, names: map[string]struct{}{}}, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// NameKind says what a pseudonym stands for.
type NameKind string

// The kinds of names, by the prefix of their pseudonyms.
const (
	NameUser    NameKind = record.UserPrefix
	NameSubject NameKind = record.SubjectPrefix
	NameSession NameKind = record.SessionPrefix
)

// Mint returns the pseudonyms of names, making and storing those that are
// new. It returns when they are durable.
func (l *Ledger) Mint(kind NameKind, names []string) ([]string, error) {
	v := l.vault
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.db.NewBatch()
	defer b.Close()
	pseudonyms := make([]string, len(names))
	fresh := map[string]string{} // row -> pseudonym, minted in this call
	for i, name := range names {
		if name == "" || len(name) > 512 {
			return nil, &record.Error{Reason: record.ReasonInvalid, Field: fmt.Sprintf("names[%d]", i),
				Detail: fmt.Sprintf("has %d bytes", len(name)), Next: "use 1 to 512 bytes"}
		}
		row := v.rowOf(kind, name)
		if p := fresh[string(row)]; p != "" {
			pseudonyms[i] = p
			continue
		}
		if p, err := get(v.db, row); err == nil {
			pseudonyms[i] = string(p)
			continue
		} else if !errors.Is(err, pebble.ErrNotFound) {
			return nil, fmt.Errorf("look up name: %w", err)
		}
		p := newPseudonym(kind)
		key, err := v.newHolder(b, p)
		if err != nil {
			return nil, err
		}
		set(b, keyName(p), key.Seal(nil, nil, []byte(name), []byte(p)))
		set(b, row, []byte(p))
		fresh[string(row)], pseudonyms[i] = p, p
	}
	if !b.Empty() {
		if err := v.db.Apply(b, pebble.Sync); err != nil {
			l.cfg.Fatal(fmt.Errorf("commit pseudonyms: %w", err))
			panic("ledger: Fatal returned")
		}
	}
	return pseudonyms, nil
}

// rowOf returns the key of the row with the pseudonym of a name.
func (v *vault) rowOf(kind NameKind, name string) []byte {
	mac := hmac.New(sha256.New, v.hash)
	mac.Write([]byte(kind))
	mac.Write([]byte(name))
	return keyPseudonym(mac.Sum(nil))
}

// PseudonymOf returns the pseudonym of a name, or an error that wraps
// [ErrNotFound] if none was minted: who only asks makes none.
func (l *Ledger) PseudonymOf(kind NameKind, name string) (string, error) {
	p, err := get(l.vault.db, l.vault.rowOf(kind, name))
	if errors.Is(err, pebble.ErrNotFound) {
		// The name itself is not repeated: errors end up in logs.
		return "", fmt.Errorf("%w: no pseudonym of kind %q for that name", ErrNotFound, kind)
	}
	if err != nil {
		return "", fmt.Errorf("look up name: %w", err)
	}
	return string(p), nil
}

// standsFor reports whether a pseudonym is the one of that name.
func (v *vault) standsFor(pseudonym string, kind NameKind, name string) (bool, error) {
	p, err := get(v.db, v.rowOf(kind, name))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up name: %w", err)
	}
	return string(p) == pseudonym, nil
}

// Name returns the name behind a pseudonym, or an error that wraps
// [ErrNotFound].
func (l *Ledger) Name(pseudonym string) (string, error) {
	v := l.vault
	sealed, err := get(v.db, keyName(pseudonym))
	if errors.Is(err, pebble.ErrNotFound) {
		return "", fmt.Errorf("%w: pseudonym %s", ErrNotFound, pseudonym)
	}
	if err != nil {
		return "", fmt.Errorf("look up pseudonym: %w", err)
	}
	v.mu.Lock()
	key, err := v.holder(pseudonym)
	v.mu.Unlock()
	if err != nil {
		return "", err
	}
	name, err := key.Open(nil, nil, sealed, []byte(pseudonym))
	if err != nil {
		return "", &CorruptionError{Key: "name of " + pseudonym, What: err.Error()}
	}
	return string(name), nil
}

func newPseudonym(kind NameKind) string {
	var b [16]byte
	rand.Read(b[:])
	return string(kind) + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// checkPseudonyms refuses a record whose pseudonyms this ledger did not mint.
func (v *vault) checkPseudonyms(m *onusv1.Record) error {
	a, c := m.GetStages().GetAction(), m.GetCounter()
	type named struct{ field, p string }
	all := []named{
		{"user", m.GetUser()}, {"session", m.GetSession()}, {"author.user", m.GetAuthor().GetUser()},
		{"stages.action.element.recipient", a.GetElement().GetRecipient()},
		{"stages.action.token.sub", a.GetToken().GetSub()},
		{"stages.decision.proposal.recipient", m.GetStages().GetDecision().GetProposal().GetRecipient()},
		{"counter.element.recipient", c.GetElement().GetRecipient()}, {"counter.token.sub", c.GetToken().GetSub()},
		{"registration.key.user", m.GetRegistration().GetKey().GetUser()},
		{"revocation.session", m.GetRevocation().GetSession()},
		{"review.assignee", m.GetReview().GetAssignee()},
	}
	for i, s := range m.GetSubjects() {
		all = append(all, named{fmt.Sprintf("subjects[%d]", i), s})
	}
	for i, g := range m.GetDelegation().GetScope() {
		if p := g.GetElement().GetRecipient(); p != "*" {
			all = append(all, named{fmt.Sprintf("delegation.scope[%d].element.recipient", i), p})
		}
	}
	for _, n := range all {
		if n.p == "" {
			continue
		}
		minted, err := v.minted(n.p)
		if err != nil {
			return fmt.Errorf("look up pseudonym: %w", err)
		}
		if !minted {
			return &record.Error{Reason: "UNKNOWN_PSEUDONYM", Field: n.field,
				Detail: "is a pseudonym that this ledger did not mint", Next: "mint it with the ledger's Mint call"}
		}
	}
	return nil
}

// minted reports whether a pseudonym is one of this ledger's. One that was
// minted stays so; those asked for lately are remembered.
func (v *vault) minted(pseudonym string) (bool, error) {
	v.namesMu.RLock()
	_, known := v.names[pseudonym]
	v.namesMu.RUnlock()
	if known {
		return true, nil
	}
	_, closer, err := v.db.Get(keyName(pseudonym))
	if err == pebble.ErrNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	v.namesMu.Lock()
	if len(v.names) >= maxCachedNames {
		clear(v.names)
	}
	v.names[pseudonym] = struct{}{}
	v.namesMu.Unlock()
	return true, closer.Close()
}

// seal encrypts contents, each under its holder's key.
func (v *vault) seal(r *record.Record, open map[[record.CommitmentSize]byte]*onusv1.Content) ([]sealedContent, error) {
	var out []sealedContent
	for sum, c := range open {
		holder, err := holderOf(r.Msg, c.GetSubject())
		if err != nil {
			return nil, err
		}
		key, err := v.holderOrNew(holder)
		if err != nil {
			return nil, err
		}
		plain := append(append(make([]byte, 0, record.SaltSize+len(c.GetData())), c.GetSalt()...), c.GetData()...)
		sealed := append([]byte{byte(len(holder))}, holder...)
		out = append(out, sealedContent{commitment: sum, sealed: key.Seal(sealed, nil, plain, associated(r.ID, sum))})
	}
	return out, nil
}

func associated(id record.ID, sum [record.CommitmentSize]byte) []byte {
	return append(id[:], sum[:]...)
}

// holderOf returns under whose key a content of the record m is stored.
func holderOf(m *onusv1.Record, subject string) (string, error) {
	if subject == "" {
		switch a := m.GetAuthor(); {
		case m.GetUser() != "":
			return m.GetUser(), nil
		case a.GetOperator() != "":
			return "operator:" + a.GetOperator(), nil
		case a.GetService() != "":
			return "service:" + a.GetService(), nil
		case a.GetClient() != "":
			return "client:" + a.GetClient(), nil
		case a.GetReviewer() != "":
			return "reviewer:" + a.GetReviewer(), nil
		case a.GetHost():
			return "host", nil
		default:
			return "administrator:" + a.GetAdministrator(), nil
		}
	}
	if subject == m.GetUser() {
		return subject, nil
	}
	for _, s := range m.GetSubjects() {
		if s == subject {
			return s, nil
		}
	}
	return "", &record.Error{Reason: record.ReasonInvalid, Field: "contents.subject",
		Detail: fmt.Sprintf("%.80q is neither the record's user nor one of its subjects", subject), Next: "name it in the record, or leave it out"}
}

// Contents returns the stored contents of an entry's record. Contents that
// were not sent, or that nobody can read any more, are left out.
func (l *Ledger) Contents(e *Entry) ([]*onusv1.Content, error) {
	var out []*onusv1.Content
	for _, f := range e.Record.Texts() {
		sum := f.Text.GetCommitment()
		if len(sum) != record.CommitmentSize {
			continue
		}
		c, err := l.vault.unseal(e.Index, e.Record.ID, [record.CommitmentSize]byte(sum))
		if err != nil {
			return nil, err
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

func (v *vault) unseal(index int64, id record.ID, sum [record.CommitmentSize]byte) (*onusv1.Content, error) {
	where := fmt.Sprintf("content %x of entry %d", sum, index)
	row, err := get(v.db, keyContent(index, sum))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", where, err)
	}
	if len(row) < 1 || len(row) < 1+int(row[0]) {
		return nil, &CorruptionError{Key: where, What: "is too short"}
	}
	holder, sealed := string(row[1:1+row[0]]), row[1+row[0]:]
	v.mu.Lock()
	key, err := v.holder(holder)
	v.mu.Unlock()
	if errors.Is(err, ErrNotFound) {
		return nil, nil // its key was destroyed
	}
	if err != nil {
		return nil, err
	}
	plain, err := key.Open(nil, nil, sealed, associated(id, sum))
	if err != nil || len(plain) < record.SaltSize {
		return nil, &CorruptionError{Key: where, What: "does not decrypt"}
	}
	salt, data := plain[:record.SaltSize], plain[record.SaltSize:]
	if record.Commit(salt, data) != sum {
		return nil, &CorruptionError{Key: where, What: "does not open its commitment"}
	}
	c := &onusv1.Content{Salt: salt, Data: data}
	if record.IsPseudonym(holder, record.UserPrefix, record.SubjectPrefix) {
		c.Subject = holder
	}
	return c, nil
}

// holder returns the key of a holder, or an error that wraps [ErrNotFound].
// The caller holds v.mu.
func (v *vault) holder(holder string) (cipher.AEAD, error) {
	if k := v.keys[holder]; k != nil {
		return k, nil
	}
	wrapped, err := get(v.db, keyHolder(holder))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, fmt.Errorf("%w: key of %s", ErrNotFound, holder)
	}
	if err != nil {
		return nil, fmt.Errorf("read key of %s: %w", holder, err)
	}
	raw, err := v.wrap.Open(nil, nil, wrapped, []byte(holder))
	if err != nil {
		return nil, &CorruptionError{Key: "key of " + holder, What: "does not unwrap: is this the ledger's content key?"}
	}
	return v.cache(holder, raw)
}

// holderOrNew makes the key if there is none. It returns when it is durable:
// a content sealed under a key that a crash forgets would be lost.
func (v *vault) holderOrNew(holder string) (cipher.AEAD, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k, err := v.holder(holder)
	if !errors.Is(err, ErrNotFound) {
		return k, err
	}
	b := v.db.NewBatch()
	defer b.Close()
	if k, err = v.newHolder(b, holder); err != nil {
		return nil, err
	}
	if err := v.db.Apply(b, pebble.Sync); err != nil {
		delete(v.keys, holder)
		return nil, fmt.Errorf("commit key of %s: %w", holder, err)
	}
	return k, nil
}

// newHolder adds a fresh key to b. The caller holds v.mu and commits b.
func (v *vault) newHolder(b *pebble.Batch, holder string) (cipher.AEAD, error) {
	raw := make([]byte, 32)
	rand.Read(raw)
	set(b, keyHolder(holder), v.wrap.Seal(nil, nil, raw, []byte(holder)))
	return v.cache(holder, raw)
}

func (v *vault) cache(holder string, raw []byte) (cipher.AEAD, error) {
	k, err := newAEAD(raw)
	if err != nil {
		return nil, err
	}
	if len(v.keys) >= maxCachedKeys {
		clear(v.keys)
	}
	v.keys[holder] = k
	return k, nil
}
