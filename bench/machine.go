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
	Date time.Time `json:"date"`
	Go   string    `json:"go"`
	OS   string    `json:"os"`
	CPU  string    `json:"cpu"`
	// Kernel is the system's release, Disk the file system and the device that
	// the data is on.
	Kernel string `json:"kernel"`
	Disk   string `json:"disk"`
	Cores  int    `json:"cores"`
	// A write of 4 KB at a file's end and its fsync, in milliseconds.
	SyncP50 float64 `json:"sync_p50_ms"`
	SyncP99 float64 `json:"sync_p99_ms"`
	// Modules are the peers' versions.
	Modules map[string]string `json:"modules"`
	// Cgo: built with cgo, which what is shipped is not; then Pebble takes its
	// memory from C.
	Cgo bool `json:"cgo"`
	// Onus is the version of the tree, if known.
	Onus string `json:"onus,omitempty"`
}

func thisMachine(dir string) (*machine, error) {
	m := &machine{Date: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: cpuModel(), Kernel: kernelRelease(), Disk: diskOf(dir), Cores: runtime.NumCPU(), Onus: version, Modules: map[string]string{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Cgo = slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "CGO_ENABLED" && s.Value == "1" })
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

func kernelRelease() string {
	raw, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(raw))
}

// diskOf names the file system that dir is on and the device below it, such as
// "ext4 on nvme0n1p1". See mountinfo in proc(5).
func diskOf(dir string) string {
	var st syscall.Stat_t
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || syscall.Stat(dir, &st) != nil {
		return "unknown"
	}
	device := fmt.Sprintf("%d:%d", st.Dev>>8&0xfff, st.Dev&0xff|st.Dev>>12&0xfff00)
	for line := range strings.Lines(string(raw)) {
		before, after, _ := strings.Cut(line, " - ")
		if f, g := strings.Fields(before), strings.Fields(after); len(f) > 2 && len(g) > 1 && f[2] == device {
			return g[0] + " on " + filepath.Base(g[1])
		}
	}
	return "unknown"
}

// when and where are the beginning of a page of results.
func (m *machine) when() string { return m.Date.Format("2 January 2006, 15:04 UTC") }

func (m *machine) where() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores; %s, kernel %s, %s; %s. A write of 4 KB and its fsync: p50 %.2f ms, p99 %.2f ms.\n",
		m.CPU, m.Cores, m.OS, m.Kernel, m.Go, m.Disk, m.SyncP50, m.SyncP99)
	if m.Onus != "" {
		fmt.Fprintf(&b, "Onus %s.\n", m.Onus)
	}
	if m.Cgo {
		b.WriteString("Built with cgo, which what is shipped is not: build with CGO_ENABLED=0, as make does.\n")
	}
	return b.String()
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
