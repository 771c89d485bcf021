//go:build !amd64 || noasm

package kernel

// simdTiers gives none: this build has pure Go alone.
func simdTiers() []tier { return nil }
