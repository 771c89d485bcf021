package sources

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Options says how to read and prepare. Nil and the zero value are the defaults.
type Options struct {
	// MissingCode marks a missing value, beside empty cells and NA. Default -999.
	MissingCode float64
	// Missing says what becomes of a missing value: "leave", the default, has the
	// fit leave the cell out; "median" puts the species' median there with four
	// times that as its uncertainty, as EPA PMF does; "drop" leaves the sample
	// out.
	Missing string
	// Negative says what becomes of a concentration below zero that is no missing
	// value: "error", the default, "zero" or "missing".
	Negative string
	// HalfLimit replaces concentrations at or below the detection limit by half
	// of it (Polissar et al. 1998). It needs uncertainties that are given by
	// detection limits.
	HalfLimit bool
	// Extra is the extra modelling uncertainty, in per cent of the
	// concentration; it is added in quadrature.
	Extra float64
	// AllStrong makes species strong whatever their signal to noise.
	AllStrong bool
	// Strong, Weak and Bad settle the category of single species.
	Strong, Weak, Bad []string
}

// MissingRules and NegativeRules list the values of Options.Missing and
// Options.Negative.
func MissingRules() []string  { return []string{"leave", "median", "drop"} }
func NegativeRules() []string { return []string{"error", "zero", "missing"} }

// Category says how far a species is trusted.
type Category string

const (
	// Strong species count as they are, Weak ones with three times their
	// uncertainty, Bad ones are left out.
	Strong Category = "strong"
	Weak   Category = "weak"
	Bad    Category = "bad"
)

const (
	defaultMissingCode = -999
	// badBelow and weakBelow are the signal to noise ratios under which EPA PMF
	// 5's guide (Norris et al. 2014) calls a species bad and weak.
	badBelow, weakBelow = 0.5, 1.0
	// weakFactor is what the uncertainties of weak species are multiplied by.
	weakFactor = 3
	// medianFactor times the median is the uncertainty of a value that the
	// median stands for.
	medianFactor = 4
)

// Species is a column of the input.
type Species struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	// SignalToNoise is the mean over samples of (x − σ)/σ, where x is above σ,
	// and 0 elsewhere.
	SignalToNoise float64  `json:"signal_to_noise"`
	Category      Category `json:"category"`
	Missing       int      `json:"missing"`
	// BelowLimit counts concentrations at or below the detection limit, where
	// that is known.
	BelowLimit int `json:"below_limit,omitempty"`
}

// Set is what Read prepares: the samples and the species that are not bad.
type Set struct {
	// Table holds the concentrations; 0 where a cell is missing.
	data.Table[float64]
	// Sigma holds the uncertainties that the fit uses; 0 where a cell is missing.
	Sigma *matrix.Dense[float64]
	// Species are those of the table's columns, All those of the input.
	Species, All []Species
}

// Read reads concentrations and uncertainties.
//
// The second file has the form of the first, with the same samples and species,
// or two lines: the detection limit of each species and its error fraction in
// per cent. Errors are *data.Error and wrap recipe.ErrInput or recipe.ErrOption.
func Read(concentrations, uncertainties string, o *Options) (*Set, error) {
	opt, err := o.resolve()
	if err != nil {
		return nil, err
	}
	x, err := readTable(concentrations, opt.MissingCode)
	if err != nil {
		return nil, err
	}
	u, err := readTable(uncertainties, opt.MissingCode)
	if err != nil {
		return nil, err
	}
	return prepare(x, u, opt)
}

