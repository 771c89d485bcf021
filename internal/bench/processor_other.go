//go:build !unix

package bench

import "time"

var began = time.Now()

// ProcessorTime is the time since the start: no processor time to be had.
func ProcessorTime() time.Duration { return time.Since(began) }
