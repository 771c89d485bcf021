package rank

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/planted"
	"github.com/partsof/nmf/matrix"
)

// small is a sweep of everything that is soon done.
func small(threads int) *Options {
	return &Options{K: []int{3, 1, 2, 3}, Runs: 5, Repeats: 2, Bootstraps: 2, Resamples: 2, Randomised: 2,
		Fit: nmf.Options{Threads: threads, MaxIter: 30, Seed: 9}, Labels: someLabels()}
}

func someLabels() []int {
	l := make([]int, planted.Rows)
	for i := range l {
		l[i] = i % 3
	}
	return l
}

func counts(t *testing.T) matrix.Matrix[float64] {
	t.Helper()
	for _, kind := range planted.Kinds() {
		if kind.Name == "sparse" {
			return kind.Make(3, 1)
		}
	}
	t.Fatal("there is no kind sparse")
	return nil
}

func text(t *testing.T, r *Result) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + fmt.Sprint(r.ConsensusSamples, r.K[0].Clusters, r.K[1].ConsensusClusters, r.K[2].Components, r.K[2].CVRepeats)
}

// TestSweepIsItsSeed: the same bits for any number of threads, for dense and
// sparse alike in what they measure, and another result for another seed.
func TestSweepIsItsSeed(t *testing.T) {
	x := counts(t)
	one, err := Sweep(context.Background(), x, small(1))
	if err != nil {
		t.Fatal(err)
	}
	three, err := Sweep(context.Background(), x, small(3))
	if err != nil {
		t.Fatal(err)
	}
	if text(t, one) != text(t, three) {
		t.Errorf("one thread:\n%s\nthree threads:\n%s", text(t, one), text(t, three))
	}
	if len(one.K) != 3 || one.K[0].K != 1 || one.K[2].K != 3 || len(one.Recommended.ByCriterion) != len(criteria) || len(one.Failures) != 0 {
		t.Errorf("%+v", one)
	}
	o := small(2)
	o.Fit.Seed = 10
	other, err := Sweep(context.Background(), x, o)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, one) == text(t, other) {
		t.Error("another seed has the same result")
	}
	for i := range one.K {
		k := &one.K[i]
		if k.Agreement == nil || k.BestAgreement == nil || k.Agreement.Samples != planted.Rows || k.Runs != 5 {
			t.Errorf("k = %d: %+v", k.K, k)
		}
	}
}

// TestSweepGoesOn stops a sweep again and again: it goes on where it was, does
// nothing twice but what it was stopped in, and ends as if it had not been
// stopped.
func TestSweepGoesOn(t *testing.T) {
	x := counts(t)
	fits := 0
	fit := func(ctx context.Context, x matrix.Matrix[float64], starts []nmf.Start, o *nmf.Options) ([]*nmf.Model[float64], error) {
		fits++
		return nmf.FitEach(ctx, x, starts, o)
	}
	whole, err := sweepWith(context.Background(), x, small(2), fit)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "state")
	wanted, stops := fits, 0
	var result *Result
	for fits = 0; result == nil; {
		ctx, cancel := context.WithCancel(context.Background())
		o := small(1 + stops%3)
		o.State = folder
		before := fits
		o.Progress = func(p Progress) {
			if fits > before && stops < 10 {
				cancel() // after the first part that is made
			}
		}
		result, err = sweepWith(ctx, x, o, fit)
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled):
			stops++
		default:
			t.Fatal(err)
		}
		cancel()
	}
	if stops != 10 || fits != wanted {
		t.Errorf("%d stops; %d fits, and %d without a stop", stops, fits, wanted)
	}
	if text(t, whole) != text(t, result) {
		t.Errorf("without a stop:\n%s\nwith %d stops:\n%s", text(t, whole), stops, text(t, result))
	}
}

