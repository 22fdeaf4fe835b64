package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A step is a piece of work in a process of its own: the program runs itself
// anew as `bench step NAME`, gives it what it asks as JSON on standard input,
// and reads its figures as JSON from standard output. So no figure has another's
// heap, caches or open files in it.
type step func(ctx context.Context, ask []byte) (any, error)

var steps = map[string]step{
	"cell":     stepOf(runCell),
	"setup":    stepOf(setUp),
	"fill":     stepOf(fill),
	"window":   stepOf(window),
	"proofs":   stepOf(proofs),
	"hashes":   stepOf(hashes),
	"audit":    stepOf(auditWhole),
	"reopen":   stepOf(reopen),
	"overload": stepOf(overload),
	"rpc":      stepOf(runRPC),
}

func stepOf[Ask, Figures any](run func(context.Context, Ask) (Figures, error)) step {
	return func(ctx context.Context, raw []byte) (any, error) {
		var ask Ask
		if err := json.Unmarshal(raw, &ask); err != nil {
			return nil, fmt.Errorf("read what the step is asked: %w", err)
		}
		return run(ctx, ask)
	}
}

// runStepHere is what the process of a step does.
func runStepHere(ctx context.Context, name string) error {
	run := steps[name]
	if run == nil {
		return fmt.Errorf("there is no step %q", name)
	}
	ask, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	figures, err := run(ctx, ask)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

// stepError says that a step's process ended with an error.
type stepError struct{ text string }

func (e *stepError) Error() string { return e.text }

// spawn runs a step in a process of its own. If that fails or does not end in
// time the error is a *stepError; if ctx ends it is ctx's.
func spawn[Figures any](ctx context.Context, name string, ask any, limit time.Duration) (*Figures, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd, stderr, err := stepCommand(limited, name, ask)
	if err != nil {
		return nil, err
	}
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		return nil, &stepError{fmt.Sprintf("did not end within %v", limit)}
	case err != nil:
		return nil, &stepError{fmt.Sprintf("%v: %s", err, stderr.last())}
	}
	out := new(Figures)
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		return nil, fmt.Errorf("read figures of step %s: %w", name, err)
	}
	return out, nil
}

func stepCommand(ctx context.Context, name string, ask any) (*exec.Cmd, *stepErrors, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	raw, err := json.Marshal(ask)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, exe, "step", name)
	cmd.Stdin = bytes.NewReader(raw)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	// A step does not outlive the program that asked for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr := &stepErrors{}
	cmd.Stderr = stderr
	return cmd, stderr, nil
}

// stepErrors keeps the end of what a step says, and passes on what it says of
// its progress.
type stepErrors struct{ text []byte }

func (e *stepErrors) Write(b []byte) (int, error) {
	const keep = 64 << 10
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte(progressMark)) {
			os.Stderr.Write(line)
		}
	}
	e.text = append(e.text, b...)
	if len(e.text) > 2*keep {
		e.text = append(e.text[:0], e.text[len(e.text)-keep:]...)
	}
	return len(b), nil
}

// last returns the last line that was no progress; of a panic, its message.
func (e *stepErrors) last() string {
	last := "it said nothing"
	for line := range strings.Lines(string(e.text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
		if line != "" && !strings.HasPrefix(line, strings.TrimSpace(progressMark)) {
			last = line
		}
	}
	return last
}

const progressMark = "bench: .. "

// progress says how a step gets on, at most every few seconds.
type progress struct{ said time.Time }

func (p *progress) say(format string, args ...any) {
	if now := time.Now(); now.Sub(p.said) >= 5*time.Second {
		p.said = now
		fmt.Fprintf(os.Stderr, progressMark+format+"\n", args...)
	}
}
