//go:build nonative || !(linux || darwin) || !(amd64 || arm64)

package dist

import "runtime"

// Start joins the job.
func Start(func(rank int, err error)) (*World, error) {
	if runtime.GOOS == "windows" {
		return nil, &AbsentError{"several ranks are joined by Open MPI, which Windows does not have", "run it in WSL or on Linux"}
	}
	return nil, &AbsentError{"several ranks are joined by Open MPI, and this nmf is built without native libraries",
		"use a build without the tag nonative"}
}

// World is the group of all ranks of the job. This build has none.
type World struct{ Comm }

// Library says which Open MPI it is.
func (*World) Library() string { return "" }

// Close leaves the job.
func (*World) Close() error { return nil }
