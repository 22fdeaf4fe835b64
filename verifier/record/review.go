package record

import (
	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// maxFindingName bounds a finding's name in a review.
const maxFindingName = 64

// review holds what an officer says of a chain to its contract. Which findings
// there are is for package chain to know, and a newer version may know more:
// here only the name's form counts. Whether the log has the record is not seen
// here either.
func (c *checker) review(m *onusv1.Record, r *onusv1.Review) {
	c.want(r.GetRecord() != "", "review.record", "is missing", "name the record that the finding is about or, without a finding, the chain's first")
	c.id("review.record", r.GetRecord())
	// A review is part of the chain that it is about by this link, and by no
	// other: with a second one it would join two chains.
	c.want(len(m.GetCauses()) == 1 && m.GetCauses()[0] == r.GetRecord(), "causes", "is not review.record alone", "name the record that is reviewed as the only cause")
	c.want(r.GetFinding() == "" || isName(r.GetFinding(), maxFindingName, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), "review.finding",
		"has characters other than A-Z _ or more than 64", `use the finding's name, such as "LIMIT_EXCEEDED", or leave it out to review the chain as a whole`)
	d := r.GetDisposition()
	c.want(d >= onusv1.Disposition_DISPOSITION_OPEN && d <= onusv1.Disposition_DISPOSITION_FALSE_ALARM,
		"review.disposition", "is missing or unknown", "say what came of it, such as DISPOSITION_EXPLAINED")
	c.want(r.GetNote() != nil || d == onusv1.Disposition_DISPOSITION_OPEN, "review.note", "is missing", "say why; only DISPOSITION_OPEN needs no reason")
	c.text("review.note", r.GetNote())
	c.pseudonym("review.assignee", r.GetAssignee(), UserPrefix)

	// It stands beside what it is about: it was asked for by nobody, asks
	// nobody, and uses nobody's authority.
	c.want(m.GetParent() == "", "parent", "is set on a review", "name the record that is reviewed as its cause")
	c.want(m.GetAsks() == "", "asks", "is set on a review", "name who is to see to it as review.assignee")
	c.want(m.GetGrant() == "", "grant", "is set on a review", "leave it out")
	c.want(m.GetBasis() == onusv1.Basis_BASIS_UNSPECIFIED, "basis", "is set on a review", "leave it out")
	c.want(m.GetToken() == nil, "token", "is set on a review", "leave it out")
	c.want(m.GetSession() == "", "session", "is set on a review", "leave it out")
	// The host says who is signed in to its viewer. A reviewer's key says so
	// itself.
	c.want(m.GetUser() == "" || m.GetAuthor().GetHost(), "user", "is set on a review that the host does not sign", "leave it out: the signing key says who reviews")
}
