package signatures

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Cosine is the similarity of two signatures, 1 where they are proportional.
func Cosine[F matrix.Float](a, b []F) float64 {
	ab, aa, bb := 0.0, 0.0, 0.0
	for i, v := range a {
		ab += float64(v) * float64(b[i])
		aa += float64(v) * float64(v)
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// Set is a list of known signatures, such as COSMIC's.
type Set[F matrix.Float] struct {
	Names []string
	// Rows of H (signatures x 96) sum to 1.
	H *matrix.Dense[F]
}

// ReadSet reads a table of signatures. Each is scaled to the sum 1.
func ReadSet[F matrix.Float](path string) (*Set[F], error) {
	t, err := Read[F](path, nil)
	if err != nil {
		return nil, err
	}
	s := &Set[F]{Names: t.RowNames, H: dense(t.X)}
	if s.Names == nil {
		s.Names = make([]string, s.H.Rows)
		for j := range s.Names {
			s.Names[j] = fmt.Sprintf("signature %d", j+1)
		}
	}
	for j := range s.H.Rows {
		sum := 0.0
		for _, v := range s.H.Row(j) {
			sum += float64(v)
		}
		if sum == 0 {
			return nil, fmt.Errorf("%s: %w: signature %q is zero in every channel", nameOf(path), recipe.ErrInput, s.Names[j])
		}
		for c, v := range s.H.Row(j) {
			s.H.Set(j, c, F(float64(v)/sum))
		}
	}
	return s, nil
}

// Pick gives the signatures of the names, in their order.
func (s *Set[F]) Pick(names []string) (*Set[F], error) {
	out := &Set[F]{Names: names, H: matrix.NewDense[F](len(names), s.H.Cols)}
	for j, name := range names {
		i := slices.Index(s.Names, name)
		if i < 0 {
			return nil, fmt.Errorf("%w: the reference has no signature %q", recipe.ErrOption, name)
		}
		copy(out.H.Row(j), s.H.Row(i))
	}
	return out, nil
}

// Refits lists the ways of Refit.
func Refits() []string { return []string{"nnls", "kl"} }

// Refit gives the number of mutations (samples x signatures) at which the
// signatures, rows that sum to 1, reproduce the catalogues best: by "nnls" least
// squares, or by "kl" the likelihood of Poisson's counts.
func Refit[F matrix.Float](ctx context.Context, x *matrix.Dense[F], h *matrix.Dense[F], how string, threads int) (*matrix.Dense[F], error) {
	k := h.Rows
	if how == "kl" {
		held := matrix.Convert[float64](matrix.Matrix[F](h)).(*matrix.Dense[float64])
		m, err := nmf.Fit(ctx, matrix.Matrix[F](x), k, &nmf.Options{Loss: "kl", Init: "random", Tol: refitTol, LossTol: -1, Threads: threads, PenaltyH: nmf.Penalty{Held: held}})
		if err != nil {
			return nil, err
		}
		if m.Info.Status == nmf.Cancelled {
			return nil, context.Cause(ctx)
		}
		return Activities(m), nil
	}
	m := &nmf.Model[F]{W: matrix.NewDense[F](0, k), H: h, Scales: slices.Repeat([]float64{1}, k)}
	return m.Transform(ctx, matrix.Matrix[F](x), &nmf.TransformOptions{Tol: refitTol, Threads: threads})
}

// refitTol is the KKT residual that refits are solved to.
const refitTol = 1e-5

// RelativeError is ‖X−A·H‖/‖X‖ of activities A.
func RelativeError[F matrix.Float](x, activities, h *matrix.Dense[F]) float64 {
	residual, total := 0.0, 0.0
	for i := range x.Rows {
		for c, v := range x.Row(i) {
			y := 0.0
			for j, a := range activities.Row(i) {
				y += float64(a) * float64(h.At(j, c))
			}
			residual += (float64(v) - y) * (float64(v) - y)
			total += float64(v) * float64(v)
		}
	}
	return math.Sqrt(residual / max(total, math.SmallestNonzeroFloat64))
}

// Part is a known signature in a new one.
type Part struct {
	Name string `json:"name"`
	// Share is its part of the mutations.
	Share float64 `json:"share"`
}

// Match says what a new signature is in terms of known ones.
type Match struct {
	// Name is the known signature of the highest cosine.
	Name   string  `json:"name"`
	Cosine float64 `json:"cosine"`
	// Parts are the known signatures that it is a sum of, by falling share, and
	// PartsCosine the cosine of that sum with it.
	Parts       []Part  `json:"parts"`
	PartsCosine float64 `json:"parts_cosine"`
}

const (
	// mostParts bounds the known signatures in a new one; a further one must
	// raise the cosine by leastGain.
	mostParts = 5
	leastGain = 0.01
)

// Compare names new signatures (rows of h) after those of a set. Known ones are
// added to a new one, by least squares, the one that raises the cosine most
// first, as long as it rises by at least 0.01 and there are at most 5.
func Compare[F matrix.Float](ctx context.Context, h *matrix.Dense[F], known *Set[F], threads int) ([]Match, error) {
	list := make([]Match, h.Rows)
	for j := range list {
		target := &matrix.Dense[F]{Rows: 1, Cols: h.Cols, Stride: h.Cols, Data: slices.Clone(h.Row(j))}
		m := &list[j]
		for i, name := range known.Names {
			if c := Cosine(h.Row(j), known.H.Row(i)); c > m.Cosine {
				m.Name, m.Cosine = name, c
			}
		}
		if m.Name == "" {
			continue // a signature of zeros
		}
		chosen := []string{m.Name}
		m.Parts, m.PartsCosine = []Part{{m.Name, 1}}, m.Cosine
		for len(chosen) < mostParts {
			parts, cosine, err := best(ctx, target, known, chosen, threads)
			if err != nil {
				return nil, err
			}
			if cosine < m.PartsCosine+leastGain {
				break
			}
			m.Parts, m.PartsCosine = parts, cosine
			chosen = chosen[:0]
			for _, p := range parts {
				chosen = append(chosen, p.Name)
			}
		}
	}
	return list, nil
}

// best adds the known signature to the chosen ones that raises the cosine with
// the target most.
func best[F matrix.Float](ctx context.Context, target *matrix.Dense[F], known *Set[F], chosen []string, threads int) (parts []Part, cosine float64, err error) {
	for _, name := range known.Names {
		if slices.Contains(chosen, name) {
			continue
		}
		set, err := known.Pick(append(slices.Clone(chosen), name))
		if err != nil {
			return nil, 0, err
		}
		w, err := Refit(ctx, target, set.H, "nnls", threads)
		if err != nil {
			return nil, 0, err
		}
		sum := make([]F, target.Cols)
		total := 0.0
		for j, share := range w.Row(0) {
			total += float64(share)
			for c, v := range set.H.Row(j) {
				sum[c] += share * v
			}
		}
		if c := Cosine(target.Row(0), sum); c > cosine {
			cosine, parts = c, nil
			for j, share := range w.Row(0) {
				if share > 0 {
					parts = append(parts, Part{set.Names[j], float64(share) / total})
				}
			}
		}
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(b.Share, a.Share) })
	return parts, cosine, nil
}

// Attribution is how many mutations of each sample come from each signature.
type Attribution[F matrix.Float] struct {
	Names []string
	// Mutations, and the quantiles of 2.5 % and 97.5 % over resampled
	// catalogues, Low and High (nil where none were drawn), are samples x
	// signatures.
	Mutations, Low, High *matrix.Dense[F]
}

// Attribute refits known signatures to every sample, and again to n catalogues
// that are drawn anew by Poisson, for intervals; with n = 0 there are none. The
// seed and the index of a catalogue decide what is drawn.
func Attribute[F matrix.Float](ctx context.Context, x *matrix.Dense[F], known *Set[F], how string, n int, seed uint64, threads int) (*Attribution[F], error) {
	a := &Attribution[F]{Names: known.Names}
	var err error
	if a.Mutations, err = Refit(ctx, x, known.H, how, threads); err != nil || n == 0 {
		return a, err
	}
	k := known.H.Rows
	drawn := make([][]float64, x.Rows*k)
	for index := range n {
		w, err := Refit(ctx, Poisson(x, seed, index), known.H, how, threads)
		if err != nil {
			return nil, err
		}
		for i := range x.Rows {
			for j, v := range w.Row(i) {
				drawn[i*k+j] = append(drawn[i*k+j], float64(v))
			}
		}
	}
	a.Low, a.High = matrix.NewDense[F](x.Rows, k), matrix.NewDense[F](x.Rows, k)
	for i := range x.Rows {
		for j := range k {
			low, high := interval(drawn[i*k+j])
			a.Low.Set(i, j, F(low))
			a.High.Set(i, j, F(high))
		}
	}
	return a, nil
}
