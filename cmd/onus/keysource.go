package main

import (
	"context"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger/identity"
)

// issuerKeys fetches the keys of the issuers that are registered in the log.
// It is asked when a token names a key that the log does not hold, so keys are
// kept for seconds only: long enough that tokens with made-up key names do not
// make the ledger call their issuer again and again.
type issuerKeys struct{ issuers *identity.Issuers }

func newIssuerKeys() issuerKeys {
	return issuerKeys{&identity.Issuers{MaxAge: 5 * time.Second}}
}

// KeySet implements ledger.KeySource.
func (k issuerKeys) KeySet(ctx context.Context, issuer *onusv1.Issuer) (jwks []byte, fetched time.Time, err error) {
	keys, err := k.issuers.KeySetAt(ctx, issuer.GetUrl(), issuer.GetJwksUri())
	if err != nil {
		return nil, time.Time{}, err
	}
	return keys.Raw, keys.Fetched, nil
}
