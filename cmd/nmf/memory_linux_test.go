package main

import (
	"math"
	"testing"
	"testing/fstest"
)

func TestGroupMemory(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, test := range map[string]struct {
		root fstest.MapFS
		want float64
	}{
		"no control groups": {fstest.MapFS{}, math.Inf(1)},
		"no limit": {fstest.MapFS{
			"proc/self/cgroup":         file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("max\n"),
		}, math.Inf(1)},
		"container": {fstest.MapFS{
			"proc/self/cgroup":         file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("68719476736\n"),
		}, 1 << 36},
		"group above": {fstest.MapFS{
			"proc/self/cgroup":                       file("0::/user.slice/job.scope\n"),
			"sys/fs/cgroup/user.slice/memory.max":    file("1000000000\n"),
			"sys/fs/cgroup/user.slice/job.scope/x":   file(""),
			"sys/fs/cgroup/user.slice/io.max":        file("8:0 rbps=5\n"),
			"sys/fs/cgroup/other.slice/memory.max":   file("1000\n"),
			"sys/fs/cgroup/memory.limit_in_bytes":    file("1000\n"),
			"sys/fs/cgroup/user.slice/pids.max":      file("100\n"),
			"sys/fs/cgroup/user.slice/memory.events": file("low 0\n"),
		}, 1e9},
		"version 1, seen from a container": {fstest.MapFS{
			"proc/self/cgroup":                           file("9:name=systemd:/\n4:memory:/docker/0123\n1:cpu,cpuacct:/\n0::/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("2147483648\n"),
		}, 1 << 31},
		"version 1, no limit": {fstest.MapFS{
			"proc/self/cgroup":                           file("4:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n"),
		}, 9223372036854771712},
	} {
		if got := groupMemory(test.root); got != test.want {
			t.Errorf("%s: %g, want %g", name, got, test.want)
		}
	}
	if total := totalMemory(); !(total > 0) || math.IsInf(total, 0) {
		t.Errorf("the memory of this machine is %g", total)
	}
}