func (o *Options) resolve() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.MissingCode == 0 {
		r.MissingCode = defaultMissingCode
	}
	if r.Missing == "" {
		r.Missing = "leave"
	}
	if r.Negative == "" {
		r.Negative = "error"
	}
	switch {
	case !slices.Contains(MissingRules(), r.Missing):
		return r, fmt.Errorf("%w: missing %q is unknown; it is one of %s", recipe.ErrOption, r.Missing, strings.Join(MissingRules(), ", "))
	case !slices.Contains(NegativeRules(), r.Negative):
		return r, fmt.Errorf("%w: negative %q is unknown; it is one of %s", recipe.ErrOption, r.Negative, strings.Join(NegativeRules(), ", "))
	case !(r.Extra >= 0 && r.Extra <= 100):
		return r, fmt.Errorf("%w: an extra uncertainty of %v per cent; it must be from 0 to 100", recipe.ErrOption, r.Extra)
	}
	return r, nil
}

// prepare makes a Set of what was read.
func prepare(x, u *table, o Options) (*Set, error) {
	u, err := u.inOrderOf(x)
	if err != nil {
		return nil, err
	}
	limits, err := u.limits(x)
	if err != nil {
		return nil, err
	}
	if o.HalfLimit && limits == nil {
		return nil, u.fail(0, 0, "the uncertainties are given by sample, so that detection limits are not known", "values at half the limit need a file of detection limits and error fractions")
	}
	if limits == nil {
		if err := sameSamples(x, u); err != nil {
			return nil, err
		}
	}
	p := &preparation{x: x, u: u, o: o, limits: limits}
	for j, name := range x.species {
		s := Species{Name: name}
		if x.units != nil {
			s.Unit = x.units[j]
		}
		p.species = append(p.species, s)
	}
	if err := p.uncertain(); err != nil {
		return nil, err
	}
	if err := p.categorize(); err != nil {
		return nil, err
	}
	return p.set()
}

