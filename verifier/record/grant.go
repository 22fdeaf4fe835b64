package record

import (
	"fmt"
	"slices"
	"strings"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// Bounds of grants and of rules for approvals.
const (
	// MaxDepth is the most grants that may follow below one.
	MaxDepth = 16
	// MaxApprovalRules bounds the rules of a grant and of the log's policy,
	// MaxOperations and MaxApprovers what one of them names.
	MaxApprovalRules = 16
	MaxOperations    = 32
	MaxApprovers     = 32
)

// delegation holds a grant to what can be seen of it alone. A grant to
// oneself, or one that is wider than its parent, is no broken record: it is
// logged, so that it can be shown, and package authority says what it gives.
func (c *checker) delegation(m *onusv1.Record, g *onusv1.Grant) {
	if m.GetAuthor().GetAgent() != "" {
		c.want(m.GetGrant() != "" || m.GetUser() != "", "grant", "is missing, and so is user", "name the grant that is passed on, or the user who gave this")
	} else {
		c.want(m.GetGrant() == "", "grant", "is set, but only an agent passes on what it was given", "leave it out: this grant is a root")
	}
	c.spiffe("delegation.agent", g.GetAgent(), false)
	if g.GetInstance() != "" {
		c.instance("delegation.instance", g.GetInstance())
	}
	c.want(len(g.GetScope()) > 0, "delegation.scope", "is empty", "say what may be done")
	c.grantElements("delegation.scope", g.GetScope(), true)
	c.optionalTime("delegation.not_before", g.GetNotBefore())
	c.optionalTime("delegation.expires", g.GetExpires())
	if from, to := g.GetNotBefore(), g.GetExpires(); from != nil && to != nil {
		c.want(from.AsTime().Before(to.AsTime()), "delegation.expires", "is not after not_before", "let the grant end after it begins")
	}
	c.want(g.GetMaxDepth() >= 0 && g.GetMaxDepth() <= MaxDepth, "delegation.max_depth", "is not 0 to 16", "say how many grants may follow below this one")
	c.approvalRules("delegation.approvals", g.GetApprovals())
	c.want(!g.GetEndsWithSession() || m.GetSession() != "", "session", "is missing, but the grant ends with it", "name the session, or leave delegation.ends_with_session out")
	c.text("delegation.purpose", g.GetPurpose())
}

// grantElements checks what may be done. A ceiling has no totals: it bounds
// each grant, and no record counts what was used of it.
func (c *checker) grantElements(list string, es []*onusv1.GrantElement, totals bool) {
	if len(es) > MaxElements {
		c.fail(list, fmt.Sprintf("has %d elements, at most %d are allowed", len(es), MaxElements), "group them, or split the record")
	}
	for i, e := range clip(es, MaxElements) {
		if err := checkGrantElement(e, totals); err != nil {
			c.fail(fmt.Sprintf("%s[%d]%s", list, i, err.Field), err.Detail, err.Next)
		}
	}
}

// checkGrantElement returns an error whose field is what comes after the
// element's own. Type and action are always there, if only as "*": what is
// left out by mistake must not open everything.
func checkGrantElement(e *onusv1.GrantElement, totals bool) *Error {
	c := &checker{}
	s := e.GetElement()
	c.want(s != nil, ".element", "is missing", "say what may be done")
	c.element(".element", s, true)
	c.want(s.GetAmount() == "", ".element.amount", "is set, but a grant has limits", "use max_item or max_total")
	c.want(s.GetQuantity() == "", ".element.quantity", "is set, but a grant has limits", "use max_item or max_total")
	c.decimal(".max_item", e.GetMaxItem())
	c.decimal(".max_total", e.GetMaxTotal())
	c.want(totals || e.GetMaxTotal() == "", ".max_total", "is set, but a ceiling has no totals", "set it in the grant")
	c.want((e.GetMaxItem() == "" && e.GetMaxTotal() == "") == (e.GetUnit() == ""), ".unit", "and a limit do not stand together", "set it exactly when max_item or max_total is")
	c.unit(".unit", e.GetUnit())
	return c.err
}

func (c *checker) approvalRules(list string, rules []*onusv1.ApprovalRule) {
	if len(rules) > MaxApprovalRules {
		c.fail(list, fmt.Sprintf("has %d rules, at most %d are allowed", len(rules), MaxApprovalRules), "name more operations in one rule")
	}
	for i, r := range clip(rules, MaxApprovalRules) {
		if err := checkApprovalRule(r); err != nil {
			c.fail(fmt.Sprintf("%s[%d]%s", list, i, err.Field), err.Detail, err.Next)
		}
	}
}

// checkApprovalRule returns an error whose field is what comes after the
// rule's own.
func checkApprovalRule(r *onusv1.ApprovalRule) *Error {
	c := &checker{}
	c.decimal(".above", r.GetAbove())
	c.want((r.GetAbove() == "") == (r.GetUnit() == ""), ".unit", "and above do not stand together", "set both or neither")
	c.unit(".unit", r.GetUnit())
	if n := len(r.GetOperations()); n < 1 || n > MaxOperations {
		c.fail(".operations", fmt.Sprintf("has %d entries", n), "name 1 to 32")
	}
	for i, s := range clip(r.GetOperations(), MaxOperations) {
		if !isOperationPattern(s) {
			c.fail(fmt.Sprintf(".operations[%d]", i), `is not "type:action", "type:*" or "*"`, `write it as "order:create"`)
		} else if slices.Contains(r.GetOperations()[:i], s) {
			c.fail(fmt.Sprintf(".operations[%d]", i), "stands there twice", "name each operation once")
		}
	}
	if n := len(r.GetApprovers()); n > MaxApprovers {
		c.fail(".approvers", fmt.Sprintf("has %d entries, at most %d are allowed", n, MaxApprovers), "name fewer reviewers")
	}
	for i, s := range clip(r.GetApprovers(), MaxApprovers) {
		if !isReviewerName(s) {
			c.fail(fmt.Sprintf(".approvers[%d]", i), "is no reviewer's name", "use the name under which the reviewer is registered")
		} else if slices.Contains(r.GetApprovers()[:i], s) {
			c.fail(fmt.Sprintf(".approvers[%d]", i), "stands there twice", "name each reviewer once")
		}
	}
	c.want(r.GetAssurance() >= 0 && r.GetAssurance() <= 3, ".assurance", "is not 0 to 3", "use 1 (token), 2 (authority in the token) or 3 (the user's own key)")
	return c.err
}

// isOperationPattern reports whether s is "type:action", "type:*" or "*". A
// type may hold colons, an action holds none.
func isOperationPattern(s string) bool {
	if s == "*" {
		return true
	}
	i := strings.LastIndexByte(s, ':')
	return i > 0 && isName(s[:i], maxType, typeChars) && (s[i+1:] == "*" || isName(s[i+1:], maxAction, actionChars))
}

func (c *checker) approval(a *onusv1.Approval) {
	c.proposal("approval.proposal", a.GetProposal())
	c.optionalTime("approval.expires", a.GetExpires())
	c.text("approval.reason", a.GetReason())
}

func (c *checker) denial(d *onusv1.Denial) {
	c.proposal("denial.proposal", d.GetProposal())
	c.text("denial.reason", d.GetReason())
}

func (c *checker) proposal(field, id string) {
	c.want(id != "", field, "is missing", "name the record that holds the proposal")
	c.id(field, id)
}
