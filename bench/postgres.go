package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresSystem is a PostgreSQL server of this cell's own, over a Unix socket.
// It proves nothing. With chain, a trigger hashes each row together with the
// one before it, and the submitter checks that one link; a plain insert is
// what remains when nothing has to be shown to anybody.
func postgresSystem(name, title string, chain bool) system {
	proof := "none"
	if chain {
		proof = "none: one link of a hash chain, checked; whoever has the database can write the chain anew"
	}
	return system{name: name, title: title, proof: proof, missing: postgresMissing,
		open: func(ctx context.Context, c cell, dir string) (*running, error) {
			return openPostgres(ctx, c, dir, chain)
		}}
}

// postgresTool finds a program of the server, which Debian keeps off the path.
func postgresTool(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return filepath.EvalSymlinks(p)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", errors.New("not here: install postgresql")
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

func postgresMissing() string {
	for _, tool := range []string{"initdb", "postgres"} {
		if _, err := postgresTool(tool); err != nil {
			return err.Error()
		}
	}
	return ""
}

const postgresTable = `CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)`

// postgresChain takes a lock that its transaction keeps until it is durable, so
// that the chain has one order: writers go one by one.
const postgresChain = `
CREATE TABLE log (id bigint PRIMARY KEY, previous bytea NOT NULL, hash bytea NOT NULL, body bytea NOT NULL);
CREATE FUNCTION link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last record;
BEGIN
	PERFORM pg_advisory_xact_lock(1);
	SELECT id, hash INTO last FROM log ORDER BY id DESC LIMIT 1;
	NEW.id := coalesce(last.id, 0) + 1;
	NEW.previous := coalesce(last.hash, '\x'::bytea);
	NEW.hash := sha256(NEW.previous || NEW.body);
	RETURN NEW;
END $$;
CREATE TRIGGER link BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION link();`

// postgresConnections is how many connections the submitters share: what did
// best. A chain takes its writers one by one, and each that waits for the lock
// makes it slower.
func postgresConnections(submitters int, chain bool) int {
	if chain {
		return 1
	}
	return min(submitters, 64)
}

var postgresSettings = []string{
	"fsync=on", "synchronous_commit=on", "full_page_writes=on",
	"shared_buffers=512MB", "max_wal_size=4GB", "checkpoint_timeout=30min",
	"wal_level=minimal", "max_wal_senders=0", "max_connections=100",
}

func openPostgres(ctx context.Context, c cell, dir string, chain bool) (_ *running, err error) {
	server, err := startPostgres(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, server.stop())
		}
	}()
	connections := postgresConnections(c.Submitters, chain)
	cfg, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.Host, cfg.ConnConfig.Port = server.socketDir, postgresPort
	cfg.ConnConfig.User, cfg.ConnConfig.Database = "bench", "postgres"
	cfg.ConnConfig.TLSConfig, cfg.ConnConfig.Fallbacks = nil, nil
	cfg.MaxConns = int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := server.awaitReady(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	schema, submit, check := postgresTable, plainInsert, countRows
	if chain {
		schema, submit, check = postgresChain, chainedInsert, checkChain
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		pool.Close()
		return nil, fmt.Errorf("create table: %w", err)
	}
	return &running{
		settings: postgresSaid(server.version, chain),
		cpu:      server.cpu,
		worker: func() func(context.Context) error {
			entry := entrySource()
			return func(ctx context.Context) error { return submit(ctx, pool, entry()) }
		},
		check: func(ctx context.Context, n int64) error { return check(ctx, pool, n) },
		close: func() error {
			pool.Close()
			return server.stop()
		},
	}, nil
}

func postgresSaid(version string, chain bool) string {
	connections := "a connection for each submitter, 64 at most"
	if chain {
		connections = "one connection"
	}
	return fmt.Sprintf("%s, %s over a Unix socket, %s", version, connections, strings.Join(postgresSettings, " "))
}

func plainInsert(ctx context.Context, pool *pgxpool.Pool, entry []byte) error {
	var id int64
	return pool.QueryRow(ctx, "INSERT INTO log (body) VALUES ($1) RETURNING id", entry).Scan(&id)
}

func chainedInsert(ctx context.Context, pool *pgxpool.Pool, entry []byte) error {
	var id int64
	var previous, hash []byte
	if err := pool.QueryRow(ctx, "INSERT INTO log (body) VALUES ($1) RETURNING id, previous, hash", entry).Scan(&id, &previous, &hash); err != nil {
		return err
	}
	return checkLink(id, previous, hash, entry)
}

func checkLink(id int64, previous, hash, body []byte) error {
	if want := sha256.Sum256(slices.Concat(previous, body)); !bytes.Equal(hash, want[:]) {
		return fmt.Errorf("row %d has another hash than its content", id)
	}
	return nil
}

func countRows(ctx context.Context, pool *pgxpool.Pool, n int64) error {
	var got int64
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM log").Scan(&got); err != nil {
		return err
	}
	if got != n {
		return fmt.Errorf("the table has %d rows, and %d were acknowledged", got, n)
	}
	return nil
}

// checkChain reads all rows and follows the chain.
func checkChain(ctx context.Context, pool *pgxpool.Pool, n int64) error {
	rows, err := pool.Query(ctx, "SELECT id, previous, hash, body FROM log ORDER BY id")
	if err != nil {
		return err
	}
	var got, id int64
	var previous, hash, body, last []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &previous, &hash, &body}, func() error {
		got++
		if id != got || !bytes.Equal(previous, last) {
			return fmt.Errorf("row %d does not follow row %d", id, got-1)
		}
		last = bytes.Clone(hash)
		return checkLink(id, previous, hash, body)
	})
	if err == nil && got != n {
		err = fmt.Errorf("the chain has %d rows, and %d were acknowledged", got, n)
	}
	return err
}

const postgresPort = 5432

// postgresServer is a server process.
type postgresServer struct {
	cmd       *exec.Cmd
	socketDir string
	version   string
	log       string
	exited    atomic.Bool
	done      chan error
}

// awaitReady waits until the server takes connections.
func (s *postgresServer) awaitReady(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := pool.Ping(ctx)
		if err == nil {
			return nil
		}
		if s.exited.Load() || ctx.Err() != nil {
			said, _ := os.ReadFile(s.log)
			return fmt.Errorf("connect to postgres: %w; it said: %s", err, said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
