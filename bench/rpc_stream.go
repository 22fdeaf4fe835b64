package main

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	onusv1 "github.com/onus-ledger/onus/gen/onus/v1"
	"github.com/onus-ledger/onus/ledger"
)

// streamWindow is how many records of the stream are on their way at most, as
// the server has it.
const streamWindow = 1024

// sent is a part of a message of the stream.
type sent struct {
	batch   []ledger.Submission
	results []*onusv1.SubmitResult
	at      time.Time
}

// stream submits through one stream, as a gateway with many records does: each
// message has all for which there is room. What comes back is verified on all
// cores. A record's time is that from its message to its verified receipt.
func (s *served) stream(ctx context.Context, l *load) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st, err := s.client(2).SubmitStream(ctx)
	if err != nil {
		return err
	}
	begin := time.Now().Add(l.warm)
	end := begin.Add(l.measured)
	room := make(chan struct{}, streamWindow) // a token for each on its way
	messages := make(chan sent, streamWindow)
	answered := make(chan sent, streamWindow)

	var spent time.Time // when the records were used up, if they were; of the sender
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(messages)
		var err error
		if spent, err = s.send(ctx, st.Send, room, messages, end); err == nil {
			err = st.CloseRequest()
		}
		if err != nil {
			cancel(err)
		}
	})
	wg.Go(func() {
		defer close(answered)
		if err := receive(st.Receive, room, messages, answered); err != nil {
			cancel(err)
		}
	})
	type opened struct {
		at   time.Time
		took time.Duration
	}
	all := make([][]opened, runtime.GOMAXPROCS(0))
	for w := range all {
		wg.Go(func() {
			for part := range answered {
				for i := range part.batch {
					if err := s.openAll(part.batch[i:i+1], part.results[i:i+1]); err != nil {
						cancel(err)
						continue
					}
					l.total.Add(1)
					now := time.Now()
					all[w] = append(all[w], opened{now, now.Sub(part.at)})
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := st.CloseResponse(); err != nil {
		return err
	}
	if spent.IsZero() || spent.After(end) {
		spent = end
	}
	for _, o := range slices.Concat(all...) {
		if o.at.After(begin) && o.at.Before(spent) {
			l.took = append(l.took, o.took)
		}
	}
	l.seconds = spent.Sub(begin).Seconds()
	slices.Sort(l.took)
	if l.seconds <= 0 {
		return errors.New("the records made beforehand did not last through the warm-up: this is a fault of the benchmark, raise the supply in rpc_cell.go")
	}
	if len(l.took) == 0 {
		return errors.New("no record was acknowledged within the measured window: measure longer with -seconds")
	}
	return nil
}

// send sends until end, and says when the records were used up.
func (s *served) send(ctx context.Context, send func(*onusv1.SubmitStreamRequest) error, room chan struct{}, messages chan<- sent, end time.Time) (spent time.Time, err error) {
	for time.Now().Before(end) {
		n := 0
		select {
		case room <- struct{}{}:
			n++
		case <-ctx.Done():
			return spent, context.Cause(ctx)
		}
		for more := true; more && n < 256; {
			select {
			case room <- struct{}{}:
				n++
			default:
				more = false
			}
		}
		batch, err := s.take(n)
		if errors.Is(err, errSpent) {
			return time.Now(), nil
		} else if err != nil {
			return spent, err
		}
		messages <- sent{batch: batch, at: time.Now()}
		if err := send(&onusv1.SubmitStreamRequest{Items: items(batch)}); err != nil {
			return spent, err
		}
	}
	return spent, nil
}

// receive joins answers to what was sent: they come in the same order, in
// messages of other sizes.
func receive(next func() (*onusv1.SubmitStreamResponse, error), room <-chan struct{}, messages <-chan sent, answered chan<- sent) error {
	var open sent
	for {
		resp, err := next()
		if errors.Is(err, io.EOF) {
			for m := range messages { // the sender has ended
				open.batch = append(open.batch, m.batch...)
			}
			if len(open.batch) > 0 {
				return errors.New("the stream ended before all records were answered")
			}
			return nil
		} else if err != nil {
			return err
		}
		results := resp.GetResults()
		for len(results) > 0 {
			if len(open.batch) == 0 {
				var ok bool
				if open, ok = <-messages; !ok {
					return errors.New("the stream has more answers than records")
				}
			}
			n := min(len(open.batch), len(results))
			answered <- sent{open.batch[:n], results[:n], open.at}
			open.batch, results = open.batch[n:], results[n:]
			for range n {
				<-room
			}
		}
	}
}
