//go:build !nonative && windows && (amd64 || arm64)

package hdf5

import "golang.org/x/sys/windows"

func openLibrary(name string) (uintptr, error) {
	h, err := windows.LoadLibrary(name)
	return uintptr(h), err
}

func symbol(handle uintptr, name string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(handle), name)
}
