package chain

import (
	"fmt"

	"github.com/onus-ledger/onus/verifier/record"
)

// Severity orders findings.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Warn     Severity = "warn"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Kind says what a finding speaks of.
type Kind string

// The kinds.
const (
	// Conduct: what a party did or left undone.
	Conduct Kind = "conduct"
	// Proof: what the evidence is worth.
	Proof Kind = "evidence"
	// Coverage: what is not wired yet. It is counted per agent, and never
	// stands among conduct.
	Coverage Kind = "coverage"
)

// Forces says which verdict a finding forces on an action.
type Forces string

// What is forced.
const (
	ForcesNothing      Forces = ""
	ForcesUnverifiable Forces = "U"
	ForcesUnauthorized Forces = "X"
)

// Need is what must be in hand to decide a finding.
type Need string

// The needs.
const (
	NeedsEntry    Need = "E"
	NeedsBundle   Need = "B"
	NeedsRegistry Need = "R"
	NeedsLog      Need = "L"
)

// State says what a statement rests on. The four are never blurred.
type State string

// The states.
const (
	// Verified: it follows from what was signed, and from the registry.
	Verified State = "verified"
	// Attested: it rests on the ledger's word: its stamp, its clock.
	Attested State = "attested"
	// Asserted: it rests on somebody's word.
	Asserted State = "asserted"
	// Broken: the proof for it fails.
	Broken State = "broken"
)

// Who must answer for a finding.
type Who string

// Who it can be. Of an action the actor is the agent that signed it; of any
// other record it is its signer.
const (
	WhoActor    Who = "the acting agent"
	WhoOperator Who = "the agent's operator"
	WhoDecider  Who = "the deciding agent"
	WhoIssuer   Who = "who issued the grant"
	WhoGiver    Who = "the operator who gave the permission"
	WhoSupplier Who = "whoever supplied the evidence"
	WhoHost     Who = "the host of the log"
	WhoService  Who = "the target service"
	WhoBoth     Who = "the acting agent and the target service"
	WhoDelegate Who = "the agent that was asked"
	WhoNobody   Who = "nobody"
)

// Rule is what is fixed about a finding: one row of docs/attribution.md.
type Rule struct {
	Code string
	// Title is what people read.
	Title    string
	Severity Severity
	Forces   Forces
	Kind     Kind
	Needs    Need
	// State is what the finding rests on at best, by the entries alone.
	State State
	// Who must answer.
	Who Who
	// Pending: no record can cause it yet.
	Pending bool
}

