package rpc_test

import (
	"context"
	"strings"
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
)

// No agent and no operator has a name minted that marks an officer, and so none
// learns an officer's pseudonym to act under it. Who reviews may, to name whom
// a matter is for; and names of other kinds begin as they like.
func TestOfficersNamesAreNotMintedForAgents(t *testing.T) {
	w := newWorld(t, nil)
	mint := func(caller string, kind onusv1.NameKind, name string) error {
		_, err := w.as(caller).Mint(context.Background(), &onusv1.MintRequest{Kind: kind, Names: []string{"sre@example.com", name}})
		return err
	}
	user, name := onusv1.NameKind_NAME_KIND_USER, ledger.OfficerMark+"m.rossi"
	for _, caller := range []string{"agent", "operator", "strange agent", "hr"} {
		err := mint(caller, user, name)
		if err == nil {
			t.Errorf("%s has an officer's name minted", caller)
			continue
		}
		if _, p := problem(t, err); p.GetReason() != record.ReasonInvalid || p.GetField() != "names[1]" || !strings.Contains(err.Error(), "marks officers who review") {
			t.Errorf("%s: %v, %v", caller, err, p)
		}
	}
	for _, caller := range []string{"compliance", "administrator"} {
		must(t, mint(caller, user, name))
	}
	must(t, mint("agent", onusv1.NameKind_NAME_KIND_SUBJECT, name))
	must(t, mint("agent", user, "m.rossi"))
}
