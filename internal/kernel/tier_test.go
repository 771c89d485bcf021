package kernel

import (
	"slices"
	"strings"
	"testing"
)

func TestTiers(t *testing.T) {
	names := Tiers()
	if names[len(names)-1] != "go" {
		t.Fatalf("tiers are %v, want pure Go last", names)
	}
	if !slices.Contains(names, TierName()) {
		t.Fatalf("tier %s is not in %v", TierName(), names)
	}
	for _, name := range names {
		if o := ForTier[float32](name); o == nil || o.Tier != name {
			t.Errorf("ForTier[float32](%s) = %v", name, o)
		}
		if o := ForTier[float64](name); o == nil || o.Tier != name {
			t.Errorf("ForTier[float64](%s) = %v", name, o)
		}
		if PeakFMA[float32](name, 1000) <= 0 || PeakFMA[float64](name, 1000) <= 0 {
			t.Errorf("PeakFMA of %s does nothing", name)
		}
	}
	if ForTier[float32]("sse") != nil || PeakFMA[float64]("sse", 1) != 0 {
		t.Error("a tier that is not there has kernels")
	}
	if o := For[float64](); o.Tier != TierName() {
		t.Errorf("For gives tier %s, want %s", o.Tier, TierName())
	}
}

func TestChoose(t *testing.T) {
	from := []tier{{name: "avx2"}, {name: "go"}}
	for _, c := range []struct {
		name, want, wantErr string
	}{
		{"", "avx2", ""},
		{"avx2", "avx2", ""},
		{"go", "go", ""},
		{"avx512", "avx2", "NMF_SIMD=avx512 "},
		{"neon", "avx2", "avx2, go"},
	} {
		got, err := choose(c.name, from)
		if got.name != c.want {
			t.Errorf("choose(%q) = %s, want %s", c.name, got.name, c.want)
		}
		if (err != nil) != (c.wantErr != "") || err != nil && !strings.Contains(err.Error(), c.wantErr) {
			t.Errorf("choose(%q): error %v, want %q", c.name, err, c.wantErr)
		}
	}
}
