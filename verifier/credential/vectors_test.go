package credential

import (
	"strings"
	"testing"
)

const (
	// RFC 7515, appendices A.2 and A.3: one payload, two keys.
	rfc7515Payload = ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
	rfc7515A2      = "eyJhbGciOiJSUzI1NiJ9" + rfc7515Payload +
		"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4" +
		"BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv" +
		"hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	rfc7515A2Key = `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs` +
		`D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv` +
		`b3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`
	rfc7515A3 = "eyJhbGciOiJFUzI1NiJ9" + rfc7515Payload +
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	rfc7515A3Key = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	// RFC 7515, appendix A.4: P-521.
	rfc7515A4 = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA." +
		"AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp" +
		"EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
	rfc7515A4Key = `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",` +
		`"y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}`
	// RFC 8037, appendices A.2 to A.5.
	rfc8037A4    = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	rfc8037A2Key = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
)

func publishedKey(t *testing.T, jwk string) *Key {
	t.Helper()
	s, err := ParseKeySet([]byte(`{"keys":[` + jwk + `]}`))
	if err != nil || len(s.Keys()) != 1 {
		t.Fatalf("%d keys: %v", len(s.Keys()), err)
	}
	return s.Keys()[0]
}

func TestPublishedSignatures(t *testing.T) {
	for _, tt := range []struct{ name, token, jwk, payload string }{
		{"RFC 7515 A.2 RS256", rfc7515A2, rfc7515A2Key, `"http://example.com/is_root":true`},
		{"RFC 7515 A.3 ES256", rfc7515A3, rfc7515A3Key, `"http://example.com/is_root":true`},
		{"RFC 7515 A.4 ES512", rfc7515A4, rfc7515A4Key, "Payload"},
		{"RFC 8037 A.4 EdDSA", rfc8037A4, rfc8037A2Key, "Example of Ed25519 signing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j, err := parseJWS("token", tt.token, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(j.payload), tt.payload) {
				t.Errorf("payload = %q, want %q in it", j.payload, tt.payload)
			}
			k := publishedKey(t, tt.jwk)
			if err := j.verify(k); err != nil {
				t.Error(err)
			}
			for i := range j.sig {
				j.sig[i] ^= 1
				if verifySignature(k.pub, j.alg, j.input, j.sig) {
					t.Errorf("verifies with byte %d of the signature changed", i)
				}
				j.sig[i] ^= 1
			}
			for _, sig := range [][]byte{nil, j.sig[1:], j.sig[:len(j.sig)-1], append(j.sig[:len(j.sig):len(j.sig)], 0), append([]byte{0}, j.sig...), make([]byte, len(j.sig))} {
				if verifySignature(k.pub, j.alg, j.input, sig) {
					t.Errorf("verifies with a signature of %d bytes", len(sig))
				}
			}
		})
	}
}

// RFC 7638, section 3.1; RFC 8037, appendix A.3; RFC 9449, figures 2 and 9.
func TestPublishedThumbprints(t *testing.T) {
	for _, tt := range []struct{ name, jwk, want string }{
		{"RFC 7638", `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
			"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"RFC 8037", rfc8037A2Key, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
		{"RFC 9449", `{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`,
			"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
	} {
		if got := publishedKey(t, tt.jwk).Thumbprint(); got != tt.want {
			t.Errorf("%s: thumbprint = %s, want %s", tt.name, got, tt.want)
		}
	}
	// RFC 9449, section 4.3, figure 13: the same recipe for an access token.
	if got, want := TokenDigest("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"; got != want {
		t.Errorf("digest = %s, want %s", got, want)
	}
}
