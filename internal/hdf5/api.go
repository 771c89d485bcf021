package hdf5

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// id is the library's hid_t, which has 64 bits since version 1.10.
type id int64

// api holds the functions of the library that we call, and the identifiers
// that it keeps in variables. Names are the library's.
type api struct {
	H5open           func() int32
	H5get_libversion func(major, minor, release *uint32) int32
	H5Eset_auto2     func(stack id, fn, data unsafe.Pointer) int32

	H5Fopen           func(name string, flags uint32, fapl id) id
	H5Fclose          func(id) int32
	H5Pcreate         func(class id) id
	H5Pclose          func(id) int32
	H5Pset_fapl_core  func(plist id, increment uintptr, backing int32) int32
	H5Pset_file_image func(plist id, buf unsafe.Pointer, n uintptr) int32
	H5Pget_nfilters   func(plist id) int32
	H5Pget_filter2    func(plist id, i uint32, flags *uint32, n *uintptr, values *uint32, nameLen uintptr, name *byte, config *uint32) int32
	H5Pget_chunk      func(plist id, n int32, dims *uint64) int32
	H5Pget_layout     func(plist id) int32
	H5Zfilter_avail   func(filter int32) int32

	H5Lexists          func(loc id, name string, lapl id) int32
	H5Lget_name_by_idx func(loc id, group string, index, order int32, n uint64, name *byte, size uintptr, lapl id) int64
	H5Gget_info        func(group id, info *groupInfo) int32
	H5Oopen            func(loc id, name string, lapl id) id
	H5Oclose           func(id) int32
	H5Iget_type        func(id) int32

	H5Dget_space                 func(id) id
	H5Dget_type                  func(id) id
	H5Dget_create_plist          func(id) id
	H5Dget_storage_size          func(id) uint64
	H5Dread                      func(dset, memType, memSpace, fileSpace, plist id, buf unsafe.Pointer) int32
	H5Dvlen_reclaim              func(typ, space, plist id, buf unsafe.Pointer) int32
	H5Screate_simple             func(rank int32, dims, most *uint64) id
	H5Sselect_hyperslab          func(space id, op int32, start, stride, count, block *uint64) int32
	H5Sclose                     func(id) int32
	H5Sget_simple_extent_ndims   func(id) int32
	H5Sget_simple_extent_dims    func(space id, dims, most *uint64) int32
	H5Sget_simple_extent_npoints func(id) int64

	H5Aexists    func(obj id, name string) int32
	H5Aopen      func(obj id, name string, aapl id) id
	H5Aclose     func(id) int32
	H5Aget_type  func(id) id
	H5Aget_space func(id) id
	H5Aread      func(attr, memType id, buf unsafe.Pointer) int32

	H5Tget_class        func(id) int32
	H5Tget_size         func(id) uintptr
	H5Tget_sign         func(id) int32
	H5Tget_strpad       func(id) int32
	H5Tis_variable_str  func(id) int32
	H5Tcreate           func(class int32, size uintptr) id
	H5Tinsert           func(typ id, name string, offset uintptr, member id) int32
	H5Tget_nmembers     func(id) int32
	H5Tget_member_index func(typ id, name string) int32
	H5Tget_member_type  func(typ id, i uint32) id
	H5Tclose            func(id) int32

	float32, float64, int32, int64, fileAccess id
}

// groupInfo is the library's H5G_info_t.
type groupInfo struct {
	_     int32  // how links are stored
	links uint64 // how many there are
	_     int64  // the greatest order of creation
	_     uint8  // whether a file is mounted here
}

// Constants of the library.
const (
	readOnly = 0
	byName   = 0 // H5_INDEX_NAME
	rising   = 0 // H5_ITER_INC
	selected = 0 // H5S_SELECT_SET

	isGroup   = 2
	isDataset = 5

	classInteger  = 0
	classFloat    = 1
	classString   = 3
	classCompound = 6
	classEnum     = 8

	layoutChunked = 2
	spacePadded   = 2
)

