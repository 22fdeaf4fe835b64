// Package web is the viewer: pages for people who have to know what an agent
// did, who answers for it, and what proves it, and who never open a terminal.
//
// Every page is rendered by the server and complete without JavaScript; small
// modules add comfort. Nothing is loaded from elsewhere, and nothing is inline
// but the pictures. All that comes out of records is foreign text: it is shown
// between quotation marks or in its place, made harmless by package report, and
// can look like nothing that the viewer says itself.
//
// A page cannot vouch for the server that sent it. It says "checked by this
// server", and how to check without it.
//
// The package does not know the ledger: [Log] says what it needs of one. The
// same pages show an evidence file, with nobody serving.
package web

import (
	"context"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/evidence"
	"github.com/onus-ledger/onus/verifier/record"
	"github.com/onus-ledger/onus/verifier/tree"
	"github.com/onus-ledger/onus/web/desk"
)

// Log is what the pages show: the log of a running ledger, or one out of a
// file. All methods are safe for concurrent use.
type Log interface {
	desk.Log
	// Key is the log's verifier key. Of a file it is the one that the reader
	// gave, or zero.
	Key() tree.LogKey
	// Checkpoint returns the newest durable checkpoint, a signed note with its
	// cosignatures.
	Checkpoint() []byte
	// Raw returns the bytes of an entry.
	Raw(index int64) ([]byte, error)
	// Receipt returns an entry with its proof.
	Receipt(index int64) (*onusv1.ProvenRecord, error)
	// Contents returns what the record's commitments hide, as far as it is
	// stored; who may see it is decided by the caller of this.
	Contents(index int64) ([]*onusv1.Content, error)
	// Name returns the name behind a pseudonym, or an error that wraps
	// desk.ErrNotFound. Pseudonym is the way back, for a name as a whole.
	Name(pseudonym string) (string, error)
	Pseudonym(kind, name string) (string, error)
	// Records lists entries that match, a page at a time, the newest first.
	Records(q RecordQuery, limit int, token string) (indices []int64, next string, err error)
	// Grants lists grants, the newest first.
	Grants(q GrantQuery, limit int, token string) (grants []*Grant, next string, err error)
	// GrantPath returns a grant and those above it, up to the root.
	GrantPath(id record.ID) ([]*Grant, error)
	// MakesBundles reports whether Bundle can make any, so that nobody is offered
	// what cannot be had.
	MakesBundles() bool
	// Bundle makes the evidence for the chains of some records, with contents
	// if asked.
	Bundle(ctx context.Context, ids []record.ID, where string, contents bool) (*evidence.Bundle, error)
}

// RecordQuery says which records to list: those that match all that is set.
type RecordQuery struct {
	Agent, Instance, Operator, User, Session, Subject, Operation, Resource string
	// Since and Before bound the log time in milliseconds; 0 means no bound.
	Since, Before int64
}

// GrantQuery says which grants to list.
type GrantQuery struct {
	Agent, User, Parent string
	// Before bounds the log time in milliseconds; 0 means no bound.
	Before int64
}

// Grant is a grant in the log, and what became of it.
type Grant struct {
	Index  int64
	Time   int64 // log time, milliseconds
	Record *record.Record
	// Status is all but its record.
	Status *onusv1.GrantStatus
}

// Viewer is who looks at a page.
type Viewer struct {
	// Name is how people call who is signed in; empty where nobody signs in.
	Name string
	// Role is the role's name, as it is shown.
	Role string
	// Contents: may see what commitments hide, and the names behind
	// pseudonyms. Reviews: may write reviews.
	Contents, Reviews bool
}

// Review is what an officer writes.
type Review struct {
	Record      record.ID
	Finding     string
	Disposition onusv1.Disposition
	Note        string
	// Assignee is a name, not a pseudonym; empty for nobody.
	Assignee string
}

// Officer writes reviews into the log.
type Officer interface {
	// Review logs a review by the viewer and returns when it is durable. An
	// error that is a *record.Error is for the viewer to read.
	Review(ctx context.Context, by Viewer, r Review) (index int64, err error)
}
