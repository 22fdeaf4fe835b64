package agent

import (
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// Step is one record in the making. It holds any of intent, interpretation,
// decision and action, or an outcome alone, or a delegation alone.
//
// A step in a context with a link (see [WithLink]) takes from it what it does
// not say itself: the parent, and the grant that it acts under. The grant is
// that of the nearest link that another party signed: what an agent puts into
// its own links is for those that it calls. A root takes neither; an outcome,
// and a step of basis [Own] that names no grant, take no grant.
//
// Every text is committed to: the record holds SHA-256 over a fresh salt and
// the text, and the text itself goes to the ledger beside the record, stored
// encrypted and off the log. Plain and Withhold change that for single
// fields. An empty text is left out of the record.
type Step struct {
	Intent         *Intent
	Interpretation *Interpretation
	Decision       *Decision
	Action         *Action
	// Outcome ends the action in Parent. [Agent.Do] records it by itself.
	Outcome *Outcome
	// Delegation passes on authority that this agent has: [Agent.Delegate]
	// is the short form.
	Delegation *Delegation

	// Parent is the one record that asked for this work. Zero means the link
	// in the context (see [WithLink]), or none if there is none.
	Parent Link
	// Root says that nothing asked for this work, whatever the context has.
	Root bool
	// Causes are other records that influenced this one.
	Causes []record.ID
	// Asks is the agent class that this record asks to act, when it hands
	// work over. Empty means that it asks nobody.
	Asks string

	// User is the pseudonym of the user on whose behalf this is done, from
	// [Client.User]. Empty means the Token's, or nobody's.
	User string
	// Session is the pseudonym of the user's session, from [Client.Session].
	// Empty means the Token's, or none.
	Session string
	// Token is the user's ID token, with this agent's registered client as its
	// audience, or one that was exchanged for the log's. The record says what
	// the token says and whose it is; the token itself travels beside it, and
	// the ledger keeps it sealed, off the log. [Receipt.Assurance] says how it
	// was taken. Empty means none: then the user is only asserted.
	Token Token
	// Subjects are the pseudonyms of the customers, accounts or cases
	// touched, from [Client.Subject].
	Subjects []string
	// Grant is the grant that the step acts under, or delegates under; zero
	// means the context's, or none.
	Grant record.ID
	// Basis is whose authority was used: [Delegated], [Own], or 0 to say
	// nothing.
	Basis onusv1.Basis
	// Trace carries ids of other systems, for correlation only; nil means
	// none. It is not changed.
	Trace *onusv1.Trace

	// Plain names fields whose text is to stand in the log, readable by all
	// its readers and for ever. The log's policy must allow each.
	Plain []Field
	// Withhold names fields that are committed to while their text stays
	// here: [Receipt.Withheld] returns salt and text, which the author keeps.
	Withhold []Field
	// Under says under whose key the text of a field is stored: a pseudonym
	// that is the step's user or one of its subjects. A field that is not
	// here is stored under the user's key, or the operator's if there is no
	// user.
	Under map[Field]string

	// loss is set by [Agent.Lost].
	loss *loss
	// registration and revocation are set where the agent speaks of its own
	// keys and grants.
	registration *onusv1.Registration
	revocation   *onusv1.Revocation
	// at is the claimed time; zero means that of signing.
	at time.Time
}

type loss struct {
	first, last int64
	reason      string
}

// Intent is what the user asked for.
type Intent struct {
	// Text holds the user's words.
	Text string
	// Requested is the same in terms that can be compared.
	Requested []Element
}

// Interpretation is how the agent understood the goal.
type Interpretation struct {
	Text string
	// Model and ModelVersion name the model that read the goal.
	Model, ModelVersion string
}

// Decision is what the agent chose to do about it.
type Decision struct {
	Text string
	// Chosen is the same in terms that can be compared.
	Chosen []Element
	// Alternatives are what else was considered.
	Alternatives []string
	// Rationale says why. It is a claim.
	Rationale string
	// Confidence is a decimal from 0 to 1, such as "0.85", or empty.
	Confidence string
	// Proposal is what is to be done once a person approves it; nil means
	// nothing. [Client.AwaitAnswer] waits for the answer, and the action then
	// names the approval and has the same element.
	Proposal *Element
}

// Action is the one thing that is done. Element stays plain in the log.
type Action struct {
	Element Element
	// Arguments and Result are texts, often JSON.
	Arguments, Result string
	// Target is what the target decided about the caller: [Allowed],
	// [Denied], or 0 if it did not say.
	Target onusv1.TargetDecision
	// RequestID is the id under which the target knows this request.
	RequestID string
	// Approval is the approval that this action uses up, from
	// [Client.AwaitAnswer]; zero means none.
	Approval record.ID
	// Token is what the target saw of the user's token; nil means nothing is
	// known. It is not changed.
	Token *onusv1.TokenFacts
}

// Element names what is asked for, chosen or done. It stands in the log as
// plain text: no names of persons in it.
type Element struct {
	// Type is the kind of resource, Action what is done to it: "order",
	// "create". Both must be set.
	Type, Action string
	// Location is where: a URL or URN. Identifier is which one.
	Location, Identifier string
	// Datatypes are classes of data touched.
	Datatypes []string
	// Amount is a decimal such as "48000.00", in Unit; Quantity is how many
	// items it is for.
	Amount, Unit, Quantity string
	// Recipient is the pseudonym of who receives the effect.
	Recipient string
}

// Outcome is how an action ended.
type Outcome struct {
	// Status is [Succeeded], [Failed] or [Unknown]. In what an effect returns
	// to [Agent.Do], 0 means: succeeded if its error is nil, unknown if its
	// context ended, else failed.
	Status onusv1.OutcomeStatus
	// Result is a text. In what a failed effect returns to [Agent.Do], empty
	// means the error's text.
	Result string
	// Target is what the target decided about the caller, or 0.
	Target onusv1.TargetDecision
	// RequestID is the id under which the target knows the request.
	RequestID string
}

// The values of Step.Basis, Outcome.Status, and of Target.
const (
	Delegated = onusv1.Basis_BASIS_DELEGATED
	Own       = onusv1.Basis_BASIS_OWN

	Succeeded = onusv1.OutcomeStatus_OUTCOME_STATUS_SUCCEEDED
	Failed    = onusv1.OutcomeStatus_OUTCOME_STATUS_FAILED
	Unknown   = onusv1.OutcomeStatus_OUTCOME_STATUS_UNKNOWN

	Allowed = onusv1.TargetDecision_TARGET_DECISION_ALLOWED
	Denied  = onusv1.TargetDecision_TARGET_DECISION_DENIED
)

// Field names a text of a step, as the log's policy on plain text does.
type Field string

// The fields that hold text.
const (
	IntentText           Field = "stages.intent.text"
	InterpretationText   Field = "stages.interpretation.text"
	DecisionText         Field = "stages.decision.text"
	DecisionRationale    Field = "stages.decision.rationale"
	DecisionAlternatives Field = "stages.decision.alternatives"
	ActionArguments      Field = "stages.action.arguments"
	ActionResult         Field = "stages.action.result"
	OutcomeResult        Field = "outcome.result"
	DelegationPurpose    Field = "delegation.purpose"
	lossReason           Field = "loss.reason"
	revocationReason     Field = "revocation.reason"
)
