package muscles

import (
	"fmt"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Variance is how much of the envelopes the synergies account for.
type Variance struct {
	// VAF is 1 − Σ(x − wh)²/Σx², Muscles the same of each muscle (Torres-Oviedo,
	// Macpherson & Ting 2006). A silent muscle has 1.
	VAF     float64   `json:"vaf"`
	Muscles []float64 `json:"vaf_by_muscle"`
	// R2 is 1 − Σ(x − wh)²/Σ(x − mean of all x)².
	R2 float64 `json:"r2"`
}

// Explained measures a model on its envelopes.
func Explained[F matrix.Float](m *nmf.Model[F], x matrix.Matrix[F]) *Variance {
	d := recipe.Dense(x)
	w, h := m.Factors()
	errors, squares := make([]float64, d.Cols), make([]float64, d.Cols)
	sum := 0.0
	for i := range d.Rows {
		for j, v := range d.Row(i) {
			fit := 0.0
			for l, a := range w.Row(i) {
				fit += a * h.At(l, j)
			}
			e := float64(v) - fit
			errors[j] += e * e
			squares[j] += float64(v) * float64(v)
			sum += float64(v)
		}
	}
	part := func(errors, squares float64) float64 {
		if squares == 0 {
			return 1
		}
		return 1 - errors/squares
	}
	v := new(Variance)
	allErrors, allSquares := 0.0, 0.0
	for j := range errors {
		v.Muscles = append(v.Muscles, part(errors[j], squares[j]))
		allErrors += errors[j]
		allSquares += squares[j]
	}
	v.VAF = part(allErrors, allSquares)
	v.R2 = part(allErrors, allSquares-sum*sum/float64(d.Rows*d.Cols))
	return v
}

// Enough reports whether the whole and every muscle are accounted for.
func (v *Variance) Enough(whole, muscle float64) bool {
	for _, m := range v.Muscles {
		if m < muscle {
			return false
		}
	}
	return v.VAF >= whole
}

// Synergies gives the synergies (k x muscles), the largest muscle of each one,
// and their activations (time x k), whose product is the fit.
func Synergies[F matrix.Float](m *nmf.Model[F]) (synergies, activations *matrix.Dense[float64]) {
	activations, synergies = m.Factors()
	for l := range m.K() {
		most := 0.0
		for _, v := range synergies.Row(l) {
			most = max(most, v)
		}
		if most == 0 {
			continue
		}
		for j := range synergies.Row(l) {
			synergies.Row(l)[j] /= most
		}
		for i := range activations.Rows {
			activations.Set(i, l, activations.At(i, l)*most)
		}
	}
	return synergies, activations
}

// Plot draws each synergy, muscles on the left and activation on the right: the
// mean of all cycles, or the whole recording.
func Plot[F matrix.Float](m *nmf.Model[F], s *Set[F]) *figure.Chart {
	synergies, activations := Synergies(m)
	c := &figure.Chart{Title: fmt.Sprintf("%d synergies", m.K()), Columns: 2, Width: 460, Height: 190}
	for l := range m.K() {
		weights := figure.Panel{Title: fmt.Sprintf("synergy %d", l+1)}
		for j, v := range synergies.Row(l) {
			name := fmt.Sprint(j + 1)
			if s.ColumnNames != nil {
				name = s.ColumnNames[j]
			}
			weights.Bars = append(weights.Bars, figure.Bar{Label: name, Value: v, Colour: figure.Colour(l)})
		}
		c.Panels = append(c.Panels, weights, activationPanel(s, activations, l))
	}
	return c
}

func activationPanel[F matrix.Float](s *Set[F], activations *matrix.Dense[float64], l int) figure.Panel {
	p := figure.Panel{Title: "activation", XLabel: "point", X: s.Times}
	y := make([]float64, activations.Rows)
	for i := range y {
		y[i] = activations.At(i, l)
	}
	switch {
	case s.Points > 0:
		p.XLabel = "% of the cycle"
		mean := make([]float64, s.Points)
		for i, v := range y {
			mean[i%s.Points] += v / float64(s.Cycles)
		}
		y = mean
		for i := range y {
			p.X = append(p.X, 100*float64(i)/float64(s.Points))
		}
	case s.Times != nil:
		p.XLabel = "time, s"
	}
	p.Lines = []figure.Line{{Y: y, Colour: figure.Colour(l)}}
	return p
}
