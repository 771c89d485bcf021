package rank

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Recommendation is the k to take, and why.
type Recommendation struct {
	// K is 0 where no criterion says anything.
	K int `json:"k"`
	// Why says in words which criteria agree, on what, which disagree, and how
	// sure that is.
	Why string `json:"why"`
	// Sure is "high", "moderate", "low" or "" where there is no K.
	Sure string `json:"sure"`
	// Support is the part of the votes that K has, from 0 to 1.
	Support Number `json:"support"`
	// ByCriterion is the k that each criterion chooses; 0 where it cannot choose
	// one.
	ByCriterion map[string]int `json:"by_criterion"`
}

// Criterion is a rule that chooses k.
type Criterion struct {
	// Name as flags and JSON have it, Title as texts have it.
	Name, Title string
	// Family is what the criterion looks at: "fit", "prediction", "stability" or
	// "perturbation". Each family has one vote, which its criteria share: many of
	// a kind must not outvote the others.
	Family string
	// About says in a sentence what is measured and how k is chosen. Better is
	// "low" or "high".
	About, Better string
	// Silent: it is shown, and has no vote.
	Silent bool
	// Value is the number of a k that the rule looks at.
	Value func(k *K) float64
	// choose gives the chosen k, or 0.
	choose func(ks []K) int
}

// criteria, in the order of the tables.
var criteria = []Criterion{
	{Name: bic, Title: "BIC", Family: "fit", Better: "low",
		About:  "likelihood less a penalty for parameters (Schwarz 1978); the least",
		Value:  func(k *K) float64 { return float64(k.BIC) },
		choose: least(func(k *K) float64 { return float64(k.BIC) })},
	{Name: aic, Title: "AIC", Family: "fit", Better: "low", Silent: true,
		About:  "likelihood less the number of parameters (Akaike 1974); the least",
		Value:  func(k *K) float64 { return float64(k.AIC) },
		choose: least(func(k *K) float64 { return float64(k.AIC) })},
	{Name: randomised, Title: "randomised data", Family: "fit", Better: "low",
		About:  "loss against that of data whose features are shuffled (Frigyesi & Höglund 2008); the last k whose loss falls faster",
		Value:  func(k *K) float64 { return float64(k.Loss / k.RandomLoss) },
		choose: beforeRandom},
	{Name: cv, Title: "cross-validation", Family: "prediction", Better: "low",
		About:  "error at held-out cells (Wold 1978); the least k within one standard error of the best",
		Value:  func(k *K) float64 { return float64(k.CVError) },
		choose: oneStandardError(func(k *K) (float64, float64) { return float64(k.CVError), float64(k.CVErrorSE) })},
	{Name: bcv, Title: "bi-cross-validation", Family: "prediction", Better: "low",
		About:  "error at held-out blocks of samples and features (Owen & Perry 2009); the least k within one standard error of the best",
		Value:  func(k *K) float64 { return float64(k.BCVError) },
		choose: oneStandardError(func(k *K) (float64, float64) { return float64(k.BCVError), float64(k.BCVErrorSE) })},
	{Name: coph, Title: "cophenetic correlation", Family: "stability", Better: "high",
		About:  "how tree-like the consensus of the restarts is (Brunet et al. 2004); the last k within 0.01 of the highest",
		Value:  func(k *K) float64 { return float64(k.Cophenetic) },
		choose: lastNear(0.01, func(k *K) float64 { return float64(k.Cophenetic) })},
	{Name: dispersion, Title: "dispersion", Family: "stability", Better: "high",
		About:  "how near 0 or 1 the consensus is (Kim & Park 2007); the last k within 0.02 of the highest",
		Value:  func(k *K) float64 { return float64(k.Dispersion) },
		choose: lastNear(0.02, func(k *K) float64 { return float64(k.Dispersion) })},
	{Name: pac, Title: "PAC", Family: "stability", Better: "low",
		About:  "share of pairs of samples that are together in some restarts only (Şenbabaoğlu et al. 2014); the last k within 0.02 of the least",
		Value:  func(k *K) float64 { return float64(k.PAC) },
		choose: lastNear(0.02, func(k *K) float64 { return -float64(k.PAC) })},
	{Name: silhouette, Title: "silhouettes", Family: "stability", Better: "high",
		About:  "how well the components of all restarts fall into k groups (Alexandrov et al. 2013); the last k with a mean of at least 0.8 and none below 0.2",
		Value:  func(k *K) float64 { return float64(k.SilhouetteMin) },
		choose: lastStable},
	{Name: amariName, Title: "Amari distance", Family: "stability", Better: "low",
		About:  "dissimilarity of the components of two restarts (Wu et al. 2016); the last k within 0.01 of the least",
		Value:  func(k *K) float64 { return float64(k.Amari) },
		choose: lastNear(0.01, func(k *K) float64 { return -float64(k.Amari) })},
	{Name: bootstrap, Title: "bootstrap", Family: "perturbation", Better: "high",
		About:  "cosine of the components with those of resampled samples (Efron 1979); the last k whose least component is within 0.1 of the highest",
		Value:  func(k *K) float64 { return float64(k.BootstrapMin) },
		choose: lastNear(0.1, func(k *K) float64 { return float64(k.BootstrapMin) })},
	{Name: poissonCV, Title: "Poisson resampling", Family: "perturbation", Better: "high",
		About:  "cosine of the components with those of resampled counts; the last k whose least component is within 0.1 of the highest",
		Value:  func(k *K) float64 { return float64(k.PoissonMin) },
		choose: lastNear(0.1, func(k *K) float64 { return float64(k.PoissonMin) })},
}

