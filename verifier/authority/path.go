package authority

import (
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// MaxPath is the most grants that a grant path may have. A grant that would
// make a longer one is refused.
const MaxPath = 16

// Path is a grant path: the grant that somebody acts under first, the root
// last.
type Path []*Grant

// PathError says where a path breaks off: the grants below are in order.
type PathError struct {
	// Missing is the grant that is named and not in the log before the one
	// that names it, By, or before the index asked if By is nil.
	Missing record.ID
	By      *Grant
	// Long: the path has more than MaxPath grants.
	Long bool
}

// Error says what is missing.
func (e *PathError) Error() string {
	switch {
	case e.Long:
		return fmt.Sprintf("the grant path has more than %d grants", MaxPath)
	case e.By != nil:
		return fmt.Sprintf("%s names grant %s above it, which is not in the log before it", e.By, short(e.Missing))
	}
	return fmt.Sprintf("grant %s is not in the log", short(e.Missing))
}

// Path returns the grants from id up to its root, as the entries before that
// index have them, each before the one that names it. Where the path breaks
// off, the part that is there is returned with a *[PathError].
func (s *State) Path(id record.ID, at int64) (Path, error) {
	var p Path
	var by *Grant
	for {
		g, ok := s.Grant(id, at)
		switch {
		case !ok:
			return p, &PathError{Missing: id, By: by}
		case len(p) == MaxPath:
			return p, &PathError{Missing: id, By: by, Long: true}
		}
		p = append(p, g)
		if g.Parent.IsZero() {
			return p, nil
		}
		id, at, by = g.Parent, g.Index, g
	}
}

// Root returns the last grant of the path.
func (p Path) Root() *Grant { return p[len(p)-1] }

// Basis is whose authority stands at the root: a user's or an operator's. It
// is unspecified where the path breaks off.
func (p Path) Basis() onusv1.Basis {
	if len(p) == 0 {
		return onusv1.Basis_BASIS_UNSPECIFIED
	}
	return p.Root().Basis()
}

// User is the principal, if it is a user: who gave the root.
func (p Path) User() string {
	if len(p) == 0 {
		return ""
	}
	return p.Root().Word.User
}

// held returns the part of the path whose limits an action uses up: all, if
// each agent on it held what it passed on.
func (p Path) held() Path {
	for i := 1; i < len(p); i++ {
		if !p[i-1].issuedByHolder(p[i]) {
			return p[:i]
		}
	}
	return p
}

// ends returns until when the grant at i lasts by what it and those above it
// state: its own expiry, or else the nearest above; -1 if none is stated.
func (p Path) ends(i int) int64 {
	for ; i < len(p); i++ {
		if p[i].Expires >= 0 {
			return p[i].Expires
		}
	}
	return -1
}

// begins is the same for not_before.
func (p Path) begins(i int) int64 {
	for ; i < len(p); i++ {
		if p[i].NotBefore >= 0 {
			return p[i].NotBefore
		}
	}
	return -1
}

// widened reports, for each element of the grant at i, whether the grants
// above do not hold it.
//
// An element must lie within one of each grant above, since what a grant
// leaves open is what the one above it has. Where all elements that hold it
// were themselves widened, it was they who went too far: it is not looked at
// further up.
func (p Path) widened() [][]bool {
	all := make([][]bool, len(p))
	for i := len(p) - 1; i >= 0; i-- {
		scope := p[i].Msg.GetScope()
		all[i] = make([]bool, len(scope))
		for n, e := range scope {
			all[i][n] = p.goesBeyond(all, i, e)
		}
	}
	return all
}

func (p Path) goesBeyond(all [][]bool, i int, e *onusv1.GrantElement) bool {
	for above := i + 1; above < len(p); above++ {
		found, honest := false, false
		for n, a := range p[above].Msg.GetScope() {
			if inside(a, e) {
				found = true
				honest = honest || !all[above][n]
			}
		}
		if !found {
			return true
		}
		if !honest {
			return false
		}
	}
	return false
}

// tooDeep returns the place of the topmost grant that stands deeper below one
// above it than that one allows, or -1.
func (p Path) tooDeep() int {
	for i := len(p) - 2; i >= 0; i-- {
		if p.standsTooDeep(i) {
			return i
		}
	}
	return -1
}

func (p Path) standsTooDeep(i int) bool {
	for above := i + 1; above < len(p); above++ {
		if above-i > int(p[above].Msg.GetMaxDepth()) {
			return true
		}
	}
	return false
}

// givesTooDeep reports whether the grant at i lets more grants follow than
// those above it leave.
func (p Path) givesTooDeep(i int) bool {
	for above := i + 1; above < len(p); above++ {
		if left := int(p[above].Msg.GetMaxDepth()) - (above - i); int(p[i].Msg.GetMaxDepth()) > max(left, 0) {
			return true
		}
	}
	return false
}
