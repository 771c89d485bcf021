//go:build unix

package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// ProcessorTime is what this process has used of the processors, which other
// programs on the machine do not add to.
func ProcessorTime() time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
