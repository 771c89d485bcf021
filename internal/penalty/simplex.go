package penalty

// OntoSimplex makes the free entries of w sum, with the others, to one: by
// their shares, or equally where all are zero.
func OntoSimplex(w []float64, free []bool, upper float64) {
	rest, sum, n := 1.0, 0.0, 0
	for j, v := range w {
		if !free[j] {
			rest -= v
			continue
		}
		sum += v
		n++
	}
	rest = max(0, rest)
	for j := range w {
		switch {
		case !free[j]:
		case sum > 0:
			w[j] *= rest / sum
		default:
			w[j] = rest / float64(n)
		}
	}
	// What is above the bound goes to those below it.
	for range w {
		over, room := 0.0, 0.0
		for j, v := range w {
			if free[j] && v > upper {
				over += v - upper
				w[j] = upper
			} else if free[j] {
				room += upper - v
			}
		}
		if over == 0 || room <= 0 {
			return
		}
		for j, v := range w {
			if free[j] && v < upper {
				w[j] += over * (upper - v) / room
			}
		}
	}
}
