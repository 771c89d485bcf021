package data

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/partsof/nmf/internal/blockfile"
	"github.com/partsof/nmf/internal/filelock"
)

const (
	// makingExtension ends the name of the folder that a block file is made in.
	makingExtension = ".making"
	makingLock      = "lock"
	unfinished      = ".nmf-*.tmp"
)

// making is the right to make a block file: until done no other process has it,
// where the file system has locks. The file is made in a folder of its own beside
// it, so that what a process that was killed has left there can be told from
// what others work on.
type making struct {
	lock *filelock.Lock
	// folder is where it is made, blocks where it goes.
	folder, blocks string
}

// beginMaking waits until no other process makes the block file; before it waits
// it calls waiting, unless that is nil.
func beginMaking(blocks string, waiting func(path string)) (*making, error) {
	m := &making{folder: blocks + makingExtension, blocks: blocks}
	fail := func(err error) error {
		return blockError(blocks, &blockfile.WriteError{Folder: filepath.Dir(blocks), Err: err})
	}
	for {
		if err := os.MkdirAll(m.folder, 0o777); err != nil {
			return nil, fail(err)
		}
		path := filepath.Join(m.folder, makingLock)
		var err error
		if m.lock, err = filelock.Try(path); errors.Is(err, filelock.ErrInUse) {
			if waiting != nil {
				waiting(blocks)
				waiting = nil
			}
			m.lock, err = filelock.Wait(path)
		}
		switch {
		case err == nil:
			if m.lock.Held {
				removeAll(m.folder, unfinished)
			}
			return m, nil
		case !errors.Is(err, os.ErrNotExist):
			return nil, fail(err)
		}
		// The process that was before has removed the folder in between.
	}
}

// folderOf is the folder of block files that could not be written to.
func folderOf(e *blockfile.WriteError) string {
	if strings.HasSuffix(e.Folder, makingExtension) {
		return filepath.Dir(e.Folder)
	}
	return e.Folder
}

// path is where the file is to be written. Without a lock others may write to the
// same folder: then it is the place of the file itself.
func (m *making) path() string {
	if m.lock.Held {
		return filepath.Join(m.folder, filepath.Base(m.blocks))
	}
	return m.blocks
}

// publish puts the file that was written in its place, at once.
func (m *making) publish() error {
	if !m.lock.Held {
		return nil
	}
	return os.Rename(m.path(), m.blocks)
}

// done lets others make the file.
func (m *making) done() {
	if m.lock.Held {
		_ = os.Remove(m.path())
	}
	_ = m.lock.Discard()
	_ = os.Remove(m.folder)
}

// inFolder lists what is in a folder under names of a pattern.
func inFolder(folder, pattern string) (list []string) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if match, _ := filepath.Match(pattern, e.Name()); match {
			list = append(list, filepath.Join(folder, e.Name()))
		}
	}
	return list
}

func removeAll(folder, pattern string) {
	for _, name := range inFolder(folder, pattern) {
		_ = os.Remove(name)
	}
}

// removeStale removes what programs that were killed long ago have left unfinished in
// a folder of block files.
func removeStale(folder string) {
	const age = 24 * time.Hour
	old := func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && time.Since(info.ModTime()) > age
	}
	for _, name := range inFolder(folder, unfinished) {
		if old(name) {
			_ = os.Remove(name)
		}
	}
	for _, name := range inFolder(folder, "*"+blockExtension+makingExtension) {
		if !old(name) {
			continue
		}
		if lock, err := filelock.Try(filepath.Join(name, makingLock)); err == nil && lock.Held {
			m := &making{lock: lock, folder: name, blocks: strings.TrimSuffix(name, makingExtension)}
			removeAll(name, unfinished)
			m.done()
		}
	}
}
