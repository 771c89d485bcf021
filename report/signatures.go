package report

import "github.com/partsof/nmf/internal/sbs"

// channelOrder gives for each channel the feature that it is, or nil where the
// names are not those of the channels.
func channelOrder(names []string) []int {
	if len(names) != sbs.N {
		return nil
	}
	order := make([]int, sbs.N)
	for c := range order {
		order[c] = -1
	}
	for i, name := range names {
		c, ok := sbs.Parse(name)
		if !ok || order[c] >= 0 {
			return nil
		}
		order[c] = i
	}
	return order
}

// Guess gives the kind of drawing that names of features show: Signatures for
// those of the 96 classes of substitutions, Bars otherwise.
func Guess(featureNames []string) Kind {
	if channelOrder(featureNames) != nil {
		return Signatures
	}
	return Bars
}
