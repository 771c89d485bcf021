//go:build unix

package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/partsof/nmf/data"
)

// TestSilentStream: opening a stream that says nothing ends when it is cancelled.
func TestSilentStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "silent")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip("no named pipe: ", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s := &stream[float32]{in: source{path: path, options: &data.ReadOptions{}}}
	if _, err := s.open(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("opened: %v", err)
	}
}
