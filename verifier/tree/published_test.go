package tree_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/onus-ledger/onus/verifier/tree"
)

// A checkpoint of a public Certificate Transparency log, as it was served on 23
// May 2026, cosigned by public witnesses of four operators. Its first signature
// is of RFC 6962, which we do not know and pass over.
const (
	archeKey        = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
	archeCheckpoint = `arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
`
	archePolicy = `log ` + archeKey + `
witness smartit witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO
witness remora remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2
witness stagemole witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv
witness navigli witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G
group most 3 smartit remora stagemole navigli
quorum most
`
)

func TestPublishedCosignatures(t *testing.T) {
	key, err := tree.ParseLogKey(archeKey)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tree.ParsePolicy([]byte(archePolicy))
	if err != nil {
		t.Fatal(err)
	}
	c, cosigned, err := tree.OpenCosigned([]byte(archeCheckpoint), key, p)
	if err != nil || c.Size != 1432088532 || len(cosigned) != 3 {
		t.Fatalf("%+v, %d cosignatures, %v", c, len(cosigned), err)
	}
	for i, name := range []string{"smartit", "remora", "stagemole"} {
		if got := cosigned[i]; got.Witness != name || got.Time != 0x6a122120 || !strings.Contains(archeCheckpoint, got.Line) {
			t.Errorf("cosignature %d is %+v, want that of %s", i, got, name)
		}
	}
	if err := p.Check(cosigned); err != nil {
		t.Errorf("three of four: %v", err)
	}
	// A bit of any signature that we know, of the size or of a time.
	for _, part := range []string{"ui8GwCF1", "pIyCDwAAAABqEiEg", "2net5wAAAABqEiEg", "Z/euoAAAAABqEiEg", "1432088532"} {
		last := part[len(part)-1]
		changed := strings.Replace(archeCheckpoint, part, part[:len(part)-1]+string(last^1), 1)
		if _, _, err := tree.OpenCosigned([]byte(changed), key, p); err == nil {
			t.Errorf("%s changed: no error", part)
		}
	}
}

// One more, by a hardware witness, over the checkpoint of a log whose key has
// another name than its origin. We open no such log; what the witness signed is
// the same.
func TestPublishedCosignatureOfAnArmoredWitness(t *testing.T) {
	w, err := tree.ParseWitnessKey("ArmoredWitness-floral-sky+c7cf0b6d+BOkCmTmKTTnQMNqIigkj7PFnhogawSJD23PJ8M8qLYDm")
	if err != nil {
		t.Fatal(err)
	}
	c, err := tree.ParseCheckpoint("transparency.dev/armored-witness/firmware_transparency/ci/3\n59\nkOFMkeamIdrYFLx5zbWFhflak6dlEEDOU++fxYEZMBw=\n")
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.Strict().DecodeString("x88LbQAAAABnGRrDEq4Tfy7IIVPqkdXbcufUkCzRRbE3fABZ/jvtg5aFHVMuMR8cV6dVqECDBiH1zRxhNaCQOXSwNLSeJs+NzWt1BA==")
	if err != nil || len(b) != 76 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	_, vkey, _ := strings.Cut(w.String()[len(w.Name())+1:], "+")
	pub, err := base64.StdEncoding.DecodeString(vkey)
	if err != nil {
		t.Fatal(err)
	}
	at := int64(binary.BigEndian.Uint64(b[4:]))
	if !ed25519.Verify(pub[1:], tree.CosignedMessage(c, at), b[12:]) {
		t.Error("it does not verify")
	}
	if ed25519.Verify(pub[1:], tree.CosignedMessage(c, at+1), b[12:]) {
		t.Error("it verifies for another time")
	}
}
