// Package onus is the root of Onus, an append-only accountability ledger for
// AI agents. It holds no code; it says where things are.
//
// An agent signs a record of what a user asked, how it understood that, what
// it decided and what it did. The ledger puts the record into a Merkle tree
// and answers with a proof. An auditor checks the whole log, or one record,
// without trusting the server, and sees how the records hang together: who
// asked whom for what, and what came of it.
//
//	proto/onus/v1     what is signed, and what is asked of a ledger
//	gen/onus/v1       the code generated from it
//	verifier          what an auditor trusts: pure functions over bytes
//	  record          ids, strict reading, rules, signatures
//	  entry           the leaf's layout, byte by byte
//	  tree            RFC 6962 proofs, signed checkpoints
//	  registry        who is bound to which key at which index
//	  chain           how records hang together
//	ledger            admit, order, commit, prove, list, on one database
//	  rpc             the ledger over HTTP: Connect, gRPC and plain JSON
//	agent             what an agent's author imports
//	cmd/onus          the server's, the operator's and the agent's tool
//	cmd/onus-verify   the auditor's tool
//
// Read it from the verifier up: nothing there knows of what stands above it,
// and imports_test.go holds that. docs/design.md tells the rest.
package onus
