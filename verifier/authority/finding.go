package authority

import (
	"fmt"
	"time"

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

// Finding is one thing to know about a record's authority.
type Finding struct {
	// Code is the stable name, such as GRANT_EXPIRED.
	Code     string
	Severity Severity
	// Forbids: with it, an action was not allowed. What is said of a grant
	// itself forbids nothing yet: see [State.Judge].
	Forbids bool
	// Coverage: it says that something is not wired yet, and is no conduct.
	Coverage bool
	// Text is one sentence with the values.
	Text string
	// Record is the grant that it is about; zero if it is about the record
	// itself.
	Record record.ID
	// Limit is the limit that was exceeded, for people: "50,000 EUR"; Sum what
	// all uses came to, if it was a limit in total.
	Limit, Sum string
}

// The codes.
const (
	AgentRevoked           = "AGENT_REVOKED"
	KeyRevoked             = "KEY_REVOKED"
	GrantRevoked           = "GRANT_REVOKED"
	AncestorRevoked        = "ANCESTOR_REVOKED"
	SessionRevoked         = "SESSION_REVOKED"
	SuspectWindow          = "SUSPECT_WINDOW"
	CredentialExpired      = "CREDENTIAL_EXPIRED"
	GrantMissing           = "GRANT_MISSING"
	GrantExpired           = "GRANT_EXPIRED"
	GrantNotYetValid       = "GRANT_NOT_YET_VALID"
	GrantNotBoundToUser    = "GRANT_NOT_BOUND_TO_USER"
	OutsideDelegatedScope  = "OUTSIDE_DELEGATED_SCOPE"
	ScopeUncomparable      = "SCOPE_UNCOMPARABLE"
	LimitExceeded          = "LIMIT_EXCEEDED"
	ScopeWidened           = "SCOPE_WIDENED"
	ExpiryWidened          = "EXPIRY_WIDENED"
	DepthExceeded          = "DEPTH_EXCEEDED"
	GrantIssuerLacks       = "GRANT_ISSUER_LACKS_AUTHORITY"
	SelfGranted            = "SELF_GRANTED"
	OwnAuthorityUsed       = "OWN_AUTHORITY_USED"
	OwnAuthorityUndeclared = "OWN_AUTHORITY_UNDECLARED"
	PrincipalChanged       = "PRINCIPAL_CHANGED"
	ApprovalMissing        = "APPROVAL_MISSING"
	ApprovalMismatch       = "APPROVAL_MISMATCH"
	ApprovalReused         = "APPROVAL_REUSED"
	DeniedButDone          = "DENIED_BUT_DONE"
)

// kinds says how serious each finding is, and which forbid an action.
var kinds = map[string]struct {
	severity Severity
	forbids  bool
}{
	AgentRevoked:           {Critical, true},
	KeyRevoked:             {Critical, true},
	GrantRevoked:           {Critical, true},
	AncestorRevoked:        {Critical, true},
	SessionRevoked:         {Critical, true},
	SuspectWindow:          {Warn, false},
	CredentialExpired:      {High, true},
	GrantMissing:           {High, true},
	GrantExpired:           {High, true},
	GrantNotYetValid:       {High, true},
	GrantNotBoundToUser:    {High, true},
	OutsideDelegatedScope:  {High, true},
	ScopeUncomparable:      {High, true},
	LimitExceeded:          {High, true},
	ScopeWidened:           {High, true},
	ExpiryWidened:          {High, true},
	DepthExceeded:          {High, true},
	GrantIssuerLacks:       {High, true},
	SelfGranted:            {High, true},
	OwnAuthorityUsed:       {Info, false},
	OwnAuthorityUndeclared: {High, true},
	PrincipalChanged:       {High, true},
	ApprovalMissing:        {High, true},
	ApprovalMismatch:       {High, true},
	ApprovalReused:         {High, true},
	DeniedButDone:          {Critical, true},
}

// found makes a finding about a grant, or about the record itself if about is
// nil.
func found(code string, about *Grant, format string, args ...any) Finding {
	k, ok := kinds[code]
	if !ok {
		panic("authority: no finding is named " + code)
	}
	f := Finding{Code: code, Severity: k.severity, Forbids: k.forbids, Text: fmt.Sprintf(format, args...)}
	if about != nil {
		f.Record = about.ID
	}
	return f
}

// clock writes a log time for people.
func clock(ms int64) string {
	if ms < 0 {
		return "no stated time"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC")
}
