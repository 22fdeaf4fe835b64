package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
)

const trustBundleUsage = "a trust domain's bundle that you hold, as DOMAIN=FILE (a SPIFFE bundle, or root certificates in PEM); may be repeated"

// loadRoots reads what the auditor has from elsewhere than the log.
func loadRoots(issuerKeys, bundles []string) (*verifier.Roots, error) {
	roots := &verifier.Roots{}
	pinned, err := loadIssuerKeys(issuerKeys)
	if err != nil {
		return nil, err
	}
	for issuer, sets := range pinned {
		for _, set := range sets {
			roots.AddIssuer(issuer, set)
		}
	}
	for _, f := range bundles {
		domain, path, ok := strings.Cut(f, "=")
		if !ok || domain == "" || path == "" {
			return nil, fmt.Errorf("--trust-bundle %q is not DOMAIN=FILE, such as example.com=bundle.json", f)
		}
		b, err := loadBundle(domain, path)
		if err != nil {
			return nil, fmt.Errorf("--trust-bundle %s: %w", path, err)
		}
		roots.AddDomain(b)
	}
	return roots, nil
}

// loadBundle reads a SPIFFE bundle, or root certificates.
func loadBundle(domain, path string) (*credential.Bundle, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) {
		return credential.ParseBundle(domain, data)
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	made, err := credential.MarshalBundle(0, certs)
	if err != nil {
		return nil, err
	}
	return credential.ParseBundle(domain, made)
}
