// Package dist joins processes, on one machine or on many, into the ranks of
// one job by MPI. Open MPI's library is opened when a job needs it: nothing is
// linked, and cgo is not used. The build tag nonative leaves it out; Start then
// gives ErrAbsent.
//
// A program that mpirun has started several times finds that out with Launched,
// joins with Start, and gives the Comm to what works over ranks, such as
// nmf.Options.Comm.
package dist

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/partsof/nmf/internal/comm"
)

// Comm joins the ranks of a job.
type Comm = comm.Comm

// Environment is the variable that names the file of Open MPI's library where it
// is not in a usual place; "off" makes every process of a job work by itself.
const Environment = "NMF_MPI"

// Sentinels, found with errors.Is in what this package returns.
var (
	// ErrAbsent: Open MPI is not on this machine, or this program is built
	// without native libraries.
	ErrAbsent = errors.New("Open MPI is absent")
	// ErrOther: the process was started by another MPI than Open MPI.
	ErrOther = errors.New("not started by Open MPI")
	// ErrTransport: a message did not get to its rank.
	ErrTransport = errors.New("the ranks cannot reach each other")
)

// AbsentError says why Open MPI is absent and how to get it.
type AbsentError struct{ Why, Hint string }

func (e *AbsentError) Error() string { return e.Why + "; " + e.Hint }
func (e *AbsentError) Unwrap() error { return ErrAbsent }

// Launch is what the launcher has told this process. What it did not tell is -1.
type Launch struct {
	// Rank and LocalRank are the numbers of this process in the job and on its
	// machine, Size is how many there are in the job.
	Rank, LocalRank, Size int
}

// Launched says whether this process is one of several ranks that Open MPI's
// mpirun, or another launcher that speaks PMIx to it, has started. ErrOther is
// for launchers of other MPIs.
func Launched() (Launch, bool, error) { return launched(os.Getenv) }

func launched(env func(string) string) (Launch, bool, error) {
	number := func(names ...string) int {
		for _, name := range names {
			if n, err := strconv.Atoi(env(name)); err == nil && n >= 0 {
				return n
			}
		}
		return -1
	}
	if env(Environment) == "off" {
		return Launch{-1, -1, -1}, false, nil
	}
	l := Launch{Rank: number("OMPI_COMM_WORLD_RANK", "PMIX_RANK"), LocalRank: number("OMPI_COMM_WORLD_LOCAL_RANK"),
		Size: number("OMPI_COMM_WORLD_SIZE")}
	if l.Rank >= 0 {
		if l.Size < 0 { // srun --mpi=pmix
			l.Size, l.LocalRank = number("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"), number("SLURM_LOCALID")
		}
		return l, l.Size != 1, nil
	}
	if size := number("PMI_SIZE"); size > 1 {
		l.Rank = number("PMI_RANK")
		return l, false, fmt.Errorf("%w: PMI_SIZE is %d, so that this is a job of MPICH, Intel MPI or Slurm's PMI-2; "+
			"start it with Open MPI's mpirun, or with srun --mpi=pmix; %s=off makes every process work by itself", ErrOther, size, Environment)
	}
	return l, false, nil
}

// installHint says how to get the library, by operating system.
func installHint(goos string) string {
	how := "apt install openmpi-bin, or dnf install openmpi and module load mpi, on every machine of the job"
	if goos == "darwin" {
		how = "brew install open-mpi, on every machine of the job"
	}
	return how + "; or name its file in " + Environment
}

// hint is installHint for this machine.
func hint() string { return installHint(runtime.GOOS) }
