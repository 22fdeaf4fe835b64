package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"github.com/onus-ledger/onus/gen/onus/v1/onusv1connect"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/ledger/identity"
)

// MaxMessage is the most bytes a request may have, and MaxEnrol the most of one
// that anybody may send.
const (
	MaxMessage = 16 << 20
	MaxEnrol   = 128 << 10
)

// perProcedure are the options that not all procedures have.
func perProcedure(spec connect.Spec) []connect.HandlerOption {
	switch spec.Procedure {
	case onusv1connect.LedgerServiceEnrolProcedure:
		return []connect.HandlerOption{connect.WithReadMaxBytes(MaxEnrol)}
	case onusv1connect.LedgerServiceSubmitProcedure, onusv1connect.LedgerServiceSubmitBatchProcedure, onusv1connect.LedgerServiceSubmitStreamProcedure:
		// Receipts are hashes and signatures: what gzip takes off them is not
		// worth its time, which is that of a signature check for each.
		return []connect.HandlerOption{connect.WithReadMaxBytes(MaxMessage), connect.WithCompressMinBytes(math.MaxInt)}
	}
	return []connect.HandlerOption{connect.WithReadMaxBytes(MaxMessage), connect.WithCompressMinBytes(4096)}
}

// Server serves one ledger over HTTP.
type Server struct {
	// Ledger is served, and run while Serve runs.
	Ledger *ledger.Ledger
	// Logger hears what an operator should know; nil means silence.
	Logger *slog.Logger
	// TLS is for a listener without TLS of its own; nil means plain HTTP,
	// with HTTP/2 by prior knowledge (h2c).
	TLS *tls.Config
	// Identity says who is calling; nil means that everybody who reaches the
	// port is an administrator, which is for demos and tests on loopback.
	Identity identity.Authenticator
	// OpenSubmit lets records be submitted without a credential: that they
	// are signed with a registered key is enough then. A credential that is
	// not good is refused all the same.
	OpenSubmit bool
	// Pages answers what is no call, no checkpoint and no health check: the
	// viewer. It says for itself who may see what. Nil: there is nothing there.
	Pages http.Handler
	// Grace is how long Serve waits for calls under way when it is told to
	// stop; 0 means 30 seconds.
	Grace time.Duration

	ready  atomic.Bool
	denied atomic.Int64
	// stream bounds streams of records; zero means the usual.
	stream streamTimes
}

// Denied returns how many calls were denied for want of a credential or of a
// role.
func (s *Server) Denied() int64 { return s.denied.Load() }

// Handler returns everything that is served on the port: the RPC service,
// gRPC health and reflection, GET /checkpoint and the log's tiles, /metrics, /livez
// and /readyz, and Pages for the rest. stopping ends its streams. Most callers want
// Serve.
func (s *Server) Handler(stopping context.Context) http.Handler {
	mux := http.NewServeMux()
	g := s.newGuard()
	svc := &service{ledger: s.Ledger, log: s.logger(), guard: g, stopping: stopping, times: s.stream.withDefaults(), bundling: make(chan struct{}, maxBundling)}
	path, procedures := onusv1connect.NewLedgerServiceHandler(svc, options(g)...)
	mux.Handle(path, procedures)
	mux.Handle(onusv1connect.LedgerServiceSubmitStreamProcedure, svc.overHTTP2(procedures, options(g)))
	mux.Handle(grpchealth.NewHandler(health{s}))
	guarded := connect.WithRequestGate(g.enter)
	reflector := grpcreflect.NewStaticReflector(onusv1connect.LedgerServiceName, grpchealth.HealthV1ServiceName)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, guarded))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, guarded))
	svc.mountTiles(mux)
	mux.HandleFunc("GET /metrics", svc.metrics)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not ready: starting or shutting down", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	if s.Pages != nil {
		mux.Handle("/", s.Pages)
	}
	return g.handler(mux)
}

func (s *Server) newGuard() *guard {
	g := &guard{who: s.Identity, openSubmit: s.OpenSubmit, log: s.logger(), denied: &s.denied}
	if g.who == nil {
		g.who = identity.Open{}
	}
	return g
}

// options are those of all procedures.
func options(g *guard) []connect.HandlerOption {
	return []connect.HandlerOption{connect.WithRequestGate(g.enter), connect.WithConditionalHandlerOptions(perProcedure), strictJSON()}
}

// httpServer returns the server around a handler, with its timeouts.
func (s *Server) httpServer(handler http.Handler) *http.Server {
	hs := &http.Server{
		Handler:           handler,
		TLSConfig:         s.TLS,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.logger().Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
	}
	hs.Protocols.SetHTTP1(true)
	hs.Protocols.SetHTTP2(true)
	hs.Protocols.SetUnencryptedHTTP2(s.TLS == nil)
	// There is no limit to the time that a request may take, since streams take
	// as long as they like. A peer that is gone without a word is found out by a
	// ping.
	hs.HTTP2 = &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: time.Minute}
	return hs
}

// Serve runs the ledger and serves it on ln until ctx ends. Then it takes no
// new calls, ends streams, finishes the calls under way and the records that
// were accepted, and returns nil. It does not close the ledger.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	stopping, stop := context.WithCancel(context.Background())
	defer stop()
	handler := s.Handler(stopping)
	if a, ok := ln.Addr().(*net.TCPAddr); ok && a.IP.IsLoopback() && s.Identity == nil {
		handler = LocalOnly(handler, "or start it with --tokens")
	}
	hs := s.httpServer(handler)
	hs.RegisterOnShutdown(stop)

	running, stopRunning := context.WithCancel(context.Background())
	defer stopRunning()
	ran := make(chan error, 1)
	go func() { ran <- s.Ledger.Run(running) }()
	served := make(chan error, 1)
	go func() {
		if s.TLS != nil {
			served <- hs.ServeTLS(ln, "", "")
		} else {
			served <- hs.Serve(ln)
		}
	}()
	s.ready.Store(true)

	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-ran:
		ran <- nil
	}
	s.ready.Store(false)
	grace := s.Grace
	if grace == 0 {
		grace = 30 * time.Second
	}
	// The order matters: first no more calls, then no more records.
	deadline, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if e := hs.Shutdown(deadline); e != nil && err == nil {
		err = fmt.Errorf("calls were still under way after %v: %w", grace, e)
		hs.Close()
	}
	stopRunning()
	if e := <-ran; err == nil {
		err = e
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// LocalOnly guards what is open because only this machine reaches it: a web page
// elsewhere must not reach it through a browser here, under a name that it had
// point to this machine. instead says what else there is to do.
func LocalOnly(next http.Handler, instead string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this is open to its own machine only: call it by its loopback address, "+instead, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Logger
}

// health answers gRPC health checks with what /readyz says.
type health struct{ s *Server }

func (h health) Check(_ context.Context, req *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	switch req.Service {
	case "", onusv1connect.LedgerServiceName:
	default:
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("unknown service %.80q", req.Service))
	}
	if h.s.ready.Load() {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
}
