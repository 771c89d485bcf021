package muscles

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// Options says how recordings become rows. Nil and the zero value are the
// defaults.
type Options struct {
	// Envelopes says that the input is not negative and ready: nothing is
	// filtered, and nothing normalised unless Normalise says so.
	Envelopes bool
	// Rate is the sampling rate in Hz; 0 takes it from the column of times.
	Rate float64
	// HighPass and LowPass are the cutoffs in Hz, Order that of both filters,
	// which run forwards and backwards. Default 50, 20 and 4; a cutoff below 0
	// is no filter.
	HighPass, LowPass float64
	Order             int
	// Cycles names a table: the starts of cycles in seconds, of which the last
	// ends the last cycle, and in further columns the durations of all phases
	// of the cycle but the last, if it has any.
	Cycles string
	// Points is what every cycle, or the recording without cycles, is resampled
	// to, in equal parts for each phase. Default 200 with cycles; 0 leaves a
	// recording as it is.
	Points int
	// Average takes the mean of the cycles; otherwise they follow each other.
	Average bool
	// Normalise divides every muscle by its largest value, "max", the default
	// but for envelopes; by its standard deviation, "sd"; or not, "none".
	Normalise string
	// Read says how to read the tables.
	Read *data.ReadOptions
}

// Normalisations lists the values of Options.Normalise.
func Normalisations() []string { return []string{"auto", "max", "sd", "none"} }

const (
	defaultHighPass = 50
	defaultLowPass  = 20
	defaultOrder    = 4
	defaultPoints   = 200
	mostOrder       = 10
	mostPoints      = 1 << 20
)

// Set is a matrix of envelopes: a row a point in time, a column a muscle.
type Set[F matrix.Float] struct {
	data.Table[F]
	// Points is the number of rows of a cycle, Cycles how many there are in the
	// matrix; both 0 where there are none.
	Points, Cycles int
	// Times of the rows in seconds, nil with cycles or where no rate is known.
	Times []float64
}

// Runs is the number of starts of the preset.
const Runs = 20

// Preset is the best of 20 random starts, iterated closely: the data are small.
func Preset() *nmf.Options {
	return &nmf.Options{Init: "random", Runs: Runs, MaxIter: 2000, LossTol: 1e-8}
}

// Read reads a recording, a row a point in time and a column a muscle, and
// prepares it: high-pass, rectify, low-pass, resample, normalise.
func Read[F matrix.Float](path string, o *Options) (*Set[F], error) {
	if o == nil {
		o = new(Options)
	}
	p := *o
	if err := p.resolve(); err != nil {
		return nil, err
	}
	t, err := data.Read[float64](path, p.Read)
	if err != nil {
		return nil, err
	}
	r := &recording{file: path, names: t.ColumnNames, notes: t.Notes}
	if err := r.take(t.X, &p); err != nil {
		return nil, err
	}
	if err := r.envelopes(&p); err != nil {
		return nil, err
	}
	s := new(Set[F])
	if err := r.resample(&p); err != nil {
		return nil, err
	}
	if err := r.normalise(p.Normalise); err != nil {
		return nil, err
	}
	s.Points, s.Cycles, s.Times = r.points, r.cycles, r.times
	x := matrix.NewDense[F](len(r.muscles[0]), len(r.muscles))
	for j, m := range r.muscles {
		for i, v := range m {
			x.Set(i, j, F(v))
		}
	}
	s.Table = data.Table[F]{X: x, ColumnNames: r.names, RowNames: r.rowNames(), Notes: r.notes, Format: t.Format}
	return s, nil
}

