package authority_test

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Held: places that are spelled like a place below, and are none.
func TestPlacesHeld(t *testing.T) {
	l := newLog(t, nil)
	g := l.add(operator(acme), gives(grantTo("planner", open(el("order", "create", at("https://erp.example.com/a"))))))
	for _, place := range []string{
		"https://erp.example.com/ab", "https://erp.example.com/a/../b", "https://erp.example.com/a/%2e%2e/b", "https://erp.example.com/a%2Fb",
		"https://erp.example.com/a/..;/b", "https://erp.example.com:443/a", "https://erp.example.com:8443/a", "https://ERP.example.com/a",
		"https://erp.example.com./a", "https://erp.example.com@evil.example.com/a", "https://erp.example.com.evil.example.com/a", "https://erp.example.com/A",
		"https://erp.example.com/a//b", "https://еrp.example.com/a", "http://erp.example.com/a", "https://erp.example.com/a?x", "https://erp.example.com/a#x",
	} {
		m := does(g, el("order", "create", at(place)))
		m.Origin, m.Nonce, m.Author = origin, make([]byte, record.NonceSize), agent("planner")
		m.Capture, m.ClaimedTime = onusv1.Capture_CAPTURE_SELF, timestamppb.New(l.now)
		copy(m.Nonce, place[len(place)-10:])
		r, err := record.Sign(m, signer(t, agentID("planner")))
		if err != nil {
			continue // refused
		}
		if err := l.submit(r, 0); err != nil {
			continue
		}
		if len(l.findings(r)) == 0 {
			t.Errorf("%s lies within https://erp.example.com/a", place)
		}
	}
}
