package engine

// momentum is the extrapolation parameter of one run: it grows while the loss
// falls and shrinks when a step has to be taken back (Ang & Gillis 2019,
// Algorithm 2).
type momentum struct {
	pace
	next, last     float64
	ceiling        float64
	rejectedInARow int
}

// pace says how the parameter begins, grows, shrinks, and how fast the bound
// that a step taken back sets for it grows again.
type pace struct{ start, growth, shrink, relax float64 }

var (
	// still is no momentum.
	still = pace{}
	// brisk is for half-steps that nearly solve their problem, as many sweeps
	// do: on large dense X it takes half the passes of Ang & Gillis' 0.5, 1.01,
	// 1.5 and 1.005, and about as many where an X is small.
	brisk = pace{0.8, 1.02, 2, 1.01}
	// careful is for half-steps of one or two repetitions, and for those that fill
	// missing cells, whose steps are short of their problem.
	careful = pace{0.5, 1.01, 1.5, 1.005}
)

func newMomentum(p pace) momentum {
	return momentum{pace: p, next: p.start, last: p.start, ceiling: 1}
}

// beta is the parameter of the coming step. After two steps that were taken
// back it is zero for one: a plain step from the accepted pair cannot raise
// the loss.
func (m *momentum) beta() float64 {
	if m.rejectedInARow >= 2 {
		return 0
	}
	return m.next
}

func (m *momentum) accept() {
	m.rejectedInARow = 0
	m.last = m.next
	m.next = min(m.ceiling, m.growth*m.next)
	m.ceiling = min(1, m.relax*m.ceiling)
}

func (m *momentum) reject() {
	m.rejectedInARow++
	m.ceiling = m.last
	m.next /= m.shrink
}
