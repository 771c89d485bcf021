//go:build !windows && (!unix || aix || solaris || illumos)

package checkpoint

import "os"

// removesOpen says that a file can be removed while it is open.
const removesOpen = false

// lockFile makes the file; there are no locks here.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
}
