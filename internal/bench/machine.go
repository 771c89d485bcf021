package bench

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/kernel"
)

// Machine says where a report was made.
type Machine struct {
	CPU     string `json:"cpu"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Cores   int    `json:"cores"`
	Threads int    `json:"gomaxprocs"`
	// Tier is the kernels that the passes used.
	Tier    string `json:"tier"`
	Version string `json:"version"`
	Go      string `json:"go"`
	// L2 and L3 are sizes in bytes, those of the L2 of one core and of the L3
	// that the first core uses. CachesKnown is false where the system does
	// not tell and usual sizes stand in.
	L2          int  `json:"l2"`
	L3          int  `json:"l3"`
	CachesKnown bool `json:"caches_known"`
}

func thisMachine() Machine {
	m := Machine{CPU: cpuName("/proc/cpuinfo"), OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Threads: runtime.GOMAXPROCS(0),
		Tier: kernel.TierName(), Version: nmf.Version(), Go: runtime.Version()}
	m.L2, m.L3 = cacheSizes("/sys/devices/system/cpu/cpu0/cache")
	m.CachesKnown = m.L2 > 0 && m.L3 > 0
	if !m.CachesKnown {
		m.L2, m.L3 = 1<<20, 16<<20
	}
	return m
}

// cpuName reads the name from Linux's list of processors; it is the
// architecture where there is none.
func cpuName(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// cacheSizes reads what Linux tells about the caches of a core, zero for what
// it does not tell.
func cacheSizes(folder string) (l2, l3 int) {
	list, err := filepath.Glob(filepath.Join(folder, "index*"))
	if err != nil {
		return 0, 0
	}
	for _, cache := range list {
		level, err1 := os.ReadFile(filepath.Join(cache, "level"))
		size, err2 := os.ReadFile(filepath.Join(cache, "size"))
		if err1 != nil || err2 != nil {
			continue
		}
		switch strings.TrimSpace(string(level)) {
		case "2":
			l2 = parseSize(string(size))
		case "3":
			l3 = parseSize(string(size))
		}
	}
	return l2, l3
}

// parseSize reads a size as Linux writes it, such as 1024K.
func parseSize(s string) int {
	s = strings.TrimSpace(s)
	unit := 1
	switch {
	case strings.HasSuffix(s, "K"):
		unit = 1 << 10
	case strings.HasSuffix(s, "M"):
		unit = 1 << 20
	}
	n, err := strconv.Atoi(strings.TrimRight(s, "KM"))
	if err != nil {
		return 0
	}
	return n * unit
}
