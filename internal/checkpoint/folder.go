// Package checkpoint keeps the state of a fit under way in a folder: a file for
// each checkpoint, written beside, synced and renamed, of which the last two are
// kept, each with a sum of its contents, so that a damaged one is noticed and
// the one before is used.
package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/filelock"
)

// Errors of a folder.
var (
	ErrInUse   = filelock.ErrInUse
	ErrForeign = errors.New("holds other things")
	ErrDamaged = errors.New("damaged")
)

// kept is the number of checkpoints that are kept.
const kept = 2

const lockName = "lock"

var (
	names      = regexp.MustCompile(`^checkpoint-([0-9]{8,18})\.nmf$`)
	unfinished = regexp.MustCompile(`^\.nmf-[0-9a-f]{8}\.tmp$`)
)

// Folder holds the checkpoints of one fit. Until Close no other process can open
// it.
type Folder struct {
	path string
	lock *filelock.Lock
	// whole are the checkpoints to keep, the oldest first.
	whole []string
	last  int64
}

// Open makes the folder where it is absent, locks it, and removes what a killed
// process has left half-written. A folder with anything in it that is no
// checkpoint is refused.
func Open(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if n := e.Name(); n != lockName && !names.MatchString(n) && !unfinished.MatchString(n) {
			return nil, fmt.Errorf("%s %w, such as %s; name a new or an empty folder", path, ErrForeign, n)
		}
	}
	lock, err := filelock.Try(filepath.Join(path, lockName))
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("%s %w; name another folder, or wait for its end", path, err)
	}
	if err != nil {
		return nil, err
	}
	f := &Folder{path: path, lock: lock}
	for _, e := range entries {
		if unfinished.MatchString(e.Name()) {
			os.Remove(filepath.Join(path, e.Name()))
		}
	}
	all, err := f.all()
	if err == nil && len(all) > 0 {
		f.last = all[len(all)-1]
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close lets other processes have the folder.
func (f *Folder) Close() { f.lock.Close() }

// Empty reports whether there is no checkpoint.
func (f *Folder) Empty() bool { return f.last == 0 }

// all gives the numbers of the checkpoints that are there, in order.
func (f *Folder) all() ([]int64, error) {
	entries, err := os.ReadDir(f.path)
	var numbers []int64
	for _, e := range entries {
		if m := names.FindStringSubmatch(e.Name()); m != nil {
			n, err := strconv.ParseInt(m[1], 10, 64)
			if err == nil && n > 0 {
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

func (f *Folder) file(n int64) string {
	return filepath.Join(f.path, fmt.Sprintf("checkpoint-%08d.nmf", n))
}

// Save writes a checkpoint, and removes all but the last two. When that fails
// the ones before stay.
func (f *Folder) Save(fill func(w io.Writer) error) (path string, err error) {
	path = f.file(f.last + 1)
	err = atomicfile.Write(path, func(w io.Writer) error {
		sum := sha256.New()
		if err := fill(io.MultiWriter(w, sum)); err != nil {
			return err
		}
		_, err := w.Write(sum.Sum(nil))
		return err
	})
	if err != nil {
		return "", err
	}
	f.last++
	f.whole = append(f.whole, path)
	f.whole = f.whole[max(0, len(f.whole)-kept):]
	all, err := f.all()
	if err != nil {
		return path, nil // what is too much can go another time
	}
	for _, n := range all {
		if old := f.file(n); !slices.Contains(f.whole, old) {
			os.Remove(old)
		}
	}
	return path, nil
}

// Load hands the newest whole checkpoint to parse and gives its path; "" where
// there is no checkpoint at all. damaged is told of those that are not whole.
func (f *Folder) Load(parse func(r io.Reader, size int64) error, damaged func(path string, err error)) (string, error) {
	all, err := f.all()
	if err != nil || len(all) == 0 {
		return "", err
	}
	var last error
	for _, n := range slices.Backward(all) {
		path := f.file(n)
		size, err := verify(path)
		if errors.Is(err, ErrDamaged) {
			damaged(path, err)
			last = fmt.Errorf("%s: %w", path, err)
			continue
		}
		if err != nil {
			return "", err
		}
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		f.whole = []string{path}
		if err := parse(bufio.NewReaderSize(io.LimitReader(file, size), 1<<20), size); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return path, nil
	}
	return "", last
}

// verify gives the number of bytes before the sum, which must be theirs.
func verify(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size() - sha256.Size
	if size < 0 {
		return 0, fmt.Errorf("%w: it has only %d bytes", ErrDamaged, info.Size())
	}
	sum, want := sha256.New(), make([]byte, sha256.Size)
	if _, err := io.CopyN(sum, file, size); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(file, want); err != nil {
		return 0, err
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return 0, fmt.Errorf("%w: its contents do not match their sum", ErrDamaged)
	}
	return size, nil
}

// Remove removes the checkpoints in a folder, and the folder. One that another
// process uses, or that is not there, is left as it is.
func Remove(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := f.all()
	for _, n := range all {
		err = errors.Join(err, os.Remove(f.file(n)))
	}
	if err != nil {
		return err
	}
	return f.discard()
}

// discard removes the lock and the folder, where nothing else is in it.
func (f *Folder) discard() error {
	if err := f.lock.Discard(); err != nil {
		return err
	}
	os.Remove(f.path)
	return nil
}