// all lists the functions for the loader.
func (a *api) all() map[string]any {
	return map[string]any{
		"H5open": &a.H5open, "H5get_libversion": &a.H5get_libversion, "H5Eset_auto2": &a.H5Eset_auto2,
		"H5Fopen": &a.H5Fopen, "H5Fclose": &a.H5Fclose, "H5Pcreate": &a.H5Pcreate, "H5Pclose": &a.H5Pclose,
		"H5Pset_fapl_core": &a.H5Pset_fapl_core, "H5Pset_file_image": &a.H5Pset_file_image,
		"H5Pget_nfilters": &a.H5Pget_nfilters, "H5Pget_filter2": &a.H5Pget_filter2, "H5Pget_chunk": &a.H5Pget_chunk,
		"H5Pget_layout": &a.H5Pget_layout, "H5Zfilter_avail": &a.H5Zfilter_avail,
		"H5Lexists": &a.H5Lexists, "H5Lget_name_by_idx": &a.H5Lget_name_by_idx, "H5Gget_info": &a.H5Gget_info,
		"H5Oopen": &a.H5Oopen, "H5Oclose": &a.H5Oclose, "H5Iget_type": &a.H5Iget_type,
		"H5Dget_space": &a.H5Dget_space, "H5Dget_type": &a.H5Dget_type, "H5Dget_create_plist": &a.H5Dget_create_plist,
		"H5Dget_storage_size": &a.H5Dget_storage_size, "H5Dread": &a.H5Dread, "H5Dvlen_reclaim": &a.H5Dvlen_reclaim,
		"H5Screate_simple": &a.H5Screate_simple, "H5Sselect_hyperslab": &a.H5Sselect_hyperslab, "H5Sclose": &a.H5Sclose,
		"H5Sget_simple_extent_ndims": &a.H5Sget_simple_extent_ndims, "H5Sget_simple_extent_dims": &a.H5Sget_simple_extent_dims,
		"H5Sget_simple_extent_npoints": &a.H5Sget_simple_extent_npoints,
		"H5Aexists":                    &a.H5Aexists, "H5Aopen": &a.H5Aopen, "H5Aclose": &a.H5Aclose, "H5Aget_type": &a.H5Aget_type,
		"H5Aget_space": &a.H5Aget_space, "H5Aread": &a.H5Aread,
		"H5Tget_class": &a.H5Tget_class, "H5Tget_size": &a.H5Tget_size, "H5Tget_sign": &a.H5Tget_sign,
		"H5Tget_strpad": &a.H5Tget_strpad, "H5Tis_variable_str": &a.H5Tis_variable_str, "H5Tcreate": &a.H5Tcreate,
		"H5Tinsert": &a.H5Tinsert, "H5Tget_nmembers": &a.H5Tget_nmembers, "H5Tget_member_index": &a.H5Tget_member_index,
		"H5Tget_member_type": &a.H5Tget_member_type, "H5Tclose": &a.H5Tclose,
	}
}

// variables lists where the library keeps identifiers; they are valid after
// H5open.
func (a *api) variables() map[string]*id {
	return map[string]*id{
		"H5T_NATIVE_FLOAT_g": &a.float32, "H5T_NATIVE_DOUBLE_g": &a.float64,
		"H5T_NATIVE_INT32_g": &a.int32, "H5T_NATIVE_INT64_g": &a.int64,
		"H5P_CLS_FILE_ACCESS_ID_g": &a.fileAccess,
	}
}

// Environment is the variable that names the library's file where it is not
// in a usual place.
const Environment = "NMF_HDF5"

// ErrAbsent: the library is not on this machine, or this program is built
// without native libraries.
var ErrAbsent = errors.New("libhdf5 is absent")

// AbsentError says why the library is absent and how to get it.
type AbsentError struct{ Why, Hint string }

func (e *AbsentError) Error() string { return e.Why + "; " + e.Hint }
func (e *AbsentError) Unwrap() error { return ErrAbsent }

// installHint says how to get the library, by operating system.
func installHint(goos string) string {
	how := "apt install libhdf5-103-1 (newer systems: libhdf5-310), or dnf install hdf5"
	switch goos {
	case "darwin":
		how = "brew install hdf5"
	case "windows":
		how = "get hdf5.dll from the HDF Group's installer or conda install hdf5, and put its folder on PATH"
	}
	return how + "; or name its file in " + Environment
}

// library loads the library once.
var library = sync.OnceValues(func() (*api, error) {
	a, err := load()
	if err != nil {
		return nil, err
	}
	var major, minor, release uint32
	a.H5get_libversion(&major, &minor, &release)
	if major == 1 && minor < 10 {
		return nil, &AbsentError{fmt.Sprintf("libhdf5 %d.%d.%d is too old, 1.10 is needed", major, minor, release), installHint(runtime.GOOS)}
	}
	return a, nil
})

// calls guards the library: many builds of it may not be called from two
// threads at once.
var calls sync.Mutex

// enter begins a run of calls; the function that it gives ends it. The thread
// is kept, since the library may hold its silence about errors by thread.
func enter() (a *api, leave func(), err error) {
	a, err = library()
	if err != nil {
		return nil, nil, err
	}
	calls.Lock()
	runtime.LockOSThread()
	a.H5Eset_auto2(0, nil, nil)
	return a, func() {
		runtime.UnlockOSThread()
		calls.Unlock()
	}, nil
}
