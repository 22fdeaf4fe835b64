package web

import (
	"errors"
	"fmt"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/web/desk"
	"github.com/onus-ledger/onus/web/report"
)

// grantPage is what the template "grant" shows.
type grantPage struct {
	grantRow
	// Hops are the grants from the root down to this one.
	Hops []grantHop
	// Broken: the path does not lead to a root that the log has.
	Broken bool
	// Word says how strong the user's word is, where a user gave it.
	Word     string
	Children []grantRow
	// MoreChildren: more were given under it than are shown.
	MoreChildren bool
	Uses         usedBy
	EndedBy      *revocationRow
}

// grantHop is one grant of a path, whole.
type grantHop struct {
	grantRow
	This     bool
	Elements []grantLimit
	// Approvals are what needs a person's approval.
	Approvals []string
	MaxDepth  int32
	Purpose   *recordField
	// Expires is the end that this grant says itself.
	Expires    int64
	HasExpires bool
}

// Levels says how far it may be handed on.
func (h grantHop) Levels() string { return count(int(h.MaxDepth), "level") }

// grantLimit is an element of a grant, with what was used of its limit in
// total.
type grantLimit struct {
	May string
	// HasTotal: there is one. Used and Total are decimals of Unit.
	HasTotal          bool
	Used, Total, Unit string
	// Last is the entry that used it last, or -1.
	Last int64
}

// usedBy is the actions that name a grant.
type usedBy struct {
	Rows []recordRow
	// Looked is how many of the holder's newest records were looked at, All
	// whether these are all since the grant.
	Looked int
	All    bool
	More   string
}

func (v *visit) grant() error {
	id, err := parseID(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	path, err := v.Log.GrantPath(id)
	if errors.Is(err, desk.ErrNotFound) || err == nil && len(path) == 0 {
		return notFound("Look for it in the list of grants.", "The log has no grant with this id.")
	}
	if err != nil {
		return err
	}
	if err := v.reading("grant", id); err != nil {
		return err
	}
	g, now := path[0], v.newest()
	page := grantPage{grantRow: v.grantRowOf(g, now), Broken: path[len(path)-1].Record.Msg.GetGrant() != ""}
	root := path[len(path)-1].Status
	if root.GetBasis() == "delegated" {
		page.Word = assuranceWords(int(root.GetAssurance()))
	}
	for i := len(path) - 1; i >= 0; i-- {
		hop, err := v.hopOf(path[i], now)
		if err != nil {
			return err
		}
		hop.This = i == 0
		page.Hops = append(page.Hops, hop)
	}
	if page.Revoked {
		page.EndedBy = v.revocationAt(page.RevokedBy)
	}
	children, more, err := v.Log.Grants(GrantQuery{Parent: id.String()}, shownGrants, "")
	if err != nil {
		return err
	}
	page.MoreChildren = more != ""
	for _, c := range children {
		page.Children = append(page.Children, v.grantRowOf(c, now))
	}
	if page.Uses, err = v.usesOf(g); err != nil {
		return err
	}
	return v.render("grant", fmt.Sprintf("Grant in entry %d", g.Index), "grants", page)
}

func (v *visit) hopOf(g *Grant, now int64) (grantHop, error) {
	d := g.Record.Msg.GetDelegation()
	h := grantHop{grantRow: v.grantRowOf(g, now), MaxDepth: d.GetMaxDepth()}
	for i, e := range d.GetScope() {
		l := grantLimit{May: grantElement(e), Last: -1}
		if e.GetMaxTotal() != "" {
			l.HasTotal, l.Used, l.Total, l.Unit = true, "0", e.GetMaxTotal(), e.GetUnit()
			for _, u := range g.Status.GetUses() {
				if int(u.GetLimit()) == i {
					l.Used, l.Last = u.GetTotal(), u.GetLast()
				}
			}
		}
		h.Elements = append(h.Elements, l)
	}
	for _, a := range d.GetApprovals() {
		h.Approvals = append(h.Approvals, approvalWords(a))
	}
	if t := d.GetExpires(); t != nil {
		h.Expires, h.HasExpires = t.AsTime().UnixMilli(), true
	}
	if d.GetPurpose() != nil {
		f := &fieldReader{log: v.Log, at: g.Index + 1, disclosed: v.Contents}
		if v.Contents {
			contents, err := v.Log.Contents(g.Index)
			if err != nil && !errors.Is(err, desk.ErrNotShown) && !errors.Is(err, desk.ErrNotFound) {
				return h, err
			}
			f.contents, _ = g.Record.OpenContents(contents) // one that opens nothing shows nothing
		}
		purpose := recordField{Label: "Purpose"}
		f.prose(&purpose, d.GetPurpose())
		purpose.Fields = nil
		h.Purpose = &purpose
	}
	return h, nil
}

// approvalWords say what needs a person's approval, and whose.
func approvalWords(r *onusv1.ApprovalRule) string {
	s := report.Clean(strings.Join(r.GetOperations(), ", "))
	if r.GetAbove() != "" {
		s += " above " + amount(r.GetAbove(), r.GetUnit())
	}
	if len(r.GetApprovers()) > 0 {
		return s + ", by reviewer " + report.Clean(strings.Join(r.GetApprovers(), " or "))
	}
	s += ", by the user"
	if r.GetAssurance() > 1 {
		s += fmt.Sprintf(", whose word is at least L%d", r.GetAssurance())
	}
	return s
}

// revocationAt is the revocation in an entry; nil where that is not shown.
func (v *visit) revocationAt(index int64) *revocationRow {
	size := v.Log.Size()
	for _, r := range v.Log.Registry().AllRevocations(min(index+1, size)) {
		if r.Index == index {
			row := v.revocationRowOf(r, size)
			return &row
		}
	}
	return nil
}

// usesOf lists the records of a grant's holder that name it, the newest first,
// but for those that gave it on.
// No index leads from a grant to what was done under it; its holder's records
// since are looked through, within bounds.
func (v *visit) usesOf(g *Grant) (usedBy, error) {
	f := recordFilter{RecordQuery: RecordQuery{Agent: g.Record.Msg.GetDelegation().GetAgent(), Since: g.Time}, Grant: g.Record.ID.String(), After: g.Index, noGrants: true}
	rows, next, looked, err := v.listRecords(f, listRows, "")
	u := usedBy{Rows: rows, Looked: looked, All: next == ""}
	if next != "" {
		u.More = recordsPath(f.pairs()...)
	}
	return u, err
}
