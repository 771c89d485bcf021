package kernel

import "math"

func newtonModel[F Float](k int, keep F, w, num, den, curve, d, z, target, most []F) {
	checkTiles(k, w, num, den, curve, d, z, target)
	checkTiles(1, most)
	t := TileRows[F]()
	clear(most[:t])
	for i := range k * t {
		root := F(math.Sqrt(float64(curve[i])))
		curve[i], d[i], z[i], target[i] = root, den[i]-num[i], keep*root*w[i], 0
		if root > 0 {
			target[i] = -d[i] / root
		}
		most[i%t] = max(most[i%t], z[i])
	}
}

func newtonStep[F Float](k int, keep, snap F, d, root, z, w, most []F) {
	checkTiles(k, d, root, z, w)
	checkTiles(1, most)
	t := TileRows[F]()
	for i := range k * t {
		r, v := root[i], w[i]
		if r > 0 {
			v = max(0, v+(z[i]-keep*r*v)/r)
		}
		if d[i] > 0 && (!(r > 0) || r*v < snap*most[i%t]) {
			v = 0
		}
		w[i] = Finite(v)
	}
}

func slope[F Float](k int, num, den, w, old, sums []F) {
	checkTiles(k, num, den, w, old)
	checkTiles(1, sums)
	t := TileRows[F]()
	clear(sums[:t])
	for i := range k * t {
		sums[i%t] += (den[i] - num[i]) * (w[i] - old[i])
	}
}

func lengthen[F Float](k int, least F, old, w, by []F) {
	checkTiles(k, old, w)
	checkTiles(1, by)
	t := TileRows[F]()
	for i := range k * t {
		v := w[i]
		if b := by[i%t]; b != 1 {
			v = max(least*v, old[i]+b*(v-old[i]))
		}
		w[i] = Finite(v)
	}
}

func absorb[F Float](decay, share F, c, scale, spread, h, n, sum []F) {
	checkRun(len(c), scale, spread, h, n, sum)
	for i, v := range c {
		m := v * h[i]
		n[i] = decay*n[i] + m
		sum[i] += m
		h[i] = scale[i]*n[i] + share*spread[i]
	}
}

// Finite is v, 0 where it is not finite.
func Finite[F Float](v F) F {
	if v-v != 0 {
		return 0
	}
	return v
}
