//go:build amd64 && !noasm

package kernel

// newton are the assembly functions of scaled Newton steps, and of learning
// online.
type newton[F Float] struct {
	newtonModel func(k int, keep F, w, num, den, curve, d, z, target, most *F)
	newtonStep  func(k int, keep, snap F, d, root, z, w, most *F)
	slope       func(k int, num, den, w, old, sums *F)
	lengthen    func(k int, least F, old, w, by *F)
	absorb      func(n int, decay, share F, c, scale, spread, h, num, sum, toH, toN, toSum *F)
}

func (r *newton[F]) doNewtonModel(k int, keep F, w, num, den, curve, d, z, target, most []F) {
	checkTiles(k, w, num, den, curve, d, z, target)
	checkTiles(1, most)
	if k == 0 {
		clear(most[:TileRows[F]()])
		return
	}
	r.newtonModel(k, keep, &w[0], &num[0], &den[0], &curve[0], &d[0], &z[0], &target[0], &most[0])
}

func (r *newton[F]) doNewtonStep(k int, keep, snap F, d, root, z, w, most []F) {
	checkTiles(k, d, root, z, w)
	checkTiles(1, most)
	if k > 0 {
		r.newtonStep(k, keep, snap, &d[0], &root[0], &z[0], &w[0], &most[0])
	}
}

func (r *newton[F]) doSlope(k int, num, den, w, old, sums []F) {
	checkTiles(k, num, den, w, old)
	checkTiles(1, sums)
	if k == 0 {
		clear(sums[:TileRows[F]()])
		return
	}
	r.slope(k, &num[0], &den[0], &w[0], &old[0], &sums[0])
}

func (r *newton[F]) doLengthen(k int, least F, old, w, by []F) {
	checkTiles(k, old, w)
	checkTiles(1, by)
	if k > 0 {
		r.lengthen(k, least, &old[0], &w[0], &by[0])
	}
}

func (r *newton[F]) doAbsorb(decay, share F, c, scale, spread, h, n, sum []F) {
	checkRun(len(c), scale, spread, h, n, sum)
	if len(c) > 0 {
		r.absorb(len(c), decay, share, &c[0], &scale[0], &spread[0], &h[0], &n[0], &sum[0], &h[0], &n[0], &sum[0])
	}
}
