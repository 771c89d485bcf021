package rank

import (
	"math"
	"strings"
	"testing"
)

// unknown is a K of which nothing was measured.
func unknown(k int) K {
	nan := Number(math.NaN())
	return K{K: k, Loss: nan, AIC: nan, BIC: nan, RandomLoss: nan, CVError: nan, CVErrorSE: nan, BCVError: nan, BCVErrorSE: nan,
		Cophenetic: nan, Dispersion: nan, PAC: nan, SilhouetteMin: nan, SilhouetteMean: nan, Amari: nan,
		BootstrapMin: nan, BootstrapMean: nan, PoissonMin: nan, PoissonMean: nan}
}

// rows makes one K for each value, k from 1.
func rows(values []float64, set func(k *K, v Number)) []K {
	var ks []K
	for i, v := range values {
		k := unknown(i + 1)
		set(&k, Number(v))
		ks = append(ks, k)
	}
	return ks
}

func TestRules(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		criterion string
		ks        []K
		want      int
	}{
		{"bic", rows([]float64{9, 5, 3, 3, 6}, func(k *K, v Number) { k.BIC = v }), 3},
		{"aic", rows([]float64{9, nan, 8}, func(k *K, v Number) { k.AIC = v }), 3},
		{"cophenetic", rows([]float64{nan, 0.99, 0.985, 0.97}, func(k *K, v Number) { k.Cophenetic = v }), 3},
		{"dispersion", rows([]float64{1, 0.9, 0.89, 0.7}, func(k *K, v Number) { k.Dispersion = v }), 3},
		{"pac", rows([]float64{0, 0.1, 0.11, 0.3}, func(k *K, v Number) { k.PAC = v }), 3},
		{"amari", rows([]float64{0, 0.001, 0.2, 0.3}, func(k *K, v Number) { k.Amari = v }), 2},
		{"bootstrap", rows([]float64{1, 0.95, 0.9, 0.5}, func(k *K, v Number) { k.BootstrapMin = v }), 3},
		{"poisson", rows([]float64{nan, nan}, func(k *K, v Number) { k.PoissonMin = v }), 0},
		// The least is at 4, and 3 is within a standard error of it.
		{"cv", rows([]float64{9, 5, 3.05, 3, 3.2}, func(k *K, v Number) { k.CVError, k.CVErrorSE = v, 0.1 }), 3},
		{"bcv", rows([]float64{9, 5, 3.05, 3, 3.2}, func(k *K, v Number) { k.BCVError, k.BCVErrorSE = v, 0.01 }), 4},
		// Silhouettes need a mean of 0.8 and a least one of 0.2.
		{"silhouette", rows([]float64{1, 0.9, 0.3, 0.1}, func(k *K, v Number) { k.SilhouetteMin, k.SilhouetteMean = v, 0.85 }), 3},
		{"silhouette", rows([]float64{0.1, 0.1}, func(k *K, v Number) { k.SilhouetteMin, k.SilhouetteMean = v, 0.5 }), 0},
		// The loss falls by 5, 3, 0.5 and that of random data by 1 each.
		{"randomised", rows([]float64{10, 5, 2, 1.5}, func(k *K, v Number) { k.Loss, k.RandomLoss = v, Number(20-k.K) }), 3},
	} {
		r := Choose(c.ks, c.criterion)
		if r.K != c.want {
			t.Errorf("%s chooses %d of %d, want %d: %s", c.criterion, r.K, len(c.ks), c.want, r.Why)
		}
	}
}

func TestChooseWords(t *testing.T) {
	var ks []K
	for k := 1; k <= 5; k++ {
		row := unknown(k)
		d := Number(math.Abs(float64(k - 3)))
		row.BIC, row.CVError, row.CVErrorSE, row.SilhouetteMin, row.SilhouetteMean = d, 1+d, 0.1, 1-d/2, 1-d/4
		row.BootstrapMin = 1 - d
		ks = append(ks, row)
	}
	r := Choose(ks, "")
	if r.K != 3 || r.Sure != "high" || r.Support != 1 || !strings.Contains(r.Why, "BIC, cross-validation, silhouettes and bootstrap choose it.") {
		t.Errorf("%+v", r)
	}
	for i := range ks {
		ks[i].BIC, ks[i].BootstrapMin = Number(-i), Number(math.NaN())
	}
	r = Choose(ks, "")
	if r.K != 3 || r.Sure != "moderate" || !strings.Contains(r.Why, "against it are BIC for k = 5") {
		t.Errorf("%+v", r)
	}
	r = Choose(ks, "bic")
	if r.K != 5 || !strings.Contains(r.Why, "largest k that was tried") || !strings.Contains(r.Why, "one criterion alone") || len(r.ByCriterion) != 1 {
		t.Errorf("%+v", r)
	}
	if r := Choose([]K{unknown(2)}, ""); r.K != 0 || r.Sure != "" || r.Why == "" {
		t.Errorf("nothing measured: %+v", r)
	}
	// As many votes for 2 as for 4: prediction decides.
	tie := []K{unknown(2), unknown(4)}
	tie[0].BIC, tie[1].BIC = 1, 2
	tie[0].BCVError, tie[1].BCVError = 2, 1
	if r := Choose(tie, ""); r.K != 4 || r.Support != 0.5 {
		t.Errorf("%+v", r)
	}
}
