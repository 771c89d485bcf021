package muscles

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

// TestButterworth holds the filters against the definition: the squared gain is
// 1/(1 + (tan(πf/fs)/tan(πfc/fs))^2n) of the low-pass, and that of 1 over the
// ratio of the high-pass.
func TestButterworth(t *testing.T) {
	for order := 1; order <= mostOrder; order++ {
		for _, cutoff := range []float64{3, 100, 480} {
			for _, high := range []bool{false, true} {
				for _, f := range []float64{0, 1, cutoff, 300, 499} {
					const rate = 1000.0
					z := cmplx.Exp(complex(0, -2*math.Pi*f/rate))
					gain := complex(1, 0)
					for _, s := range butterworth(order, cutoff, rate, high) {
						gain *= (complex(s.b0, 0) + complex(s.b1, 0)*z + complex(s.b2, 0)*z*z) / (1 + complex(s.a1, 0)*z + complex(s.a2, 0)*z*z)
					}
					ratio := math.Tan(math.Pi*f/rate) / math.Tan(math.Pi*cutoff/rate)
					want := 1 / (1 + math.Pow(ratio, 2*float64(order)))
					if high {
						want = 1 - want
					}
					if got := real(gain)*real(gain) + imag(gain)*imag(gain); math.Abs(got-want) > 1e-6 {
						t.Errorf("order %d, cutoff %v, high %v: squared gain at %v Hz is %v, want %v", order, cutoff, high, f, got, want)
					}
				}
			}
		}
	}
}

const scipyScript = `
import json, sys
from scipy.signal import butter, filtfilt
out = []
q = json.load(sys.stdin)
for c in q["cases"]:
    b, a = butter(c["order"], c["cutoff"], "high" if c["high"] else "low", fs=c["rate"])
    out.append(filtfilt(b, a, q["x"]).tolist())
json.dump(out, sys.stdout)
`

// TestZeroPhaseAsScipy compares with scipy's filtfilt where it is installed.
func TestZeroPhaseAsScipy(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import scipy.signal").Run(); err != nil {
		t.Skipf("%s has no scipy: %v", python, err)
	}
	type filter struct {
		Order  int     `json:"order"`
		Cutoff float64 `json:"cutoff"`
		Rate   float64 `json:"rate"`
		High   bool    `json:"high"`
	}
	cases := []filter{{4, 50, 1000, true}, {4, 20, 1000, false}, {1, 5, 1000, false}, {2, 10, 1000, true}, {3, 100, 2000, false}, {5, 200, 1000, true}}
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, 400)
	for i := range x {
		x[i] = 3 + math.Sin(float64(i)/9) + rng.NormFloat64()
	}
	question, err := json.Marshal(map[string]any{"x": x, "cases": cases})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", scipyScript)
	cmd.Stdin = bytes.NewReader(question)
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want [][]float64
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		got, err := zeroPhase(x, c.Order, c.Cutoff, c.Rate, c.High)
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range got {
			if math.Abs(v-want[i][j]) > 1e-8 {
				t.Errorf("%+v: value %d is %v, want %v", c, j, v, want[i][j])
				break
			}
		}
	}
}

// TestZeroPhase leaves a constant and turns with time.
func TestZeroPhase(t *testing.T) {
	x := slices.Repeat([]float64{5}, 40)
	low, err := zeroPhase(x, 4, 20, 1000, false)
	if err != nil {
		t.Fatal(err)
	}
	high, err := zeroPhase(x, 3, 20, 1000, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		if math.Abs(low[i]-5) > 1e-8 || math.Abs(high[i]) > 1e-8 {
			t.Fatalf("a constant 5 becomes %v and %v", low[i], high[i])
		}
	}
	if _, err := zeroPhase(x[:15], 4, 20, 1000, false); !errors.Is(err, recipe.ErrInput) {
		t.Errorf("15 values: %v", err)
	}
}