// All lists the criteria.
func All() []Criterion { return slices.Clone(criteria) }

// least takes the k with the least value, the smallest of equals.
func least(value func(*K) float64) func([]K) int {
	return func(ks []K) int {
		best, at := math.Inf(1), 0
		for i := range ks {
			if v := value(&ks[i]); v < best {
				best, at = v, ks[i].K
			}
		}
		return at
	}
}

// oneStandardError takes the smallest k whose error is at most the least one
// plus its standard error (Breiman et al. 1984, section 3.4.3).
func oneStandardError(value func(*K) (v, se float64)) func([]K) int {
	return func(ks []K) int {
		limit := math.Inf(1)
		best := math.Inf(1)
		for i := range ks {
			if v, se := value(&ks[i]); v < best {
				best, limit = v, v
				if isFinite(se) {
					limit = v + se
				}
			}
		}
		for i := range ks {
			if v, _ := value(&ks[i]); v <= limit && isFinite(v) {
				return ks[i].K
			}
		}
		return 0
	}
}

// lastNear takes the largest k whose value is within a distance of the highest.
// A single component is always stable: k = 1 does not count.
func lastNear(within float64, value func(*K) float64) func([]K) int {
	return func(ks []K) int {
		best, at := math.Inf(-1), 0
		for i := range ks {
			if v := value(&ks[i]); ks[i].K > 1 && v > best {
				best = v
			}
		}
		for i := range ks {
			if v := value(&ks[i]); ks[i].K > 1 && v >= best-within {
				at = ks[i].K
			}
		}
		return at
	}
}

// Limits of a stable solution, those of SigProfilerExtractor (Islam et al.
// 2022).
const (
	leastMeanSilhouette = 0.8
	leastSilhouette     = 0.2
)

func lastStable(ks []K) int {
	at := 0
	for i := range ks {
		if ks[i].SilhouetteMean >= leastMeanSilhouette && ks[i].SilhouetteMin >= leastSilhouette {
			at = ks[i].K
		}
	}
	return at
}

// beforeRandom takes the last k up to which the loss falls faster, from one k to
// the next, than that of randomised data. The loss of "no component", from which
// the first k falls, is not known unless k = 1 is there: the first k always
// counts.
func beforeRandom(ks []K) int {
	at := 0
	for i := range ks {
		if !isFinite(float64(ks[i].RandomLoss)) || !isFinite(float64(ks[i].Loss)) {
			return at
		}
		if i > 0 && ks[i-1].Loss-ks[i].Loss <= ks[i-1].RandomLoss-ks[i].RandomLoss {
			return at
		}
		at = ks[i].K
	}
	return at
}

