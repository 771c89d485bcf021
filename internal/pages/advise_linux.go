package pages

import (
	"syscall"
	"unsafe"
)

// large is the size of a large page on most machines.
const large = 2 << 20

// advise asks for all large pages that b has a part of: what lies beside it is heap,
// too. Where the kernel has none nothing changes, so that its answer does not matter.
func advise(b []byte) {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	from, to := at&^(large-1), (at+uintptr(len(b))+large-1)&^(large-1)
	syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_HUGEPAGE)
}
