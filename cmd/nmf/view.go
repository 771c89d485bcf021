package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/partsof/nmf/report"
)

type viewCmd struct {
	Model    string `arg:"" optional:"" needed:"" help:"Model that 'nmf fit' or 'nmf topics' wrote."`
	Input    string `arg:"" optional:"" help:"Data that the model was fitted to, for residuals and originals: a file, a 10x folder, or - for standard input."`
	Host     string `group:"Serve" default:"127.0.0.1" placeholder:"NAME" help:"Address to serve at. Any other than this machine's own lets others on the network in who know the token."`
	Port     int    `group:"Serve" type:"count" default:"0" placeholder:"N" help:"Port to serve at; 0 takes a free one."`
	Metadata string `group:"Report" placeholder:"FILE" help:"CSV or TSV file that describes the samples: a line of column names, then a line a sample."`
	drawFlags
	inputFlags
	machineFlags
	Quiet bool `short:"q" group:"Output" help:"Print the address alone: no notes."`
}

func (c *viewCmd) examples() [][2]string {
	return [][2]string{
		{"nmf view model.npz counts.csv", "open the address that it prints"},
		{"nmf view model.npz counts.csv --port 8080", "at a port of your choice"},
		{"nmf view faces.npz faces.npy --image 19x19", "components as pictures"},
	}
}

func (c *viewCmd) notes() string {
	return "It serves the page of 'nmf report' to this machine alone, below an address with a random token, and computes what a file cannot hold when it is asked for. Ctrl-C ends it."
}

func (c *viewCmd) Run(a *app) error {
	if err := errors.Join(checkModelPath("view", c.Model), c.machineFlags.check("view")); err != nil {
		return err
	}
	if c.Port < 0 || c.Port > 65535 {
		return usagef("view", "--port is %d; it must be from 0 to 65535", c.Port)
	}
	in, err := reportInput(a, "view", c.Model, c.Input, c.Metadata, &c.drawFlags, &c.inputFlags, c.Threads, c.Quiet)
	if err != nil {
		return err
	}
	token := rand.Text()
	handler, err := report.Handler(in, token)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("cannot serve at %s: %w; choose another --host or --port", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		a.warn(c.Quiet, "%s is open to the network: whoever has the address with its token sees the data", listener.Addr())
	}
	a.printf("http://%s/%s/\n", listener.Addr(), token)
	if err := a.stdout.Flush(); err != nil {
		return errors.Join(err, listener.Close())
	}
	a.note(c.Quiet, "open this address in a browser; Ctrl-C ends the server")
	return a.interrupts.during("nmf: the server ends\n", func(ctx context.Context) error {
		return serve(ctx, listener, handler)
	})
}

// serve answers until the context ends, then lets what is under way finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	const patience = 10 * time.Second
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return server.Close()
	}
	return nil
}
