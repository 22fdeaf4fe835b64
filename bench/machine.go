package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// version is Onus's, which make sets.
var version string

// machine is what the figures depend on.
type machine struct {
	Date  time.Time `json:"date"`
	Go    string    `json:"go"`
	OS    string    `json:"os"`
	CPU   string    `json:"cpu"`
	Cores int       `json:"cores"`
	// A write of 4 KB at a file's end and its fsync, in milliseconds.
	SyncP50 float64 `json:"sync_p50_ms"`
	SyncP99 float64 `json:"sync_p99_ms"`
	// Modules are the peers' versions.
	Modules map[string]string `json:"modules"`
	// Onus is the version of the tree, if known.
	Onus string `json:"onus,omitempty"`
}

func thisMachine(dir string) (*machine, error) {
	m := &machine{Date: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: cpuModel(), Cores: runtime.NumCPU(), Onus: version, Modules: map[string]string{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch d.Path {
			case "github.com/transparency-dev/tessera", "github.com/codenotary/immudb", "github.com/jackc/pgx/v5":
				m.Modules[d.Path] = d.Version
			}
		}
	}
	var err error
	m.SyncP50, m.SyncP99, err = syncLatency(dir, 500)
	return m, err
}

func cpuModel() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// syncLatency appends 4 KB to a file and syncs it, n times, and returns median
// and 99th percentile in milliseconds.
func syncLatency(dir string, n int) (p50, p99 float64, err error) {
	f, err := os.Create(filepath.Join(dir, "sync-latency"))
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[n/2].Seconds() * 1000, took[n*99/100].Seconds() * 1000, nil
}

// onDisk refuses a directory in memory, where a sync costs nothing and every
// figure would be wrong.
func onDisk(dir string) error {
	const tmpfs, ramfs = 0x01021994, 0x858458f6
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	if t := int64(st.Type) & 0xffffffff; t == tmpfs || t == ramfs {
		return fmt.Errorf("%s is in memory, where a sync costs nothing: name a directory on a disk with -dir", dir)
	}
	return nil
}

// cpuTime is this process's processor time so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machineTime is the processor time that all processes of the machine have used,
// and what its host took away from it (steal), since it started. See proc(5).
func machineTime() time.Duration {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	if len(f) < 9 {
		return 0
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ, 100 on all of Linux
}
