package main

import "golang.org/x/sys/unix"

// totalMemory is the memory of the machine with its swap space, in bytes; 0
// where that is not known.
func totalMemory() float64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return (float64(info.Totalram) + float64(info.Totalswap)) * float64(info.Unit)
}
