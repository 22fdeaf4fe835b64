package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger/identity"
)

// The roles that may call a procedure.
var (
	everybody = []identity.Role{identity.Agent, identity.Operator, identity.Auditor, identity.Compliance, identity.Administrator}
	minters   = []identity.Role{identity.Agent, identity.Operator, identity.Compliance, identity.Administrator}
	readers   = []identity.Role{identity.Auditor, identity.Compliance, identity.Administrator}
	admitters = []identity.Role{identity.Operator, identity.Administrator}
)

// access is the one table of who may call what. A procedure that is not here
// is refused to all. Agents and operators then see what view lets them see:
// their own. What is not a procedure (the checkpoint's page, tiles of hashes,
// liveness, health) is public.
var access = map[string][]identity.Role{
	// A record's own signature is the authority to log it; the credential
	// says that its sender belongs here at all.
	onusv1connect.LedgerServiceSubmitProcedure:       everybody,
	onusv1connect.LedgerServiceSubmitBatchProcedure:  everybody,
	onusv1connect.LedgerServiceSubmitStreamProcedure: everybody,
	onusv1connect.LedgerServiceMintProcedure:         minters,
	// Open to nobody in particular too: see isOpen.
	onusv1connect.LedgerServiceEnrolProcedure: everybody,

	onusv1connect.LedgerServiceGetRecordProcedure:   everybody,
	onusv1connect.LedgerServiceGetReceiptProcedure:  everybody,
	onusv1connect.LedgerServiceListRecordsProcedure: everybody,
	onusv1connect.LedgerServiceGetChainProcedure:    everybody,
	// Who asks has signed the record, and may only ask about what it may do.
	onusv1connect.LedgerServiceCheckProcedure:  everybody,
	onusv1connect.LedgerServiceFollowProcedure: readers,

	// Hashes say nothing about records; who is registered is no secret among
	// those who are.
	onusv1connect.LedgerServiceGetInclusionProcedure:   everybody,
	onusv1connect.LedgerServiceGetConsistencyProcedure: everybody,
	onusv1connect.LedgerServiceGetCheckpointProcedure:  everybody,
	// It tells where witnesses are and why they fail.
	onusv1connect.LedgerServiceGetStatusProcedure:  readers,
	onusv1connect.LedgerServiceListAgentsProcedure: everybody,
	onusv1connect.LedgerServiceGetKeyProcedure:     everybody,

	onusv1connect.LedgerServiceListRegistrationsProcedure: everybody,
	onusv1connect.LedgerServiceListPendingProcedure:       admitters,

	// Those that the caller gave or holds.
	onusv1connect.LedgerServiceListGrantsProcedure: everybody,
	onusv1connect.LedgerServiceGetGrantProcedure:   everybody,

	// A chain that holds a record of the caller's, or the registry alone.
	onusv1connect.LedgerServiceGetBundleProcedure: everybody,

	// Not a procedure: entries as c2sp.org/tlog-tiles has them, see tiles.go.
	entryTileProcedure: readers,
	// Not a procedure either. It says what GetStatus says, for machines.
	metricsProcedure: readers,

	"/" + grpcreflect.ReflectV1ServiceName + "/ServerReflectionInfo":      everybody,
	"/" + grpcreflect.ReflectV1AlphaServiceName + "/ServerReflectionInfo": everybody,
}

// isOpen tells the procedures that take no credential. A workload that enrols
// its key brings the credential inside the record: it has no other yet. Whether
// submitting is open too is for the ledger's operator to say.
func (g *guard) isOpen(procedure string) bool {
	switch procedure {
	case onusv1connect.LedgerServiceEnrolProcedure:
		return true
	case onusv1connect.LedgerServiceSubmitProcedure, onusv1connect.LedgerServiceSubmitBatchProcedure, onusv1connect.LedgerServiceSubmitStreamProcedure:
		return g.openSubmit
	}
	return false
}

// guard lets calls in.
type guard struct {
	who        identity.Authenticator
	openSubmit bool
	log        *slog.Logger
	denied     *atomic.Int64
}

type (
	callerKey  struct{}
	requestKey struct{}
)

