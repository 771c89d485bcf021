package engine

// momentum is the extrapolation parameter of one run: it grows while the loss
// falls and shrinks when a step has to be taken back (Ang & Gillis 2019,
// Algorithm 2, with their parameters for HALS). Off, it stays zero.
type momentum struct {
	on             bool
	next, last     float64
	ceiling        float64
	rejectedInARow int
}

const (
	momentumStart   = 0.5
	momentumGrowth  = 1.01
	momentumShrink  = 1.5
	momentumCeiling = 1.005
)

func newMomentum(on bool) momentum {
	return momentum{on: on, next: momentumStart, last: momentumStart, ceiling: 1}
}

// beta is the parameter of the coming step. After two steps that were taken
// back it is zero for one: a plain step from the accepted pair cannot raise
// the loss.
func (m *momentum) beta() float64 {
	if !m.on || m.rejectedInARow >= 2 {
		return 0
	}
	return m.next
}

func (m *momentum) accept() {
	m.rejectedInARow = 0
	m.last = m.next
	m.next = min(m.ceiling, momentumGrowth*m.next)
	m.ceiling = min(1, momentumCeiling*m.ceiling)
}

func (m *momentum) reject() {
	m.rejectedInARow++
	m.ceiling = m.last
	m.next /= momentumShrink
}