// resolve fills in defaults and refuses what makes no sense.
func (o *Options) resolve() error {
	for _, c := range []struct {
		v   *float64
		def float64
	}{{&o.HighPass, defaultHighPass}, {&o.LowPass, defaultLowPass}} {
		if *c.v == 0 {
			*c.v = c.def
		}
	}
	if o.Order == 0 {
		o.Order = defaultOrder
	}
	if o.Points == 0 && o.Cycles != "" {
		o.Points = defaultPoints
	}
	if o.Normalise == "" || o.Normalise == "auto" {
		o.Normalise = "max"
		if o.Envelopes {
			o.Normalise = "none"
		}
	}
	switch {
	case o.Order < 1 || o.Order > mostOrder:
		return fmt.Errorf("%w: a filter of order %d; it must be from 1 to %d", recipe.ErrOption, o.Order, mostOrder)
	case !(o.Rate >= 0) || math.IsInf(o.Rate, 0):
		return fmt.Errorf("%w: a sampling rate of %v Hz", recipe.ErrOption, o.Rate)
	case o.Points < 0 || o.Points == 1 || o.Points > mostPoints:
		return fmt.Errorf("%w: %d points; it must be from 2 to %d", recipe.ErrOption, o.Points, mostPoints)
	case o.Average && o.Cycles == "":
		return fmt.Errorf("%w: the mean of cycles needs their starts", recipe.ErrOption)
	case !slices.Contains(Normalisations(), o.Normalise):
		return fmt.Errorf("%w: normalise %q; it is one of %s", recipe.ErrOption, o.Normalise, strings.Join(Normalisations(), ", "))
	}
	return nil
}

// recording is what is prepared: a signal a muscle.
type recording struct {
	file    string
	names   []string
	notes   []string
	rate    float64 // 0 where it is not known
	start   float64 // time of the first value
	muscles [][]float64
	times   []float64
	// points and cycles are those of resampled cycles.
	points, cycles int
}

func (r *recording) bad(found, hint string) error {
	return &data.Error{File: r.file, Found: found, Hint: hint, Err: recipe.ErrInput}
}

// take parts the column of times, if there is one, from those of muscles.
func (r *recording) take(x matrix.Matrix[float64], o *Options) error {
	d := recipe.Dense(x)
	first := 0
	r.rate = o.Rate
	if len(r.names) > 0 && isTime(r.names[0]) {
		first = 1
		rate, err := r.rateOf(d)
		if err != nil {
			return err
		}
		if o.Rate != 0 && math.Abs(rate-o.Rate) > 0.01*rate {
			return r.bad(fmt.Sprintf("its times are those of %.6g Hz, and --rate is %.6g", rate, o.Rate), "leave --rate out")
		}
		if d.Rows > 0 {
			r.start, r.rate = d.At(0, 0), rate
		}
		r.names = r.names[1:]
	}
	if d.Cols-first < 1 || d.Rows < 1 {
		return r.bad("there is no muscle in it", "a column a muscle is wanted")
	}
	for j := first; j < d.Cols; j++ {
		v := make([]float64, d.Rows)
		for i := range v {
			v[i] = d.At(i, j)
			if math.IsNaN(v[i]) || math.IsInf(v[i], 0) {
				return r.bad(fmt.Sprintf("row %d, muscle %s: %v is not a finite number", i+1, r.muscle(j-first), v[i]), "fill in or leave out such rows first")
			}
		}
		r.muscles = append(r.muscles, v)
	}
	return nil
}

// muscle names a muscle in messages.
func (r *recording) muscle(j int) string {
	if j < len(r.names) {
		return fmt.Sprintf("%q", r.names[j])
	}
	return fmt.Sprint(j + 1)
}

// isTime tells the name of a column of times.
func isTime(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return slices.Contains([]string{"time", "t", "seconds", "time (s)", "time [s]", "time_s", "time, s"}, name)
}

// rateOf gives the sampling rate of the times in the first column, which must
// be even.
func (r *recording) rateOf(d *matrix.Dense[float64]) (float64, error) {
	if d.Rows < 2 {
		return 0, r.bad("a single point in time", "a recording is wanted")
	}
	step := (d.At(d.Rows-1, 0) - d.At(0, 0)) / float64(d.Rows-1)
	if !(step > 0) || math.IsInf(step, 0) {
		return 0, r.bad("its times do not rise", "seconds are wanted in the column of times")
	}
	for i := 1; i < d.Rows; i++ {
		if off := d.At(i, 0) - d.At(0, 0) - float64(i)*step; !(math.Abs(off) < step/2) {
			return 0, r.bad(fmt.Sprintf("its times are not even: %v in row %d", d.At(i, 0), i+1), "resample the recording to one rate first")
		}
	}
	return 1 / step, nil
}

