//go:build !nonative && (linux || darwin) && (amd64 || arm64)

package dist

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/partsof/nmf/internal/comm"
)

// handle is what Open MPI calls MPI_Comm, MPI_Datatype and so on: an address.
type handle uintptr

// api holds the functions of the library that we call, by the library's names.
type api struct {
	MPI_Init_thread         func(argc, argv unsafe.Pointer, required int32, provided *int32) int32
	MPI_Finalize            func() int32
	MPI_Abort               func(comm handle, code int32) int32
	MPI_Get_library_version func(text *byte, length *int32) int32
	MPI_Error_string        func(code int32, text *byte, length *int32) int32
	MPI_Comm_set_errhandler func(comm, handler handle) int32
	MPI_Comm_rank           func(comm handle, rank *int32) int32
	MPI_Comm_size           func(comm handle, size *int32) int32
	MPI_Comm_split          func(comm handle, color, key int32, made *handle) int32
	MPI_Barrier             func(comm handle) int32
	MPI_Bcast               func(buf unsafe.Pointer, count int32, typ handle, root int32, comm handle) int32
	MPI_Allgatherv          func(send unsafe.Pointer, count int32, sendType handle, recv unsafe.Pointer, counts, at *int32, recvType handle, comm handle) int32
	MPI_Alltoallv           func(send unsafe.Pointer, sendCounts, sendAt *int32, sendType handle, recv unsafe.Pointer, recvCounts, recvAt *int32, recvType handle, comm handle) int32

	world, byte, errorsReturn handle
}

// all lists the functions for the loader.
func (a *api) all() map[string]any {
	return map[string]any{
		"MPI_Init_thread": &a.MPI_Init_thread, "MPI_Finalize": &a.MPI_Finalize, "MPI_Abort": &a.MPI_Abort,
		"MPI_Get_library_version": &a.MPI_Get_library_version, "MPI_Error_string": &a.MPI_Error_string,
		"MPI_Comm_set_errhandler": &a.MPI_Comm_set_errhandler, "MPI_Comm_rank": &a.MPI_Comm_rank,
		"MPI_Comm_size": &a.MPI_Comm_size, "MPI_Comm_split": &a.MPI_Comm_split, "MPI_Barrier": &a.MPI_Barrier,
		"MPI_Bcast": &a.MPI_Bcast, "MPI_Allgatherv": &a.MPI_Allgatherv, "MPI_Alltoallv": &a.MPI_Alltoallv,
	}
}

// handles lists the variables of the library whose addresses are handles.
func (a *api) handles() map[string]*handle {
	return map[string]*handle{
		"ompi_mpi_comm_world": &a.world, "ompi_mpi_byte": &a.byte, "ompi_mpi_errors_return": &a.errorsReturn,
	}
}

// fileNames are where the library is looked for. Open MPI has had the number 40
// from version 2 to 5; 12 is MPICH's.
func fileNames() []string {
	if name := os.Getenv(Environment); name != "" {
		return []string{name}
	}
	if runtime.GOOS == "darwin" {
		return []string{"libmpi.40.dylib", "/opt/homebrew/lib/libmpi.40.dylib", "/usr/local/lib/libmpi.40.dylib", "/opt/local/lib/openmpi-mp/libmpi.40.dylib"}
	}
	return []string{"libmpi.so.40", "/usr/lib64/openmpi/lib/libmpi.so.40", "/usr/lib64/mpi/gcc/openmpi4/lib64/libmpi.so.40", "/usr/local/lib/libmpi.so.40", "libmpi.so"}
}

// load opens the library and finds its functions. Its symbols are open to all
// (RTLD_GLOBAL), as the plugins that it loads by itself want.
func load() (*api, error) {
	var library uintptr
	var problems []string
	for _, name := range fileNames() {
		at, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err == nil {
			library = at
			break
		}
		problems = append(problems, err.Error())
	}
	if library == 0 {
		why := "this process is one of several ranks, which are joined by Open MPI, and its library is not on this machine"
		if os.Getenv(Environment) != "" {
			why = "Open MPI is what " + Environment + " names, which could not be opened: " + strings.Join(problems, "; ")
		}
		return nil, &AbsentError{why, hint()}
	}
	a := &api{}
	for name, at := range a.handles() {
		address, err := purego.Dlsym(library, name)
		if err != nil {
			return nil, &AbsentError{"the MPI library of this machine is not Open MPI: it has no " + name, hint()}
		}
		*at = handle(address)
	}
	for name, fn := range a.all() {
		address, err := purego.Dlsym(library, name)
		if err != nil {
			return nil, &AbsentError{"Open MPI has no function " + name, hint()}
		}
		purego.RegisterFunc(fn, address)
	}
	return a, nil
}

