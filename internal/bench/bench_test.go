package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/partsof/nmf/internal/kernel"
)

// tiny measures everything on matrices that are too small to say anything.
func tiny() Config {
	return Config{Threads: 2, MinTime: time.Microsecond, Repeats: 2, Scale: 0.01}
}

func TestRun(t *testing.T) {
	var steps int
	cfg := tiny()
	cfg.Progress = func(string) { steps++ }
	r, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if want := 4 * len(kernel.Tiers()); len(r.Peaks) != want {
		t.Errorf("%d peaks, want %d", len(r.Peaks), want)
	}
	if len(r.Bandwidth) != 6 || len(r.Sparse) != 8 || len(r.Dense) != 4*len(denseCols)*len(denseRanks) {
		t.Errorf("%d bandwidths, %d dense and %d sparse passes", len(r.Bandwidth), len(r.Dense), len(r.Sparse))
	}
	if steps == 0 {
		t.Error("progress was never told")
	}
	positive(t, reflect.ValueOf(*r))
	for _, d := range r.Dense {
		if d.K > d.Padded || d.Products > d.ProductsPadded*(1+1e-9) {
			t.Errorf("useful operations exceed the padded ones: %+v", d)
		}
	}

	for i := range r.Dense {
		r.Dense[i].intensity = 0
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*r, back) {
		t.Error("the report is not what its JSON says")
	}
	r.Peaks[0].Steady = 0.5
	var table bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{kernel.TierName(), "DRAM", "128", "S2", "machine was busy"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is not in the table:\n%s", want, &table)
		}
	}
}

// positive checks every number of a report.
func positive(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			positive(t, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Float64 && !(f.Float() > 0) || f.Kind() == reflect.Int && f.Int() <= 0 {
				t.Errorf("%s.%s is %v", v.Type(), v.Type().Field(i).Name, f)
			}
			positive(t, v.Field(i))
		}
	}
}

func TestParts(t *testing.T) {
	cfg := tiny()
	cfg.Threads, cfg.Parts = 1, []string{PartRoofs}
	r, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Peaks) != 2*len(kernel.Tiers()) || len(r.Bandwidth) != 3 || r.Dense != nil || r.Sparse != nil {
		t.Errorf("roofs alone gave %+v", r)
	}
}

// TestCancelled: a run that is cancelled, whatever it measures, measures nothing
// more, and does not say that it does.
func TestCancelled(t *testing.T) {
	for _, at := range []string{"peak", "bandwidth", "dense"} {
		ctx, cancel := context.WithCancel(context.Background())
		cfg := tiny()
		cfg.Progress = func(what string) {
			if ctx.Err() != nil {
				t.Errorf("cancelled at %s, and %s is measured", at, what)
			}
			if strings.HasPrefix(what, at) {
				cancel()
			}
		}
		if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled run gives %v", err)
		}
	}
}

func TestSharesAreOfTheBestRoofs(t *testing.T) {
	before := &Report{Peaks: []Peak{{"go", "f32", 1, 20, 0.5}}, Bandwidth: []Bandwidth{{Level: levelDRAM, Threads: 1, Read: 2, Copy: 9, Triad: 1}}}
	r := &Report{Machine: Machine{Tier: "go"}, Peaks: []Peak{{"go", "f32", 1, 10, 1}},
		Bandwidth: []Bandwidth{{Level: levelDRAM, Threads: 1, Read: 3, Copy: 8, Triad: 2}},
		Dense: []Dense{{Precision: "f32", Threads: 1, Products: 5, Iteration: 2, intensity: 100},
			{Precision: "f32", Threads: 1, Products: 5, Iteration: 2, intensity: 2}},
		Sparse: []Sparse{{Level: levelDRAM, Threads: 1, Products: 1.5, Moved: 0.75}}}
	r.merge(before)
	r.setShares()
	if p := r.Peaks[0]; p.GFlops != 20 || p.Steady != 0.5 {
		t.Errorf("peak %+v", p)
	}
	if b := r.Bandwidth[0]; b.Read != 3 || b.Copy != 9 || b.Triad != 2 {
		t.Errorf("bandwidth %+v", b)
	}
	// The first is bound by arithmetic at 20, the second by memory at 3·2.
	if d := r.Dense[0]; d.Roof != 20 || d.ProductsShare != 0.25 || d.IterationShare != 0.1 {
		t.Errorf("dense pass %+v", d)
	}
	if d := r.Dense[1]; d.Roof != 6 {
		t.Errorf("dense pass %+v", d)
	}
	if s := r.Sparse[0]; s.Roof != 3 || s.ProductsShare != 0.5 || s.MovedShare != 0.25 {
		t.Errorf("sparse pass %+v", s)
	}
}

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		seconds []float64
		want    timing
	}{
		{nil, timing{}},
		{[]float64{3, 1, 2}, timing{1, 2}},
		{[]float64{4, 1, 2, 8}, timing{1, 3}},
	} {
		if got := summarize(c.seconds); got != c.want {
			t.Errorf("summarize gives %v, want %v", got, c.want)
		}
	}
}

func TestMachine(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"index0/level": "1\n", "index0/size": "48K\n", "index2/level": "2\n", "index2/size": "1024K\n",
		"index3/level": "3\n", "index3/size": "32M\n", "index4/level": "4\n",
		"cpuinfo": "processor : 0\nmodel name\t: Some CPU\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if l2, l3 := cacheSizes(dir); l2 != 1<<20 || l3 != 32<<20 {
		t.Errorf("caches of %d and %d bytes", l2, l3)
	}
	if l2, l3 := cacheSizes(filepath.Join(dir, "none")); l2 != 0 || l3 != 0 {
		t.Errorf("caches of %d and %d bytes where nothing is told", l2, l3)
	}
	if got := cpuName(filepath.Join(dir, "cpuinfo")); got != "Some CPU" {
		t.Errorf("the processor is %q", got)
	}
	if got := parseSize("none"); got != 0 {
		t.Errorf("a size that is none is %d", got)
	}
	m := Machine{L2: 1 << 20, L3: 32 << 20}
	for bytes, want := range map[int]string{1000: levelL2, 2 << 20: levelL3, 64 << 20: levelDRAM} {
		if got := m.levelOf(bytes); got != want {
			t.Errorf("%d bytes lie in %s, want %s", bytes, got, want)
		}
	}
}
