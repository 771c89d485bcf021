// Package comm joins the ranks of one fit that runs over several processes:
// the few collective operations that the engine needs, and sums on top of them
// whose bits are a function of the number of ranks alone.
//
// Package dist has the transport between machines, MPI; Local and Run have one
// between the goroutines of a process.
package comm

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// Comm is one rank's end of a group of ranks. All operations but Rank, Size,
// Host, Traffic and Abort are collective: every rank of the group calls the same ones
// in the same order, and none comes back before its own part is done. Counts
// and lengths are bytes. A Comm is used by one goroutine at a time.
//
// An error of a collective is final: the group cannot be used after it.
type Comm interface {
	// Rank is this rank's number, from 0 to Size()-1.
	Rank() int
	Size() int
	// Host names the machine that this rank is on.
	Host() string
	// Split makes groups of the ranks that name the same color, at least 0, in
	// the order of key, and of rank where keys are equal.
	Split(color, key int) (Comm, error)
	// AllToAll sends part i of send to rank i and receives a part from each in
	// rank order. sendCounts[i] here is recvCounts[j] there. Either side is at
	// most MaxExchange.
	AllToAll(send []byte, sendCounts []int, recv []byte, recvCounts []int) error
	// AllGather puts the parts of all ranks behind each other in rank order.
	// counts has the length of each part, the same on every rank.
	AllGather(mine, all []byte, counts []int) error
	// Broadcast gives b of root to all; b has the same length everywhere.
	Broadcast(root int, b []byte) error
	// Barrier returns when all ranks have called it.
	Barrier() error
	// Traffic is what this rank has sent and received so far, by this group and
	// by all that were split from it.
	Traffic() Traffic
	// Abort ends the work of all ranks, of the whole job, because of err. It is
	// not collective, and any goroutine may call it. Between processes it does
	// not return.
	Abort(err error)
}

// MaxExchange is the most bytes that a rank sends, or receives, in one
// AllToAll: MPI counts with 32 bits. The helpers of this package take several
// rounds where there is more.
const MaxExchange = 1 << 30

// Traffic counts what went over the network, or would have: what a rank keeps
// for itself is not counted.
type Traffic struct {
	// Sent is what other ranks received of this one: the payload times its
	// receivers. Over all ranks as much is sent as received.
	Sent int64
	// Received is the payload from other ranks.
	Received int64
	// Calls is the number of collective operations.
	Calls int64
	// Time is what they took, waiting for other ranks included.
	Time time.Duration
}

// Sub gives the traffic since an earlier reading.
func (t Traffic) Sub(earlier Traffic) Traffic {
	return Traffic{t.Sent - earlier.Sent, t.Received - earlier.Received, t.Calls - earlier.Calls, t.Time - earlier.Time}
}

// Count adds one collective operation.
func (t *Traffic) Count(sent, received int, took time.Duration) {
	t.Sent += int64(sent)
	t.Received += int64(received)
	t.Calls++
	t.Time += took
}

// ErrAborted: another rank has failed, or has ended, so that this one cannot
// go on.
var ErrAborted = errors.New("another rank has failed")

// ErrCall: a collective was called with arguments that cannot be right, or with
// others than on another rank. It is a mistake in the program.
var ErrCall = errors.New("wrong collective call")

// CheckAllToAll refuses arguments of AllToAll that do not fit each other.
func CheckAllToAll(size int, send []byte, sendCounts []int, recv []byte, recvCounts []int) error {
	if err := checkCounts("AllToAll", size, sendCounts, len(send)); err != nil {
		return err
	}
	if err := checkCounts("AllToAll", size, recvCounts, len(recv)); err != nil {
		return err
	}
	if len(send) > MaxExchange || len(recv) > MaxExchange {
		return fmt.Errorf("%w: AllToAll of %d bytes out and %d in, and %d are the most", ErrCall, len(send), len(recv), MaxExchange)
	}
	return nil
}

// CheckAllGather refuses arguments of AllGather that do not fit each other.
func CheckAllGather(rank, size int, mine, all []byte, counts []int) error {
	if err := checkCounts("AllGather", size, counts, len(all)); err != nil {
		return err
	}
	if counts[rank] != len(mine) {
		return fmt.Errorf("%w: AllGather of %d bytes where counts say %d", ErrCall, len(mine), counts[rank])
	}
	return nil
}

// CheckRoot refuses a root that is no rank.
func CheckRoot(size, root int) error {
	if root < 0 || root >= size {
		return fmt.Errorf("%w: root %d of %d ranks", ErrCall, root, size)
	}
	return nil
}

// CheckColor refuses a color that is below zero.
func CheckColor(color int) error {
	if color < 0 || color > math.MaxInt32 {
		return fmt.Errorf("%w: Split with the color %d", ErrCall, color)
	}
	return nil
}

func checkCounts(op string, size int, counts []int, total int) error {
	sum := 0
	for _, n := range counts {
		if n < 0 {
			return fmt.Errorf("%w: %s with the count %d", ErrCall, op, n)
		}
		sum += n
	}
	if len(counts) != size || sum != total {
		return fmt.Errorf("%w: %s with %d counts for %d ranks that sum to %d for %d bytes", ErrCall, op, len(counts), size, sum, total)
	}
	return nil
}

// number is what vectors are made of.
type number interface {
	byte | float32 | float64 | int32 | int64
}

// Bytes is the memory of a vector, as the operations take it.
func Bytes[T number](s []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// sizeOf is the number of bytes of an element.
func sizeOf[T number]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}
