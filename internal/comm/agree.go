package comm

import (
	"encoding/json"
	"errors"
	"fmt"
)

// RankError is an error of one rank, as the other ranks have it.
type RankError struct {
	Rank int
	// Host is the machine of the rank, "" where all ranks share one.
	Host    string
	Message string
	// Err is the error itself, on its own rank.
	Err error
}

func (e *RankError) Error() string {
	if e.Host != "" {
		return fmt.Sprintf("rank %d on %s: %s", e.Rank, e.Host, e.Message)
	}
	return fmt.Sprintf("rank %d: %s", e.Rank, e.Message)
}

func (e *RankError) Unwrap() error { return e.Err }

// Outcome is collective: nil where no rank has an error, and else the same
// error on every rank, that of the lowest rank that has one. Where all ranks
// have the same, as from a file that all of them read, it is that one as it is.
func Outcome(c Comm, err error) error {
	if c.Size() == 1 {
		return err
	}
	said := outcome{Host: c.Host()}
	if err != nil {
		said.Failed, said.Message = true, err.Error()
	}
	all, lost := eachJSON(c, said)
	if lost != nil {
		return lost
	}
	first, same, hosts := -1, true, false
	for i, o := range all {
		if o.Failed && first < 0 {
			first = i
		}
		same = same && o.Failed && o.Message == all[0].Message
		hosts = hosts || o.Host != all[0].Host
	}
	switch {
	case first < 0:
		return nil
	case same:
		return err
	}
	e := &RankError{Rank: first, Message: all[first].Message}
	if hosts {
		e.Host = all[first].Host
	}
	if first == c.Rank() {
		e.Err = err
	}
	return e
}

type outcome struct {
	Failed  bool
	Message string
	Host    string
}

// Fact is something that all ranks must have the same of.
type Fact struct {
	Name, Value string
}

// ErrDisagree: ranks differ in what they must have the same of.
var ErrDisagree = errors.New("the ranks disagree")

// Agree is collective and refuses ranks that do not have the facts of rank 0,
// naming the first and the difference. All ranks get the same error.
func Agree(c Comm, facts []Fact) error {
	all, err := eachJSON(c, struct {
		Host  string
		Facts []Fact
	}{c.Host(), facts})
	if err != nil {
		return err
	}
	for i, other := range all[1:] {
		where := func(rank int, host string) string {
			if all[0].Host == other.Host {
				return fmt.Sprintf("rank %d", rank)
			}
			return fmt.Sprintf("rank %d on %s", rank, host)
		}
		for j, f := range all[0].Facts {
			if j >= len(other.Facts) || other.Facts[j] != f {
				found := "nothing"
				if j < len(other.Facts) {
					found = other.Facts[j].Value
				}
				return fmt.Errorf("%w: %s of %s is %s, of %s it is %s", ErrDisagree, f.Name,
					where(0, all[0].Host), f.Value, where(i+1, other.Host), found)
			}
		}
	}
	return nil
}

func eachJSON[T any](c Comm, mine T) ([]T, error) {
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	parts, err := EachBytes(c, text)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(parts))
	for i, part := range parts {
		if err := json.Unmarshal(part, &all[i]); err != nil {
			return nil, fmt.Errorf("%w: what rank %d says cannot be read: %v", ErrDisagree, i, err)
		}
	}
	return all, nil
}
