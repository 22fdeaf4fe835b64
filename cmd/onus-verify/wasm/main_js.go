// Command wasm is the verifier for a browser: verify.html holds it. It gives
// the page one function, onusCheck, and has no rule of its own: it calls what
// onus-verify bundle calls.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"syscall/js"

	"github.com/onus-ledger/onus/web/report"
	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
)

// version is set when the page is made.
var version = "unreleased"

func main() {
	js.Global().Set("onusCheck", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return promise(func() (any, error) { return check(args[0]) })
	}))
	select {} // the page calls; there is nothing else to do
}

// promise runs f beside the page, and settles with what it returns.
func promise(f func() (any, error)) js.Value {
	var run js.Func
	run = js.FuncOf(func(_ js.Value, settle []js.Value) any {
		go func() {
			defer run.Release()
			defer func() {
				if what := recover(); what != nil {
					settle[1].Invoke(js.Global().Get("Error").New(fmt.Sprint("the verifier met a fault of its own: ", what)))
				}
			}()
			answer, err := f()
			if err != nil {
				settle[1].Invoke(js.Global().Get("Error").New(err.Error()))
				return
			}
			settle[0].Invoke(answer)
		}()
		return nil
	})
	return js.Global().Get("Promise").New(run)
}

// check does for the page what onus-verify bundle does in a terminal.
func check(in js.Value) (any, error) {
	file := content(in.Get("bundle"))
	sum := sha256.Sum256(file)
	meta := report.Meta{Tool: "verify.html", Version: version, File: in.Get("name").String(), Hash: hex.EncodeToString(sum[:])}
	b, err := evidence.Read(bytes.NewReader(file), evidence.Limits{})
	var malformed *evidence.FormatError
	if errors.As(err, &malformed) {
		return map[string]any{"status": fmt.Sprintf("BROKEN: %v. Nothing in the file can be relied on: get it again from who supplied it.", err)}, nil
	}
	if err != nil {
		return nil, err
	}
	trust, err := trusted(in, &meta)
	if err != nil {
		return nil, err
	}
	r, err := verifier.CheckBundle(b, trust)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := report.Bundle(r, meta).HTML(&page); err != nil {
		return nil, err
	}
	return map[string]any{"page": page.String(), "status": fmt.Sprintf("Checked: %s; %s.", r.Standing, r.Judgement.Outcome)}, nil
}

// trusted reads what the reader gave beside the file.
func trusted(in js.Value, meta *report.Meta) (verifier.Trust, error) {
	t := verifier.Trust{Roots: &verifier.Roots{}}
	var err error
	if key := in.Get("key").String(); key != "" {
		if t.LogKey, err = tree.ParseLogKey(key); err != nil {
			return t, fmt.Errorf("the log's key: %w", err)
		}
	}
	if text := content(in.Get("policy")); text != nil {
		if t.Policy, err = tree.ParsePolicy(text); err != nil {
			return t, fmt.Errorf("the witness policy: %w", err)
		}
		sum := sha256.Sum256(text)
		meta.PolicyDigest = hex.EncodeToString(sum[:])
	}
	if jwks := content(in.Get("issuerKeys")); jwks != nil {
		set, err := credential.ParseKeySet(jwks)
		if err != nil {
			return t, fmt.Errorf("the issuer's key set: %w", err)
		}
		t.Roots.AddIssuer(in.Get("issuer").String(), set)
	}
	if text := content(in.Get("trustBundle")); text != nil {
		b, err := credential.ParseBundle(in.Get("domain").String(), text)
		if err != nil {
			return t, fmt.Errorf("the trust bundle: %w", err)
		}
		t.Roots.AddDomain(b)
	}
	if text := content(in.Get("registry")); text != nil {
		held, err := evidence.Read(bytes.NewReader(text), evidence.Limits{})
		if err != nil {
			return t, fmt.Errorf("the registry file: %w", err)
		}
		key, err := verifier.LogKeyFor(held, t)
		if err != nil {
			return t, fmt.Errorf("the registry file: %w", err)
		}
		res, err := held.Verify(evidence.Trust{LogKey: key})
		if err == nil && !key.IsZero() {
			err = res.Err()
		}
		if err != nil {
			return t, fmt.Errorf("the registry file: %w", err)
		}
		t.Registry = res.Registry
	}
	return t, nil
}

// content copies bytes of the page; nil for null.
func content(v js.Value) []byte {
	if v.IsNull() || v.IsUndefined() {
		return nil
	}
	b := make([]byte, v.Get("length").Int())
	js.CopyBytesToGo(b, v)
	return b
}