func TestInterpolate(t *testing.T) {
	got := interpolate([]float64{1, 3, 2}, []float64{-1, 0, 0.25, 1, 1.5, 2, 7})
	if want := []float64{1, 1, 1.5, 3, 2.5, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// writeFile makes a file in a folder of its own.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// emg is a recording of bursts: muscle j is active about phase j/n of every
// second.
func emg(muscles int, seconds, rate float64) string {
	rng := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	b.WriteString("time")
	for j := range muscles {
		fmt.Fprintf(&b, ",m%d", j+1)
	}
	b.WriteString("\n")
	for i := range int(seconds * rate) {
		at := float64(i) / rate
		fmt.Fprintf(&b, "%g", at)
		for j := range muscles {
			_, phase := math.Modf(at)
			burst := math.Exp(-math.Pow((phase-(float64(j)+0.5)/float64(muscles))/0.08, 2))
			fmt.Fprintf(&b, ",%.6g", 0.4+(0.02+burst)*rng.NormFloat64())
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestRead makes envelopes of a raw recording, which peak where the bursts are.
func TestRead(t *testing.T) {
	path := writeFile(t, "emg.csv", emg(4, 6.5, 500))
	cycles := writeFile(t, "cycles.csv", "0\n1\n2\n3\n4\n5\n6\n")
	for _, average := range []bool{false, true} {
		s, err := Read[float64](path, &Options{Cycles: cycles, Points: 100, Average: average})
		if err != nil {
			t.Fatal(err)
		}
		d := s.X.(*matrix.Dense[float64])
		want := 600
		if average {
			want = 100
		}
		if d.Rows != want || d.Cols != 4 || s.Points != 100 || s.Cycles != want/100 || !slices.Equal(s.ColumnNames, []string{"m1", "m2", "m3", "m4"}) {
			t.Fatalf("%d x %d, %d points, %d cycles, %q", d.Rows, d.Cols, s.Points, s.Cycles, s.ColumnNames)
		}
		for j := range 4 {
			best, most := 0, 0.0
			for i := range d.Rows {
				if v := d.At(i, j); v < 0 || v > 1 {
					t.Fatalf("an envelope of %v", v)
				} else if v > most {
					best, most = i%100, v
				}
			}
			if most != 1 || math.Abs(float64(best)-(float64(j)+0.5)*25) > 8 {
				t.Errorf("muscle %d peaks at %d %% with %v", j+1, best, most)
			}
		}
	}
	s, err := Read[float64](path, &Options{Points: 50, Normalise: "sd"})
	if err != nil {
		t.Fatal(err)
	}
	if d := s.X.(*matrix.Dense[float64]); d.Rows != 50 || math.Abs(s.Times[49]-6.498) > 1e-9 || s.RowNames[0] != "0 s" {
		t.Errorf("%d rows, last at %v, first %q", d.Rows, s.Times[49], s.RowNames[0])
	}
	// Without filters it is the rectified signal.
	raw, err := data.Read[float64](path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Read[float64](path, &Options{HighPass: -1, LowPass: -1, Normalise: "none"}); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if got, want := s.X.(*matrix.Dense[float64]).At(i, 2), math.Abs(raw.X.(*matrix.Dense[float64]).At(i, 3)); got != want {
			t.Fatalf("row %d: %v, want %v", i, got, want)
		}
	}
}

// TestPhases divides points evenly between stance and swing.
func TestPhases(t *testing.T) {
	var b strings.Builder
	b.WriteString("time,ramp\n")
	for i := range 101 {
		fmt.Fprintf(&b, "%g,%d\n", float64(i)/100, i)
	}
	cycles := writeFile(t, "cycles.csv", "0,0.6\n1,0.6\n")
	s, err := Read[float64](writeFile(t, "ramp.csv", b.String()), &Options{Envelopes: true, Cycles: cycles, Points: 8})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0, 15, 30, 45, 60, 70, 80, 90} {
		if got := s.X.(*matrix.Dense[float64]).At(i, 0); math.Abs(got-want) > 1e-9 {
			t.Errorf("point %d is %v, want %v", i, got, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	raw := writeFile(t, "raw.csv", emg(2, 1, 90))
	plain := writeFile(t, "plain.csv", "a,b\n1,2\n-3,4\n5,6\n")
	for _, c := range []struct {
		path string
		o    Options
		want string
	}{
		{raw, Options{}, "a sampling rate of 90 Hz is too low for a high-pass at 50 Hz"},
		{raw, Options{HighPass: 10, LowPass: 45}, "too low for a low-pass at 45 Hz"},
		{raw, Options{Rate: 100}, "its times are those of 90 Hz, and --rate is 100"},
		{raw, Options{HighPass: -1, Cycles: writeFile(t, "c.csv", "0\n2\n")}, "is not in the recording"},
		{raw, Options{HighPass: -1, Cycles: writeFile(t, "c.csv", "0.5\n0.1\n")}, "does not come before"},
		{raw, Options{HighPass: -1, Cycles: writeFile(t, "c.csv", "0.5\n")}, "fewer than two starts"},
		{raw, Options{HighPass: -1, Cycles: writeFile(t, "c.csv", "0,0.7\n0.5,0.2\n")}, "phase 1 lasts 0.7 s, and 0.5 s of the cycle are left"},
		{raw, Options{HighPass: -1, Points: 7, Cycles: writeFile(t, "c.csv", "0,0.2\n0.5,0.2\n")}, "do not divide into 2 phases"},
		{plain, Options{}, "its sampling rate is not known"},
		{plain, Options{Rate: 1000}, "too short for a filter of order 4"},
		{plain, Options{Envelopes: true}, `row 2, muscle "a": -3 is below zero, which no envelope is`},
		{plain, Options{Average: true}, "the mean of cycles needs their starts"},
		{plain, Options{Order: 11}, "a filter of order 11"},
		{plain, Options{Normalise: "most"}, `normalise "most"`},
		{plain, Options{Points: 1}, "1 points"},
		{writeFile(t, "zero.csv", "a,b\n0,1\n0,2\n"), Options{Envelopes: true, Normalise: "max"}, `muscle "a" is silent`},
		{writeFile(t, "uneven.csv", "time,b\n0,1\n1,2\n5,2\n6,2\n"), Options{Envelopes: true}, "its times are not even: 1 in row 2"},
		{writeFile(t, "back.csv", "time,b\n3,1\n2,2\n1,2\n"), Options{Envelopes: true}, "its times do not rise"},
		{writeFile(t, "none.csv", "time\n3\n2\n"), Options{Envelopes: true}, "do not rise"},
	} {
		_, err := Read[float64](c.path, &c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// TestExplained holds the variances against their definitions.
func TestExplained(t *testing.T) {
	x, err := matrix.FromRows([][]float64{{1, 0, 2}, {3, 0, 1}, {0, 0, 4}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(context.Background(), x, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := Explained(m, x)
	if want := 1 - m.Info.RelativeError*m.Info.RelativeError; math.Abs(v.VAF-want) > 1e-9 {
		t.Errorf("VAF %v, want %v", v.VAF, want)
	}
	errors, total := m.Info.RelativeError*m.Info.RelativeError*31, 31-121.0/9
	if want := 1 - errors/total; math.Abs(v.R2-want) > 1e-9 {
		t.Errorf("R² %v, want %v", v.R2, want)
	}
	if v.Muscles[1] != 1 || v.Muscles[0] >= 1 || v.Enough(0.99, 0) || !v.Enough(0.1, 0) || v.Enough(0, 0.999) {
		t.Errorf("%+v", v)
	}
	synergies, activations := Synergies(m)
	product := matrix.NewDense[float64](3, 3)
	for i := range 3 {
		for j := range 3 {
			product.Set(i, j, activations.At(i, 0)*synergies.At(0, j))
			if want := m.Scales[0] * m.W.At(i, 0) * m.H.At(0, j); math.Abs(product.At(i, j)-want) > 1e-9 {
				t.Errorf("cell (%d, %d) is %v, want %v", i, j, product.At(i, j), want)
			}
		}
	}
	if slices.Max(synergies.Row(0)) != 1 {
		t.Errorf("a synergy of %v", synergies.Row(0))
	}
}

// TestPublished reaches the R² of Santuz et al. (2020) with their number of
// synergies in every trial.
func TestPublished(t *testing.T) {
	summary, err := os.ReadFile(testdata.Shared(t, "data/emg-synergies/reference_summary.csv"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(summary)).ReadAll()
	if err != nil || len(records) != 11 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records[1:] {
		k, err := strconv.Atoi(r[3])
		if err != nil {
			t.Fatal(err)
		}
		published, err := strconv.ParseFloat(r[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		path := testdata.Shared(t, "data/emg-synergies/"+r[0]+"_V.csv.gz")
		s, err := Read[float64](path, &Options{Envelopes: true, Read: &data.ReadOptions{Transpose: true}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := nmf.Fit(context.Background(), s.X, k, Preset())
		if err != nil {
			t.Fatal(err)
		}
		v := Explained(m, s.X)
		t.Logf("%s: k = %d, R² %.6f, published %.6f; VAF %.4f, least of a muscle %.4f", r[0], k, v.R2, published, v.VAF, slices.Min(v.Muscles))
		if v.R2 < published {
			t.Errorf("%s: R² %.6f is below the published %.6f", r[0], v.R2, published)
		}
	}
}
