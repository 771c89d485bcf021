package main

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// totalMemory is the memory of the machine with its swap space, or what the
// process's control groups, such as those of a container, allow of it, in bytes; 0
// where that is not known.
func totalMemory() float64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	total := (float64(info.Totalram) + float64(info.Totalswap)) * float64(info.Unit)
	return min(total, groupMemory(os.DirFS("/")))
}

// groupMemory is the least memory, in bytes, that the control groups of this process
// and those above them allow, of version 1 or 2; +Inf where there is no limit.
func groupMemory(root fs.FS) float64 {
	least := math.Inf(1)
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least
	}
	for _, line := range strings.Split(string(groups), "\n") {
		// number:controllers:/group
		fields := strings.SplitN(line, ":", 3)
		if len(fields) < 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if controllers := fields[1]; controllers == "memory" {
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if controllers != "" {
			continue
		}
		for group := filepath.Clean(fields[2]); ; group = filepath.Dir(group) {
			text, err := fs.ReadFile(root, filepath.Join(mount, group, file))
			if err == nil {
				// "max" is no limit.
				if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
					least = min(least, float64(limit))
				}
			}
			if group == "/" || group == "." {
				break
			}
		}
	}
	return least
}