// Rules are the findings, in the order in which they are listed. The names are
// a stable interface.
var Rules = []Rule{
	{"BROKEN_SIGNATURE", "The signature is not the signer's", Critical, "U", Proof, "E", Broken, WhoSupplier, false},
	{"KEY_NOT_BOUND", "The signing key is not the signer's", Critical, "U", Proof, "R", Broken, WhoSupplier, false},
	{"BROKEN_ENTRY", "The entry cannot be read", Critical, "U", Proof, "E", Broken, WhoSupplier, false},
	{"BROKEN_STAMP", "What the log says of its own state is not so", Critical, "U", Proof, "L", Broken, WhoHost, false},
	{"NOT_ADMISSIBLE", "An honest log would not have taken this", Critical, "U", Proof, "L", Broken, WhoHost, false},
	{"RECORD_LOGGED_TWICE", "The log holds this record twice", Critical, "", Proof, "L", Broken, WhoHost, false},
	{"NOT_INCLUDED", "The log does not hold this", Critical, "U", Proof, "B", Broken, WhoSupplier, false},
	{"INCONSISTENT_LOG", "The log tells two histories", Critical, "U", Proof, "B", Broken, WhoHost, false},
	{"PAYLOAD_MISMATCH", "The content is not what was recorded", Critical, "U", Proof, "B", Broken, WhoSupplier, false},
	{"LOG_TIME_DISPUTED", "The log's time cannot be right", Critical, "", Proof, "L", Broken, WhoHost, false},
	{"UNWITNESSED", "Too few outsiders have seen the log", Warn, "", Coverage, "B", Verified, WhoHost, false},

	{"AGENT_REVOKED", "The agent had been revoked", Critical, "X", Conduct, "R", Verified, WhoActor, false},
	{"KEY_REVOKED", "The agent's key had been revoked", Critical, "X", Conduct, "R", Verified, WhoActor, false},
	{"GRANT_REVOKED", "The permission had been revoked", Critical, "X", Conduct, "R", Verified, WhoActor, false},
	{"ANCESTOR_REVOKED", "What the permission stands on had been revoked", Critical, "X", Conduct, "R", Verified, WhoActor, false},
	{"SESSION_REVOKED", "The user had ended the session", Critical, "X", Conduct, "R", Verified, WhoActor, false},
	{"SUSPECT_WINDOW", "It may have been somebody else with the agent's key", Warn, "", Proof, "R", Asserted, WhoOperator, false},
	{"CREDENTIAL_EXPIRED", "The signing key's time had passed", High, "X", Conduct, "R", Attested, WhoActor, false},

	{"DENIED_BUT_DONE", "A person had refused this", Critical, "X", Conduct, "B", Verified, WhoActor, false},
	{"GRANT_MISSING", "No permission is on record", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"GRANT_EXPIRED", "The permission had ended", High, "X", Conduct, "B", Attested, WhoActor, false},
	{"GRANT_NOT_YET_VALID", "The permission had not begun", High, "X", Conduct, "B", Attested, WhoActor, false},
	{"GRANT_NOT_BOUND_TO_USER", "Nothing shows that the user gave this permission", High, "X", Conduct, "E", Asserted, WhoIssuer, false},
	{"SCOPE_WIDENED", "A permission was passed on wider than it was held", High, "X", Conduct, "B", Verified, WhoIssuer, false},
	{"EXPIRY_WIDENED", "A permission was passed on for longer than it was held", High, "X", Conduct, "B", Verified, WhoIssuer, false},
	{"DEPTH_EXCEEDED", "A permission was passed on too often", High, "X", Conduct, "B", Verified, WhoIssuer, false},
	{"GRANT_ISSUER_LACKS_AUTHORITY", "Who gave the permission did not hold it", High, "X", Conduct, "B", Verified, WhoIssuer, false},
	{"SELF_GRANTED", "The agent gave the permission to itself", High, "X", Conduct, "B", Verified, WhoIssuer, false},
	{"OUTSIDE_DELEGATED_SCOPE", "The permission does not cover this", High, "X", Conduct, "B", Verified, WhoDecider, false},
	{"SCOPE_UNCOMPARABLE", "It cannot be shown that the permission covers this", High, "X", Conduct, "B", Verified, WhoDecider, false},
	{"LIMIT_EXCEEDED", "A limit was exceeded", High, "X", Conduct, "B", Attested, WhoDecider, false},
	{"APPROVAL_MISSING", "A person's approval was needed", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"APPROVAL_MISMATCH", "The approval was for something else", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"APPROVAL_REUSED", "The approval had been used before", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"OWN_AUTHORITY_USED", "It used its operator's permissions", Info, "", Conduct, "B", Verified, WhoGiver, false},
	{"OWN_AUTHORITY_UNDECLARED", "It used its operator's permissions in the user's name", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"DISCLOSED_BEYOND_PRINCIPAL", "It told a user what that user may not see", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"PRINCIPAL_CHANGED", "It acted for another user than it was asked by", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"MIXED_PRINCIPALS", "Work for several users was mixed", Warn, "", Conduct, "B", Verified, WhoActor, false},
	{"IMPERSONATION_SUSPECTED", "The target saw the user, and not the agent", High, "", Conduct, "E", Asserted, WhoActor, false},

	{"PARENT_AGENT_MISMATCH", "Who is said to have asked for this did not", High, "X", Conduct, "B", Verified, WhoActor, false},
	{"NO_USER_INTENT_AT_ROOT", "Nobody is shown to have asked for this", High, "", Conduct, "B", Verified, WhoOperator, false},
	{"PARENT_NOT_IN_LOG", "The record that asked for this is missing", High, "", Conduct, "L", Verified, WhoOperator, false},
	{"CAUSE_NOT_IN_LOG", "A record that this rests on is missing", Warn, "", Conduct, "L", Verified, WhoOperator, false},
	{"CAUSE_LOGGED_LATER", "A reason for this was logged after it", Warn, "", Conduct, "B", Verified, WhoActor, false},
	{"ACTION_WITHOUT_DECISION", "No decision is on record", Warn, "", Conduct, "B", Verified, WhoActor, false},
	{"DECISION_WITHOUT_INTERPRETATION", "How the goal was understood is not on record", Warn, "", Coverage, "B", Verified, WhoActor, false},
	{"INTENT_NOT_BOUND_TO_TOKEN", "Only the agent says what the user asked for", Warn, "", Coverage, "E", Asserted, WhoActor, false},
	{"USER_TOKEN_EXPIRED_BEFORE_ACTION", "The user's sign-in had ended", Warn, "", Conduct, "E", Attested, WhoActor, false},
	{"ACTED_OUTSIDE_SESSION", "It acted outside the user's session", Warn, "", Conduct, "E", Verified, WhoActor, false},

	{"EFFECT_DISAGREES", "The target recorded something else", High, "", Conduct, "B", Verified, WhoBoth, false},
	{"DUPLICATE_EFFECT", "The same request was made twice", Info, "", Conduct, "B", Verified, WhoActor, false},
	{"OUTCOME_MISSING", "How it ended is not on record", Warn, "", Conduct, "L", Attested, WhoOperator, false},
	{"NO_COUNTER_RECORD", "The target did not record it", Info, "", Coverage, "L", Attested, WhoService, false},
	{"NOT_SELF_RECORDED", "Somebody else recorded it for the agent", Info, "", Coverage, "E", Asserted, WhoOperator, false},
	{"INSTANCE_FORKED", "Two histories of one process", Critical, "", Conduct, "B", Verified, WhoOperator, false},
	{"SEQUENCE_GAP", "A record of this process is missing", High, "", Conduct, "L", Verified, WhoOperator, false},
	{"INSTANCE_NOT_CLOSED", "Nothing shows that this was the process's last record", Info, "", Conduct, "L", Attested, WhoOperator, false},
	{"DELEGATE_SILENT", "The agent that was asked has recorded nothing", Warn, "", Conduct, "L", Attested, WhoDelegate, false},
	{"LOSS_DECLARED", "The agent says that records are lost", Warn, "", Conduct, "E", Asserted, WhoOperator, false},
	{"CLOCK_SKEW", "The agent's clock runs ahead", Warn, "", Conduct, "E", Attested, WhoOperator, false},
	{"LATE_RECORDED", "It was recorded late", Warn, "", Conduct, "E", Attested, WhoOperator, false},
	{"NOT_JUDGED", "It has a format that these rules do not know", Warn, "", Proof, "E", Verified, WhoNobody, false},

	{"CONTENT_ERASED", "The content has been erased", Info, "", Proof, "B", Verified, WhoNobody, true},
	{"HOLD_VIOLATED", "Content was erased that had to be kept", Critical, "", Conduct, "B", Verified, WhoHost, true},
}

