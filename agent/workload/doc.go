// Package workload gives an agent, or a service, what the SPIFFE Workload API
// gives to workloads: its identity, fresh at all times, and whom to trust.
//
// [Open] connects to the Workload API, which the SPIFFE agent on the machine
// serves at a unix socket, and waits for the first X.509-SVID:
//
//	src, err := workload.Open(ctx, workload.Config{ServerID: "spiffe://example.com/ledger"})
//	…
//	defer src.Close()
//	a, err := agent.New(agent.Config{
//		Server:     "https://ledger.example.com",
//		HTTPClient: src.HTTPClient(),
//		Agent:      src.ID(),
//		…
//	})
//
// # Rotation
//
// SVIDs live for minutes or hours, and trust bundles change. The Workload API
// pushes what is new, and a [Source] uses it from then on:
//
//   - [Source.HTTPClient] presents the newest SVID. No call goes out on a
//     connection that an older one opened; what is under way on it ends there.
//   - [Source.ServerConfig] presents the newest SVID to new connections, and
//     [Source.Listener] closes those of clients whose authority is trusted no
//     more.
//   - [Source.X509], [Source.JWT] and [Source.Bundle] answer with the newest.
//
// While the Workload API is away, all go on with what came last, until it
// expires.
//
// # Whom it trusts
//
// The Workload API names the trust domains that this workload is to trust: its
// own, and those that it federates with. A certificate is verified against the
// authorities of the domain in its SPIFFE ID alone: an authority of one domain
// cannot speak for another. That somebody is genuine does not say what they
// may do; that is decided elsewhere.
//
// SPIFFE is not needed to use a ledger. An agent's id is a SPIFFE ID in any
// case, and without a Workload API it is only a name.
package workload
