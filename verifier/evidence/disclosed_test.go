package evidence_test

import (
	"testing"

	"github.com/onus-ledger/onus/verifier/evidence"
)

// What is disclosed beside the entries, and what is withheld of them.

func TestContentsAndTokens(t *testing.T) {
	l, b := full(t)
	mismatch := func(index int64) evidence.Fault {
		return evidence.Fault{Index: index, Finding: evidence.PayloadMismatch}
	}
	b.Contents[0].Data = []byte("why is my pod so good?")
	res := verify(t, b, l.trust())
	wantFaults(t, "a changed content", res, mismatch(4))
	if c := checked(t, res, 4); c.Contents != nil || c.State(evidence.Contents) != evidence.Broken {
		t.Errorf("a changed content is passed on: %v", c.Contents)
	}

	_, b = full(t)
	b.Contents[0].Index = 1
	wantFaults(t, "another record's content", verify(t, b, l.trust()), mismatch(1))

	_, b = full(t)
	b.Tokens[0].Text += "x"
	res = verify(t, b, l.trust())
	wantFaults(t, "another token", res, mismatch(4))
	if c := checked(t, res, 4); c.Token != "" {
		t.Errorf("another token is passed on: %q", c.Token)
	}

	_, b = full(t)
	b.Tokens[0].Index = 5
	wantFaults(t, "the token of a record without one", verify(t, b, l.trust()), mismatch(5))

	// Nothing has to be disclosed.
	_, b = full(t)
	b.Contents, b.Tokens = nil, nil
	res = verify(t, b, l.trust())
	wantFaults(t, "nothing disclosed", res)
	if s := checked(t, res, 4).State(evidence.Contents); s != evidence.Unchecked {
		t.Errorf("contents that are not there are %s", s)
	}
}

func TestWithheld(t *testing.T) {
	l := small(t)
	// The id of a withheld entry that is shown elsewhere is a contradiction.
	b := l.bundle(4, 9)
	l.withhold(b, 9)
	b.Leaves[len(b.Leaves)-1].Withheld.AssertedID = l.id(4)
	b.Scope.Asked = nil
	wantFaults(t, "withheld and shown", verify(t, b, l.trust()), evidence.Fault{Index: 9, Finding: evidence.RecordTwice})

	// All but the registry may be withheld; it is still proven to be there.
	b = l.bundle(4, 5, 9)
	for _, i := range []int64{4, 5, 9} {
		l.withhold(b, i)
	}
	b.Contents = nil
	res := verify(t, read(t, write(t, b)), l.trust())
	wantFaults(t, "all withheld", res)
	if res.Withheld != 3 || res.RegistryProven != 7 {
		t.Errorf("%d withheld, registry proven before %d", res.Withheld, res.RegistryProven)
	}
}

func TestRecordTwice(t *testing.T) {
	l := newLog(t)
	r := l.sign("agent", actionRecord())
	l.addRecord(r, nil)
	l.addRecord(r, nil)
	b := l.bundleOf(0, 1, 2, 3, 4, 5)
	wantFaults(t, "a record twice", verify(t, b, l.trust()), evidence.Fault{Index: 5, Finding: evidence.RecordTwice})
}