func TestStateOfAnother(t *testing.T) {
	x := counts(t)
	folder := filepath.Join(t.TempDir(), "state")
	o := small(2)
	o.Criteria = []string{"bic"}
	o.State = folder
	if _, err := Sweep(context.Background(), x, o); err != nil {
		t.Fatal(err)
	}
	refused := func(why string, x matrix.Matrix[float64], o *Options) {
		t.Helper()
		_, err := Sweep(context.Background(), x, o)
		if !errors.Is(err, ErrState) || !strings.Contains(err.Error(), why) {
			t.Errorf("%v; it should say %q", err, why)
		}
	}
	y := x.(*matrix.CSR[float64]).Dense()
	y.Data[3]++
	refused("another data", y, o)
	options := *o
	options.Fit.Seed++
	refused("another options", x, &options)
	// Threads, memory and labels are no part of it.
	options = *o
	options.Fit.Threads, options.Labels = 1, nil
	if _, err := Sweep(context.Background(), x, &options); err != nil {
		t.Error(err)
	}
	damaged := filepath.Join(folder, "k-2.json")
	content, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(damaged, content, 0o666); err != nil {
		t.Fatal(err)
	}
	refused("k-2.json: damaged", x, o)
	if err := os.Remove(damaged); err != nil {
		t.Fatal(err)
	}
	if _, err := Sweep(context.Background(), x, o); err != nil {
		t.Errorf("a part that was removed is not made again: %v", err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	options.State = full
	refused("holds other things", x, &options)
}

// TestOneFailedFit: it is told of, and the others go on.
func TestOneFailedFit(t *testing.T) {
	x := counts(t)
	bad := errors.New("this one never works")
	fails := func(s nmf.Start) bool { return s.K == 2 && s.Seed == 11 || s.K == 3 }
	fit := func(ctx context.Context, x matrix.Matrix[float64], starts []nmf.Start, o *nmf.Options) ([]*nmf.Model[float64], error) {
		for _, s := range starts {
			if fails(s) {
				return nil, bad
			}
		}
		return nmf.FitEach(ctx, x, starts, o)
	}
	r, err := sweepWith(context.Background(), x, small(2), fit)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.K) != 2 || r.K[0].Runs != 5 || r.K[1].Runs != 4 {
		t.Errorf("%+v", r.K)
	}
	if all := strings.Join(r.Failures, "\n"); !strings.Contains(all, "the restart of k = 2 with seed 11: this one never works") {
		t.Errorf("failures: %s", all)
	}
	if all := strings.Join(r.Notes, "\n"); !strings.Contains(all, "k = 3 is left out") {
		t.Errorf("notes: %s", all)
	}
	if r.Recommended.K != 1 && r.Recommended.K != 2 {
		t.Errorf("%d is recommended", r.Recommended.K)
	}
}

func TestSweepRefuses(t *testing.T) {
	x := counts(t)
	d := matrix.NewDense[float64](6, 6)
	for i := range d.Data {
		d.Data[i] = 0.5 + float64(i%5)
	}
	w := matrix.NewDense[float64](planted.Rows, 2)
	mask, err := matrix.NewMask(6, 6, []int32{1}, []int32{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		x    matrix.Matrix[float64]
		o    *Options
		want error
	}{
		{x, nil, nmf.ErrOption},
		{x, &Options{K: []int{0}}, nmf.ErrOption},
		{x, &Options{K: []int{2}, Runs: 1}, nmf.ErrOption},
		{x, &Options{K: []int{2}, HoldOut: 0.6}, nmf.ErrOption},
		{x, &Options{K: []int{2}, Criteria: []string{"elbow"}}, nmf.ErrOption},
		{x, &Options{K: []int{2}, Fit: nmf.Options{Init: "nndsvd"}}, nmf.ErrOption},
		{x, &Options{K: []int{2}, Fit: nmf.Options{W: w}}, nmf.ErrOption},
		{x, &Options{K: []int{2}, Fit: nmf.Options{Solver: "none"}}, nmf.ErrOption},
		{x, &Options{K: []int{2}, Labels: []int{1}}, nmf.ErrShape},
		{d, &Options{K: []int{2}, Criteria: []string{"poisson"}}, ErrInput},
		{d, &Options{K: []int{2}, Criteria: []string{"bcv"}, Fit: nmf.Options{Mask: mask}}, ErrInput},
		{&matrix.Streamed[float64]{Rows: 9, Cols: 9}, &Options{K: []int{2}}, nmf.ErrShape},
		{fromDisk(x, nil), &Options{K: []int{2}, Criteria: []string{"cv"}}, ErrInput},
		{fromDisk(x, nil), &Options{K: []int{2}, Fit: nmf.Options{Loss: "kl"}}, nmf.ErrOption},
		{x, &Options{K: []int{2}, Fit: nmf.Options{Init: "spa"}}, nmf.ErrOption},
		{matrix.NewDense[float64](0, 3), &Options{K: []int{2}}, nmf.ErrEmpty},
		{matrix.NewDense[float64](5, 3), &Options{K: []int{2}}, nmf.ErrEmpty},
	} {
		if _, err := Sweep(context.Background(), c.x, c.o); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.o, err, c.want)
		}
	}
}