// Choose turns the numbers of several k, in rising order, into a recommendation:
// that of one criterion, or for "" that of all. Every family of criteria has a
// vote, shared by those of its criteria that choose a k; the k with most votes
// wins, of equals the one that prediction prefers, else the smallest. Silent
// criteria have no vote unless they are asked alone.
func Choose(ks []K, criterion string) Recommendation {
	r := Recommendation{ByCriterion: map[string]int{}, Support: Number(math.NaN())}
	inFamily := map[string]int{}
	measured := func(c *Criterion) bool {
		return slices.ContainsFunc(ks, func(k K) bool { return !math.IsNaN(c.Value(&k)) })
	}
	votes := func(c *Criterion) bool { return !c.Silent || criterion != "" }
	var used []*Criterion
	for i := range criteria {
		c := &criteria[i]
		if criterion != "" && c.Name != criterion || !measured(c) {
			continue
		}
		k := c.choose(ks)
		r.ByCriterion[c.Name] = k
		used = append(used, c)
		if k > 0 && votes(c) {
			inFamily[c.Family]++
		}
	}
	share, prediction, total := map[int]float64{}, map[int]float64{}, 0.0
	for _, c := range used {
		k := r.ByCriterion[c.Name]
		if k == 0 || !votes(c) {
			continue
		}
		v := 1 / float64(inFamily[c.Family])
		share[k] += v
		total += v
		if c.Family == "prediction" {
			prediction[k] += v
		}
	}
	const same = 1e-9
	for i := range ks {
		k := ks[i].K
		if share[k] == 0 {
			continue
		}
		d := share[k] - share[r.K]
		if r.K == 0 || d > same || d > -same && prediction[k] > prediction[r.K]+same {
			r.K = k
		}
	}
	if r.K == 0 {
		r.Why = "No criterion chooses a k: " + undecided(used)
		return r
	}
	r.Support = Number(share[r.K] / total)
	near := 0.0
	for k, v := range share {
		if k >= r.K-1 && k <= r.K+1 {
			near += v / total
		}
	}
	switch support := float64(r.Support); {
	case len(inFamily) > 1 && support >= 0.75-same:
		r.Sure = "high"
	case support >= 0.5-same || len(inFamily) > 1 && near >= 0.75-same:
		r.Sure = "moderate"
	default:
		r.Sure = "low"
	}
	r.Why = explain(&r, ks, used)
	return r
}

func undecided(used []*Criterion) string {
	if len(used) == 0 {
		return "nothing was measured."
	}
	names := make([]string, len(used))
	for i, c := range used {
		names[i] = c.Title
	}
	return join(names) + " found no k that is good enough. Try other k, more restarts, or other data preparation."
}

// explain says which criteria agree and which do not.
func explain(r *Recommendation, ks []K, used []*Criterion) string {
	by := map[int][]string{}
	var none []string
	for _, c := range used {
		k := r.ByCriterion[c.Name]
		switch {
		case c.Silent && len(used) > 1:
			continue
		case k == 0:
			none = append(none, c.Title)
			continue
		}
		by[k] = append(by[k], c.Title)
	}
	var b strings.Builder
	verb := "choose"
	if len(by[r.K]) == 1 {
		verb = "chooses"
	}
	fmt.Fprintf(&b, "k = %d: %s %s it", r.K, join(by[r.K]), verb)
	var others []string
	for i := range ks {
		if k := ks[i].K; k != r.K && by[k] != nil {
			others = append(others, fmt.Sprintf("%s for k = %d", join(by[k]), k))
		}
	}
	if len(others) > 0 {
		fmt.Fprintf(&b, "; against it are %s", strings.Join(others, "; "))
	}
	if len(none) > 0 {
		fmt.Fprintf(&b, "; %s found no k good enough", join(none))
	}
	b.WriteString(". ")
	share := fmt.Sprintf("%.0f%% of the votes", 100*float64(r.Support))
	switch r.Sure {
	case "high":
		fmt.Fprintf(&b, "The kinds of evidence agree (%s): this is as sure as such a choice gets.", share)
	case "moderate":
		fmt.Fprintf(&b, "The evidence leans this way (%s): look at the neighbours of k, too.", share)
	default:
		fmt.Fprintf(&b, "The criteria disagree (%s): the data do not have one clear number of components; choose by what the components mean.", share)
	}
	if len(used) == 1 {
		b.WriteString(" It is one criterion alone.")
	}
	if len(ks) > 1 && r.K == ks[len(ks)-1].K {
		b.WriteString(" It is the largest k that was tried: try larger ones.")
	}
	if len(ks) > 1 && r.K == ks[0].K && r.K > 1 {
		b.WriteString(" It is the smallest k that was tried: try smaller ones.")
	}
	return b.String()
}

// join lists words: a, b and c.
func join(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
