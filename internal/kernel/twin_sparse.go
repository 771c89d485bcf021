package kernel

func dots[F Float](n int, idx []int32, b []F, ldb int, w []F, r []F) {
	rows := checkDots(n, idx, b, ldb, w, r)
	for t, i := range idx {
		if uint(i) >= uint(rows) {
			panicIndex(i, t, rows)
		}
		r[t] = dot(w[:n], b[int(i)*ldb:][:n])
	}
}

// dot is the inner product of two runs, in four sums side by side; the length
// is a multiple of four.
func dot[F Float](x, y []F) F {
	var a, b, c, d F
	for len(x) >= 4 && len(y) >= 4 {
		a += x[0] * y[0]
		b += x[1] * y[1]
		c += x[2] * y[2]
		d += x[3] * y[3]
		x, y = x[4:], y[4:]
	}
	return a + b + (c + d)
}

func gatherQuotient[F Float](n int, idx []int32, val []F, b []F, ldb int, w []F, tiny F, t []F, c []F) {
	rows := checkGatherQuotient(n, idx, val, b, ldb, w, tiny, t, c)
	w, c = w[:n], c[:n]
	for p, i := range idx {
		if uint(i) >= uint(rows) {
			panicIndex(i, p, rows)
		}
		row := b[int(i)*ldb:][:len(c)]
		x := val[p] / max(dot(w, row), tiny)
		t[p] = x
		for j := range c {
			c[j] += x * row[j]
		}
	}
}

func gatherRows[F Float](n int, at, end []int, limit int, idx []int32, val, b []F, ldb int, c []F, ldc int) {
	checkGatherRows(n, at, end, limit, idx, val, b, ldb, c, ldc)
	for i, last := range end {
		t := at[i]
		for ; t < last && uint(idx[t]) < uint(limit); t++ {
			x, row, to := val[t], b[int(idx[t])*ldb:][:n], c[i*ldc:][:n]
			for j, v := range row {
				to[j] += x * v
			}
		}
		at[i] = t
	}
}

func scatterRows[F Float](n int, at, end []int, first int, idx []int32, val, b []F, ldb int, c []F, ldc int) {
	rows := checkScatterRows(n, at, end, idx, val, b, ldb, c, ldc)
	for i, last := range end {
		for t := at[i]; t < last; t++ {
			j := int(idx[t]) - first
			if uint(j) >= uint(rows) {
				panicScattered(idx[t], t, first, rows)
			}
			x, row, to := val[t], b[i*ldb:][:n], c[j*ldc:][:n]
			for l, v := range row {
				to[l] += x * v
			}
		}
	}
}

func transposeRows[F Float](at, end []int, limit int, idx []int32, val []F, number int, next []int, toIdx []int32, toVal []F) {
	checkTransposeRows(at, end, limit, idx, val, next)
	for i, last := range end {
		t := at[i]
		for ; t < last && uint(idx[t]) < uint(limit); t++ {
			place := &next[idx[t]]
			toIdx[*place], toVal[*place] = int32(number+i), val[t]
			*place++
		}
		at[i] = t
	}
}

func gatherGram[F Float](n int, idx []int32, wt []F, b []F, ldb int, g []F, ldg int) {
	rows := checkGatherGram(n, idx, wt, b, ldb, g, ldg)
	checkIndices(idx, rows)
	for t, i := range idx {
		row := b[int(i)*ldb:][:n]
		for j, v := range row {
			x, to := wt[t]*v, g[j*ldg+j:j*ldg+n]
			for l, u := range row[j:] {
				to[l] += x * u
			}
		}
	}
	for j := range n {
		for l := range j {
			g[j*ldg+l] = g[l*ldg+j]
		}
	}
}
