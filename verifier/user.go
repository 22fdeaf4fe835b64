package verifier

import (
	"errors"
	"fmt"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
	"github.com/onus-ledger/onus/verifier/entry"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// UserTokenOf returns what a record says of a user's token. The author writes
// it, the ledger compares it at admission, and whoever is shown the token
// compares it again.
//
// The token's sub and sid are not in it: they are the record's user and
// session, by pseudonyms of [UserName] and [SessionName].
func UserTokenOf(f *credential.Facts) *onusv1.UserToken {
	t := &onusv1.UserToken{
		Digest:        f.Digest,
		Issuer:        f.Issuer,
		Audience:      f.Audience,
		Client:        f.Client(),
		Id:            f.ID,
		Issued:        timeOf(f.IssuedAt),
		Expires:       timeOf(f.Expires),
		Authenticated: timeOf(f.AuthTime),
		Acr:           f.ACR,
		Amr:           f.AMR,
		Confirms:      f.BoundKey(),
	}
	for _, a := range f.Actors {
		t.Actors = append(t.Actors, &onusv1.Actor{Subject: a.Subject, Issuer: a.Issuer, Client: a.ClientID})
	}
	return t
}

func timeOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// UserName returns the name that a token's user has in the log's book of
// pseudonyms: "iss sub". A subject is unique within its issuer only.
func UserName(f *credential.Facts) string { return f.Issuer + " " + f.Subject }

// SessionName returns the name of the session that a token belongs to: "iss
// sid", or "iss digest" for a token that names none and is a session by
// itself.
func SessionName(f *credential.Facts) string {
	if f.Session == "" {
		return f.Issuer + " " + f.Digest
	}
	return f.Issuer + " " + f.Session
}

// TokenDiffers reports the first field in which the record's words on the
// user's token differ from the token's own, such as "token.audience"; or "".
func TokenDiffers(said, is *onusv1.UserToken) string {
	if proto.Equal(said, is) {
		return ""
	}
	s, t := said.ProtoReflect(), is.ProtoReflect()
	fields := s.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		one, other := &onusv1.UserToken{}, &onusv1.UserToken{}
		if s.Has(f) {
			one.ProtoReflect().Set(f, s.Get(f))
		}
		if t.Has(f) {
			other.ProtoReflect().Set(f, t.Get(f))
		}
		if !proto.Equal(one, other) {
			return "token." + string(f.Name())
		}
	}
	return "token"
}

// CheckUserToken checks a disclosed token of the user against the record that
// it travelled beside: that keys, which the caller pinned, signed it; that it
// was in force at the entry's log time; and that the record says of it what it
// says. Then the user's word is verified, where before the ledger's stamp only
// attested that it had been.
//
// Not shown by it: that the record's user, a pseudonym, stands for the token's
// subject. Only the ledger knows names, and says so when it discloses one.
func CheckUserToken(r *record.Record, s *entry.Stamp, token string, keys *credential.KeySet) (*credential.Facts, error) {
	said := r.Msg.GetToken()
	if said == nil {
		return nil, errors.New("the record speaks of no token")
	}
	if got := credential.TokenDigest(token); got != said.GetDigest() {
		return nil, fmt.Errorf("the token has digest %s, the record speaks of %s", got, said.GetDigest())
	}
	f, err := credential.VerifyToken(token, keys, credential.Expect{
		Issuer:   said.GetIssuer(),
		Audience: said.GetAudience()[0], // the record's rules have one
	}, time.UnixMilli(s.LogTime))
	if err != nil {
		return nil, err
	}
	if field := TokenDiffers(said, UserTokenOf(f)); field != "" {
		return nil, fmt.Errorf("the record's %s is not what the token says", field)
	}
	return f, nil
}
