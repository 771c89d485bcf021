//go:build !linux

package main

// affinity is "": the system does not tell which processors a process may use.
func affinity() string { return "" }

// onlineProcessors is 0: not known.
func onlineProcessors() int { return 0 }
