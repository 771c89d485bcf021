package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// tier is the kernels for one instruction set, for both element types.
type tier struct {
	name string
	f32  *Ops[float32]
	f64  *Ops[float64]
	// peak32 and peak64 do a number of rounds of multiply-adds in registers
	// and give their number of operations.
	peak32, peak64 func(rounds int) (flops int)
}

func goTier() tier {
	return tier{name: "go", f32: twin[float32](), f64: twin[float64](), peak32: peakGo[float32], peak64: peakGo[float64]}
}

// tiers lists what this build has on this processor, best first.
var tiers = append(simdTiers(), goTier())

var active, tierErr = choose(os.Getenv("NMF_SIMD"), tiers)

// choose gives the tier of a name, or the best tier for the empty name; for a
// name that is not there, the best tier and an error.
func choose(name string, from []tier) (tier, error) {
	if name == "" {
		return from[0], nil
	}
	for _, t := range from {
		if t.name == name {
			return t, nil
		}
	}
	names := make([]string, len(from))
	for i, t := range from {
		names[i] = t.name
	}
	return from[0], fmt.Errorf("NMF_SIMD=%s is not among what this program has for this processor (%s): using %s", name, strings.Join(names, ", "), names[0])
}

// TierName is the name of the tier that For gives: "avx512", "avx2" or "go".
func TierName() string { return active.name }

// TierError is not nil if NMF_SIMD asks for a tier that is unknown or that
// this build or processor lacks; the best one is then used.
func TierError() error { return tierErr }

// Tiers lists the tiers of this build on this processor, best first.
func Tiers() []string {
	names := make([]string, len(tiers))
	for i, t := range tiers {
		names[i] = t.name
	}
	return names
}

// For gives the kernels of the best tier for this processor, or of the one
// that NMF_SIMD names.
func For[F Float]() *Ops[F] { return opsOf[F](active) }

// ForTier gives the kernels of a tier, nil if Tiers does not list it.
func ForTier[F Float](name string) *Ops[F] {
	i := slices.IndexFunc(tiers, func(t tier) bool { return t.name == name })
	if i < 0 {
		return nil
	}
	return opsOf[F](tiers[i])
}

func opsOf[F Float](t tier) *Ops[F] {
	if o, ok := any(t.f32).(*Ops[F]); ok {
		return o
	}
	return any(t.f64).(*Ops[F])
}

// PeakFMA does rounds of independent multiply-adds in registers with the
// instructions of a tier and returns the number of floating-point operations,
// or 0 if Tiers does not list it. The time that it takes gives the roof for
// the other kernels.
func PeakFMA[F Float](name string, rounds int) (flops int) {
	for _, t := range tiers {
		if t.name != name {
			continue
		}
		if sizeof[F]() == 4 {
			return t.peak32(rounds)
		}
		return t.peak64(rounds)
	}
	return 0
}
