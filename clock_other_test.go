//go:build !unix

package nmf_test

import "time"

var clockStart = time.Now()

// processorTime is the time since the start: no processor time to be had.
func processorTime() float64 { return time.Since(clockStart).Seconds() }
