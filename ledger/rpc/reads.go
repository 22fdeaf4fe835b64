package rpc

import (
	"context"
	"fmt"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
)

// recordRead logs, where the log's policy asks for that, that an auditor,
// compliance or an administrator reads. It goes on beside the read; done waits
// until it is durable. A read that could not be recorded is not answered.
func (s *service) recordRead(ctx context.Context, procedure, record string) (done func() error) {
	v := s.view(ctx)
	if v.Scoped() || !s.ledger.RecordsReads() {
		return func() error { return nil }
	}
	logged := make(chan error, 1)
	go func() {
		logged <- s.ledger.RecordRead(ctx, &onusv1.Read{Caller: v.Name, Role: v.Role.String(), Procedure: procedure, Record: record})
	}()
	return func() error {
		if err := <-logged; err != nil {
			return fmt.Errorf("this log records who reads, and this read was not recorded: %w", err)
		}
		return nil
	}
}
