package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// busy is the steadiness of a peak below which the machine had other work.
const busy = 0.9

// WriteTable prints the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	m := r.Machine
	known := ""
	if !m.CachesKnown {
		known = " (assumed)"
	}
	fmt.Fprintf(out, "%s, %s/%s, %d cores, L2 %d KiB, L3 %d KiB%s\n%s, %s, kernels %s\n",
		m.CPU, m.OS, m.Arch, m.Cores, m.L2>>10, m.L3>>10, known, m.Version, m.Go, m.Tier)
	fmt.Fprint(out, "\nPeak of multiply-adds, GFLOP/s\n")
	t := newTable(out, "tier", "type", "threads", "GFLOP/s", "steady")
	steady := 1.0
	for _, p := range r.Peaks {
		t.row(p.Tier, p.Precision, p.Threads, rounded(p.GFlops), percent(p.Steady))
		steady = min(steady, p.Steady)
	}
	t.end()
	if steady < busy {
		fmt.Fprintf(out, "The machine was busy: half of the repetitions of a peak ran below %s of the best. Measure again when nothing else runs.\n", percent(steady))
	}
	fmt.Fprint(out, "\nBandwidth of sequential loops, GB/s\n")
	t = newTable(out, "level", "KiB", "threads", "read", "copy", "triad")
	for _, b := range r.Bandwidth {
		t.row(b.Level, b.Bytes>>10, b.Threads, rounded(b.Read), rounded(b.Copy), rounded(b.Triad))
	}
	t.end()
	if len(r.Dense) > 0 {
		fmt.Fprint(out, "\nDense pass: useful GFLOP/s of the two products, alone and within an iteration with one sweep\n")
		t = newTable(out, "type", "rows", "columns", "k", "padded", "threads", "roof", "products", "padded", "share", "beside peak", "iteration", "share", "ms")
		for _, d := range r.Dense {
			t.row(d.Precision, d.Rows, d.Cols, d.K, d.Padded, d.Threads, rounded(d.Roof), rounded(d.Products), rounded(d.ProductsPadded),
				percent(d.ProductsShare), percent(d.BesidePeak), rounded(d.Iteration), percent(d.IterationShare), milliseconds(d.IterationSeconds))
		}
		t.end()
	}
	if len(r.Sparse) > 0 {
		fmt.Fprint(out, "\nSparse pass: GB/s by stored x (index + value + 3·k·size), and as moved\n")
		t = newTable(out, "work", "type", "rows", "columns", "stored", "k", "threads", "level", "roof", "products", "share", "moved", "share", "iteration", "ms")
		for _, s := range r.Sparse {
			t.row(s.Workload, s.Precision, s.Rows, s.Cols, s.Stored, s.K, s.Threads, s.Level, rounded(s.Roof), rounded(s.Products), percent(s.ProductsShare),
				rounded(s.Moved), percent(s.MovedShare), rounded(s.Iteration), milliseconds(s.IterationSeconds))
		}
		t.end()
	}
	return t.err
}

// table is columns flush right.
type table struct {
	w   *tabwriter.Writer
	err error
}

func newTable(out io.Writer, head ...any) *table {
	t := &table{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
	t.row(head...)
	return t
}

func (t *table) row(cells ...any) {
	for _, c := range cells {
		fmt.Fprintf(t.w, "%v\t", c)
	}
	fmt.Fprintln(t.w)
}

func (t *table) end() { t.err = t.w.Flush() }

func rounded(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

func milliseconds(s float64) string { return fmt.Sprintf("%.2f", 1000*s) }
