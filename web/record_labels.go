package web

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// shape says how the value of a record's field is shown.
type shape int

const (
	// byType: free text between quotation marks, numbers and times as such, a
	// message as a list of its own.
	byType shape = iota
	// isName is for what the format allows a few signs in only: shown as code.
	isName
	// These are names and ids that lead somewhere.
	isRecord
	isGrant
	isAgent
	isOperator
	isUser
	isSubject
	isSession
	isKey
	// isPublished is for bytes that are text: what others published. isBytes is
	// for others.
	isPublished
	isBytes
)

// label is what people read for a field. Always: zero says something too.
type label struct {
	words  string
	shape  shape
	always bool
}

// labels has every field that a record may have, by message and field. A test
// walks the descriptors, so that a new field without words fails it.
var labels = map[protoreflect.FullName]label{
	"Record.origin":       {"Log it is meant for", isName, false},
	"Record.nonce":        {"Random bytes", isBytes, false},
	"Record.author":       {"Author", byType, false},
	"Record.capture":      {"How it came to be", byType, false},
	"Record.claimed_time": {"The author’s clock", byType, false},
	"Record.sequence":     {"Number in the process’s own count", byType, true},
	"Record.previous":     {"The process’s record before it", isRecord, false},
	"Record.parent_agent": {"Agent that asked for it", isAgent, false},
	"Record.parent":       {"Record that asked for it", isRecord, false},
	"Record.asks":         {"Agent that it asks to act", isAgent, false},
	"Record.causes":       {"Because of", isRecord, false},
	"Record.user":         {"User", isUser, false},
	"Record.session":      {"The user’s session", isSession, false},
	"Record.grant":        {"Under the grant", isGrant, false},
	"Record.basis":        {"Authority, as the author says", byType, false},
	"Record.trace":        {"Ids in other systems", byType, false},
	"Record.subjects":     {"Who is touched", isSubject, false},
	"Record.token":        {"The user’s token", byType, false},

	"Record.stages":       {"Stages", byType, false},
	"Record.outcome":      {"Outcome", byType, false},
	"Record.registration": {"Registration", byType, false},
	"Record.trigger":      {"Trigger", byType, false},
	"Record.loss":         {"Lost records", byType, false},
	"Record.genesis":      {"The log’s beginning", byType, false},
	"Record.delegation":   {"Grant", byType, false},
	"Record.approval":     {"Approval", byType, false},
	"Record.denial":       {"Denial", byType, false},
	"Record.rejection":    {"Rejection", byType, false},
	"Record.revocation":   {"Revocation", byType, false},
	"Record.counter":      {"What the target saw", byType, false},
	"Record.key_set":      {"Keys of an issuer", byType, false},
	"Record.trust_bundle": {"Trust bundle", byType, false},
	"Record.read":         {"Who read", byType, false},
	"Record.review":       {"Review", byType, false},

	"Author.agent":         {"Agent", isAgent, false},
	"Author.instance":      {"Process", isName, false},
	"Author.operator":      {"Operator", isOperator, false},
	"Author.administrator": {"Administrator", isName, false},
	"Author.service":       {"Service", isName, false},
	"Author.client":        {"User client", isName, false},
	"Author.user":          {"User", isUser, false},
	"Author.reviewer":      {"Reviewer", isName, false},
	"Author.host":          {"The log’s host", byType, false},
	"Author.key_id":        {"Key", isKey, false},

	"Trace.traceparent":    {"W3C trace", byType, false},
	"Trace.a2a_context_id": {"A2A context", byType, false},
	"Trace.a2a_task_id":    {"A2A task", byType, false},
	"Trace.mcp_session_id": {"MCP session", byType, false},
	"Trace.mcp_request_id": {"MCP request", byType, false},

	"UserToken.digest":        {"Digest", isName, false},
	"UserToken.issuer":        {"Issuer", isName, false},
	"UserToken.audience":      {"Made out to", byType, false},
	"UserToken.client":        {"Issued to client", byType, false},
	"UserToken.id":            {"Token’s id", byType, false},
	"UserToken.issued":        {"Issued", byType, false},
	"UserToken.expires":       {"Expires", byType, false},
	"UserToken.authenticated": {"The user signed in", byType, false},
	"UserToken.acr":           {"How strongly", byType, false},
	"UserToken.amr":           {"By which means", byType, false},
	"UserToken.confirms":      {"Bound to key", isKey, false},
	"UserToken.actors":        {"Who acts for the user", byType, false},
	"Actor.subject":           {"Actor", byType, false},
	"Actor.issuer":            {"Named by", byType, false},
	"Actor.client":            {"Client", byType, false},

	"ScopeElement.type":       {"Kind of resource", isName, false},
	"ScopeElement.action":     {"What is done", isName, false},
	"ScopeElement.location":   {"Where", isName, false},
	"ScopeElement.identifier": {"Which one", byType, false},
	"ScopeElement.datatypes":  {"Data touched", byType, false},
	"ScopeElement.amount":     {"Amount", isName, false},
	"ScopeElement.unit":       {"Unit", isName, false},
	"ScopeElement.quantity":   {"Number of items", isName, false},
	"ScopeElement.recipient":  {"Recipient", isSubject, false},

	"DecisionRecord.intent":         {"What the user asked for", byType, false},
	"DecisionRecord.interpretation": {"How it was understood", byType, false},
	"DecisionRecord.decision":       {"What was decided", byType, false},
	"DecisionRecord.action":         {"What was done", byType, false},
	"Intent.text":                   {"The user’s words", byType, false},
	"Intent.requested":              {"Asked for, in terms that can be compared", byType, false},
	"Interpretation.text":           {"In the agent’s words", byType, false},
	"Interpretation.model":          {"Model", byType, false},
	"Interpretation.model_version":  {"Model’s version", byType, false},
	"Decision.text":                 {"In the agent’s words", byType, false},
	"Decision.chosen":               {"Chosen, in terms that can be compared", byType, false},
	"Decision.alternatives":         {"Instead of", byType, false},
	"Decision.rationale":            {"Why, as the agent claims", byType, false},
	"Decision.confidence":           {"Confidence, as the agent claims", isName, false},
	"Decision.proposal":             {"To be done once a person approves it", byType, false},
	"Action.element":                {"The act", byType, false},
	"Action.arguments":              {"Arguments", byType, false},
	"Action.result":                 {"Result", byType, false},
	"Action.target_decision":        {"The target said", byType, false},
	"Action.external_request_id":    {"Request’s id at the target", byType, false},
	"Action.approval":               {"Approval that it uses up", isRecord, false},
	"Action.token":                  {"What the target saw of the user’s token", byType, false},
	"TokenFacts.sub":                {"Subject", isUser, false},
	"TokenFacts.act":                {"Who acted", byType, false},
	"TokenFacts.azp":                {"Client", byType, false},

	"Outcome.status":              {"How it ended, as the author says", byType, false},
	"Outcome.result":              {"Result", byType, false},
	"Outcome.target_decision":     {"The target said", byType, false},
	"Outcome.external_request_id": {"Request’s id at the target", byType, false},

	"Grant.agent":             {"Given to agent", isAgent, false},
	"Grant.instance":          {"To this process of it alone", isName, false},
	"Grant.scope":             {"May do", byType, false},
	"Grant.not_before":        {"From", byType, false},
	"Grant.expires":           {"Until, exclusive", byType, false},
	"Grant.max_depth":         {"Levels that it may be handed on", byType, true},
	"Grant.approvals":         {"Needs a person’s approval", byType, false},
	"Grant.ends_with_session": {"Ends with the user’s session", byType, false},
	"Grant.purpose":           {"Purpose", byType, false},
	"GrantElement.element":    {"What", byType, false},
	"GrantElement.max_item":   {"At most an item", isName, false},
	"GrantElement.max_total":  {"At most in total", isName, false},
	"GrantElement.unit":       {"Unit", isName, false},
	"ApprovalRule.above":      {"Amounts above", isName, false},
	"ApprovalRule.unit":       {"Unit", isName, false},
	"ApprovalRule.operations": {"Operations", isName, false},
	"ApprovalRule.approvers":  {"By reviewer", isName, false},
	"ApprovalRule.assurance":  {"Least strength of a user’s word", byType, false},

	"Approval.proposal": {"Proposal", isRecord, false},
	"Approval.expires":  {"Until, exclusive", byType, false},
	"Approval.reason":   {"Reason", byType, false},
	"Denial.proposal":   {"Proposal", isRecord, false},
	"Denial.reason":     {"Reason", byType, false},

	"Rejection.record":     {"Record that was refused", isRecord, false},
	"Rejection.author":     {"Its author", byType, false},
	"Rejection.revocation": {"Because of the revocation in entry", byType, false},

	"CounterRecord.caller":              {"Who called", isAgent, false},
	"CounterRecord.caller_instance":     {"Process that called", isName, false},
	"CounterRecord.caller_key":          {"Key that proved it", isKey, false},
	"CounterRecord.grant":               {"Grant that the caller named", isGrant, false},
	"CounterRecord.element":             {"What was asked of it", byType, false},
	"CounterRecord.token":               {"What it saw of the user’s token", byType, false},
	"CounterRecord.external_request_id": {"Request’s id", byType, false},
	"CounterRecord.decision":            {"What it said", byType, false},
	"CounterRecord.status":              {"How it ended", byType, false},

	"KeySet.issuer":       {"Issuer", isName, false},
	"KeySet.jwks":         {"Keys, as published", isPublished, false},
	"KeySet.fetched":      {"Fetched", byType, false},
	"TrustBundle.domain":  {"Trust domain", isName, false},
	"TrustBundle.bundle":  {"Bundle, as published", isPublished, false},
	"TrustBundle.fetched": {"Fetched", byType, false},

	"Read.caller":    {"Reader", byType, false},
	"Read.role":      {"Role", byType, false},
	"Read.procedure": {"What was asked", byType, false},
	"Read.record":    {"Record that was asked for", isRecord, false},

	"Review.record":      {"About the record", isRecord, false},
	"Review.finding":     {"About the finding", isName, false},
	"Review.disposition": {"What became of it", byType, false},
	"Review.note":        {"Note", byType, false},
	"Review.assignee":    {"Who is to see to it", isUser, false},

	"Registration.operator": {"Operator", byType, false},
	"Registration.agent":    {"Agent", byType, false},
	"Registration.key":      {"Key", byType, false},
	"Registration.service":  {"Service", byType, false},
	"Registration.client":   {"User client", byType, false},
	"Registration.reviewer": {"Reviewer", byType, false},
	"Registration.issuer":   {"Issuer", byType, false},

	"Operator.id":               {"Id", isOperator, false},
	"Operator.organisation":     {"Organisation", byType, false},
	"Operator.unit":             {"Unit", byType, false},
	"Operator.accountable_post": {"Accountable post", byType, false},
	"Operator.contact":          {"Contact", byType, false},

	"AgentClass.id":            {"Id", isAgent, false},
	"AgentClass.operator":      {"Answered for by", isOperator, false},
	"AgentClass.display_name":  {"Name", byType, false},
	"AgentClass.purpose":       {"Purpose", byType, false},
	"AgentClass.model":         {"Model", byType, false},
	"AgentClass.catalogue":     {"Is there to", byType, false},
	"AgentClass.owner":         {"Owner", byType, false},
	"AgentClass.risk_class":    {"Risk, in its owner’s word", byType, false},
	"AgentClass.ceiling":       {"At most, whatever it is given", byType, false},
	"AgentClass.oauth_clients": {"Is the OAuth client", byType, false},
	"AgentClass.observed":      {"Not under grants yet", byType, false},
	"AgentClass.workloads":     {"Workload that may enrol keys", byType, false},
	"OAuthClient.issuer":       {"Issuer", isName, false},
	"OAuthClient.id":           {"Client", byType, false},
	"Workload.issuer":          {"Issuer", isName, false},
	"Workload.subject":         {"Subject", byType, false},

	"Service.id":           {"Id", isName, false},
	"Service.operator":     {"Answered for by", isOperator, false},
	"Service.display_name": {"Name", byType, false},
	"Service.locations":    {"Serves", isName, false},
	"Service.records":      {"Records each request", byType, false},
	"Service.workloads":    {"Workload that may enrol keys", byType, false},

	"UserClient.id":           {"Id", isName, false},
	"UserClient.operator":     {"Answered for by", isOperator, false},
	"UserClient.display_name": {"Name", byType, false},
	"UserClient.oauth_client": {"Is the OAuth client", byType, false},

	"Reviewer.name":     {"Name", isName, false},
	"Reviewer.operator": {"Answered for by", isOperator, false},
	"Reviewer.post":     {"Post", byType, false},

	"Issuer.url":       {"URL", isName, false},
	"Issuer.jwks_uri":  {"Where its keys are", isName, false},
	"Issuer.users":     {"Issues users’ tokens", byType, false},
	"Issuer.workloads": {"Issues workloads’ tokens", byType, false},

	"KeyBinding.public_key":     {"Public key", isBytes, false},
	"KeyBinding.agent":          {"Of agent", isAgent, false},
	"KeyBinding.instance":       {"Of this process alone", isName, false},
	"KeyBinding.operator":       {"Of operator", isOperator, false},
	"KeyBinding.service":        {"Of service", isName, false},
	"KeyBinding.client":         {"Of user client", isName, false},
	"KeyBinding.reviewer":       {"Of reviewer", isName, false},
	"KeyBinding.user":           {"Of user", isUser, false},
	"KeyBinding.not_after":      {"May sign until, exclusive", byType, false},
	"KeyBinding.replaces":       {"Takes over from key", isKey, false},
	"KeyBinding.replaced_until": {"Which may sign until, exclusive", byType, false},
	"KeyBinding.svid":           {"Shown by a certificate", byType, false},
	"KeyBinding.workload_token": {"Shown by a workload’s token", byType, false},
	"KeyBinding.possession":     {"The key’s own signature", isBytes, false},
	"X509SVID.chain":            {"Certificate", isBytes, false},
	"X509SVID.possession":       {"The certificate’s signature for the key", isBytes, false},

	"Revocation.key":             {"Ends key", isKey, false},
	"Revocation.instance":        {"Ends process", byType, false},
	"Revocation.agent":           {"Ends agent", isAgent, false},
	"Revocation.operator":        {"Ends operator", isOperator, false},
	"Revocation.grant":           {"Ends grant", isGrant, false},
	"Revocation.session":         {"Ends session", isSession, false},
	"Revocation.suspected_since": {"Suspect since", byType, false},
	"Revocation.reason":          {"Reason", byType, false},
	"InstanceName.agent":         {"Agent", isAgent, false},
	"InstanceName.instance":      {"Process", isName, false},

	"Trigger.name":   {"Name", byType, false},
	"Trigger.detail": {"Detail", byType, false},

	"Loss.first_sequence": {"From number", byType, true},
	"Loss.last_sequence":  {"To number", byType, true},
	"Loss.reason":         {"Reason", byType, false},

	"Genesis.log_key":          {"The log’s key", isName, false},
	"Genesis.administrators":   {"Administrator", byType, false},
	"Genesis.policy":           {"What this log decided about itself", byType, false},
	"Genesis.predecessor":      {"Takes over from the log", byType, false},
	"Predecessor.log_key":      {"That log’s key", isName, false},
	"Predecessor.checkpoint":   {"Its last checkpoint", byType, false},
	"Genesis.host_key":         {"The host’s key", isBytes, false},
	"Administrator.name":       {"Name", isName, false},
	"Administrator.public_key": {"Public key", isBytes, false},
	"Policy.clock_skew":        {"Clocks may run ahead by", byType, false},
	"Policy.late_after":        {"Records may be late by", byType, false},
	"Policy.outcome_window":    {"Actions may lack an outcome for", byType, false},
	"Policy.plain_text":        {"Plain text is allowed in", isName, false},
	"Policy.revoked":           {"Records of revoked parties", byType, false},
	"Policy.record_reads":      {"Reads are recorded", byType, false},
	"Policy.approvals":         {"Needs a person’s approval", byType, false},
	"Policy.observed":          {"No agent is under grants yet", byType, false},

	"Text.commitment": {"Committed to", isBytes, false},
	"Text.plain":      {"Plain text", byType, false},
}

