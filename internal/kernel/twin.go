package kernel

// twin gives the pure-Go kernels: plain loops that define what every tier
// computes.
func twin[F Float]() *Ops[F] {
	return &Ops[F]{Tier: "go", MulAdd: mulAdd[F], Gather: gather[F], Pack: pack[F], Unpack: unpack[F],
		Sweep: sweep[F], Residual: residual[F]}
}

// mulAddBlock is the length of a sum before it is added to c.
const mulAddBlock = 512

func mulAdd[F Float](m, n, p int, a []F, rs, cs int, b []F, ldb int, c []F, ldc int) {
	w := Width[F]()
	var acc [16]F
	for l0 := 0; l0 < p; l0 += mulAddBlock {
		l1 := min(l0+mulAddBlock, p)
		for j0 := 0; j0 < n; j0 += w {
			for i := range m {
				s := acc[:w]
				clear(s)
				for l := l0; l < l1; l++ {
					x := a[i*rs+l*cs]
					if x == 0 {
						continue
					}
					row := b[l*ldb+j0 : l*ldb+j0+w]
					for j := range s {
						s[j] += x * row[j]
					}
				}
				dst := c[i*ldc+j0 : i*ldc+j0+w]
				for j := range dst {
					dst[j] += s[j]
				}
			}
		}
	}
}

func gather[F Float](n int, idx []int32, val []F, b []F, ldb int, c []F) {
	c = c[:n]
	for t, x := range val[:len(idx)] {
		row := b[int(idx[t])*ldb:][:len(c)]
		for j := range c {
			c[j] += x * row[j]
		}
	}
}

func pack[F Float](rows, k int, src []F, ld int, tile []F) {
	t := TileRows[F]()
	if rows < t {
		clear(tile[:k*t])
	}
	for i := range rows {
		for j, v := range src[i*ld : i*ld+k] {
			tile[j*t+i] = v
		}
	}
}

func unpack[F Float](rows, k int, tile []F, dst []F, ld int) {
	t := TileRows[F]()
	for i := range rows {
		row := dst[i*ld : i*ld+k]
		for j := range row {
			row[j] = tile[j*t+i]
		}
	}
}

func sweep[F Float](k int, w, c []F, g []F, ldg int, inv []F) F {
	t := TileRows[F]()
	var acc [64]F
	d := acc[:t]
	var change F
	for j := range k {
		if inv[j] == 0 {
			continue
		}
		copy(d, c[j*t:j*t+t])
		for l := range k {
			x := g[j*ldg+l]
			wl := w[l*t : l*t+t]
			for i := range d {
				d[i] -= x * wl[i]
			}
		}
		wj := w[j*t : j*t+t]
		for i := range d {
			v := max(0, wj[i]+inv[j]*d[i])
			e := v - wj[i]
			change += e * e
			wj[i] = v
		}
	}
	return change
}

func residual[F Float](k int, w, c, d []F, pg, cc []float64) {
	t := TileRows[F]()
	for j := range k {
		var p, s F
		for i := j * t; i < j*t+t; i++ {
			if w[i] > 0 || d[i] < 0 {
				p += d[i] * d[i]
			}
			s += c[i] * c[i]
		}
		pg[j] += float64(p)
		cc[j] += float64(s)
	}
}
