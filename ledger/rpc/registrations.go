package rpc

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
)

func (s *service) ListAgents(_ context.Context, req *onusv1.ListAgentsRequest) (*onusv1.ListAgentsResponse, error) {
	from, err := position(req.GetPageToken())
	if err != nil {
		return nil, s.fail(err)
	}
	agents, next, err := s.ledger.Agents(from, int(req.GetPageSize()))
	if err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.ListAgentsResponse{Agents: agents, NextPageToken: tokenOf(next)}, nil
}

func (s *service) ListRegistrations(_ context.Context, req *onusv1.ListRegistrationsRequest) (*onusv1.ListRegistrationsResponse, error) {
	from, err := position(req.GetPageToken())
	if err != nil {
		return nil, s.fail(err)
	}
	all, next, err := s.ledger.Registrations(from, int(req.GetPageSize()))
	if err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.ListRegistrationsResponse{Registrations: all, NextPageToken: tokenOf(next)}, nil
}

// position reads a page token that is a position in a list that only grows.
func position(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	from := 0
	if err == nil {
		from, err = strconv.Atoi(string(b))
	}
	if err != nil || from < 0 {
		return 0, fmt.Errorf("%w: it is damaged", ledger.ErrPageToken)
	}
	return from, nil
}

// tokenOf writes what position reads.
func tokenOf(next int) string {
	if next == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(next)))
}

func (s *service) GetKey(_ context.Context, req *onusv1.GetKeyRequest) (*onusv1.GetKeyResponse, error) {
	key, proven, size, err := s.ledger.Key(req.GetKeyId())
	if err != nil {
		return nil, s.fail(err)
	}
	return &onusv1.GetKeyResponse{Proven: proven, Key: key, Size: size}, nil
}