// inOrderOf brings the columns into the order of another table.
func (t *table) inOrderOf(x *table) (*table, error) {
	at := map[string]int{}
	for j, name := range t.species {
		at[name] = j
	}
	var missing, unknown []string
	order := make([]int, len(x.species))
	known := map[string]bool{}
	for j, name := range x.species {
		known[name] = true
		if k, ok := at[name]; ok {
			order[j] = k
		} else {
			missing = append(missing, strconv.Quote(name))
		}
	}
	for _, name := range t.species {
		if !known[name] {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if len(missing) > 0 || len(unknown) > 0 {
		var parts []string
		if len(missing) > 0 {
			parts = append(parts, "no uncertainties for "+few(missing))
		}
		if len(unknown) > 0 {
			parts = append(parts, "uncertainties without concentrations for "+few(unknown))
		}
		return nil, t.fail(0, 0, fmt.Sprintf("%s, which %s has %d species of", strings.Join(parts, ", and "), x.file, len(x.species)), "both files name the same species")
	}
	turned := *t
	turned.species, turned.values = x.species, make([][]float64, len(t.values))
	for i, row := range t.values {
		turned.values[i] = make([]float64, len(order))
		for j, from := range order {
			turned.values[i][j] = row[from]
		}
	}
	return &turned, nil
}

// few lists names, and how many there are beyond the first ones.
func few(names []string) string {
	const shown = 4
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// detection is the form of uncertainties that has no line for each sample.
type detection struct{ limit, percent []float64 }

// limits gives detection limits and error fractions where the table is of that
// form: two lines for concentrations of another number of samples, or two
// that say so.
func (t *table) limits(x *table) (*detection, error) {
	if len(t.values) != 2 || len(x.values) == 2 && !strings.Contains(strings.ToLower(t.samples[0]), "mdl") {
		return nil, nil
	}
	d := &detection{t.values[0], t.values[1]}
	for j, name := range t.species {
		if v := d.limit[j]; !(v > 0) {
			return nil, t.fail(t.lines[0], 2+j, fmt.Sprintf("the detection limit of %q is %v", name, v), "it must be above 0")
		}
		if v := d.percent[j]; !(v >= 0) {
			return nil, t.fail(t.lines[1], 2+j, fmt.Sprintf("the error fraction of %q is %v", name, v), "it is a percentage of at least 0")
		}
	}
	return d, nil
}

// sameSamples refuses uncertainties that are not of the same samples in the
// same order.
func sameSamples(x, u *table) error {
	if len(x.values) != len(u.values) {
		return u.fail(0, 0, fmt.Sprintf("uncertainties of %d samples, and %s has concentrations of %d", len(u.values), x.file, len(x.values)),
			"both files have a line for each sample; or this one has two, detection limits and error fractions in per cent")
	}
	for i, name := range x.samples {
		if u.samples[i] != name {
			return u.fail(u.lines[i], 1, fmt.Sprintf("sample %q, which is %q in line %d of %s", u.samples[i], name, x.lines[i], x.file), "both files have the same samples in the same order")
		}
	}
	return nil
}

// preparation is a Set under way.
type preparation struct {
	x, u    *table
	o       Options
	limits  *detection
	sigma   [][]float64
	species []Species
	notes   []string
}

// uncertain checks concentrations, and finds the uncertainty of every cell: NaN
// where the cell is missing.
func (p *preparation) uncertain() error {
	negatives, without := 0, 0
	p.sigma = make([][]float64, len(p.x.values))
	for i, row := range p.x.values {
		p.sigma[i] = make([]float64, len(row))
		for j, v := range row {
			if v < 0 {
				switch p.o.Negative {
				case "error":
					return p.x.fail(p.x.lines[i], 2+j, fmt.Sprintf("the concentration of %q in sample %q is %v", p.x.species[j], p.x.samples[i], v),
						"concentrations are at least 0: take negative ones for zero or for missing, or say which number marks missing values")
				case "zero":
					v = 0
				case "missing":
					v = math.NaN()
				}
				row[j] = v
				negatives++
			}
			s, err := p.sigmaOf(i, j, v)
			if err != nil {
				return err
			}
			if math.IsNaN(s) && v == v {
				without++
			}
			if math.IsNaN(s) || v != v {
				row[j], s = math.NaN(), math.NaN()
				p.species[j].Missing++
			}
			p.sigma[i][j] = s
		}
	}
	if negatives > 0 {
		p.note("%s below zero taken for %s", counted(negatives, "concentration"), p.o.Negative)
	}
	if without > 0 {
		p.note("%s without an uncertainty taken for missing", counted(without, "concentration"))
	}
	return nil
}

// sigmaOf is the uncertainty of a concentration. By detection limits it is
// (Norris et al. 2014, equations 5-1 and 5-2) 5/6 of the limit at or below it,
// and √((fraction·x)² + (limit/2)²) above.
func (p *preparation) sigmaOf(i, j int, v float64) (float64, error) {
	if d := p.limits; d != nil {
		limit := d.limit[j]
		if v <= limit {
			p.species[j].BelowLimit++
			if p.o.HalfLimit {
				p.x.values[i][j] = limit / 2
			}
			return 5.0 / 6 * limit, nil
		}
		return math.Hypot(d.percent[j]/100*v, limit/2), nil
	}
	s := p.u.values[i][j]
	if v == v && s <= 0 {
		return 0, p.u.fail(p.u.lines[i], 2+j, fmt.Sprintf("the uncertainty of %q in sample %q is %v", p.x.species[j], p.x.samples[i], s),
			"an uncertainty is above 0: nothing is measured exactly")
	}
	return s, nil
}

func (p *preparation) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// categorize measures signal to noise and settles how each species counts.
func (p *preparation) categorize() error {
	for j := range p.species {
		s := &p.species[j]
		n, sum := 0, 0.0
		for i, row := range p.x.values {
			if v, sigma := row[j], p.sigma[i][j]; v == v {
				n++
				if v > sigma {
					sum += (v - sigma) / sigma
				}
			}
		}
		s.SignalToNoise = sum / float64(max(1, n))
		switch {
		case n == 0:
			s.Category = Bad
			p.note("%q has no measurement and is left out", s.Name)
		case p.o.AllStrong || s.SignalToNoise >= weakBelow:
			s.Category = Strong
		case s.SignalToNoise >= badBelow:
			s.Category = Weak
		default:
			s.Category = Bad
		}
	}
	for _, told := range []struct {
		names []string
		c     Category
	}{{p.o.Strong, Strong}, {p.o.Weak, Weak}, {p.o.Bad, Bad}} {
		for _, name := range told.names {
			j := slices.Index(p.x.species, name)
			if j < 0 {
				return fmt.Errorf("%w: there is no species %q to call %s; there are %s", recipe.ErrOption, name, told.c, strings.Join(p.x.species, ", "))
			}
			if p.species[j].Missing < len(p.x.values) {
				p.species[j].Category = told.c
			}
		}
	}
	return nil
}

// set applies the rules for missing values, weak species and extra uncertainty.
func (p *preparation) set() (*Set, error) {
	var kept []int
	for j, s := range p.species {
		if s.Category != Bad {
			kept = append(kept, j)
		}
	}
	if len(kept) == 0 {
		return nil, p.x.fail(0, 0, "no species is left: the signal to noise of all is below 0.5", "look at the uncertainties, or call species strong or weak")
	}
	var rows []int
	for i, row := range p.x.values {
		gaps := 0
		for _, j := range kept {
			if row[j] != row[j] {
				gaps++
			}
		}
		if gaps == len(kept) || gaps > 0 && p.o.Missing == "drop" {
			continue
		}
		rows = append(rows, i)
	}
	if dropped := len(p.x.values) - len(rows); dropped > 0 {
		p.note("%s with missing values left out", counted(dropped, "sample"))
	}
	if len(rows) == 0 {
		return nil, p.x.fail(0, 0, "no sample is left", "every one has missing values")
	}
	s := &Set{All: p.species, Sigma: matrix.NewDense[float64](len(rows), len(kept))}
	x := matrix.NewDense[float64](len(rows), len(kept))
	s.X, s.Notes = x, p.notes
	for _, i := range rows {
		s.RowNames = append(s.RowNames, p.x.samples[i])
	}
	for to, j := range kept {
		sp := p.species[j]
		s.Species, s.ColumnNames = append(s.Species, sp), append(s.ColumnNames, sp.Name)
		middle := p.median(j)
		for r, i := range rows {
			v, sigma := p.x.values[i][j], p.sigma[i][j]
			if v != v {
				if p.o.Missing != "median" || middle == 0 {
					continue
				}
				v, sigma = middle, medianFactor*middle
			}
			sigma = math.Hypot(sigma, p.o.Extra/100*v)
			if sp.Category == Weak {
				sigma *= weakFactor
			}
			x.Set(r, to, v)
			s.Sigma.Set(r, to, sigma)
		}
	}
	return s, nil
}

// median is that of the measurements of a species.
func (p *preparation) median(j int) float64 {
	var list []float64
	for _, row := range p.x.values {
		if row[j] == row[j] {
			list = append(list, row[j])
		}
	}
	slices.Sort(list)
	return quantile(list, 0.5)
}

// quantile interpolates between the order statistics of a sorted list.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// concentrations is the table's matrix.
func (s *Set) concentrations() *matrix.Dense[float64] { return s.X.(*matrix.Dense[float64]) }

// present reports whether a cell was measured.
func (s *Set) present(i, j int) bool { return s.Sigma.At(i, j) > 0 }

// Weights are 1/σ², and 0 where a cell is missing: those of nmf.Options.
func (s *Set) Weights() *matrix.Dense[float64] {
	w := matrix.NewDense[float64](s.Sigma.Rows, s.Sigma.Cols)
	for i, v := range s.Sigma.Data {
		if v > 0 {
			w.Data[i] = 1 / (v * v)
		}
	}
	return w
}

// Preset is what the door fits with: 20 starts, as EPA PMF has them.
func Preset() *nmf.Options {
	return &nmf.Options{Runs: 20, MaxIter: 2000, LossTol: 1e-7}
}
