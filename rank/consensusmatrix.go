package rank

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// ConsensusMatrix counts how often each pair of samples is put into one cluster
// over a number of runs (Monti et al. 2003; Brunet et al. 2004).
type ConsensusMatrix struct {
	// Samples are the indices of the samples that are compared, rising.
	Samples []int
	// Runs is the number of runs that were added.
	Runs int
	// together holds a count for every pair (see pairAt).
	together []uint32
}

// NewConsensusMatrix makes an empty one for m samples. Of more than `most` it
// takes that many, drawn by the seed: the matrix grows with the square of their
// number.
func NewConsensusMatrix(m, most int, seed uint64) *ConsensusMatrix {
	s := sampleOf(m, most, seed)
	return &ConsensusMatrix{Samples: s, together: make([]uint32, len(s)*(len(s)-1)/2)}
}

// sampleOf draws `most` of m indices without repetition, or gives all of them.
func sampleOf(m, most int, seed uint64) []int {
	if m <= most {
		return all(m)
	}
	return distinct(stream(seed, forConsensus, 0), m, most)
}

// Add counts a run. clusters has a number for each of Samples; those below 0
// are alone.
func (c *ConsensusMatrix) Add(clusters []int) error {
	if len(clusters) != len(c.Samples) {
		return fmt.Errorf("%w: %d clusters for a consensus of %d samples", ErrInput, len(clusters), len(c.Samples))
	}
	c.Runs++
	p := 0
	for i, a := range clusters {
		for _, b := range clusters[i+1:] {
			if a == b && a >= 0 {
				c.together[p]++
			}
			p++
		}
	}
	return nil
}

// At is the share of the runs that put the samples Samples[i] and Samples[j]
// together.
func (c *ConsensusMatrix) At(i, j int) float64 {
	if i == j {
		return 1
	}
	return float64(c.together[pairAt(len(c.Samples), i, j)]) / float64(c.Runs)
}

// distances are 1 minus the consensus of every pair.
func (c *ConsensusMatrix) distances() []float64 {
	d := make([]float64, len(c.together))
	for p, t := range c.together {
		d[p] = 1 - float64(t)/float64(c.Runs)
	}
	return d
}

// Cophenetic is the correlation of 1 − consensus with the heights at which
// average linkage of it joins the samples (Brunet et al. 2004): 1 where all runs
// give the same clusters. NaN where the consensus does not vary, as with k = 1.
func (c *ConsensusMatrix) Cophenetic() float64 {
	d := c.distances()
	tree := averageLinkage(len(c.Samples), slices.Clone(d))
	return correlation(d, cophenetic(len(c.Samples), tree))
}

// Clusters cuts the tree of average linkage into k clusters, and Order is the
// order of the samples along it, in which the matrix shows its blocks.
func (c *ConsensusMatrix) Clusters(k int) (clusters, order []int) {
	n := len(c.Samples)
	tree := averageLinkage(n, c.distances())
	return cut(n, k, tree), leafOrder(n, tree)
}

// Dispersion is Σ 4·(c_ij − ½)² / n² over all cells (Kim & Park 2007, eq. 10):
// 1 where every cell is 0 or 1.
func (c *ConsensusMatrix) Dispersion() float64 {
	n := float64(len(c.Samples))
	sum := 0.0
	for _, t := range c.together {
		v := float64(t)/float64(c.Runs) - 0.5
		sum += 4 * v * v
	}
	return (n + 2*sum) / (n * n)
}

// Limits between which a pair of samples is ambiguous.
const (
	pacLow  = 0.1
	pacHigh = 0.9
)

// PAC is the proportion of ambiguous clustering: the share of pairs whose
// consensus is above 0.1 and at most 0.9 (Şenbabaoğlu, Michailidis & Li 2014);
// 0 is best.
func (c *ConsensusMatrix) PAC() float64 {
	if len(c.together) == 0 {
		return 0
	}
	ambiguous := 0
	for _, t := range c.together {
		if v := float64(t) / float64(c.Runs); v > pacLow && v <= pacHigh {
			ambiguous++
		}
	}
	return float64(ambiguous) / float64(len(c.together))
}

// What a stream of random numbers is for.
const (
	forConsensus = iota + 1
	forHoldout
	forBlocks
	forShuffle
	forBootstrap
	forPoisson
	forMeans
	forPairs
)

// stream is a generator of its own for every purpose and index.
func stream(seed, purpose uint64, index int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, mix(purpose<<56|uint64(index))))
}

// mix is the finalizer of SplitMix64 (Steele, Lea & Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