var ruleOf = func() map[string]*Rule {
	m := make(map[string]*Rule, len(Rules))
	for i := range Rules {
		m[Rules[i].Code] = &Rules[i]
	}
	return m
}()

// rank is a finding's place in [Rules]; those that are not known come last.
func rank(code string) int {
	if r, ok := rankOf[code]; ok {
		return r
	}
	return len(Rules)
}

var rankOf = func() map[string]int {
	m := make(map[string]int, len(Rules))
	for i := range Rules {
		m[Rules[i].Code] = i
	}
	return m
}()

// Finding is one thing to know about a record. [Build] sets the code, the
// severity and the text; [Judge] the rest.
type Finding struct {
	// Code is the stable name, such as LATE_RECORDED.
	Code     string
	Severity Severity
	// Text is one sentence with the values.
	Text string

	Title  string
	Kind   Kind
	Forces Forces
	State  State
	// Who must answer, and the parties that this is here.
	Who     Who
	Parties []Party
	// Index is the entry that it is about, and About another record that it
	// concerns: a grant, or the broken record that an action rests on. Zero if
	// there is none.
	Index int64
	About record.ID
	// Limit is the limit that was exceeded, "50,000 EUR", and Sum what all uses
	// came to, if it was a limit in total.
	Limit, Sum string
}

// findingOf makes a finding as its rule has it. A fault of a name that is not
// known here breaks the evidence: it may be no less.
func findingOf(code string, index int64, text string) Finding {
	r := ruleOf[code]
	if r == nil {
		r = &Rule{Code: code, Title: "The evidence is broken", Severity: Critical, Forces: ForcesUnverifiable, Kind: Proof, State: Broken, Who: WhoSupplier}
	}
	return Finding{Code: code, Severity: r.Severity, Text: text, Title: r.Title, Kind: r.Kind, Forces: r.Forces, State: r.State, Who: r.Who, Index: index}
}

func findingf(code string, n *Node, format string, args ...any) Finding {
	if ruleOf[code] == nil {
		panic("chain: no finding is named " + code)
	}
	return findingOf(code, n.Index, fmt.Sprintf(format, args...))
}