// connection is what a call may need of what it came by.
type connection struct {
	tls *tls.ConnectionState
	// control sets the deadlines of a stream.
	control *http.ResponseController
}

func connectionOf(ctx context.Context) connection {
	c, _ := ctx.Value(requestKey{}).(*connection)
	if c == nil {
		return connection{}
	}
	return *c
}

// callerOf returns who makes a call: nobody, unless enter let it in.
func callerOf(ctx context.Context) identity.Caller {
	c, _ := ctx.Value(callerKey{}).(identity.Caller)
	return c
}

// handler keeps what calls need of the connection.
func (g *guard) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if identity.Expired(identity.Request{TLS: r.TLS}) {
			// A client that is told so connects again, with its new
			// certificate; until then it could go on for days.
			w.Header().Set("Connection", "close")
		}
		c := &connection{tls: r.TLS, control: http.NewResponseController(w)}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, c)))
	})
}

// enter authenticates a call and holds it to the table. It is a gate and not
// an interceptor because a gate runs for unary calls and streams alike, and
// before a message is received: nobody unknown makes the server read and
// decode 16 MiB.
func (g *guard) enter(ctx context.Context, spec connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
	c, err := g.admit(ctx, spec.Procedure, peer.Addr, header)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, callerKey{}, c), nil
}

// admit returns who makes a call that may be made. For a stream it is asked
// again while the stream is open.
func (g *guard) admit(ctx context.Context, procedure, peer string, header http.Header) (identity.Caller, error) {
	c, err := g.authenticate(ctx, header)
	if err == nil {
		err = mayCall(c, procedure)
	} else if errors.Is(err, identity.ErrNone) && g.isOpen(procedure) {
		err = nil
	}
	if err != nil {
		return identity.Caller{}, g.deny(err, procedure, c, peer)
	}
	return c, nil
}

func (g *guard) authenticate(ctx context.Context, header http.Header) (identity.Caller, error) {
	bearer, err := identity.ParseAuthorization(header.Values("Authorization"))
	if err != nil {
		return identity.Caller{}, err
	}
	return g.who.Authenticate(ctx, identity.Request{Bearer: bearer, TLS: connectionOf(ctx).tls})
}

// deny counts and logs a denied call, and makes its Connect error.
func (g *guard) deny(err error, procedure string, c identity.Caller, peer string) error {
	g.denied.Add(1)
	p, text := problemOf(err, g.log)
	g.log.Warn("call denied", "procedure", procedure, "caller", c.Name, "role", c.String(), "reason", p.GetReason(), "why", text, "peer", peer)
	e := connectError(p, text)
	if e.Code() == connect.CodeUnauthenticated {
		e.Meta().Set("WWW-Authenticate", `Bearer realm="onus"`) // RFC 9110, section 11.6.1
	}
	return e
}

// denied is deny for a call that was let in, and asked for too much.
func (s *service) denied(ctx context.Context, procedure string, err error) error {
	peer := ""
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		peer = info.Peer().Addr
	}
	return s.guard.deny(err, procedure, callerOf(ctx), peer)
}

// notPermittedError says that a caller is known and may not do what it asks.
type notPermittedError struct{ field, what, next string }

func (e *notPermittedError) Error() string { return e.what }

func mayCall(c identity.Caller, procedure string) error {
	roles := access[procedure]
	if slices.Contains(roles, c.Role) {
		return nil
	}
	name := procedure[strings.LastIndex(procedure, "/")+1:]
	if len(roles) == 0 {
		return &notPermittedError{what: name + " may be called by nobody", next: "tell the ledger's operator"}
	}
	return &notPermittedError{what: fmt.Sprintf("%s needs the role %s; %s is %s", name, listRoles(roles), c.Name, c), next: nextRole}
}

const nextRole = "ask the ledger's operator for a credential with such a role"

// listRoles writes "auditor, compliance or administrator".
func listRoles(roles []identity.Role) string {
	var b strings.Builder
	for i, r := range roles {
		switch {
		case i > 0 && i == len(roles)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(r.String())
	}
	return b.String()
}