// envelopes filters and rectifies, or makes sure that nothing is below zero.
func (r *recording) envelopes(o *Options) error {
	if o.Envelopes {
		for j, v := range r.muscles {
			if i := slices.IndexFunc(v, func(x float64) bool { return x < 0 }); i >= 0 {
				return r.bad(fmt.Sprintf("row %d, muscle %s: %v is below zero, which no envelope is", i+1, r.muscle(j), v[i]), "leave --envelopes out for a raw recording")
			}
		}
		return nil
	}
	if r.rate == 0 && (o.HighPass > 0 || o.LowPass > 0) {
		return r.bad("its sampling rate is not known", "give --rate in Hz, or a first column named time in seconds; for envelopes that are ready say --envelopes")
	}
	for _, f := range []struct {
		name   string
		cutoff float64
	}{{"high-pass", o.HighPass}, {"low-pass", o.LowPass}} {
		if f.cutoff > 0 && 2*f.cutoff >= r.rate {
			return r.bad(fmt.Sprintf("a sampling rate of %.6g Hz is too low for a %s at %.6g Hz", r.rate, f.name, f.cutoff),
				fmt.Sprintf("it must be above %.6g Hz: lower the cutoff, or say --envelopes if these are envelopes", 2*f.cutoff))
		}
	}
	below := 0
	for j, v := range r.muscles {
		var err error
		if o.HighPass > 0 {
			if v, err = zeroPhase(v, o.Order, o.HighPass, r.rate, true); err != nil {
				return r.bad(strings.TrimPrefix(err.Error(), recipe.ErrInput.Error()+": "), "give more of it")
			}
		}
		for i := range v {
			v[i] = math.Abs(v[i])
		}
		if o.LowPass > 0 {
			if v, err = zeroPhase(v, o.Order, o.LowPass, r.rate, false); err != nil {
				return r.bad(strings.TrimPrefix(err.Error(), recipe.ErrInput.Error()+": "), "give more of it")
			}
		}
		for i, x := range v {
			if x < 0 { // the low-pass swings
				v[i] = 0
				below++
			}
		}
		r.muscles[j] = v
	}
	if below > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%s: values that the low-pass made negative were set to zero: %d of %d", r.file, below, len(r.muscles)*len(r.muscles[0])))
	}
	return nil
}

// resample brings cycles, or the whole, to a number of points.
func (r *recording) resample(o *Options) error {
	n := len(r.muscles[0])
	if o.Cycles == "" {
		if o.Points > 0 {
			at := make([]float64, o.Points)
			for i := range at {
				at[i] = float64(i) * float64(n-1) / float64(o.Points-1)
			}
			for j, v := range r.muscles {
				r.muscles[j] = interpolate(v, at)
			}
			if r.rate > 0 {
				r.rate *= float64(o.Points-1) / float64(max(1, n-1))
			}
		}
		if r.rate > 0 {
			for i := range r.muscles[0] {
				r.times = append(r.times, r.start+float64(i)/r.rate)
			}
		}
		return nil
	}
	if r.rate == 0 {
		return r.bad("its sampling rate is not known", "cycles need it: give --rate in Hz, or a first column named time in seconds")
	}
	at, cycles, err := r.readCycles(o)
	if err != nil {
		return err
	}
	r.points, r.cycles = o.Points, cycles
	for j, v := range r.muscles {
		v = interpolate(v, at)
		if o.Average {
			mean := make([]float64, o.Points)
			for i, x := range v {
				mean[i%o.Points] += x / float64(cycles)
			}
			v = mean
		}
		r.muscles[j] = v
	}
	if o.Average {
		r.notes = append(r.notes, fmt.Sprintf("%s: the mean of cycles was taken: of %d", r.file, cycles))
		r.cycles = 1
	}
	return nil
}

