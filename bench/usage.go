package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// forgetPeak gives free memory back and starts the measurement of the most
// memory anew: see clear_refs in proc(5). Where the system does not allow that,
// the peak is of the whole process.
func forgetPeak() error {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// memory returns the resident memory of this process, and the most that it was,
// in bytes.
func memory() (resident, peak int64, err error) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	if resident, err = kernelField(string(raw), "VmRSS:"); err != nil {
		return 0, 0, err
	}
	peak, err = kernelField(string(raw), "VmHWM:")
	return resident * 1024, peak * 1024, err
}

// written is how many bytes this process has had written to disks, less what was
// never written since the file was removed first.
func written() (int64, error) {
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, err
	}
	n, err := kernelField(string(raw), "write_bytes:")
	if err != nil {
		return 0, err
	}
	cancelled, err := kernelField(string(raw), "cancelled_write_bytes:")
	return n - cancelled, err
}

func kernelField(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseInt(strings.Fields(rest + " ?")[0], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s %w", name, err)
			}
			return n, nil
		}
	}
	return 0, errors.New("the kernel does not say " + name)
}

// onDiskBytes is what the files below a directory take of their disk.
func onDiskBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil
		} else if err != nil {
			return err
		}
		total += info.Sys().(*syscall.Stat_t).Blocks * 512
		return nil
	})
	return total, err
}

// freeBytes is what is free where dir is.
func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}
