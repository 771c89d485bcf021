package nmf

import (
	"fmt"

	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// onlineState is what learning goes on from: H with the scales that it has in
// the sums (n x k), the sums themselves (see engine.Learner), and the weighted
// sum of each component of W. Components are in the order of learning.
type onlineState[F matrix.Float] struct {
	h, a, b *matrix.Dense[F]
	mass    []float64
}

func newOnlineState[F matrix.Float](l *engine.Learner[F]) *onlineState[F] {
	return &onlineState[F]{h: l.H.Dense(), a: l.A.Dense(), b: l.B.Dense(), mass: append([]float64(nil), l.Mass...)}
}

// learner is one that stands where the state does.
func (s *onlineState[F]) learner(cfg engine.LearnerConfig) (*engine.Learner[F], error) {
	l, err := engine.NewLearner(engine.TallOf(s.h), cfg)
	if err != nil {
		return nil, err
	}
	l.Restore(engine.TallOf(s.h), engine.TallOf(s.a), engine.TallOf(s.b), s.mass)
	return l, nil
}

func (s *onlineState[F]) write(z *npy.Writer) error {
	if s == nil {
		return nil
	}
	for _, a := range []struct {
		name string
		d    *matrix.Dense[F]
	}{{onlineH, s.h}, {onlineA, s.a}, {onlineB, s.b}} {
		member, err := z.Create(a.name+".npy", false)
		if err != nil {
			return err
		}
		if err := npy.WriteDense(member, a.d); err != nil {
			return err
		}
	}
	return npy.WriteMember(z, onlineMass, false, []int{len(s.mass)}, s.mass)
}

// readOnlineState gives nil where the model was not learnt online.
func readOnlineState[F matrix.Float](a *npy.Archive, info *Info) (*onlineState[F], error) {
	if info.Online == nil {
		return nil, nil
	}
	if u := info.Online.Unit; !(u > 0) || !(info.Online.Weight >= 0) || info.Online.Rows < 0 {
		return nil, fmt.Errorf("%w: %s says unit %v, weight %v, %d rows of what was learnt online", ErrModelFormat, infoMember, u, info.Online.Weight, info.Online.Rows)
	}
	n, k := info.Columns, info.K
	rows := k
	switch info.LossName {
	case frobenius:
	case "kl":
		rows = 1
	default:
		rows = n
		if l := info.Resolved.engineLoss(); l.RestBySums() {
			rows = 1
		}
	}
	s := &onlineState[F]{}
	for _, v := range []struct {
		name string
		rows int
		d    **matrix.Dense[F]
	}{{onlineH, n, &s.h}, {onlineA, n, &s.a}, {onlineB, rows, &s.b}} {
		d, err := readFactor[F](a, v.name, v.rows, k)
		if err != nil {
			return nil, err
		}
		*v.d = d
	}
	mass, err := npy.ReadMember[float64](a, onlineMass)
	if err != nil {
		return nil, err
	}
	if len(mass.Shape) != 1 || mass.Shape[0] != k || firstBad(mass.Data) >= 0 {
		return nil, fmt.Errorf("%w: %s.npy is not %d numbers of at least 0", ErrModelFormat, onlineMass, k)
	}
	s.mass = mass.Data
	return s, nil
}
