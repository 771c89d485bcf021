package report

import (
	"fmt"
	"slices"
)

// MaxBytes is the size that a page stays below, whatever it is about.
const MaxBytes = 25_000_000

// What a page holds at most. Numbers take 4 bytes, and 4/3 of that in base64;
// the sum of all that is listed here stays below MaxBytes.
const (
	maxWeights  = 1_000_000 // of W
	maxBasis    = 750_000   // of H
	maxSamples  = 30_000
	maxFeatures = 60_000
	maxRunes    = 1_000_000 // bytes of the names of samples, and of features
	maxPacked   = 17_500_000
	maxOriginal = 6_000_000 // bytes of original samples, or what is left
	maxSounds   = 12_000_000
	minOriginal = 1_000_000 // bytes that sounds leave to them
	maxCosine   = 500       // components whose cosines are all shown
)

// selection is what of a model a page holds.
type selection struct {
	// samples and features are rising indices; nil for all of them.
	samples, features []int
	// width and height are of the picture that the features make.
	width, height int
	// leftOut says in words what is not there.
	leftOut []string
}

// choose decides what a page about a model holds. Samples: the first of every
// component, those with the largest residuals, and for the rest every so many;
// of sounds every so many alone.
// Features: those with the largest weights in any component; of pictures and
// profiles every so many, so that they keep their form.
func choose(in *Input, res *residuals) *selection {
	m := in.Model
	k := m.K()
	s := &selection{width: in.Drawing.Width, height: in.Drawing.Height}
	if most := max(1, min(maxSamples, maxWeights/k)); m.W.Rows > most {
		if in.Drawing.Kind == Sound {
			s.samples = everyNth(m.W.Rows, most)
			s.leftOut = append(s.leftOut, fmt.Sprintf("windows: every %s of %s is here", ordinal((m.W.Rows+most-1)/most), thousands(m.W.Rows)))
		} else {
			s.samples = chooseSamples(in, res, most)
			s.leftOut = append(s.leftOut, fmt.Sprintf("%s of %s samples: the first of every component, those with the largest residuals and every so many of the others are here",
				thousands(m.W.Rows-len(s.samples)), thousands(m.W.Rows)))
		}
	}
	if most := max(1, min(maxFeatures, maxBasis/k)); m.H.Cols > most {
		s.chooseFeatures(in, most)
	}
	return s
}

func chooseSamples(in *Input, res *residuals, most int) []int {
	m := in.Model
	const firsts, worst = 20, 200
	chosen := make(map[int]bool, most)
	take := func(order []int, n int) {
		for _, i := range order {
			if n == 0 || len(chosen) >= most {
				return
			}
			if !chosen[i] {
				chosen[i] = true
				n--
			}
		}
	}
	wt := m.W.T()
	for j := range m.K() {
		take(byFalling(wt.Row(j)), firsts)
	}
	if res != nil {
		take(byFalling(res.rows.errors()), worst)
	}
	take(spread(m.W.Rows, most), most)
	return sorted(chosen)
}

// spread gives `most` indices below n at equal distances, and then the others.
func spread(n, most int) []int {
	order := make([]int, 0, n)
	taken := make([]bool, n)
	for q := range most {
		i := q * n / most
		order = append(order, i)
		taken[i] = true
	}
	for i := range n {
		if !taken[i] {
			order = append(order, i)
		}
	}
	return order
}

// everyNth gives at most `most` of n indices, equally far apart.
func everyNth(n, most int) []int {
	var list []int
	for i := 0; i < n; i += (n + most - 1) / most {
		list = append(list, i)
	}
	return list
}

func sorted(set map[int]bool) []int {
	list := make([]int, 0, len(set))
	for i := range set {
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

func (s *selection) chooseFeatures(in *Input, most int) {
	m, d := in.Model, &in.Drawing
	n := m.H.Cols
	switch d.Kind {
	case Image:
		step := 1
		for ((d.Width+step-1)/step)*((d.Height+step-1)/step) > most {
			step++
		}
		s.width, s.height = (d.Width+step-1)/step, (d.Height+step-1)/step
		for i := range n {
			x, y := i%d.Width, i/d.Width
			if d.ColumnMajor {
				x, y = i/d.Height, i%d.Height
			}
			if x%step == 0 && y%step == 0 {
				s.features = append(s.features, i)
			}
		}
		s.leftOut = append(s.leftOut, fmt.Sprintf("pixels: every %s in each direction is here, %d x %d of %d x %d", ordinal(step), s.width, s.height, d.Width, d.Height))
		return
	case Profile, Sound:
		s.features = everyNth(n, most)
		s.leftOut = append(s.leftOut, fmt.Sprintf("features: every %s of %s is here", ordinal((n+most-1)/most), thousands(n)))
		return
	}
	top := make([]float64, n)
	for j := range m.K() {
		row := m.H.Row(j)
		largest := slices.Max(row)
		if largest == 0 {
			continue
		}
		for i, v := range row {
			top[i] = max(top[i], v/largest)
		}
	}
	s.features = slices.Clone(byFalling(top)[:most])
	slices.Sort(s.features)
	least := 1.0 // of every component, the weight that is here
	for j := range m.K() {
		if m.Scales[j] == 0 {
			continue
		}
		sum := 0.0
		for _, i := range s.features {
			sum += m.H.At(j, i)
		}
		least = min(least, sum)
	}
	s.leftOut = append(s.leftOut, fmt.Sprintf("%s of %s features, those with the least weight in every component: what is here holds at least %.3g%% of each",
		thousands(n-most), thousands(n), 100*least))
}

// originals gives the samples whose originals a page holds, within a number of
// bytes, and says what is left out: the first samples of every component,
// those with the largest residuals, then every so many.
func (s *selection) originals(in *Input, res *residuals, bytes int, size func(sample int) int) []int {
	m := in.Model
	const firsts, worst = 6, 30
	here := s.samples
	if here == nil {
		here = make([]int, m.W.Rows)
		for i := range here {
			here[i] = i
		}
	}
	isHere := make(map[int]bool, len(here))
	for _, i := range here {
		isHere[i] = true
	}
	var order []int
	wt := m.W.T()
	for j := range m.K() {
		first := byFalling(wt.Row(j))
		order = append(order, first[:min(firsts, len(first))]...)
	}
	bad := byFalling(res.rows.errors())
	order = append(order, bad[:min(worst, len(bad))]...)
	const evenly = 500
	for _, q := range spread(len(here), min(evenly, len(here))) {
		order = append(order, here[q])
	}
	chosen := make(map[int]bool)
	for _, i := range order {
		if !isHere[i] || chosen[i] {
			continue
		}
		n := size(i)
		if n > bytes {
			break
		}
		bytes -= n
		chosen[i] = true
	}
	if len(chosen) < m.W.Rows {
		s.leftOut = append(s.leftOut, fmt.Sprintf("the original values of %s of %s samples, whose reconstructions are here; nmf view shows both for every sample",
			thousands(m.W.Rows-len(chosen)), thousands(m.W.Rows)))
	}
	return sorted(chosen)
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func ordinal(n int) string {
	switch n {
	case 2:
		return "2nd"
	case 3:
		return "3rd"
	}
	return fmt.Sprintf("%dth", n)
}
