package signatures

import "github.com/partsof/nmf/internal/sbs"

// NChannels is the number of classes of single-base substitutions.
const NChannels = sbs.N

// Substitutions are the six substitutions of a pyrimidine, in the usual order.
var Substitutions = sbs.Substitutions

// Channels are the 96 classes of single-base substitutions in the usual order:
// by substitution, by the base before it, by the base after (Alexandrov et al.
// 2013).
var Channels = sbs.Channels

// ParseChannel gives the index in Channels of a channel that is written in any
// of the usual ways: A[C>A]G, ACG>AAG, "C>A A.G", C>A:ACG, ACG:C>A, A.C.A.G,
// ACGA. Substitutions of purines are those of the pyrimidine on the other
// strand.
func ParseChannel(name string) (index int, ok bool) { return sbs.Parse(name) }