// World is the group of all ranks of the job.
type World struct {
	*ranks
	library string
	calls   chan func()
	report  func(rank int, err error)
}

// serialized is MPI_THREAD_SERIALIZED: one thread at a time makes calls.
const serialized = 2

// Start joins the job that this process was launched in, with the other ranks,
// which must call it too. A process does so once.
//
// report prints the error of an Abort before the job ends; nil prints it on
// standard error.
func Start(report func(rank int, err error)) (*World, error) {
	a, err := load()
	if err != nil {
		return nil, err
	}
	if report == nil {
		report = func(rank int, err error) { fmt.Fprintf(os.Stderr, "rank %d: %v\n", rank, err) }
	}
	w := &World{calls: make(chan func()), report: report}
	go func() {
		// The library wants all calls from the thread that started it.
		runtime.LockOSThread()
		for call := range w.calls {
			call()
		}
	}()
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	w.do(func() {
		var provided int32
		if code := a.MPI_Init_thread(nil, nil, serialized, &provided); code != 0 {
			err = fmt.Errorf("%w: MPI_Init_thread gives %d", ErrTransport, code)
			return
		}
		a.MPI_Comm_set_errhandler(a.world, a.errorsReturn)
		var text [1 << 13]byte // MPI_MAX_LIBRARY_VERSION_STRING is 256
		var length int32
		a.MPI_Get_library_version(&text[0], &length)
		w.library, _, _ = strings.Cut(string(text[:length]), ",")
		w.ranks, err = w.group(a, a.world, host, &comm.Traffic{})
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Library says which Open MPI it is, such as "Open MPI v4.1.4".
func (w *World) Library() string { return w.library }

// Close leaves the job; all ranks call it, and none of them anything after it.
func (w *World) Close() error {
	var err error
	w.do(func() { err = w.a.failure("MPI_Finalize", w.a.MPI_Finalize()) })
	close(w.calls)
	return err
}

// do runs a call on the library's thread.
func (w *World) do(call func()) {
	done := make(chan struct{})
	w.calls <- func() {
		defer close(done)
		call()
	}
	<-done
}

const (
	// grace is how long a failing rank waits for others to speak first, or for
	// the library's thread to be free.
	grace = 2 * time.Second
	// turn is how much later each rank speaks than the one before it: the first
	// ends the job before another says the same. Beyond lastTurn all do.
	turn     = 200 * time.Millisecond
	lastTurn = 10
)

// Abort prints err and ends the job. Ranks that fail together are given turns,
// so that one of them speaks. Where the error is that others cannot be reached,
// one of them has most likely failed, and is given the time to say why.
func (w *World) Abort(err error) {
	time.Sleep(turn * time.Duration(min(w.rank, lastTurn)))
	if errors.Is(err, ErrTransport) {
		time.Sleep(grace)
	}
	w.report(w.rank, err)
	select {
	case w.calls <- func() { w.a.MPI_Abort(w.a.world, 1) }:
		time.Sleep(grace)
	case <-time.After(grace):
	}
	// A rank that ends without leaving the job ends the job.
	os.Exit(1)
}

// ranks is one rank's end of a group.
type ranks struct {
	w          *World
	a          *api
	comm       handle
	rank, size int
	host       string
	traffic    *comm.Traffic
}

// group describes a communicator; it is called on the library's thread.
func (w *World) group(a *api, h handle, host string, traffic *comm.Traffic) (*ranks, error) {
	var rank, size int32
	if err := a.failure("MPI_Comm_rank", a.MPI_Comm_rank(h, &rank)); err != nil {
		return nil, err
	}
	if err := a.failure("MPI_Comm_size", a.MPI_Comm_size(h, &size)); err != nil {
		return nil, err
	}
	return &ranks{w: w, a: a, comm: h, rank: int(rank), size: int(size), host: host, traffic: traffic}, nil
}

// failure turns what a function of the library gives into an error.
func (a *api) failure(function string, code int32) error {
	if code == 0 {
		return nil
	}
	var text [1 << 10]byte
	var length int32
	a.MPI_Error_string(code, &text[0], &length)
	return fmt.Errorf("%w: %s: %s", ErrTransport, function, text[:length])
}

func (r *ranks) Rank() int             { return r.rank }
func (r *ranks) Size() int             { return r.size }
func (r *ranks) Host() string          { return r.host }
func (r *ranks) Traffic() comm.Traffic { return *r.traffic }
func (r *ranks) Abort(err error)       { r.w.Abort(err) }

// collective makes the calls of one operation on the library's thread and
// counts it.
func (r *ranks) collective(sent, received int, calls func() error) (err error) {
	began := time.Now()
	r.w.do(func() { err = calls() })
	r.traffic.Count(sent, received, time.Since(began))
	return err
}

func (r *ranks) Split(color, key int) (group Comm, err error) {
	if err := comm.CheckColor(color); err != nil {
		return nil, err
	}
	err = r.collective(0, 0, func() error {
		var made handle
		if err := r.a.failure("MPI_Comm_split", r.a.MPI_Comm_split(r.comm, int32(color), int32(key), &made)); err != nil {
			return err
		}
		g, err := r.w.group(r.a, made, r.host, r.traffic)
		group = g
		return err
	})
	return group, err
}

func (r *ranks) Barrier() error {
	return r.collective(0, 0, func() error { return r.a.failure("MPI_Barrier", r.a.MPI_Barrier(r.comm)) })
}

// most is how many bytes go in one call: the library counts with 32 bits.
const most = comm.MaxExchange

func (r *ranks) Broadcast(root int, b []byte) error {
	if err := comm.CheckRoot(r.size, root); err != nil {
		return err
	}
	sent, received := 0, len(b)
	if r.rank == root {
		sent, received = len(b)*(r.size-1), 0
	}
	return r.collective(sent, received, func() error {
		for part := range slices.Chunk(b, most) {
			code := r.a.MPI_Bcast(unsafe.Pointer(unsafe.SliceData(part)), int32(len(part)), r.a.byte, int32(root), r.comm)
			if err := r.a.failure("MPI_Bcast", code); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *ranks) AllGather(mine, all []byte, counts []int) error {
	if err := comm.CheckAllGather(r.rank, r.size, mine, all, counts); err != nil {
		return err
	}
	return r.collective(len(mine)*(r.size-1), len(all)-len(mine), func() error {
		if len(all) <= most {
			return r.gather(mine, all, counts)
		}
		return r.gatherByRounds(mine, all, counts)
	})
}

func (r *ranks) gather(mine, all []byte, counts []int) error {
	n, at := table(counts)
	return r.a.failure("MPI_Allgatherv", r.a.MPI_Allgatherv(unsafe.Pointer(unsafe.SliceData(mine)), int32(len(mine)), r.a.byte,
		unsafe.Pointer(unsafe.SliceData(all)), &n[0], &at[0], r.a.byte, r.comm))
}

// roundBytes is what all ranks together give in one round of a gather of more
// than the library can count.
const roundBytes = 64 << 20

// gatherByRounds gathers pieces of the parts into space, and from there to
// where they belong. All ranks know all counts, and so the rounds.
func (r *ranks) gatherByRounds(mine, all []byte, counts []int) error {
	step := max(1, roundBytes/r.size)
	space, lengths := make([]byte, step*r.size), make([]int, r.size)
	for from := 0; from < slices.Max(counts); from += step {
		total := 0
		for i, n := range counts {
			lengths[i] = min(max(n-from, 0), step)
			total += lengths[i]
		}
		own := mine[min(from, len(mine)):min(from+step, len(mine))]
		if err := r.gather(own, space[:total], lengths); err != nil {
			return err
		}
		read, at := 0, 0
		for _, n := range counts {
			read += copy(all[at+min(from, n):at+min(from+step, n)], space[read:])
			at += n
		}
	}
	return nil
}

func (r *ranks) AllToAll(send []byte, sendCounts []int, recv []byte, recvCounts []int) error {
	if err := comm.CheckAllToAll(r.size, send, sendCounts, recv, recvCounts); err != nil {
		return err
	}
	return r.collective(len(send)-sendCounts[r.rank], len(recv)-recvCounts[r.rank], func() error {
		ns, ats := table(sendCounts)
		nr, atr := table(recvCounts)
		return r.a.failure("MPI_Alltoallv", r.a.MPI_Alltoallv(unsafe.Pointer(unsafe.SliceData(send)), &ns[0], &ats[0], r.a.byte,
			unsafe.Pointer(unsafe.SliceData(recv)), &nr[0], &atr[0], r.a.byte, r.comm))
	})
}

// table gives counts and where each part begins as the library takes them.
func table(counts []int) (n, at []int32) {
	n, at = make([]int32, len(counts)), make([]int32, len(counts))
	next := 0
	for i, c := range counts {
		n[i], at[i] = int32(c), int32(next)
		next += c
	}
	return n, at
}
