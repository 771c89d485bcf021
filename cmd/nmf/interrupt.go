package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/partsof/nmf/internal/atomicfile"
)

// interrupts turns Ctrl-C (and a request to terminate) into the end of the
// work that can give something at its end, and of the program otherwise.
type interrupts struct {
	stderr io.Writer

	mu     sync.Mutex
	cancel context.CancelFunc
	notice string
}

func watchInterrupts(stderr io.Writer) *interrupts {
	w := &interrupts{stderr: stderr}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for s := range signals {
			w.handle(s)
		}
	}()
	return w
}

func (w *interrupts) handle(s os.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
		w.cancel = nil
		if columnsOf(os.Stderr) > 0 {
			fmt.Fprintln(w.stderr) // after the ^C that the terminal shows
		}
		fmt.Fprint(w.stderr, w.notice)
		return
	}
	atomicfile.RemoveTemporary()
	status := 128 + int(syscall.SIGINT)
	if s == syscall.SIGTERM {
		status = 128 + int(syscall.SIGTERM)
	}
	os.Exit(status)
}

// during runs work whose context the first Ctrl-C cancels, with a notice that
// says what will happen; the second one ends the program.
func (w *interrupts) during(notice string, work func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.set(cancel, notice)
	defer w.set(nil, "")
	return work(ctx)
}

func (w *interrupts) set(cancel context.CancelFunc, notice string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel, w.notice = cancel, notice
}
