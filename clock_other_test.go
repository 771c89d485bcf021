//go:build !unix

package nmf_test

import "time"

var clockStart = time.Now()

// cpuSeconds is the time since the start: no processor time to be had.
func cpuSeconds() float64 { return time.Since(clockStart).Seconds() }
