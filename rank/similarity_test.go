package rank

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/partsof/nmf/matrix"
)

func randomUnits(k, n int, rng *rand.Rand) vectors {
	d := matrix.NewDense[float64](k, n)
	for i := range d.Data {
		d.Data[i] = math.Abs(rng.NormFloat64())
	}
	return unitRows(d)
}

// noisy gives the vectors in another order, a little changed.
func noisy(v vectors, noise float64, rng *rand.Rand) vectors {
	d := matrix.NewDense[float64](len(v), len(v[0]))
	for to, from := range rng.Perm(len(v)) {
		for i, x := range v[from] {
			d.Set(to, i, math.Max(0, float64(x)+noise*rng.NormFloat64()))
		}
	}
	return unitRows(d)
}

func TestAmari(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	v := randomUnits(5, 30, rng)
	if d := amari(v.cosines(noisy(v, 0, rng))); d > 1e-6 {
		t.Errorf("the same components in another order are %v apart", d)
	}
	apart := vectors{unit([]float64{1, 0, 0, 0}), unit([]float64{0, 1, 0, 0})}
	other := vectors{unit([]float64{0, 0, 1, 0}), unit([]float64{0, 0, 0, 1})}
	if d := amari(apart.cosines(other)); d != 1 {
		t.Errorf("components that share nothing are %v apart", d)
	}
	half := vectors{apart[0], other[0]}
	if d := amari(apart.cosines(half)); d != 0.5 {
		t.Errorf("components of which half are the same are %v apart", d)
	}
	// The mean over pairs does not depend on the number of workers.
	var runs []vectors
	for range 60 {
		runs = append(runs, noisy(v, 0.1, rng))
	}
	if a, b := meanAmari(runs, 3, 1), meanAmari(runs, 3, 4); a != b || !(a > 0 && a < 0.5) {
		t.Errorf("mean %v with one worker, %v with four", a, b)
	}
	sum := 0.0
	for i := range 10 {
		for j := range i {
			sum += amari(runs[i].cosines(runs[j]))
		}
	}
	if got := meanAmari(runs[:10], 0, 2); math.Abs(got-sum/45) > 1e-12 {
		t.Errorf("mean %v, by hand %v", got, sum/45)
	}
}

// TestSilhouettesAsSklearn compares with scikit-learn's, over pairs.
func TestSilhouettesAsSklearn(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	v := randomUnits(4, 25, rng)
	var runs []vectors
	for range 12 {
		runs = append(runs, noisy(v, 0.05, rng))
	}
	members, of := groupComponents(runs, 3)
	mine := silhouettes(members, of, 4)
	var theirs []float64
	python(t, `
from sklearn.metrics import silhouette_samples
of = np.array(data["Of"])
s = silhouette_samples(np.array(data["V"]), of, metric="cosine")
result = [s[of == c].mean() for c in range(4)]
`, struct {
		V  vectors
		Of []int
	}{members, of}, &theirs)
	for c := range mine {
		if math.Abs(mine[c]-theirs[c]) > 1e-5 {
			t.Errorf("group %d: %v, scikit-learn has %v", c, mine[c], theirs[c])
		}
	}
}

// TestGroupComponents: the components of every run end up with their like, one
// of each run in a group.
func TestGroupComponents(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	v := randomUnits(6, 40, rng)
	runs := []vectors{v}
	for range 9 {
		runs = append(runs, noisy(v, 0.02, rng))
	}
	members, of := groupComponents(runs, 0)
	for r := range runs {
		seen := make([]bool, 6)
		for j := range 6 {
			g := of[r*6+j]
			if seen[g] {
				t.Fatalf("run %d has two components in group %d", r, g)
			}
			seen[g] = true
			if dot(members[r*6+j], v[g]) < 0.9 {
				t.Errorf("run %d: component %d is in group %d with the cosine %v", r, j, g, dot(members[r*6+j], v[g]))
			}
		}
	}
	for g, s := range silhouettes(members, of, 6) {
		if s < 0.8 {
			t.Errorf("group %d has the silhouette %v", g, s)
		}
	}
	if s := silhouettes(runs[1], all(6), 6); s[0] != 0 {
		t.Errorf("groups of one have the silhouettes %v", s)
	}
}

func TestSpread(t *testing.T) {
	m, se := spread([]float64{1, 2, 3, 4})
	if m != 2.5 || math.Abs(se-math.Sqrt(5.0/3/4)) > 1e-15 {
		t.Errorf("%v, %v", m, se)
	}
	if _, se := spread([]float64{1}); !math.IsNaN(se) {
		t.Errorf("one value has the standard error %v", se)
	}
}