// TestSweepOfMissing measures what can be where cells are missing, and says what
// it leaves out.
func TestSweepOfMissing(t *testing.T) {
	x := counts(t).(*matrix.CSR[float64])
	r, err := Sweep(context.Background(), x, &Options{K: []int{1, 2}, Runs: 2, Repeats: 2, Bootstraps: 1, Resamples: 1,
		Fit: nmf.Options{Missing: "unstored", MaxIter: 10}})
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(r.Notes, "\n")
	if !strings.Contains(notes, "randomised data was left out") || !strings.Contains(notes, "bi-cross-validation was left out") {
		t.Errorf("notes: %s", notes)
	}
	if !(r.K[0].CVError > 0) || !(r.K[1].BootstrapMin > 0) {
		t.Errorf("%+v", r.K)
	}
}

// FuzzState opens any text as a part of a state.
func FuzzState(f *testing.F) {
	part := []byte(`{"k":2}`)
	whole, err := json.Marshal(envelope{sum(part), part})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(whole), "", "{}", `{"sha256":"","part":null}`, `[]`, string(whole[:20])} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var batch []*restart
		var r summary
		for _, v := range []any{&batch, &r, new(repeatPart), new(identity)} {
			_ = open([]byte(s), v)
		}
	})
}

// TestManyBatches: restarts that are too many for one batch are summed up all
// the same, also after a stop between two batches, and leave no batch behind.
func TestManyBatches(t *testing.T) {
	x := counts(t)
	o := &Options{K: []int{2, 4}, Runs: 220, Criteria: []string{"silhouette", "cophenetic"}, Fit: nmf.Options{MaxIter: 2}}
	whole, err := Sweep(context.Background(), x, o)
	if err != nil {
		t.Fatal(err)
	}
	o.State = filepath.Join(t.TempDir(), "state")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.Progress = func(p Progress) {
		if p.Done > 0 {
			cancel()
		}
	}
	if _, err := Sweep(ctx, x, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("it was not stopped: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(o.State, "restarts-*"))
	if err != nil || len(left) != 1 {
		t.Errorf("after the first batch there are %v, %v", left, err)
	}
	o.Progress = nil
	rest, err := Sweep(context.Background(), x, o)
	if err != nil {
		t.Fatal(err)
	}
	if whole.K[1].Runs != 220 || fmt.Sprint(whole.K[1].SilhouetteMean, whole.K[1].Components, whole.Recommended) != fmt.Sprint(rest.K[1].SilhouetteMean, rest.K[1].Components, rest.Recommended) {
		t.Error("a stop between two batches changes the result")
	}
	if left, err := filepath.Glob(filepath.Join(o.State, "restarts-*")); err != nil || len(left) != 0 {
		t.Errorf("batches are left: %v, %v", left, err)
	}
}
