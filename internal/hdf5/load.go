//go:build !nonative && (linux || darwin || windows) && (amd64 || arm64)

package hdf5

import (
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// fileNames are where the library is looked for, the newest version first.
func fileNames() []string {
	if name := os.Getenv(Environment); name != "" {
		return []string{name}
	}
	switch runtime.GOOS {
	case "darwin":
		return []string{
			"libhdf5.dylib", "/opt/homebrew/lib/libhdf5.dylib", "/usr/local/lib/libhdf5.dylib", "/opt/local/lib/libhdf5.dylib",
		}
	case "windows":
		return []string{"hdf5.dll", "libhdf5.dll", "libhdf5-0.dll"}
	}
	// Debian and Ubuntu name the serial build apart from those with MPI, which
	// are not for us.
	var names []string
	for _, version := range []string{".320", ".310", ".200", ".103", ".101", ""} {
		names = append(names, "libhdf5_serial.so"+version, "libhdf5.so"+version)
	}
	return names
}

// load opens the library and finds its functions.
func load() (*api, error) {
	var handle uintptr
	var problems []string
	for _, name := range fileNames() {
		h, err := openLibrary(name)
		if err == nil {
			handle = h
			break
		}
		problems = append(problems, err.Error())
	}
	if handle == 0 {
		why := "HDF5 files are read with libhdf5, which is not on this machine"
		if os.Getenv(Environment) != "" {
			why = "HDF5 files are read with libhdf5, and what " + Environment + " names could not be opened: " + strings.Join(problems, "; ")
		}
		return nil, &AbsentError{why, installHint(runtime.GOOS)}
	}
	a := &api{}
	for name, fn := range a.all() {
		at, err := symbol(handle, name)
		if err != nil {
			return nil, &AbsentError{"libhdf5 has no function " + name, installHint(runtime.GOOS)}
		}
		purego.RegisterFunc(fn, at)
	}
	if a.H5open() < 0 {
		return nil, &AbsentError{"libhdf5 does not start", installHint(runtime.GOOS)}
	}
	for name, v := range a.variables() {
		at, err := symbol(handle, name)
		if err != nil {
			return nil, &AbsentError{"libhdf5 has no variable " + name, installHint(runtime.GOOS)}
		}
		*v = **(**id)(unsafe.Pointer(&at))
	}
	return a, nil
}
