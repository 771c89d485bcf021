package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// boundMemory keeps a fit within the memory that it was given, or else the limit,
// where that is not 0, and refuses one that cannot be: the system would end it
// half-way.
func boundMemory[F matrix.Float](x matrix.Matrix[F], k int, o *nmf.Options, limit float64) error {
	need, err := nmf.MemoryOf(x, k, o)
	if err == nil && o.Memory == 0 && limit > 0 && need > limit {
		o.Memory = int(limit)
		_, err = nmf.MemoryOf(x, k, o)
	}
	if !errors.Is(err, nmf.ErrMemory) {
		return err
	}
	single := *o
	single.Runs, single.Memory = 1, 0
	if need, err = nmf.MemoryOf(x, k, &single); err != nil {
		return err
	}
	return tooMuch(k, need, float64(o.Memory))
}

// tooMuch refuses a fit that takes more memory than there is.
func tooMuch(k int, need, limit float64) error {
	return fmt.Errorf("%w: a fit with k = %d takes about %s, and %s are there to use: lower -k", nmf.ErrMemory, k, byteText(need), byteText(limit))
}

// checkMemory refuses what is no size.
func checkMemory(command, size string) error {
	if size != "" && parseBytes(size) < 1 {
		return usagef(command, "--memory %q is not a size such as 4GB, 500MB or 2GiB", size)
	}
	return nil
}

// parseBytes reads a size such as 4GB, 1.5 GiB or 1000000; it is 0 where the
// text is none.
func parseBytes(s string) int {
	s = strings.ToUpper(strings.TrimSpace(s))
	factor := 1.0
	for _, u := range []struct {
		name string
		size float64
	}{{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
		{"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"B", 1}} {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			s, factor = strings.TrimSpace(number), u.size
			break
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v*factor < 1<<62) {
		return 0
	}
	return int(v * factor)
}
