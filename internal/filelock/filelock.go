// Package filelock keeps other processes out by a file that one of them locks. The
// system ends a lock with its process, however that ends.
package filelock

import (
	"errors"
	"os"
)

// ErrInUse: another process has the lock.
var ErrInUse = errors.New("is in use by another process")

// Lock is a locked file.
type Lock struct {
	f *os.File
	// Held says that no other process can have it: false where the file system has
	// no locks.
	Held bool
}

// Try makes the file at path where it is absent, and locks it. It fails with
// ErrInUse where another process has the lock.
func Try(path string) (*Lock, error) { return lock(path, false) }

// Wait is Try, but waits until the other process is done.
func Wait(path string) (*Lock, error) { return lock(path, true) }

// lock locks the file that is at path when the lock is there: the process that had
// it may have removed it in between.
func lock(path string, wait bool) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		held, err := lockFile(f, wait)
		if err != nil {
			f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		if err == nil {
			var there os.FileInfo
			if there, err = os.Stat(path); err == nil && os.SameFile(mine, there) {
				return &Lock{f, held}, nil
			}
		}
		f.Close()
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
}

// Close lets other processes have the lock.
func (l *Lock) Close() { l.f.Close() }

// Discard is Close, and removes the file. Where it stays because another process
// waits for it, that is no error.
func (l *Lock) Discard() error {
	if !removesOpen {
		l.f.Close()
		_ = os.Remove(l.f.Name())
		return nil
	}
	defer l.f.Close()
	return os.Remove(l.f.Name())
}
