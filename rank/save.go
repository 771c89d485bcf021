package rank

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// Save writes the result to a .npz file that numpy.load opens: k, an array of
// its length for every number of K by its JSON name, NaN where it was not
// measured; clusters (number of k x samples) and consensus_samples with
// consensus_clusters; components_K (K x features) for every K; cv_repeats and
// bcv_repeats (number of k x repeats); and rank.json, the result as --json
// prints it. The file is whole or not there.
func (r *Result) Save(path string) error { return atomicfile.Write(path, r.write) }

func (r *Result) write(w io.Writer) error {
	z := npy.NewWriter(w)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	member, err := z.Create("rank.json", true)
	if err != nil {
		return err
	}
	if _, err := member.Write(append(text, '\n')); err != nil {
		return err
	}
	ks := make([]int64, len(r.K))
	for i := range r.K {
		ks[i] = int64(r.K[i].K)
	}
	if err := npy.WriteMember(z, "k", false, []int{len(ks)}, ks); err != nil {
		return err
	}
	for _, c := range Columns() {
		values := make([]float64, len(r.K))
		for i := range r.K {
			values[i] = c.Value(&r.K[i])
		}
		if err := npy.WriteMember(z, c.Name, false, []int{len(values)}, values); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name string
		of   func(k *K) []int
		n    int
	}{
		{"clusters", func(k *K) []int { return k.Clusters }, r.Samples},
		{"consensus_clusters", func(k *K) []int { return k.ConsensusClusters }, len(r.ConsensusSamples)},
	} {
		var values []int64
		for i := range r.K {
			values = append(values, wideInts(c.of(&r.K[i]))...)
		}
		if err := npy.WriteMember(z, c.name, true, []int{len(r.K), c.n}, values); err != nil {
			return err
		}
	}
	if err := npy.WriteMember(z, "consensus_samples", true, []int{len(r.ConsensusSamples)}, wideInts(r.ConsensusSamples)); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		of   func(k *K) []float64
	}{
		{"cv_repeats", func(k *K) []float64 { return k.CVRepeats }},
		{"bcv_repeats", func(k *K) []float64 { return k.BCVRepeats }},
	} {
		var values []float64
		repeats := 0
		for i := range r.K {
			values = append(values, c.of(&r.K[i])...)
			repeats = len(c.of(&r.K[i]))
		}
		if repeats > 0 {
			if err := npy.WriteMember(z, c.name, false, []int{len(r.K), repeats}, values); err != nil {
				return err
			}
		}
	}
	for i := range r.K {
		var values []float32
		for _, row := range r.K[i].Components {
			values = append(values, row...)
		}
		if err := npy.WriteMember(z, fmt.Sprintf("components_%d", r.K[i].K), false, []int{r.K[i].K, r.Features}, values); err != nil {
			return err
		}
	}
	return z.Close()
}

// Column is a number that a sweep has for every k.
type Column struct {
	// Name is the one in JSON.
	Name  string
	Value func(k *K) float64
}

// Columns lists the numbers of K in the order of its JSON.
func Columns() []Column {
	n := func(name string, of func(k *K) Number) Column {
		return Column{name, func(k *K) float64 { return float64(of(k)) }}
	}
	return []Column{
		n("loss", func(k *K) Number { return k.Loss }),
		n("relative_error", func(k *K) Number { return k.RelativeError }),
		n("explained_variance", func(k *K) Number { return k.ExplainedVariance }),
		n("aic", func(k *K) Number { return k.AIC }),
		n("bic", func(k *K) Number { return k.BIC }),
		n("random_loss", func(k *K) Number { return k.RandomLoss }),
		n("cv_error", func(k *K) Number { return k.CVError }),
		n("cv_error_se", func(k *K) Number { return k.CVErrorSE }),
		n("bcv_error", func(k *K) Number { return k.BCVError }),
		n("bcv_error_se", func(k *K) Number { return k.BCVErrorSE }),
		n("cophenetic", func(k *K) Number { return k.Cophenetic }),
		n("dispersion", func(k *K) Number { return k.Dispersion }),
		n("pac", func(k *K) Number { return k.PAC }),
		n("silhouette_min", func(k *K) Number { return k.SilhouetteMin }),
		n("silhouette_mean", func(k *K) Number { return k.SilhouetteMean }),
		n("amari", func(k *K) Number { return k.Amari }),
		n("bootstrap_min", func(k *K) Number { return k.BootstrapMin }),
		n("bootstrap_mean", func(k *K) Number { return k.BootstrapMean }),
		n("poisson_min", func(k *K) Number { return k.PoissonMin }),
		n("poisson_mean", func(k *K) Number { return k.PoissonMean }),
		{"ari", func(k *K) float64 {
			if k.Agreement == nil {
				return math.NaN()
			}
			return k.Agreement.ARI
		}},
	}
}

// SaveSpread writes the spread of a consensus to a .npz file: quantiles (q), H
// (q x k x n) and W (q x m x k) of the quantiles of their entries, runs,
// stability and silhouette (k), and consensus (samples x samples) with
// consensus_samples.
func (r *Recurrent[F]) SaveSpread(path string) error { return atomicfile.Write(path, r.write) }

func (r *Recurrent[F]) write(w io.Writer) error {
	z := npy.NewWriter(w)
	if err := npy.WriteMember(z, "quantiles", false, []int{len(r.Quantiles)}, r.Quantiles); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		of   []*matrix.Dense[F]
	}{{"W", r.W}, {"H", r.H}} {
		if len(f.of) == 0 {
			continue
		}
		var values []F
		for _, d := range f.of {
			values = append(values, d.Data...)
		}
		if err := npy.WriteMember(z, f.name, false, []int{len(f.of), f.of[0].Rows, f.of[0].Cols}, values); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name string
		of   func(c *Recurrence) float64
	}{
		{"runs", func(c *Recurrence) float64 { return c.Runs }},
		{"stability", func(c *Recurrence) float64 { return c.Stability }},
		{"silhouette", func(c *Recurrence) float64 { return c.Silhouette }},
	} {
		values := make([]float64, len(r.Components))
		for j := range values {
			values[j] = c.of(&r.Components[j])
		}
		if err := npy.WriteMember(z, c.name, false, []int{len(values)}, values); err != nil {
			return err
		}
	}
	n := len(r.Matrix.Samples)
	values := make([]float32, 0, n*n)
	for i := range n {
		for j := range n {
			values = append(values, float32(r.Matrix.At(i, j)))
		}
	}
	if err := npy.WriteMember(z, "consensus", true, []int{n, n}, values); err != nil {
		return err
	}
	if err := npy.WriteMember(z, "consensus_samples", true, []int{n}, wideInts(r.Matrix.Samples)); err != nil {
		return err
	}
	return z.Close()
}

func wideInts(values []int) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}
