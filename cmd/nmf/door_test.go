package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf"
)

// TestPresetFlags makes sure that a preset comes through the flags of a door as
// it is.
func TestPresetFlags(t *testing.T) {
	for _, preset := range []*nmf.Options{
		nil,
		{Solver: "mu", Init: "random", Runs: 7, MaxIter: 12, Tol: -1, LossTol: 1e-9, TargetError: 0.25, InnerSweeps: 3},
		{NoExtrapolation: true, Compression: "off", PenaltyW: nmf.Penalty{Simplex: true}, PenaltyH: nmf.Penalty{Sparseness: 0.7}},
		{PenaltyW: nmf.Penalty{L1: 1e-7, L2: 2, L21: 3, Orthogonal: 4, Upper: 5}, PenaltyH: nmf.Penalty{L1: 0.1, Smooth: 6, SmoothOrder: 2, L2: 7}},
		{PenaltyW: nmf.Penalty{Smooth: 1, SmoothOrder: 1, Sparseness: 0.5}, PenaltyH: nmf.Penalty{Simplex: true, Orthogonal: 1, L21: 1}},
	} {
		a := &app{}
		ctx, err := newParser(a).Parse([]string{"images", "x", "-k", "2"})
		if err != nil {
			t.Fatal(err)
		}
		f := &ctx.Selected().Target.Addr().Interface().(*imagesCmd).doorFlags
		d := &door{doorFlags: f, command: "images"}
		if err := d.usePreset(ctx, preset); err != nil {
			t.Fatal(err)
		}
		got, err := f.options(a, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		want := nmf.Options{Solver: "auto", Init: "auto", Runs: 1, MaxIter: 500, Tol: 1e-4, LossTol: 1e-6, Compression: "auto"}
		if preset != nil {
			for _, s := range []struct {
				to   *string
				from string
			}{{&want.Solver, preset.Solver}, {&want.Init, preset.Init}, {&want.Compression, preset.Compression}} {
				if s.from != "" {
					*s.to = s.from
				}
			}
			for _, n := range []struct{ to, from *int }{{&want.Runs, &preset.Runs}, {&want.MaxIter, &preset.MaxIter}} {
				if *n.from != 0 {
					*n.to = *n.from
				}
			}
			for _, v := range []struct{ to, from *float64 }{{&want.Tol, &preset.Tol}, {&want.LossTol, &preset.LossTol}} {
				if *v.from != 0 {
					*v.to = *v.from
				}
			}
			want.TargetError, want.InnerSweeps, want.NoExtrapolation = preset.TargetError, preset.InnerSweeps, preset.NoExtrapolation
			want.PenaltyW, want.PenaltyH = preset.PenaltyW, preset.PenaltyH
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%+v: %s", preset, diff)
		}
	}
}
