package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
	"github.com/onus-ledger/onus/verifier/record"
	"google.golang.org/protobuf/proto"
)

// supply is a file of records that were signed before the clock starts. They lie
// on the disk, so that the memory that a figure shows is the ledger's: a
// submitter reads its next one there, as a server reads it from the network.
type supply struct {
	file *os.File
	at   []int64 // where each begins; the last is the end
	next atomic.Int64
}

// supplyChains is how many chains each core makes at a time. It is more than a
// load's submitters, so that a record's predecessor is logged before it is sent.
const supplyChains = 1024

// writeSupply signs about n records, on all cores.
func writeSupply(ctx context.Context, dir string, s shape, n int) (*supply, error) {
	f, err := os.Create(filepath.Join(dir, "supply"))
	if err != nil {
		return nil, err
	}
	sup := &supply{file: f, at: []int64{0}}
	var mu sync.Mutex // of sup and the file
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			src := s.source(supplyChains)
			for errs[w] == nil {
				if errs[w] = ctx.Err(); errs[w] != nil {
					return
				}
				var block []byte
				var ends []int64
				for range supplyChains {
					if block, errs[w] = appendNext(block, src); errs[w] != nil {
						return
					}
					ends = append(ends, int64(len(block)))
				}
				mu.Lock()
				if len(sup.at) > n {
					mu.Unlock()
					return
				}
				begin := sup.at[len(sup.at)-1]
				if _, errs[w] = f.Write(block); errs[w] == nil {
					for _, end := range ends {
						sup.at = append(sup.at, begin+end)
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// What the system writes back later would be in the way of the ledger.
	if err := errors.Join(append(errs, f.Sync())...); err != nil {
		return nil, errors.Join(err, sup.remove())
	}
	return sup, nil
}

func appendNext(block []byte, src source) ([]byte, error) {
	d, err := src.next()
	if err != nil {
		return nil, err
	}
	sub, err := d.sign()
	if err != nil {
		return nil, err
	}
	block = binary.BigEndian.AppendUint32(block, uint32(len(sub.Envelope.Payload)))
	block = append(block, byte(len(sub.Envelope.Signature)))
	block = append(block, sub.Envelope.Payload...)
	block = append(block, sub.Envelope.Signature...)
	if len(sub.Contents) > 0 {
		return proto.MarshalOptions{}.MarshalAppend(block, &onusv1.SubmitRequest{Contents: sub.Contents})
	}
	return block, nil
}

// take returns the next record, or errSpent.
func (s *supply) take() (ledger.Submission, error) {
	i := s.next.Add(1) - 1
	if i >= int64(len(s.at)-1) {
		return ledger.Submission{}, errSpent
	}
	raw := make([]byte, s.at[i+1]-s.at[i])
	if _, err := s.file.ReadAt(raw, s.at[i]); err != nil {
		return ledger.Submission{}, fmt.Errorf("read record %d of the supply: %w", i, err)
	}
	p, n := int(binary.BigEndian.Uint32(raw)), int(raw[4])
	raw = raw[5:]
	sub := ledger.Submission{Envelope: record.Envelope{Type: record.TypeProtobuf, Payload: raw[:p:p], Signature: raw[p : p+n : p+n]}}
	if raw = raw[p+n:]; len(raw) > 0 {
		var m onusv1.SubmitRequest
		if err := proto.Unmarshal(raw, &m); err != nil {
			return ledger.Submission{}, fmt.Errorf("read contents of record %d of the supply: %w", i, err)
		}
		sub.Contents = m.GetContents()
	}
	return sub, nil
}

func (s *supply) remove() error { return errors.Join(s.file.Close(), os.Remove(s.file.Name())) }
