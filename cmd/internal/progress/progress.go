// Package progress shows how far a long command is: on a terminal only, so
// that pipes and logs stay clean.
package progress

import (
	"fmt"
	"os"
	"time"
)

// Bar is one line on standard error that is written over.
type Bar struct {
	what        string
	terminal    bool
	start, last time.Time
}

// New returns a bar that counts what.
func New(what string) *Bar {
	b := &Bar{what: what, start: time.Now()}
	if info, err := os.Stderr.Stat(); err == nil {
		b.terminal = info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// Update shows the count, at most five times a second; of = 0 means that
// nobody knows how many there will be.
func (b *Bar) Update(done, of int64) {
	if !b.terminal || time.Since(b.last) < 200*time.Millisecond {
		return
	}
	b.last = time.Now()
	count := fmt.Sprint(done)
	if of > 0 {
		count = fmt.Sprintf("%d of %d", done, of)
	}
	fmt.Fprintf(os.Stderr, "\r%s %s, %.0f/s ", count, b.what, float64(done)/time.Since(b.start).Seconds())
}

// Clear removes the line.
func (b *Bar) Clear() {
	if !b.last.IsZero() {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
}
