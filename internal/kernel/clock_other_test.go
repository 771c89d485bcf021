//go:build !linux

package kernel

import "time"

var start = time.Now()

// threadTime is the time since the start: no processor time to be had.
func threadTime() time.Duration { return time.Since(start) }
