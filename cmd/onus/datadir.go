package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/onus-ledger/onus/cmd/internal/keyfile"
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// A data directory holds one ledger:
//
//	db/          the database
//	guard        the rollback guard: the newest checkpoint that was signed, 0600;
//	             --guard puts it on another disk
//	desk/        what the viewer keeps of the log: made again if it is removed
//	log.key      the log's private key, 0600
//	log.vkey     the log's verifier key: give it to everybody
//	host.key     signs what the host says itself, 0600: key sets that it fetched,
//	             reads, what it refused
//	content.key  wraps the keys of stored contents, 0600: back it up apart
//	admin.key    the first administrator's key, 0600, unless init was given
//	             one: move it to where the administrator is
//	admin.key.pub
type dataDir string

func (d dataDir) db() string         { return filepath.Join(string(d), "db") }
func (d dataDir) guard() string      { return filepath.Join(string(d), "guard") }
func (d dataDir) desk() string       { return filepath.Join(string(d), "desk") }
func (d dataDir) logKey() string     { return filepath.Join(string(d), "log.key") }
func (d dataDir) vkey() string       { return filepath.Join(string(d), "log.vkey") }
func (d dataDir) contentKey() string { return filepath.Join(string(d), "content.key") }
func (d dataDir) hostKey() string    { return filepath.Join(string(d), "host.key") }
func (d dataDir) adminKey() string   { return filepath.Join(string(d), "admin.key") }

// exists reports whether a ledger, or what is left of one, is there.
func (d dataDir) exists() bool {
	for _, p := range []string{d.db(), d.logKey(), d.vkey(), d.hostKey(), d.contentKey()} {
		if _, err := os.Lstat(p); err == nil {
			return true
		}
	}
	return false
}

// create makes the keys and the ledger. With admin nil it makes the first
// administrator's key too.
func (d dataDir) create(origin, adminName string, admin crypto.Signer, policy *onusv1.Policy) (*ledger.Ledger, error) {
	return d.createWith(origin, adminName, admin, &onusv1.Genesis{Policy: policy}, "")
}

// createWith is create with what else the genesis is to say: administrators
// beside the first, a predecessor. guard is the guard's path, if it is another
// than the directory's own.
func (d dataDir) createWith(origin, adminName string, admin crypto.Signer, says *onusv1.Genesis, guard string) (*ledger.Ledger, error) {
	if why := record.CheckOrigin(origin); why != "" {
		return nil, usageError{fmt.Errorf("origin %q %s: use a name such as log.example.com/agents", origin, why)}
	}
	if strings.Contains(origin, "://") {
		return nil, usageError{fmt.Errorf("origin %q is a URL: leave out the scheme, as in log.example.com/agents", origin)}
	}
	if d.exists() {
		return nil, fmt.Errorf("%w: %s", ledger.ErrExists, d)
	}
	if files, err := os.ReadDir(string(d)); err == nil && len(files) > 0 {
		return nil, fmt.Errorf("%s holds other files: name a new directory for the ledger", d)
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, err
	}
	_, logKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	vkey, err := tree.NewLogKey(origin, logKey.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	if admin == nil {
		k, err := keyfile.Generate("ed25519")
		if err != nil {
			return nil, err
		}
		if _, err := keyfile.WritePair(d.adminKey(), k); err != nil {
			return nil, err
		}
		admin = k
	}
	signer, err := record.NewSigner(admin)
	if err != nil {
		return nil, fmt.Errorf("administrator's key: %w", err)
	}
	if err := keyfile.WritePrivate(d.logKey(), logKey); err != nil {
		return nil, err
	}
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	host, err := record.NewSigner(hostKey)
	if err != nil {
		return nil, err
	}
	if err := keyfile.WritePrivate(d.hostKey(), hostKey); err != nil {
		return nil, err
	}
	var content [32]byte
	rand.Read(content[:])
	if err := keyfile.WriteNew(d.contentKey(), []byte(hex.EncodeToString(content[:])+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := keyfile.WriteNew(d.vkey(), []byte(vkey.String()+"\n"), 0o644); err != nil {
		return nil, err
	}
	says.LogKey, says.HostKey = vkey.String(), host.Public().SPKI()
	if len(says.Administrators) == 0 {
		says.Administrators = []*onusv1.Administrator{{Name: adminName, PublicKey: signer.Public().SPKI()}}
	}
	genesis, err := ledger.SignGenesis(says, signer, time.Now())
	if err != nil {
		return nil, err
	}
	cfg, err := d.config(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if guard != "" {
		cfg.Guard = ledger.FileGuard(guard)
	}
	return ledger.Create(cfg, genesis)
}

// config reads the keys.
func (d dataDir) config(log *slog.Logger) (ledger.Config, error) {
	if !d.exists() {
		return ledger.Config{}, fmt.Errorf("%w in %s: make one with onus init --data %s --origin NAME", ledger.ErrNotExist, d, d)
	}
	key, err := keyfile.LoadSigner(d.logKey())
	if err != nil {
		return ledger.Config{}, fmt.Errorf("log key: %w", err)
	}
	text, err := os.ReadFile(d.contentKey())
	if err != nil {
		return ledger.Config{}, fmt.Errorf("content key: %w: restore it, nothing else opens the stored contents", err)
	}
	content, err := hex.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(content) != 32 {
		return ledger.Config{}, fmt.Errorf("content key %s is not 64 hexadecimal characters", d.contentKey())
	}
	cfg := ledger.Config{Dir: d.db(), Signer: key, ContentKey: content, Keys: newIssuerKeys(), Logger: log,
		Guard: ledger.FileGuard(d.guard())}
	// Ledgers of before there were host keys have none.
	if _, err := os.Lstat(d.hostKey()); !errors.Is(err, os.ErrNotExist) {
		if cfg.HostKey, err = keyfile.LoadSigner(d.hostKey()); err != nil {
			return ledger.Config{}, fmt.Errorf("host key: %w", err)
		}
	}
	return cfg, nil
}

func (d dataDir) open(log *slog.Logger) (*ledger.Ledger, error) {
	cfg, err := d.config(log)
	if err != nil {
		return nil, err
	}
	return ledger.Open(cfg)
}

// checkDataFlag says what --data is for, where it is missing.
func checkDataFlag(data string) error {
	if data == "" {
		return usageError{errors.New("say where the ledger is: --data DIR")}
	}
	return nil
}
