// Package agent is what an agent's author imports to record what the agent
// does: signed, in a ledger, with a proof before anything happens.
//
// # A step and its receipt
//
// [New] takes the agent's key, its names and the log's pinned key. Then a step
// is one call:
//
//	receipt, err := a.Record(ctx, agent.Step{
//		User:   user,
//		Intent: &agent.Intent{Text: "why is my pod failing?"},
//	})
//
// The step is any of intent (what the user asked), interpretation (how the
// agent understood it), decision (what it chose) and action (what it does).
// When Record returns, the record is on the ledger's disk, and the receipt is
// verified: the pinned log key signed a tree that holds this very record with
// this agent's signature. Nothing has to be believed, and nothing has to be
// checked again; Receipt.Proven may be kept as a file.
//
// # Before and after
//
// [Agent.Do] is for actions. It logs the action, with the proof in hand before
// the effect runs, and the outcome after it, whether the effect succeeded,
// failed, or nobody can tell:
//
//	done, err := a.Do(ctx, step, func(ctx context.Context) (agent.Outcome, error) {
//		logs, err := cluster.Logs(ctx, "shop", "web-1")
//		return agent.Outcome{Result: logs}, err
//	})
//
// # Who asked for it
//
// Records form chains by their parents. A step names the record that asked for
// it in Step.Parent, with [Receipt.Link]. Links also travel in a context
// ([WithLink]), where Do puts them for its effect, and between agents: in the
// HTTP header Onus-Parent ([Transport] on the caller's side, [Middleware] on
// the other), and under the key io.github.onus-ledger/parent in MCP's _meta and
// A2A's metadata ([InjectMeta], [ExtractMeta]). A record that is made in a
// context with a link takes its parent from there. The caller's record should
// name the agent that it calls in Step.Asks.
//
// # Under which authority
//
// What an agent may do is said by grants, which are records too. A user or an
// operator gives one (package party); an agent passes a part of its own on with
// one call, [Agent.Delegate], which returns a link that carries the new grant.
// The child's records take parent and grant from that link by themselves, once
// the caller has proven who it is: without a proof a link gives a parent and no
// authority. What
// needs a person's approval is logged as a proposal (Decision.Proposal);
// [Client.AwaitAnswer] waits, and the action then names the approval.
//
// With the user's ID token in Step.Token the user's word is more than the
// agent's: the record says whose the token is and what it says, the ledger checks
// it, and [Receipt.Assurance] tells how it was taken. The token stays off the
// log.
//
// # Who calls
//
// Agents authenticate to each other with the keys that they are recorded with:
// [ProofTransport] on the caller's side, package callee on the other.
//
// # Keys
//
// A key that an administrator or the operator registered is enough for [New].
// Without one, [Enrol] registers a fresh key by an SVID or a workload token, and
// [Agent.Rotate] goes on with the next one.
//
// An agent that is revoked hears of it with the answer to its next record, and
// stops: see [RevokedError]. What Do was about to do is not done.
//
// # What is in the log and what is not
//
// Texts are committed to under a salt, and stored off the log, encrypted under
// their user's key, so that they can be forgotten. Step.Plain and Step.Withhold
// name the fields for which that is to be otherwise. Users, sessions and the persons touched are
// pseudonyms that the ledger mints: [Client.User], [Client.Session],
// [Client.Subject]. Elements (type, action, location, amounts) stay readable in
// the log for ever, because verdicts compare them: no names of persons there.
//
// # Many records
//
// Who records for many agents, or imports, signs with an [Author] each and logs
// with [Client.Submit], many in one call, or with [Client.Stream], as they come.
//
// # When the ledger cannot be reached
//
// The author chooses, in Config.OnOutage. With [Wait], the default, a call goes
// on trying until its context ends, and the agent stands still meanwhile:
// nothing is done unrecorded. With [Fail] a call gives up after Config.Patience
// with an [*OutageError], and the author decides what the agent does without a
// record. Attempts are made again after a pause with random spread, never
// sooner than a busy ledger asks for. That is safe: a record's id is a hash of
// what was signed, and the ledger answers a record that it has with its old
// index.
//
// An instance numbers its records without gaps, and each names the one before.
// So a record that was refused gives its number back; one whose fate is
// unknown, because the answer was lost, is kept and submitted again, the same
// bytes, before the next. What is kept is kept in memory: call [Agent.Flush]
// before the process ends. What is lost for good is declared with [Agent.Lost].
//
// # What is not checked here
//
// A receipt proves that the record is in the log that the key signed. That the
// log shows everybody the same is beyond one agent: it compares checkpoints as
// [ForkError] describes, and auditors and witnesses do the rest.
package agent