// readCycles gives the places of all points of all cycles in the recording. A
// point stands at the beginning of its part of its phase.
func (r *recording) readCycles(o *Options) (at []float64, cycles int, err error) {
	read := data.ReadOptions{}
	t, err := data.Read[float64](o.Cycles, &read)
	if err != nil {
		return nil, 0, err
	}
	d := recipe.Dense(t.X)
	bad := func(found, hint string) error {
		return &data.Error{File: o.Cycles, Found: found, Hint: hint, Err: recipe.ErrInput}
	}
	cycles = d.Rows - 1
	if cycles < 1 {
		return nil, 0, bad("it has fewer than two starts of cycles", "the last start ends the last cycle")
	}
	phases := d.Cols
	if o.Points%phases != 0 {
		return nil, 0, bad(fmt.Sprintf("%d points do not divide into %d phases", o.Points, phases), "choose another --points")
	}
	end := r.start + float64(len(r.muscles[0])-1)/r.rate
	for c := range cycles {
		from, to := d.At(c, 0), d.At(c+1, 0)
		if !(from < to) {
			return nil, 0, bad(fmt.Sprintf("row %d: %v s does not come before %v s", c+1, from, to), "starts must rise")
		}
		if from < r.start-1e-9 || to > end+1/r.rate {
			return nil, 0, bad(fmt.Sprintf("row %d: the cycle from %v s to %v s is not in the recording, %.6g s to %.6g s", c+1, from, to, r.start, end), "check the unit: seconds are wanted")
		}
		for p := range phases {
			length := to - from // of the last phase
			if p+1 < phases {
				length = d.At(c, p+1)
			}
			if !(length > 0) || from+length > to+1e-9 {
				return nil, 0, bad(fmt.Sprintf("row %d: phase %d lasts %v s, and %v s of the cycle are left", c+1, p+1, length, to-from), "durations of phases are wanted, which are less than the cycle together")
			}
			n := o.Points / phases
			for i := range n {
				at = append(at, (from+float64(i)/float64(n)*length-r.start)*r.rate)
			}
			from += length
		}
	}
	return at, cycles, nil
}

// interpolate gives the values between those of v, along straight lines.
func interpolate(v, at []float64) []float64 {
	out := make([]float64, len(at))
	for i, p := range at {
		p = min(max(p, 0), float64(len(v)-1))
		j := min(int(p), len(v)-1)
		out[i] = v[j]
		if part := p - float64(j); part > 0 && j+1 < len(v) {
			out[i] = (1-part)*v[j] + part*v[j+1]
		}
	}
	return out
}

// normalise divides every muscle by one number of its own.
func (r *recording) normalise(how string) error {
	if how == "none" {
		return nil
	}
	for j, v := range r.muscles {
		by := slices.Max(v)
		if how == "sd" {
			mean, squares := 0.0, 0.0
			for _, x := range v {
				mean += x / float64(len(v))
			}
			for _, x := range v {
				squares += (x - mean) * (x - mean)
			}
			by = math.Sqrt(squares / float64(len(v)))
		}
		if !(by > 0) {
			return r.bad(fmt.Sprintf("muscle %s is silent", r.muscle(j)), "leave it out, or say --normalise none")
		}
		for i := range v {
			v[i] /= by
		}
	}
	return nil
}

// rowNames names points by cycle and place, or by time.
func (r *recording) rowNames() []string {
	var names []string
	for i := range r.muscles[0] {
		switch {
		case r.points > 0 && r.cycles > 1:
			names = append(names, fmt.Sprintf("cycle %d, %.1f%%", i/r.points+1, 100*float64(i%r.points)/float64(r.points)))
		case r.points > 0:
			names = append(names, fmt.Sprintf("%.1f%%", 100*float64(i)/float64(r.points)))
		case r.times != nil:
			names = append(names, fmt.Sprintf("%.6g s", r.times[i]))
		default:
			return nil
		}
	}
	return names
}
