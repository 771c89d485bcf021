//go:build unix

package nmf_test

import "syscall"

// cpuSeconds is what the process has used of the processors, in seconds: other
// programs do not count.
func cpuSeconds() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
