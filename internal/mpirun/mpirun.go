// Package mpirun starts the ranks of tests: on this machine, or on machines
// that are network namespaces of it. Where Open MPI is absent, or namespaces may
// not be made, such a test skips, saying so.
package mpirun

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Available says why no ranks can be started; nil where they can.
func Available() error {
	if _, err := exec.LookPath("mpirun"); err != nil {
		return fmt.Errorf("Open MPI's mpirun is absent (apt install openmpi-bin)")
	}
	out, err := exec.Command("mpirun", "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Open MPI") {
		return fmt.Errorf("mpirun is not Open MPI's")
	}
	return nil
}

// Need skips a test where no ranks can be started.
func Need(t testing.TB) {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err)
	}
}

// options start more ranks than there are processors, by whatever user, and do
// not ask for what containers forbid.
var options = []string{"--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "btl_vader_single_copy_mechanism", "none"}

// Args are mpirun's arguments that start n ranks on this machine.
func Args(n int, program ...string) []string {
	return append(append([]string{"-n", fmt.Sprint(n)}, options...), program...)
}

// Command starts n ranks on this machine.
func Command(n int, program ...string) *exec.Cmd { return command(Args(n, program...)) }

func command(args []string) *exec.Cmd {
	c := exec.Command("mpirun", args...)
	// Its sockets have short names.
	c.Env = append(os.Environ(), "TMPDIR=/tmp")
	return c
}

// Hosts are machines that are network namespaces of this one, each with an
// address and a name of its own, joined by a bridge.
type Hosts struct {
	addresses []string
	network   string
	agent     string
}

// NewHosts makes n machines, which are gone at the end of the test. It skips
// the test where that is not allowed.
func NewHosts(t testing.TB, n int) *Hosts {
	t.Helper()
	Need(t)
	if os.Getuid() != 0 {
		t.Skip("network namespaces are made by root alone")
	}
	id := os.Getpid()
	prefix, bridge := fmt.Sprintf("nmf%d", id), fmt.Sprintf("nmf%db", id%100000)
	subnet := fmt.Sprintf("10.213.%d", id%250+1)
	h := &Hosts{network: subnet + ".0/24"}
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	t.Cleanup(func() { ip("link", "del", bridge) })
	steps := [][]string{
		{"link", "add", bridge, "type", "bridge"},
		{"address", "add", subnet + ".254/24", "dev", bridge},
		{"link", "set", bridge, "up"},
	}
	for i := 1; i <= n; i++ {
		name, link := fmt.Sprintf("%s-%d", prefix, i), fmt.Sprintf("nmf%dv%d", id%100000, i)
		t.Cleanup(func() { ip("link", "del", link); ip("netns", "del", name) })
		steps = append(steps, [][]string{
			{"netns", "add", name},
			{"link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name},
			{"link", "set", link, "master", bridge, "up"},
			{"-n", name, "address", "add", fmt.Sprintf("%s.%d/24", subnet, i), "dev", "eth0"},
			{"-n", name, "link", "set", "eth0", "up"},
			{"-n", name, "link", "set", "lo", "up"},
		}...)
		h.addresses = append(h.addresses, fmt.Sprintf("%s.%d", subnet, i))
	}
	for _, s := range steps {
		if err := ip(s...); err != nil {
			t.Skipf("network namespaces cannot be made here: %v", err)
		}
	}
	// What mpirun calls in the place of ssh: the machine, and the command.
	h.agent = filepath.Join(t.TempDir(), "agent")
	script := fmt.Sprintf("#!/bin/sh\nn=${1##*.}\nshift\nexec ip netns exec %s-$n unshare --uts sh -c 'hostname \"$0\"; exec sh -c \"$1\"' host$n \"$*\"\n", prefix)
	if err := os.WriteFile(h.agent, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

// Command starts n ranks on each machine, in turn: rank 0 on the first, rank 1
// on the second. The machines call themselves host1, host2, ….
func (h *Hosts) Command(n int, program ...string) *exec.Cmd {
	list := make([]string, len(h.addresses))
	for i, a := range h.addresses {
		list[i] = fmt.Sprintf("%s:%d", a, n)
	}
	args := append([]string{"-n", fmt.Sprint(n * len(list)), "--host", strings.Join(list, ","), "--map-by", "node",
		"--mca", "plm_rsh_agent", h.agent, "--mca", "oob_tcp_if_include", h.network, "--mca", "btl_tcp_if_include", h.network}, options...)
	return command(append(args, program...))
}
