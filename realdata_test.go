package nmf_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

// realSets says how to read the sets that reference/objectives.json lists.
var realSets = map[string]struct {
	path string
	opt  data.ReadOptions
	// prepare changes what was read into what was factorized.
	prepare func(x matrix.Matrix[float64]) matrix.Matrix[float64]
	iters   int
	slow    bool
}{
	"cbcl-faces":     {path: "data/cbcl-faces/faces.npy", iters: 400, slow: true},
	"all-aml":        {path: "data/all-aml/ALL_AML_data.txt.gz", opt: data.ReadOptions{Format: "tsv", Header: data.No, RowNames: data.No, Transpose: true}, iters: 60},
	"digits":         {path: "data/digits/digits.csv.gz", opt: data.ReadOptions{Header: data.No, RowNames: data.No}, prepare: withoutLabels, iters: 300},
	"samson":         {path: "data/samson/samson.npy", iters: 100},
	"reuters-counts": {path: "data/reuters21578-tf/reuters.mtx.gz", iters: 60, slow: true},
	"pbmc3k":         {path: "data/pbmc3k/matrix.mtx.gz", opt: data.ReadOptions{Transpose: true}, prepare: logCounts, iters: 60, slow: true},
	"signatures":     {path: "data/sbs96-scenario8/Samples.txt.gz", opt: data.ReadOptions{Format: "tsv", Transpose: true, Header: data.Yes, RowNames: data.Yes}, iters: 300},
}

func withoutLabels(x matrix.Matrix[float64]) matrix.Matrix[float64] {
	d := x.(*matrix.Dense[float64])
	return &matrix.Dense[float64]{Rows: d.Rows, Cols: 64, Stride: d.Stride, Data: d.Data}
}

// logCounts scales the counts of every cell to 10000 and takes log(1+x).
func logCounts(x matrix.Matrix[float64]) matrix.Matrix[float64] {
	s := x.(*matrix.CSR[float64])
	for i := range s.Rows {
		_, vals := s.Row(i)
		sum := 0.0
		for _, v := range vals {
			sum += v
		}
		for p, v := range vals {
			vals[p] = math.Log1p(v * 1e4 / sum)
		}
	}
	return s
}

// splitMix is the generator of the reference's starts.
type splitMix uint64

func (s *splitMix) next() float64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>11) * 0x1p-53
}

func meanOf(x matrix.Matrix[float64]) float64 {
	sum := 0.0
	rows, cols := x.Dims()
	switch x := x.(type) {
	case *matrix.Dense[float64]:
		for i := range rows {
			for _, v := range x.Row(i) {
				sum += v
			}
		}
	case *matrix.CSR[float64]:
		for _, v := range x.Val {
			sum += v
		}
	}
	return sum / float64(rows) / float64(cols)
}

func splitMixStart(x matrix.Matrix[float64], k int, seed uint64) (w, h *matrix.Dense[float64]) {
	rows, cols := x.Dims()
	scale := math.Sqrt(meanOf(x) / float64(k))
	s := splitMix(seed)
	w, h = matrix.NewDense[float64](rows, k), matrix.NewDense[float64](k, cols)
	for _, a := range []*matrix.Dense[float64]{w, h} {
		for i := range a.Data {
			a.Data[i] = s.next() * scale
		}
	}
	return w, h
}

// margin is how much worse than the reference's a relative error may be.
const margin = 1e-3

// TestRealData: from the same start, no worse than scikit-learn after 1000
// iterations.
func TestRealData(t *testing.T) {
	raw, err := os.ReadFile(testdata.Shared(t, "reference/objectives.json"))
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Sets map[string]struct {
			Shape   [2]int    `json:"shape"`
			K       int       `json:"k"`
			Seed    uint64    `json:"seed"`
			W0First []float64 `json:"W0_first"`
			H0Last  float64   `json:"H0_last"`
			CDRel   float64   `json:"cd_rel_1000"`
		} `json:"sets"`
	}
	if err := json.Unmarshal(raw, &reference); err != nil {
		t.Fatal(err)
	}
	for name, want := range reference.Sets {
		t.Run(name, func(t *testing.T) {
			set, known := realSets[name]
			if !known {
				t.Fatal("this test does not know how to read the set")
			}
			if set.slow && testing.Short() {
				t.Skip("slow")
			}
			table, err := data.Read[float64](testdata.Shared(t, set.path), &set.opt)
			if err != nil {
				t.Fatal(err)
			}
			x := table.X
			if set.prepare != nil {
				x = set.prepare(x)
			}
			if rows, cols := x.Dims(); rows != want.Shape[0] || cols != want.Shape[1] {
				t.Fatalf("%d x %d, want %v", rows, cols, want.Shape)
			}
			w, h := splitMixStart(x, want.K, want.Seed)
			if a, b := w.Data[0], h.Data[len(h.Data)-1]; math.Abs(a-want.W0First[0]) > 1e-9*a || math.Abs(b-want.H0Last) > 1e-9*b {
				t.Fatalf("the start is %v … %v, want %v … %v", a, b, want.W0First[0], want.H0Last)
			}
			// Half the margin is left for rounding.
			o := &nmf.Options{W: w, H: h, MaxIter: set.iters, TargetError: want.CDRel + margin/2}
			realFit(t, "float32", matrix.Convert[float32](x), want.K, o, want.CDRel)
			realFit(t, "float64", x, want.K, o, want.CDRel)
		})
	}
}

func realFit[F matrix.Float](t *testing.T, precision string, x matrix.Matrix[F], k int, o *nmf.Options, least float64) {
	t.Helper()
	m := fit(t, x, k, o)
	checkForm(t, m)
	checkTrace(t, m)
	if m.Info.RelativeError > least+margin {
		t.Errorf("%s: relative error %.6f after %d iterations (%s), the reference %.6f", precision, m.Info.RelativeError, m.Info.Iterations, m.Info.Status, least)
	}
	t.Logf("%s: relative error %.6f after %d iterations (%s), %.2f s; the reference %.6f", precision, m.Info.RelativeError, m.Info.Iterations, m.Info.Status, m.Info.Seconds, least)
}
