package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// held takes a lock, where this machine has them.
func held(t *testing.T, path string) *Lock {
	t.Helper()
	l, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Held {
		t.Skip("no locks on this file system")
	}
	return l
}

func TestTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l := held(t, path)
	if _, err := Try(path); !errors.Is(err, ErrInUse) {
		t.Errorf("the second one has it, too: %v", err)
	}
	l.Close()
	held(t, path).Close()
	if _, err := Try(filepath.Join(path, "below")); err == nil {
		t.Error("a lock in a folder that is none")
	}
}

// TestWait: of many that wait one has the lock at a time, each in turn, also where
// each removes the file when it is done.
func TestWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := held(t, path)
	var all sync.WaitGroup
	inside, most, done := 0, 0, 0
	var mu sync.Mutex
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		inside += by
		most = max(most, inside)
		if by < 0 {
			done++
		}
	}
	count(1)
	for i := range 8 {
		all.Go(func() {
			l, err := Wait(path)
			if err != nil {
				t.Error(err)
				return
			}
			count(1)
			time.Sleep(time.Millisecond)
			count(-1)
			if i%2 == 0 {
				l.Close()
			} else if err := l.Discard(); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	count(-1)
	if err := first.Discard(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if most != 1 || done != 9 {
		t.Errorf("%d at a time, %d in all", most, done)
	}
	if err := held(t, path).Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); removesOpen && !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
}
