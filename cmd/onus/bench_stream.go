package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/verifier/record"
)

// benchUnderWay is how many records of a stream wait for their receipt.
const benchUnderWay = 512

// runStream submits over one stream. What is on its way when the time is over
// counts when its receipt has come.
func (w *benchWorker) runStream(ctx context.Context, batch int) {
	st, err := w.client.SubmitStream(context.WithoutCancel(ctx))
	if err != nil {
		w.err = err
		return
	}
	type sent struct {
		r     *record.Record
		start time.Time
	}
	underWay := make(chan sent, benchUnderWay)
	ended := make(chan error, 1)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(underWay)
		defer st.CloseRequest()
		for ctx.Err() == nil {
			req := &onusv1.SubmitStreamRequest{}
			for range batch {
				r, err := w.next()
				if err != nil {
					ended <- err
					return
				}
				select {
				case underWay <- sent{r, time.Now()}:
				case <-stop:
					return
				}
				req.Items = append(req.Items, &onusv1.SubmitRequest{Envelope: r.Envelope.Proto()})
			}
			if st.Send(req) != nil {
				break // Receive says why
			}
		}
		ended <- nil
	}()
	for {
		resp, err := st.Receive()
		if errors.Is(err, io.EOF) {
			if w.err = <-ended; w.err == nil && len(underWay) > 0 {
				w.err = fmt.Errorf("the stream ended with %d records unanswered", len(underWay))
			}
			return
		}
		if err != nil {
			w.err = err
			return
		}
		for _, res := range resp.GetResults() {
			s, before := <-underWay, w.records
			if w.err = w.takeItem(s.r, res); w.err != nil {
				st.CloseResponse()
				return
			}
			if w.records > before {
				w.latencies = append(w.latencies, time.Since(s.start))
			}
		}
	}
}
