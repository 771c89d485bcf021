//go:build unix && !aix && !solaris && !illumos

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// removesOpen says that a file can be removed while it is open.
const removesOpen = true

// lockFile locks a file until it is closed or the process ends. Where the file
// system has no locks it is not held.
func lockFile(f *os.File, wait bool) (held bool, err error) {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, ErrInUse
		}
		return err == nil, nil
	}
}
