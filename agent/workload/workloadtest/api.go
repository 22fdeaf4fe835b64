package workloadtest

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// workloadAPI serves one workload, at its own socket.
type workloadAPI struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	authority *Authority
	ids       []string
	svids     []*SVID      // under authority.mu: in the order of ids
	server    *grpc.Server // under authority.mu: nil while it is stopped
}

// Serve serves the Workload API to a workload that has these SPIFFE IDs, and
// returns its address, which starts with "unix://". The first ID is the
// workload's default; one that has none is told that no identity was issued.
func (a *Authority) Serve(ids ...string) (socket string) {
	a.t.Helper()
	// Not t.TempDir: the name of a socket may have no more than 108 bytes.
	dir, err := os.MkdirTemp("", "spiffe")
	if err != nil {
		a.t.Fatal(err)
	}
	socket = "unix://" + filepath.Join(dir, "api.sock")
	w := &workloadAPI{authority: a, ids: ids}
	a.mu.Lock()
	a.workloads[socket] = w
	err = w.renew()
	a.mu.Unlock()
	if err != nil {
		a.t.Fatal(err)
	}
	a.Start(socket)
	a.t.Cleanup(func() {
		a.Stop(socket)
		os.RemoveAll(dir)
	})
	return socket
}

// Stop ends the service at a socket, as when the SPIFFE agent dies.
func (a *Authority) Stop(socket string) {
	a.mu.Lock()
	w := a.workloads[socket]
	server := w.server
	w.server = nil
	a.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

// Start begins it again.
func (a *Authority) Start(socket string) {
	a.t.Helper()
	ln, err := net.Listen("unix", strings.TrimPrefix(socket, "unix://"))
	if err != nil {
		a.t.Fatal(err)
	}
	server := grpc.NewServer()
	a.mu.Lock()
	w := a.workloads[socket]
	w.server = server
	a.mu.Unlock()
	workload.RegisterSpiffeWorkloadAPIServer(server, w)
	go server.Serve(ln) // returns when it is stopped
}

// Rotate issues new SVIDs to the workloads that have one of these IDs, or to
// all if none is named.
func (a *Authority) Rotate(ids ...string) {
	a.t.Helper()
	a.mu.Lock()
	for _, w := range a.workloads {
		named := slices.ContainsFunc(w.ids, func(id string) bool { return slices.Contains(ids, id) })
		if len(ids) > 0 && !named {
			continue
		}
		if err := w.renew(); err != nil {
			a.mu.Unlock()
			a.t.Fatal(err)
		}
	}
	a.mu.Unlock()
	a.publish()
}

// renew issues the workload's SVIDs. The caller holds the authority's mu.
func (w *workloadAPI) renew() error {
	w.svids = nil
	for _, id := range w.ids {
		s, err := w.authority.issue(id)
		if err != nil {
			return err
		}
		w.svids = append(w.svids, s)
	}
	return nil
}

// check holds a call to the rules. SPIFFE Workload API, sections 3 and 4:
// the header keeps out requests that were forged through a proxy.
func (w *workloadAPI) check(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	if !slices.Equal(md.Get("workload.spiffe.io"), []string{"true"}) {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	if len(w.ids) == 0 {
		return status.Error(codes.PermissionDenied, "no identity issued")
	}
	return nil
}

// stream sends what message makes, now and after every change.
func stream[M any](w *workloadAPI, s grpc.ServerStreamingServer[M], message func() (*M, error)) error {
	if err := w.check(s.Context()); err != nil {
		return err
	}
	for {
		w.authority.mu.Lock()
		changed := w.authority.changed
		w.authority.mu.Unlock()
		m, err := message()
		if err != nil {
			return status.Error(codes.Internal, err.Error())
		}
		if err := s.Send(m); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-s.Context().Done():
			return status.FromContextError(s.Context().Err()).Err()
		}
	}
}

// domains returns the authority and those that it federates with.
func (a *Authority) domains() []*Authority {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*Authority{a}, a.federated...)
}

// rootsDER returns the roots, one after the other.
func (a *Authority) rootsDER() []byte {
	var all []byte
	for _, cert := range a.bundle().X509Authorities() {
		all = append(all, cert.Raw...)
	}
	return all
}

// FetchX509SVID implements the Workload API.
func (w *workloadAPI) FetchX509SVID(_ *workload.X509SVIDRequest, s grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	return stream(w, s, func() (*workload.X509SVIDResponse, error) {
		roots := w.authority.rootsDER()
		m := &workload.X509SVIDResponse{FederatedBundles: map[string][]byte{}}
		for _, other := range w.authority.domains()[1:] {
			m.FederatedBundles[other.domain.IDString()] = other.rootsDER()
		}
		w.authority.mu.Lock()
		defer w.authority.mu.Unlock()
		for _, svid := range w.svids {
			key, err := x509.MarshalPKCS8PrivateKey(svid.Key)
			if err != nil {
				return nil, err
			}
			m.Svids = append(m.Svids, &workload.X509SVID{SpiffeId: svid.ID, X509Svid: bytes.Join(svid.Chain, nil), X509SvidKey: key, Bundle: roots})
		}
		return m, nil
	})
}

// FetchX509Bundles implements the Workload API.
func (w *workloadAPI) FetchX509Bundles(_ *workload.X509BundlesRequest, s grpc.ServerStreamingServer[workload.X509BundlesResponse]) error {
	return stream(w, s, func() (*workload.X509BundlesResponse, error) {
		m := &workload.X509BundlesResponse{Bundles: map[string][]byte{}}
		for _, a := range w.authority.domains() {
			m.Bundles[a.domain.IDString()] = a.rootsDER()
		}
		return m, nil
	})
}

// FetchJWTBundles implements the Workload API.
func (w *workloadAPI) FetchJWTBundles(_ *workload.JWTBundlesRequest, s grpc.ServerStreamingServer[workload.JWTBundlesResponse]) error {
	return stream(w, s, func() (*workload.JWTBundlesResponse, error) {
		m := &workload.JWTBundlesResponse{Bundles: map[string][]byte{}}
		for _, a := range w.authority.domains() {
			jwks, err := a.bundle().JWTBundle().Marshal()
			if err != nil {
				return nil, err
			}
			m.Bundles[a.domain.IDString()] = jwks
		}
		return m, nil
	})
}

// FetchJWTSVID implements the Workload API.
func (w *workloadAPI) FetchJWTSVID(ctx context.Context, req *workload.JWTSVIDRequest) (*workload.JWTSVIDResponse, error) {
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if len(req.GetAudience()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "audience must be specified")
	}
	m := new(workload.JWTSVIDResponse)
	for _, id := range w.ids {
		if req.GetSpiffeId() != "" && req.GetSpiffeId() != id {
			continue
		}
		token, err := w.authority.jwt(id, req.GetAudience())
		if err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		m.Svids = append(m.Svids, &workload.JWTSVID{SpiffeId: id, Svid: token})
	}
	if len(m.Svids) == 0 {
		return nil, status.Error(codes.PermissionDenied, "no identity issued")
	}
	return m, nil
}

// ValidateJWTSVID implements the Workload API.
func (w *workloadAPI) ValidateJWTSVID(ctx context.Context, req *workload.ValidateJWTSVIDRequest) (*workload.ValidateJWTSVIDResponse, error) {
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	svid, err := jwtsvid.ParseAndValidate(req.GetSvid(), w.authority.bundle(), []string{req.GetAudience()})
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	claims, err := structpb.NewStruct(svid.Claims)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &workload.ValidateJWTSVIDResponse{SpiffeId: svid.ID.String(), Claims: claims}, nil
}
