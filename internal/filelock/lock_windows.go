package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// removesOpen says that a file can be removed while it is open.
const removesOpen = false

// lockFile locks a file until it is closed or the process ends. Where the file
// system has no locks it is not held.
func lockFile(f *os.File, wait bool) (held bool, err error) {
	how := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK)
	if !wait {
		how |= windows.LOCKFILE_FAIL_IMMEDIATELY
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, ErrInUse
	}
	return err == nil, nil
}
