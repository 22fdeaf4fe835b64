// Package keyfile reads and writes the key files of the commands: private keys
// as PKCS #8 PEM that only their owner can read, public keys as
// SubjectPublicKeyInfo PEM, and log keys as vkeys (c2sp.org/signed-note).
package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
)

// Generate makes a key: ed25519, p256, p384, rsa2048 or rsa3072.
func Generate(kind string) (crypto.Signer, error) {
	switch kind {
	case "ed25519":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("unknown key type %q: use ed25519, p256, p384, rsa2048 or rsa3072", kind)
}

// WritePair writes a new private key (PKCS #8 PEM, 0600) and its public
// key beside it. It never replaces a file.
func WritePair(path string, key crypto.Signer) (record.Signer, error) {
	signer, err := record.NewSigner(key)
	if err != nil {
		return record.Signer{}, err
	}
	if err := WritePrivate(path, key); err != nil {
		return record.Signer{}, err
	}
	pub := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: signer.Public().SPKI()})
	return signer, WriteNew(path+".pub", pub, 0o644)
}

// WritePrivate writes a new private key, PKCS #8 PEM, 0600.
func WritePrivate(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return WriteNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// WriteNew writes a file that must not exist, and syncs it.
func WriteNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: choose another name, or move it away", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// LoadSigner reads a private key. It refuses one that others can read.
func LoadSigner(path string) (crypto.Signer, error) {
	if path == "" {
		return nil, errors.New("no key given: --key FILE; onus key new makes one")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte("BEGIN PUBLIC KEY")) {
		return nil, fmt.Errorf("%s is a public key: give the private one, %s", path, strings.TrimSuffix(path, ".pub"))
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key %s can be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	block, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key %s cannot sign", path)
	}
	return s, nil
}

// LoadRecordSigner is LoadSigner for keys that sign records.
func LoadRecordSigner(path string) (record.Signer, error) {
	k, err := LoadSigner(path)
	if err != nil {
		return record.Signer{}, err
	}
	s, err := record.NewSigner(k)
	if err != nil {
		return record.Signer{}, fmt.Errorf("key %s: %w", path, err)
	}
	return s, nil
}

// LoadPublic reads a public key.
func LoadPublic(path string) (*record.PublicKey, error) {
	der, err := readPEM(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	k, err := record.ParsePublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return k, nil
}

func readPEM(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	switch {
	case block != nil && block.Type == "PRIVATE KEY" && kind == "PUBLIC KEY":
		return nil, fmt.Errorf("%s is a private key: give the public one, %s.pub", path, path)
	case block == nil || block.Type != kind:
		return nil, fmt.Errorf("%s holds no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

// LoadAuthorities reads the certificates that a server's must come from.
func LoadAuthorities(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}

// LoadLogKey takes a log key as it is written, or a file that holds it.
func LoadLogKey(s string) (tree.LogKey, error) {
	if s == "" {
		return tree.LogKey{}, errors.New("no log key given: pass --log-key FILE, the log.vkey that init, demo and serve print")
	}
	if key, err := tree.ParseLogKey(s); err == nil {
		return key, nil
	}
	data, err := os.ReadFile(s)
	if err != nil {
		return tree.LogKey{}, fmt.Errorf("log key: %w", err)
	}
	key, err := tree.ParseLogKey(strings.TrimSuffix(string(data), "\n"))
	if err != nil {
		return tree.LogKey{}, fmt.Errorf("log key %s: %w", s, err)
	}
	return key, nil
}
