package rank

import (
	"math"
	"slices"
)

// Agreement compares a partition of the samples with known labels.
type Agreement struct {
	// ARI is the Rand index adjusted for chance (Hubert & Arabie 1985), 1 for
	// the same partition and 0 on average for one made by chance.
	ARI float64 `json:"ari"`
	// NMI is the mutual information over the mean of the two entropies (Strehl &
	// Ghosh 2002, with the arithmetic mean), from 0 to 1.
	NMI float64 `json:"nmi"`
	// Purity is the share of samples whose label is the most frequent one of
	// their cluster. It rises with the number of clusters.
	Purity float64 `json:"purity"`
	// Misplaced counts the samples that are not in the cluster that the best
	// one-to-one matching of clusters and labels gives to their label.
	Misplaced int `json:"misplaced"`
	// Samples is the number that was compared: those with a label.
	Samples int `json:"samples"`
}

// Agree compares clusters with labels, one number each for every sample;
// samples with a negative label are left out. Clusters of -1 (a sample that
// holds nothing) are a cluster of their own.
func Agree(clusters, labels []int) Agreement {
	table, n := contingency(clusters, labels)
	a := Agreement{Samples: n}
	if n == 0 {
		a.ARI, a.NMI, a.Purity = math.NaN(), math.NaN(), math.NaN()
		return a
	}
	rows, cols := make([]float64, len(table)), make([]float64, len(table[0]))
	var cells, best float64
	for i, row := range table {
		for j, c := range row {
			rows[i] += c
			cols[j] += c
			cells += pairs(c)
		}
		best += slices.Max(row)
	}
	total := float64(n)
	a.Purity = best / total
	a.ARI = adjustedRand(cells, rows, cols, total)
	a.NMI = mutualInformation(table, rows, cols, total)
	a.Misplaced = n - int(matched(table))
	return a
}

// contingency counts the samples of each cluster and label.
func contingency(clusters, labels []int) (table [][]float64, n int) {
	rowOf, columnOf := map[int]int{}, map[int]int{}
	place := func(m map[int]int, v int) int {
		i, ok := m[v]
		if !ok {
			i = len(m)
			m[v] = i
		}
		return i
	}
	type cell struct{ row, column int }
	counts := map[cell]int{}
	for i, l := range labels {
		if l >= 0 {
			counts[cell{place(rowOf, clusters[i]), place(columnOf, l)}]++
			n++
		}
	}
	table = make([][]float64, len(rowOf))
	for i := range table {
		table[i] = make([]float64, len(columnOf))
	}
	for at, count := range counts {
		table[at.row][at.column] = float64(count)
	}
	return table, n
}

func pairs(n float64) float64 { return n * (n - 1) / 2 }

func adjustedRand(cells float64, rows, cols []float64, total float64) float64 {
	var inRows, inCols float64
	for _, r := range rows {
		inRows += pairs(r)
	}
	for _, c := range cols {
		inCols += pairs(c)
	}
	if total < 2 {
		return 1
	}
	expected := inRows * inCols / pairs(total)
	most := (inRows + inCols) / 2
	if most == expected {
		return 1 // all in one, or each alone, in both
	}
	return (cells - expected) / (most - expected)
}

func mutualInformation(table [][]float64, rows, cols []float64, total float64) float64 {
	information := 0.0
	for i, row := range table {
		for j, c := range row {
			if c > 0 {
				information += c / total * math.Log(c*total/(rows[i]*cols[j]))
			}
		}
	}
	mean := (entropy(rows, total) + entropy(cols, total)) / 2
	if mean == 0 {
		return 1 // both have a single part
	}
	return max(0, information/mean)
}

func entropy(parts []float64, total float64) float64 {
	h := 0.0
	for _, p := range parts {
		if p > 0 {
			h -= p / total * math.Log(p/total)
		}
	}
	return h
}

// matched is the largest number of samples that a one-to-one matching of rows
// and columns puts right.
func matched(table [][]float64) float64 {
	if len(table) > len(table[0]) {
		turned := make([][]float64, len(table[0]))
		for j := range turned {
			turned[j] = make([]float64, len(table))
			for i := range table {
				turned[j][i] = table[i][j]
			}
		}
		table = turned
	}
	sum := 0.0
	for i, j := range Assign(table) {
		sum += table[i][j]
	}
	return sum
}
