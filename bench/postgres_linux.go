package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startPostgres makes a database in dir and starts a server on it, which listens
// on a Unix socket only. PostgreSQL refuses to run as root: for root it runs as
// the package's own user.
func startPostgres(ctx context.Context, dir string) (_ *postgresServer, err error) {
	initdb, err := postgresTool("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := postgresTool("postgres")
	if err != nil {
		return nil, err
	}
	// The path of a Unix socket has at most 107 bytes.
	s := &postgresServer{log: filepath.Join(filepath.Dir(dir), "log"), done: make(chan error, 1)}
	if s.socketDir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(s.socketDir)
		}
	}()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	as, err := unprivileged(filepath.Dir(dir), dir, s.socketDir)
	if err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("postgres --version: %w", err)
	}
	s.version = strings.TrimSpace(string(version))
	init := exec.CommandContext(ctx, initdb, "-D", dir, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	init.SysProcAttr, init.Dir = as, "/"
	if said, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s (the user %q must be able to reach the directory that -dir names)", err, bytes.TrimSpace(said), "postgres")
	}
	args := []string{"-D", dir, "-c", "listen_addresses=", "-c", "unix_socket_directories=" + s.socketDir, "-p", strconv.Itoa(postgresPort)}
	for _, set := range postgresSettings {
		args = append(args, "-c", set)
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(postgres, args...)
	s.cmd.SysProcAttr, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = as, "/", log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		err := s.cmd.Wait()
		s.exited.Store(true)
		s.done <- err
	}()
	return s, nil
}

// unprivileged says as whom to run, and hands that user the directories below
// way, which it may then pass through.
func unprivileged(way string, dirs ...string) (*syscall.SysProcAttr, error) {
	// The server dies with the cell.
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("postgres does not run as root, and its own user is not here: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(way, 0o711); err != nil {
		return nil, err
	}
	for _, d := range dirs {
		if err := os.Chown(d, uid, gid); err != nil {
			return nil, err
		}
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, nil
}

// stop ends the server as pg_ctl does in its fast mode.
func (s *postgresServer) stop() error {
	defer os.RemoveAll(s.socketDir)
	if s.exited.Load() {
		return fmt.Errorf("postgres ended by itself: %w", <-s.done)
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case err := <-s.done:
		return err
	case <-time.After(time.Minute):
		s.cmd.Process.Kill()
		return fmt.Errorf("postgres did not stop within a minute: %w", <-s.done)
	}
}

// cpu is the processor time of the server and its processes so far.
func (s *postgresServer) cpu() time.Duration {
	var ticks int64
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		pid, rest, ok := bytes.Cut(raw, []byte(" "))
		// The name, in brackets, may hold anything. See proc(5).
		end := bytes.LastIndexByte(rest, ')')
		if !ok || end < 0 {
			continue
		}
		f := bytes.Fields(rest[end+1:])
		own := strconv.Itoa(s.cmd.Process.Pid)
		if len(f) < 15 || string(pid) != own && string(f[1]) != own {
			continue
		}
		for _, t := range f[11:15] { // utime, stime, and those of children that ended
			n, _ := strconv.ParseInt(string(t), 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ, 100 on all of Linux
}
