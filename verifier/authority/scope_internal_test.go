package authority

import (
	"testing"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/credential"
)

func TestCovers(t *testing.T) {
	type element = onusv1.ScopeElement
	base := func(edit func(*element)) *element {
		e := &element{Type: "order", Action: "create"}
		if edit != nil {
			edit(e)
		}
		return e
	}
	for _, c := range []struct {
		name          string
		grant, action func(*element)
		want          Answer
	}{
		{"the same", nil, nil, Covered},
		{"another type", func(e *element) { e.Type = "orders" }, nil, Outside},
		{"any type", func(e *element) { e.Type = "*" }, nil, Covered},
		{"another action", func(e *element) { e.Action = "delete" }, nil, Outside},
		{"any action", func(e *element) { e.Action = "*" }, nil, Covered},
		{"a star is no prefix", func(e *element) { e.Action = "cre*" }, nil, Outside},

		{"one identifier, left open", func(e *element) { e.Identifier = "7" }, nil, Uncomparable},
		{"any identifier, left open", func(e *element) { e.Identifier = "*" }, nil, Covered},
		{"no identifier asked for", nil, func(e *element) { e.Identifier = "7" }, Covered},
		{"another identifier", func(e *element) { e.Identifier = "7" }, func(e *element) { e.Identifier = "70" }, Outside},

		{"one location, left open", func(e *element) { e.Location = "https://h/a" }, nil, Uncomparable},
		{"the same location", func(e *element) { e.Location = "https://h/a" }, func(e *element) { e.Location = "https://h/a" }, Covered},
		{"below it", func(e *element) { e.Location = "https://h/a" }, func(e *element) { e.Location = "https://h/a/b" }, Covered},
		{"the whole host", func(e *element) { e.Location = "https://h" }, func(e *element) { e.Location = "https://h/a" }, Covered},
		{"a prefix of a segment", func(e *element) { e.Location = "https://h/a" }, func(e *element) { e.Location = "https://h/ab" }, Outside},
		{"a prefix of a host", func(e *element) { e.Location = "https://h" }, func(e *element) { e.Location = "https://h.evil/a" }, Outside},
		{"another port", func(e *element) { e.Location = "https://h" }, func(e *element) { e.Location = "https://h:8443/a" }, Outside},
		{"another scheme", func(e *element) { e.Location = "https://h/a" }, func(e *element) { e.Location = "http://h/a" }, Outside},
		{"above it", func(e *element) { e.Location = "https://h/a/b" }, func(e *element) { e.Location = "https://h/a" }, Outside},
		{"a folder", func(e *element) { e.Location = "https://h/a/" }, func(e *element) { e.Location = "https://h/a/b" }, Covered},
		{"a folder is not its name", func(e *element) { e.Location = "https://h/a/" }, func(e *element) { e.Location = "https://h/a" }, Outside},
		{"a name in a namespace", func(e *element) { e.Location = "urn:shop:a" }, func(e *element) { e.Location = "urn:shop:ab" }, Outside},

		{"data left open", func(e *element) { e.Datatypes = []string{"a"} }, nil, Uncomparable},
		{"any data, left open", func(e *element) { e.Datatypes = []string{"*"} }, nil, Covered},
		{"some of the data", func(e *element) { e.Datatypes = []string{"a", "b"} }, func(e *element) { e.Datatypes = []string{"b"} }, Covered},
		{"more data", func(e *element) { e.Datatypes = []string{"a", "b"} }, func(e *element) { e.Datatypes = []string{"b", "c"} }, Outside},
		{"no data asked for", nil, func(e *element) { e.Datatypes = []string{"a"} }, Covered},

		{"a recipient, left open", func(e *element) { e.Recipient = "u-a" }, nil, Uncomparable},
		{"another recipient", func(e *element) { e.Recipient = "u-a" }, func(e *element) { e.Recipient = "u-b" }, Outside},
		{"the recipient", func(e *element) { e.Recipient = "u-a" }, func(e *element) { e.Recipient = "u-a" }, Covered},

		{"open in one field, outside in another", func(e *element) { e.Location, e.Type = "https://h", "x" }, nil, Outside},
	} {
		if got := covers(base(c.grant), base(c.action)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPerItem(t *testing.T) {
	for _, c := range []struct {
		most, amount, unit, quantity string
		want                         Answer
	}{
		{"", "1", "USD", "", Covered},
		{"5000", "", "", "", Uncomparable},
		{"5000", "1", "USD", "", Uncomparable},
		{"5000", "5000", "EUR", "", Covered},
		{"5000", "5000.000000001", "EUR", "", Outside},
		{"5000", "48000", "EUR", "40", Covered},
		{"5000", "200000", "EUR", "40", Covered},
		{"5000", "200000.000000001", "EUR", "40", Outside},
		{"0.333333333", "1", "EUR", "3", Outside}, // a third is more than this
		{"0.333333334", "1", "EUR", "3", Covered},
		{"5000", "2500", "EUR", "0.5", Covered},
		{"5000", "2501", "EUR", "0.5", Outside},
		{"999999999999999999.999999999", "999999999999999999.999999999", "EUR", "1.0", Covered},
		{"0", "0.000000000", "EUR", "", Covered},
	} {
		g := &onusv1.GrantElement{MaxItem: c.most, Unit: "EUR"}
		e := &onusv1.ScopeElement{Amount: c.amount, Unit: c.unit, Quantity: c.quantity}
		if got := perItem(g, e); got != c.want {
			t.Errorf("%s %s for %q under %q EUR an item: %v, want %v", c.amount, c.unit, c.quantity, c.most, got, c.want)
		}
	}
}

func TestWithin(t *testing.T) {
	asked := []*onusv1.ScopeElement{
		{Type: "k8s.pod", Action: "get"},
		{Type: "order", Action: "create", Amount: "100", Unit: "EUR", Quantity: "4"},
	}
	for _, c := range []struct {
		e    *onusv1.ScopeElement
		want Answer
	}{
		{&onusv1.ScopeElement{Type: "k8s.pod", Action: "get", Identifier: "web-1"}, Covered},
		{&onusv1.ScopeElement{Type: "k8s.pod", Action: "delete"}, Outside},
		{&onusv1.ScopeElement{Type: "order", Action: "create", Amount: "100.0", Unit: "EUR", Quantity: "4"}, Covered},
		{&onusv1.ScopeElement{Type: "order", Action: "create", Amount: "101", Unit: "EUR", Quantity: "4"}, Outside},
		{&onusv1.ScopeElement{Type: "order", Action: "create", Amount: "99", Unit: "EUR", Quantity: "40"}, Outside},
		{&onusv1.ScopeElement{Type: "order", Action: "create", Amount: "99", Unit: "USD", Quantity: "4"}, Uncomparable},
		{&onusv1.ScopeElement{Type: "order", Action: "create", Amount: "99", Unit: "EUR"}, Uncomparable},
	} {
		if got := Within(asked, c.e); got != c.want {
			t.Errorf("%v: %v, want %v", c.e, got, c.want)
		}
	}
	if got := Within(nil, asked[0]); got != Outside {
		t.Errorf("nothing asked for: %v, want outside", got)
	}
}

// What a child leaves out is the parent's; what it states must lie within.
func TestInside(t *testing.T) {
	type ge = onusv1.GrantElement
	type se = onusv1.ScopeElement
	parent := &ge{Element: &se{Type: "order", Action: "create", Location: "https://h/a", Datatypes: []string{"a", "b"}, Identifier: "7", Recipient: "u-a"},
		MaxItem: "10", MaxTotal: "100", Unit: "EUR"}
	for _, c := range []struct {
		name  string
		child *ge
		want  bool
	}{
		{"all left out", &ge{Element: &se{Type: "order", Action: "create"}}, true},
		{"all the same", parent, true},
		{"lower limits", &ge{Element: parent.Element, MaxItem: "9.5", MaxTotal: "99", Unit: "EUR"}, true},
		{"a higher limit of an item", &ge{Element: parent.Element, MaxItem: "10.000000001", Unit: "EUR"}, false},
		{"a higher total", &ge{Element: parent.Element, MaxTotal: "101", Unit: "EUR"}, false},
		{"another unit", &ge{Element: parent.Element, MaxTotal: "1", Unit: "USD"}, false},
		{"any action", &ge{Element: &se{Type: "order", Action: "*"}}, false},
		{"another type", &ge{Element: &se{Type: "x", Action: "create"}}, false},
		{"below the location", &ge{Element: &se{Type: "order", Action: "create", Location: "https://h/a/b"}}, true},
		{"above the location", &ge{Element: &se{Type: "order", Action: "create", Location: "https://h"}}, false},
		{"more data", &ge{Element: &se{Type: "order", Action: "create", Datatypes: []string{"a", "c"}}}, false},
		{"any data", &ge{Element: &se{Type: "order", Action: "create", Datatypes: []string{"*"}}}, false},
		{"any identifier", &ge{Element: &se{Type: "order", Action: "create", Identifier: "*"}}, false},
		{"another recipient", &ge{Element: &se{Type: "order", Action: "create", Recipient: "u-b"}}, false},
	} {
		if got := inside(parent, c.child); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if !inside(&ge{Element: &se{Type: "*", Action: "*"}}, parent) {
		t.Error("an open parent does not hold everything")
	}
}

// What is not certain is not covered by a token.
func TestTokenCovers(t *testing.T) {
	order := func(edit func(*onusv1.GrantElement)) *onusv1.GrantElement {
		g := &onusv1.GrantElement{Element: &onusv1.ScopeElement{Type: "order", Action: "create", Location: "https://h/orders"}}
		if edit != nil {
			edit(g)
		}
		return g
	}
	limits := func(item, total, unit string) func(*onusv1.GrantElement) {
		return func(g *onusv1.GrantElement) { g.MaxItem, g.MaxTotal, g.Unit = item, total, unit }
	}
	detail := credential.Detail{Type: "order", Actions: []string{"create", "read"}, Locations: []string{"https://h/orders", "https://i"}}
	change := func(edit func(*credential.Detail)) credential.Detail {
		d := detail
		edit(&d)
		return d
	}
	capped := change(func(d *credential.Detail) {
		d.Unit, d.Limits = "EUR", map[string]string{"max_item": "5000", "max_total": "50000"}
	})
	for _, c := range []struct {
		name   string
		detail credential.Detail
		e      *onusv1.GrantElement
		want   bool
	}{
		{"held", detail, order(nil), true},
		{"below the location", detail, order(func(g *onusv1.GrantElement) { g.Element.Location = "https://h/orders/7" }), true},
		{"any location", detail, order(func(g *onusv1.GrantElement) { g.Element.Location = "" }), false},
		{"another location", detail, order(func(g *onusv1.GrantElement) { g.Element.Location = "https://j" }), false},
		{"another action", detail, order(func(g *onusv1.GrantElement) { g.Element.Action = "delete" }), false},
		{"any action", detail, order(func(g *onusv1.GrantElement) { g.Element.Action = "*" }), false},
		{"another type", detail, order(func(g *onusv1.GrantElement) { g.Element.Type = "*" }), false},
		{"no actions named", change(func(d *credential.Detail) { d.Actions = nil }), order(nil), false},
		{"unread members", change(func(d *credential.Detail) { d.Unread = []string{"only_on"} }), order(nil), false},
		{"privileges", change(func(d *credential.Detail) { d.Privileges = []string{"admin"} }), order(nil), false},
		{"an identifier", change(func(d *credential.Detail) { d.Identifier = "7" }), order(nil), false},
		{"a data type", change(func(d *credential.Detail) { d.Datatypes = []string{"a"} }), order(nil), false},
		{"its data type", change(func(d *credential.Detail) { d.Datatypes = []string{"a"} }), order(func(g *onusv1.GrantElement) { g.Element.Datatypes = []string{"a"} }), true},
		{"an unknown limit", change(func(d *credential.Detail) { d.Limits = map[string]string{"max_daily": "1"} }), order(nil), false},
		{"limits, none claimed", capped, order(nil), false},
		{"limits, the same", capped, order(limits("5000.00", "50000", "EUR")), true},
		{"limits, lower", capped, order(limits("1", "2", "EUR")), true},
		{"limits, one not claimed", capped, order(limits("1", "", "EUR")), false},
		{"limits, higher", capped, order(limits("5000", "50000.01", "EUR")), false},
		{"limits, another unit", capped, order(limits("1", "2", "USD")), false},
	} {
		if got := TokenCovers([]credential.Detail{{Type: "other", Actions: []string{"*"}}, c.detail}, []*onusv1.GrantElement{c.e}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	both := []*onusv1.GrantElement{order(nil), order(func(g *onusv1.GrantElement) { g.Element.Action = "delete" })}
	if TokenCovers([]credential.Detail{detail}, both) {
		t.Error("one of two elements is held, and both count as held")
	}
	if TokenCovers([]credential.Detail{detail}, nil) {
		t.Error("no elements count as held")
	}
	asked := Requested([]*onusv1.ScopeElement{{Type: "order", Action: "create", Location: "https://h/orders", Amount: "48000", Unit: "EUR", Quantity: "40"}})
	if TokenCovers([]credential.Detail{capped}, asked) {
		t.Error("a request without a limit of one item counts as held where the token has one")
	}
}

// A detail's total is not given out once for each element of one grant; each
// element needs a detail of its own, whichever order they come in.
func TestDetailTotalTwiceInOneGrant(t *testing.T) {
	total := func(location, most string) credential.Detail {
		d := credential.Detail{Type: "order", Actions: []string{"create"}, Unit: "EUR", Limits: map[string]string{"max_total": most}}
		if location != "" {
			d.Locations = []string{location}
		}
		return d
	}
	claim := func(location, most string) *onusv1.GrantElement {
		return &onusv1.GrantElement{Element: &onusv1.ScopeElement{Type: "order", Action: "create", Location: location}, MaxTotal: most, Unit: "EUR"}
	}
	a, b := claim("https://a.example.com", "100"), claim("https://b.example.com", "100")
	anywhere, atA := total("", "100"), total("https://a.example.com", "100")
	unlimited := credential.Detail{Type: "order", Actions: []string{"create"}}
	for _, c := range []struct {
		name     string
		details  []credential.Detail
		elements []*onusv1.GrantElement
		want     bool
	}{
		{"one of it", []credential.Detail{anywhere}, []*onusv1.GrantElement{a}, true},
		{"both of the whole", []credential.Detail{anywhere}, []*onusv1.GrantElement{a, b}, false},
		{"both of a half: nobody adds them up", []credential.Detail{anywhere}, []*onusv1.GrantElement{claim("https://a.example.com", "50"), claim("https://b.example.com", "50")}, false},
		{"each has one", []credential.Detail{anywhere, anywhere}, []*onusv1.GrantElement{a, b}, true},
		{"the first makes room", []credential.Detail{anywhere, atA}, []*onusv1.GrantElement{a, b}, true},
		{"the other order", []credential.Detail{atA, anywhere}, []*onusv1.GrantElement{b, a}, true},
		{"no room to make", []credential.Detail{anywhere, atA}, []*onusv1.GrantElement{b, b}, false},
		{"three for two", []credential.Detail{anywhere, atA}, []*onusv1.GrantElement{a, b, a}, false},
		{"without a total", []credential.Detail{unlimited}, []*onusv1.GrantElement{a, b}, true},
	} {
		if got := TokenCovers(c.details, c.elements); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}