// enumWords has every value that an enum in a record may have.
var enumWords = map[protoreflect.Name]string{
	"CAPTURE_SELF":      "its author recorded its own doing",
	"CAPTURE_RECORDER":  "a proxy or gateway saw it: who did it is asserted",
	"CAPTURE_TELEMETRY": "made from traces or metrics: who did it and when is asserted",
	"CAPTURE_IMPORT":    "made later from transcripts or logs: who did it and when is asserted",

	"BASIS_DELEGATED": "authority that came from a user",
	"BASIS_OWN":       "permissions that its operator gave to the agent",

	"TARGET_DECISION_ALLOWED": "allowed",
	"TARGET_DECISION_DENIED":  "denied",

	"OUTCOME_STATUS_SUCCEEDED": "succeeded",
	"OUTCOME_STATUS_FAILED":    "failed",
	"OUTCOME_STATUS_UNKNOWN":   "not known: it crashed, or lost the answer",

	"DISPOSITION_OPEN":        "open: it waits for somebody, or is looked into",
	"DISPOSITION_EXPLAINED":   "explained: it is as it should be",
	"DISPOSITION_ESCALATED":   "escalated: somebody else has to decide",
	"DISPOSITION_INCIDENT":    "incident: harm was done, or could have been",
	"DISPOSITION_FALSE_ALARM": "false alarm: the finding is mistaken",

	"REVOKED_RECORDS_ADMIT":  "are logged, and flagged",
	"REVOKED_RECORDS_REJECT": "are refused, and the refusal is logged",
}
