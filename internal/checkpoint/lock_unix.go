//go:build unix && !aix && !solaris && !illumos

package checkpoint

import (
	"errors"
	"os"
	"syscall"
)

// removesOpen says that a file can be removed while it is open.
const removesOpen = true

// lockFile makes and locks a file, until it is closed or the process ends. Where
// the file system has no locks there is none.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, ErrInUse
		}
		// The process that had it may have removed it in between.
		mine, err := f.Stat()
		if err == nil {
			var there os.FileInfo
			if there, err = os.Stat(path); err == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		f.Close()
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
}
