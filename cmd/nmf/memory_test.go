package main

import (
	"errors"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int{
		"1000": 1000, "4GB": 4e9, "1.5 GiB": 3 << 29, "2k": 2000, "8b": 8, "": 0, "-1GB": 0, "GB": 0, "NaN": 0, "1e300TB": 0, "4 apples": 0,
	} {
		if got := parseBytes(s); got != want {
			t.Errorf("parseBytes(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestBoundMemory(t *testing.T) {
	x := matrix.NewDense[float32](100, 100)
	if err := boundMemory(x, 5, &nmf.Options{Memory: 1000}, totalMemory()); !errors.Is(err, nmf.ErrMemory) {
		t.Errorf("a fit in 1 kB: %v", err)
	}
	o := &nmf.Options{Memory: 10e6}
	if err := boundMemory(x, 5, o, totalMemory()); err != nil || o.Memory != 10e6 {
		t.Errorf("a fit in 10 MB: %v, %d", err, o.Memory)
	}
	o = new(nmf.Options)
	if err := boundMemory(x, 5, o, totalMemory()); err != nil || o.Memory != 0 {
		t.Errorf("a fit without a bound: %v, %d", err, o.Memory)
	}
}
