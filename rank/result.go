package rank

import (
	"encoding/json"
	"math"
)

// Number is a float64 that is null in JSON where it is not known (NaN).
type Number float64

// MarshalJSON writes null for what is not finite.
func (n Number) MarshalJSON() ([]byte, error) {
	if !isFinite(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// K is what a sweep found out about one number of components. What was not
// measured is NaN, null in JSON.
type K struct {
	K int `json:"k"`
	// Runs is the number of restarts that ended well; BestSeed is the seed of
	// the one with the least loss, which the numbers of fit are of.
	Runs     int    `json:"runs"`
	BestSeed uint64 `json:"best_seed"`
	Loss     Number `json:"loss"`
	// RelativeError is ‖X−WH‖/‖X‖, ExplainedVariance 1 less its square.
	RelativeError     Number `json:"relative_error"`
	ExplainedVariance Number `json:"explained_variance"`
	// Parameters is the number of degrees of freedom that AIC and BIC count.
	Parameters int    `json:"parameters"`
	AIC        Number `json:"aic"`
	BIC        Number `json:"bic"`
	// RandomLoss is the loss on randomised data (Frigyesi & Höglund 2008).
	RandomLoss Number `json:"random_loss"`
	// CVError is the mean over repeats of the error at held-out cells, in units
	// of that of the mean, CVErrorSE its standard error; BCVError and BCVErrorSE
	// are those of bi-cross-validation.
	CVError    Number `json:"cv_error"`
	CVErrorSE  Number `json:"cv_error_se"`
	BCVError   Number `json:"bcv_error"`
	BCVErrorSE Number `json:"bcv_error_se"`
	// Cophenetic, Dispersion and PAC are of the consensus of the restarts.
	Cophenetic Number `json:"cophenetic"`
	Dispersion Number `json:"dispersion"`
	PAC        Number `json:"pac"`
	// SilhouetteMin and SilhouetteMean are over the components, grouped over the
	// restarts; Amari is the mean dissimilarity of two restarts.
	SilhouetteMin  Number `json:"silhouette_min"`
	SilhouetteMean Number `json:"silhouette_mean"`
	Amari          Number `json:"amari"`
	// BootstrapMin and BootstrapMean are the least and the mean, over the
	// components, of the mean cosine with their match in fits of resampled
	// samples; Poisson likewise of resampled counts.
	BootstrapMin  Number `json:"bootstrap_min"`
	BootstrapMean Number `json:"bootstrap_mean"`
	PoissonMin    Number `json:"poisson_min"`
	PoissonMean   Number `json:"poisson_mean"`
	// Agreement compares the consensus clusters, at k, of the samples with
	// labels, Best the clusters of the best restart.
	Agreement     *Agreement `json:"agreement,omitempty"`
	BestAgreement *Agreement `json:"best_agreement,omitempty"`

	// Clusters is the dominant component of every sample in the best restart, -1
	// for a sample that holds nothing.
	Clusters []int `json:"-"`
	// ConsensusClusters are of the samples Result.ConsensusSamples.
	ConsensusClusters []int `json:"-"`
	// Components are the k components of the best restart, each of unit length.
	Components [][]float32 `json:"-"`
	// Repeats of cross-validation, in order; NaN for one that failed.
	CVRepeats, BCVRepeats []float64 `json:"-"`
}

// Result is what Sweep found.
type Result struct {
	// K is by rising number of components.
	K           []K            `json:"k"`
	Recommended Recommendation `json:"recommended"`
	// What was swept.
	Loss     string `json:"loss"`
	Samples  int    `json:"samples"`
	Features int    `json:"features"`
	Seed     uint64 `json:"seed"`
	// ConsensusSamples are the samples that the consensus compares, all of them
	// unless there are more than Options.ConsensusSamples.
	ConsensusSamples []int `json:"-"`
	// Notes say what was left out and why; Failures what went wrong without
	// ending the sweep.
	Notes    []string `json:"notes,omitempty"`
	Failures []string `json:"failures,omitempty"`
}
