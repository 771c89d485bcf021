package images

import (
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/figure"
	"github.com/partsof/nmf/matrix"
)

// Sparsity is the sparseness of Parts: the one that Hoyer (2004) gets parts of
// faces with from pictures that plain NMF finds none in.
const Sparsity = 0.75

// Parts is the preset for sparse components: every one has the sparseness
// Sparsity.
func Parts() *nmf.Options {
	return &nmf.Options{PenaltyH: nmf.Penalty{Sparseness: Sparsity}}
}

// Sparseness is Hoyer's (2004) of a vector of p numbers that are not negative,
// (√p − Σv/‖v‖)/(√p − 1): 0 where all are alike, 1 for a single one.
func Sparseness[F matrix.Float](v []F) float64 {
	sum, squares := 0.0, 0.0
	for _, x := range v {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	if squares == 0 || len(v) < 2 {
		return 0
	}
	root := math.Sqrt(float64(len(v)))
	return (root - sum/math.Sqrt(squares)) / (root - 1)
}

// MeanSparseness is that of the components that are not zero.
func MeanSparseness[F matrix.Float](m *nmf.Model[F]) float64 {
	sum, n := 0.0, 0
	for j, s := range m.Scales {
		if s > 0 {
			sum += Sparseness(m.H.Row(j))
			n++
		}
	}
	return sum / float64(max(1, n))
}

// Components draws every component as a picture of its own, its largest value
// white.
func Components[F matrix.Float](m *nmf.Model[F], s Shape) []image.Image {
	list := make([]image.Image, m.K())
	for j := range list {
		values := make([]float64, s.Len())
		most := 0.0
		for i, v := range m.H.Row(j) {
			values[i] = float64(v)
			most = max(most, values[i])
		}
		list[j] = toImage(values, s, most)
	}
	return list
}

// Montage draws the components as a labelled grid: number and share.
func Montage[F matrix.Float](m *nmf.Model[F], s Shape, light bool) image.Image {
	shares := m.Shares()
	tiles := make([]figure.Tile, m.K())
	for j, img := range Components(m, s) {
		tiles[j] = figure.Tile{Image: img, Label: fmt.Sprintf("%d  %.1f%%", j+1, 100*shares[j])}
	}
	return figure.Montage(tiles, &figure.MontageOptions{Light: light})
}

// Reconstruction is image i as the model has it.
func Reconstruction[F matrix.Float](m *nmf.Model[F], i int, s Shape, white float64) image.Image {
	values := make([]float64, s.Len())
	for l, w := range m.W.Row(i) {
		if weight := float64(w) * m.Scales[l]; weight != 0 {
			for j, h := range m.H.Row(l) {
				values[j] += weight * float64(h)
			}
		}
	}
	return toImage(values, s, white)
}

// WriteReconstructions writes every image of the set as the model has it to a
// folder, as PNG files named after their rows.
func WriteReconstructions[F matrix.Float](folder string, m *nmf.Model[F], set *Set[F]) error {
	for i := range m.W.Rows {
		name := fmt.Sprintf("%0*d.png", len(fmt.Sprint(m.W.Rows)), i+1)
		if set.RowNames != nil {
			name = filepath.FromSlash(set.RowNames[i])
			if !filepath.IsLocal(name) {
				name = filepath.Base(name)
			}
			name += ".png"
		}
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		err := atomicfile.Write(path, func(w io.Writer) error {
			return png.Encode(w, Reconstruction(m, i, set.Shape, set.White))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
