//go:build nonative || !(linux || darwin || windows) || !(amd64 || arm64)

package hdf5

func load() (*api, error) {
	return nil, &AbsentError{
		"HDF5 files are read with libhdf5, and this nmf is built without native libraries",
		"use a build without the tag nonative, or convert the file elsewhere, to .npz or .mtx",
	}
}
