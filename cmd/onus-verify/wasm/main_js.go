// Command wasm is the verifier for a browser: verify.html holds it, and the
// viewer's page "Check evidence" loads it. It gives the page two functions,
// onusCheck and onusKey, and has no rule of its own: it calls what onus-verify
// bundle calls.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall/js"

	"github.com/onus-ledger/onus/verifier"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web/report"
)

// version is set when the page is made.
var version = "unreleased"

func main() {
	js.Global().Set("onusCheck", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return promise(func() (any, error) { return check(args[0]) })
	}))
	js.Global().Set("onusKey", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return promise(func() (any, error) { return key(args[0].String()) })
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

// key reads a log's verifier key, and says what people know it by.
func key(text string) (any, error) {
	k, err := tree.ParseLogKey(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("the log's key: %w: give the one line of log.vkey, NAME+HASH+KEY", err)
	}
	return map[string]any{"vkey": k.String(), "name": report.Clean(k.Origin()), "fingerprint": report.Fingerprint(k.String())}, nil
}

// check does for the page what onus-verify bundle does in a terminal. The answer
// has the standing of the evidence, a line about it, the report in JSON (that of
// [report.Page]) and, if something was judged, as a page.
func check(in js.Value) (any, error) {
	file := content(in.Get("bundle"))
	sum := sha256.Sum256(file)
	meta := report.Meta{Tool: "verify.html", Version: version, File: in.Get("name").String(), Hash: hex.EncodeToString(sum[:])}
	if t := in.Get("tool"); t.Type() == js.TypeString {
		meta.Tool = t.String()
	}
	b, err := evidence.Read(bytes.NewReader(file), evidence.Limits{})
	var malformed *evidence.FormatError
	if errors.As(err, &malformed) {
		p := report.Unreadable(err, meta)
		return answer(verifier.Broken, fmt.Sprintf("%s: %s. %s", p.Answer, p.Problems[0], p.AnswerText), p, "")
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
	p := report.Bundle(r, meta)
	var page bytes.Buffer
	if err := p.HTML(&page); err != nil {
		return nil, err
	}
	return answer(r.Standing, fmt.Sprintf("Checked: %s; %s.", r.Standing, r.Judgement.Outcome), p, page.String())
}

func answer(s verifier.Standing, status string, p *report.Page, page string) (any, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return map[string]any{"standing": string(s), "status": status, "report": string(b), "page": page}, nil
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
