package signatures_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/rank"
	"github.com/partsof/nmf/recipe"
	"github.com/partsof/nmf/recipe/signatures"
)

// planted is a catalogue of two samples, a count of its own in every channel.
func planted(i, c int) float64 { return float64((7*c+3*i)%11 + 100*i) }

// table writes it in some layout, its channels shuffled.
func table(header string, line func(c int) string) string {
	var b strings.Builder
	b.WriteString(header + "\n")
	for _, c := range rand.New(rand.NewPCG(1, 2)).Perm(signatures.NChannels) {
		b.WriteString(line(c) + "\n")
	}
	return b.String()
}

func counts(c int, separator string) string {
	return fmt.Sprintf("%g%s%g", planted(0, c), separator, planted(1, c))
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadLayouts(t *testing.T) {
	name := func(c int) string { return signatures.Channels[c] }
	part := func(c int) (string, string) {
		n := name(c)
		return n[2:5], n[0:1] + n[2:3] + n[6:7]
	}
	var wide strings.Builder
	wide.WriteString("sample")
	for c := range signatures.NChannels {
		wide.WriteString("," + name(95-c))
	}
	for i := range 2 {
		fmt.Fprintf(&wide, "\n%s", []string{"a", "b"}[i])
		for c := range signatures.NChannels {
			fmt.Fprintf(&wide, ",%g", planted(i, 95-c))
		}
	}
	for _, c := range []struct{ file, content string }{
		{"sigprofiler.txt", table("MutationType\ta\tb", func(c int) string { return name(c) + "\t" + counts(c, "\t") })},
		{"pcawg.csv", table("Mutation type,Trinucleotide,a,b", func(c int) string { s, tri := part(c); return s + "," + tri + "," + counts(c, ",") })},
		{"cosmic2.txt", table("Substitution Type\tTrinucleotide\tSomatic Mutation Type\ta\tb", func(c int) string {
			s, tri := part(c)
			return s + "\t" + tri + "\t" + name(c) + "\t" + counts(c, "\t")
		})},
		{"cosmic3.csv", table("Type,SubType,a,b", func(c int) string { s, tri := part(c); return s + "," + tri + "," + counts(c, ",") })},
		{"contexts.csv", table("context,type,a,b", func(c int) string {
			s, tri := part(c)
			return tri[:1] + "." + tri[2:] + "," + s + "," + counts(c, ",")
		})},
		{"r.tsv", table("a\tb", func(c int) string { return `"` + name(c) + `"` + "\t" + counts(c, "\t") })},
		{"icams.csv", table("name;a;b", func(c int) string { s, tri := part(c); return tri + s[2:] + ";" + counts(c, ";") })},
		{"rows.csv", wide.String() + "\n"},
		{"bom.csv", "\ufeff# a remark\n" + table("MutationType,a,b", func(c int) string { return name(c) + "," + counts(c, ",") })},
	} {
		got, err := signatures.Read[float64](write(t, c.file, c.content), nil)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		x := got.X.(*matrix.Dense[float64])
		if x.Rows != 2 || x.Cols != 96 || strings.Join(got.RowNames, " ") != "a b" || strings.Join(got.ColumnNames, " ") != strings.Join(signatures.Channels[:], " ") {
			t.Errorf("%s: %d x %d, samples %q", c.file, x.Rows, x.Cols, got.RowNames)
			continue
		}
		for i := range 2 {
			for ch := range signatures.NChannels {
				if x.At(i, ch) != planted(i, ch) {
					t.Errorf("%s: sample %d, %s has %v, want %v", c.file, i, signatures.Channels[ch], x.At(i, ch), planted(i, ch))
				}
			}
		}
	}
	// A matrix with names, either way round.
	x := matrix.NewDense[float64](96, 2)
	names := make([]string, 96)
	for c := range signatures.NChannels {
		names[95-c] = name(c)
		for i := range 2 {
			x.Set(95-c, i, planted(i, c))
		}
	}
	for _, tab := range []*data.Table[float64]{
		{X: x, RowNames: names, ColumnNames: []string{"a", "b"}},
		{X: x.T().Sparse(), ColumnNames: names, RowNames: []string{"a", "b"}},
	} {
		path := filepath.Join(t.TempDir(), "x.npz")
		if err := data.Write(path, tab, nil); err != nil {
			t.Fatal(err)
		}
		got, err := signatures.Read[float32](path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := got.X.(*matrix.Dense[float32]); d.Rows != 2 || d.At(1, 5) != float32(planted(1, 5)) || got.RowNames[1] != "b" {
			t.Errorf("npz: %d rows, %v, %v", d.Rows, d.At(1, 5), got.RowNames)
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := table("MutationType\ta\tb", func(c int) string { return signatures.Channels[c] + "\t1\t2" })
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatal(from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for _, c := range []struct {
		name, content, want string
		is                  error
	}{
		{"95", change("A[C>A]A\t1\t2\n", ""), "the catalogue has 95 of the 96 channels of single-base substitutions: A[C>A]A is missing; a channel without mutations is a line of zeros", recipe.ErrInput},
		{"twice", change("A[C>A]A", "T[T>G]T"), "channel T[T>G]T is there twice", recipe.ErrInput},
		{"strands", change("A[C>A]A", "A[A>C]A"), "channel T[T>G]T is there twice (as", recipe.ErrInput},
		{"unknown", change("A[C>A]A", "A[C>X]A"), `"A[C>X]A" is not one of the 96 channels`, recipe.ErrInput},
		{"doublet", change("A[C>A]A", "AC>CA"), "(it is one of the 78 doublets)", recipe.ErrInput},
		{"strand", change("A[C>A]A", "T:A[C>A]A"), "(it has a strand before it)", recipe.ErrInput},
		{"penta", change("A[C>A]A", "AA[C>A]AA"), "(it has a context of five bases)", recipe.ErrInput},
		{"negative", change("A[C>A]A\t1", "A[C>A]A\t-1"), `-1 mutations (channel A[C>A]A, sample "a"): a catalogue holds counts`, recipe.ErrInput},
		{"missing", change("A[C>A]A\t1\t2", "A[C>A]A\t1\tNA"), `the count is missing (channel A[C>A]A, sample "b")`, data.ErrMissing},
		{"text", change("A[C>A]A\t1", "A[C>A]A\tmany"), `"many" where a count belongs`, data.ErrFormat},
		{"ragged", change("A[C>A]A\t1\t2", "A[C>A]A\t1"), "the line has 2 fields, and the table 3", data.ErrFormat},
		{"none", "a,b\n1,2\n", "no channel of single-base substitutions is named", recipe.ErrInput},
		{"empty", "", "the file is empty", data.ErrTruncated},
		{"header", "a,b\n", "no line after its header", data.ErrTruncated},
		{"binary", "a\x00b", "is not a table of text", data.ErrFormat},
		{"samples", table("MutationType", func(c int) string { return signatures.Channels[c] }), "channels and no sample", recipe.ErrInput},
	} {
		_, err := signatures.Read[float64](write(t, "x.txt", c.content), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.is) || !strings.Contains(err.Error(), "x.txt") {
			t.Errorf("%s: %v; want %q (%v)", c.name, err, c.want, c.is)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(table("MutationType\ta\tb", func(c int) string { return signatures.Channels[c] + "\t1\t2" }))
	f.Add("a,b\n1,2\n")
	f.Add("C>A,A.A,1\n\"")
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(t.TempDir(), "x.txt")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := signatures.Read[float64](path, nil)
		if err != nil {
			return
		}
		x := got.X.(*matrix.Dense[float64])
		if x.Cols != 96 || x.Rows < 1 || got.RowNames != nil && len(got.RowNames) != x.Rows {
			t.Fatalf("%d x %d, %d names", x.Rows, x.Cols, len(got.RowNames))
		}
		for _, v := range x.Data {
			if !(v >= 0) || math.IsInf(v, 0) {
				t.Fatal(v)
			}
		}
	})
}

// mixture makes catalogues of three random signatures.
func mixture(samples int, seed uint64) (x, w, h *matrix.Dense[float64]) {
	r := rand.New(rand.NewPCG(seed, 7))
	h, w = matrix.NewDense[float64](3, 96), matrix.NewDense[float64](samples, 3)
	for j := range 3 {
		sum := 0.0
		for c := range 96 {
			v := math.Pow(r.ExpFloat64(), 3)
			h.Set(j, c, v)
			sum += v
		}
		for c := range 96 {
			h.Set(j, c, h.At(j, c)/sum)
		}
	}
	x = matrix.NewDense[float64](samples, 96)
	for i := range samples {
		for j := range 3 {
			w.Set(i, j, 3000*r.ExpFloat64()*float64(r.IntN(2)))
			for c := range 96 {
				x.Set(i, c, x.At(i, c)+w.At(i, j)*h.At(j, c))
			}
		}
	}
	return x, w, h
}

// TestRefit compares with a plain descent, and with what is planted.
func TestRefit(t *testing.T) {
	x, w, h := mixture(20, 1)
	for _, how := range signatures.Refits() {
		got, err := signatures.Refit(context.Background(), x, h, how, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Data {
			if d := math.Abs(got.Data[i] - w.Data[i]); d > 1 {
				t.Errorf("%s: exact catalogues: %v mutations for %v", how, got.Data[i], w.Data[i])
			}
		}
	}
	noisy := signatures.Poisson(x, 3, 0)
	kl, err := signatures.Refit(context.Background(), noisy, h, "kl", 2)
	if err != nil {
		t.Fatal(err)
	}
	// Richardson (1972) and Lucy (1974): multiplicative, slow and sure.
	for i := range noisy.Rows {
		a := []float64{1, 1, 1}
		for range 20000 {
			y := make([]float64, 96)
			for c := range y {
				for j := range a {
					y[c] += a[j] * h.At(j, c)
				}
			}
			for j := range a {
				sum := 0.0
				for c := range y {
					if y[c] > 0 {
						sum += h.At(j, c) * noisy.At(i, c) / y[c]
					}
				}
				a[j] *= sum
			}
		}
		for j := range a {
			if math.Abs(a[j]-kl.At(i, j)) > 0.5+1e-3*a[j] {
				t.Errorf("sample %d, signature %d: %v mutations, and Richardson–Lucy has %v", i, j, kl.At(i, j), a[j])
			}
		}
	}
}

func TestPoisson(t *testing.T) {
	x := matrix.NewDense[float64](400, 96)
	for i := range x.Data {
		x.Data[i] = 40
	}
	x.Set(0, 0, 0)
	a, b, c := signatures.Poisson(x, 1, 0), signatures.Poisson(x, 1, 0), signatures.Poisson(x, 1, 1)
	mean, square, same := 0.0, 0.0, 0
	for i, v := range a.Data {
		if v != b.Data[i] {
			t.Fatal("the same seed and index draw something else")
		}
		if v == c.Data[i] {
			same++
		}
		mean += v / float64(len(a.Data))
		square += (v - 40) * (v - 40) / float64(len(a.Data))
	}
	if math.Abs(mean-40) > 0.2 || math.Abs(square-40) > 2 || same > len(a.Data)/8 || a.At(0, 0) != 0 {
		t.Errorf("mean %v and variance %v of Poisson's with 40; %d equal those of another index", mean, square, same)
	}
}

// TestAttributeCovers counts how often the intervals hold the truth.
func TestAttributeCovers(t *testing.T) {
	x, w, h := mixture(100, 2)
	noisy := signatures.Poisson(x, 9, 0)
	for _, how := range signatures.Refits() {
		a, err := signatures.Attribute(context.Background(), noisy, &signatures.Set[float64]{Names: []string{"a", "b", "c"}, H: h}, how, 40, 4, 2)
		if err != nil {
			t.Fatal(err)
		}
		in, all := 0, 0
		for i, v := range w.Data {
			if a.Low.Data[i] > a.High.Data[i] {
				t.Fatal("an interval ends before it begins")
			}
			if v > 0 {
				all++
				if a.Low.Data[i] <= v && v <= a.High.Data[i] {
					in++
				}
			}
		}
		if share := float64(in) / float64(all); share < 0.85 {
			t.Errorf("%s: intervals of 95 %% hold the truth in %.0f %% of %d", how, 100*share, all)
		}
	}
}

func TestCompare(t *testing.T) {
	_, _, h := mixture(1, 5)
	known := &signatures.Set[float64]{Names: []string{"X1", "X2", "X3"}, H: h}
	target := matrix.NewDense[float64](3, 96)
	for c := range 96 {
		target.Set(0, c, h.At(1, c))
		target.Set(1, c, 0.7*h.At(0, c)+0.3*h.At(2, c))
	}
	list, err := signatures.Compare(context.Background(), target, known, 1)
	if err != nil {
		t.Fatal(err)
	}
	if m := list[0]; m.Name != "X2" || m.Cosine < 1-1e-12 || len(m.Parts) != 1 {
		t.Errorf("%+v", m)
	}
	if m := list[1]; m.Name != "X1" || len(m.Parts) != 2 || math.Abs(m.Parts[0].Share-0.7) > 1e-3 || m.Parts[1].Name != "X3" || m.PartsCosine < 1-1e-6 {
		t.Errorf("%+v", m)
	}
	if m := list[2]; m.Name != "" || m.Parts != nil {
		t.Errorf("a signature of zeros: %+v", m)
	}
	if _, err := known.Pick([]string{"SBS1"}); !errors.Is(err, recipe.ErrOption) {
		t.Error(err)
	}
}

func TestWriteAndRead(t *testing.T) {
	_, _, h := mixture(1, 6)
	path := filepath.Join(t.TempDir(), "s.tsv")
	if err := signatures.WriteSignatures(path, signatures.Names(3), h); err != nil {
		t.Fatal(err)
	}
	set, err := signatures.ReadSet[float64](path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(set.Names, " ") != "SBS96A SBS96B SBS96C" {
		t.Error(set.Names)
	}
	for i, v := range h.Data {
		if math.Abs(set.H.Data[i]-v) > 1e-15 {
			t.Fatalf("%v came back as %v", v, set.H.Data[i])
		}
	}
	if got := signatures.Names(28); got[25] != "SBS96Z" || got[26] != "SBS96AA" || got[27] != "SBS96AB" {
		t.Error(got[25:])
	}
}

func TestPlot(t *testing.T) {
	_, _, h := mixture(1, 8)
	var b bytes.Buffer
	if err := signatures.Plot(&b, []signatures.Bars{{Title: "A <& B", Values: h.Row(0), Low: h.Row(0), High: h.Row(1)}, {Values: make([]float64, 96)}}); err != nil {
		t.Fatal(err)
	}
	bars := 0
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 1+2*(96+6) {
		t.Errorf("%d rectangles", bars)
	}
}

// catalogue reads a shared one.
func catalogue(t *testing.T, name string) *matrix.Dense[float64] {
	t.Helper()
	c, err := signatures.Read[float64](testdata.Shared(t, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.X.(*matrix.Dense[float64])
}

// TestScenario8 holds the figures of docs/signatures.md: synthetic catalogues of
// SBS3, SBS5 and SBS40.
func TestScenario8(t *testing.T) {
	x := catalogue(t, "data/sbs96-scenario8/Samples.txt.gz")
	again := catalogue(t, "data/sbs96-scenario8/ground.truth.syn.catalog.csv.gz")
	for i, v := range x.Data {
		if again.Data[i] != v {
			t.Fatal("both layouts of the catalogue read the same")
		}
	}
	truth, err := signatures.ReadSet[float64](testdata.Shared(t, "data/sbs96-scenario8/ground.truth.syn.sigs.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := nmf.Fit(context.Background(), matrix.Matrix[float64](x), 3, signatures.Preset())
	if err != nil {
		t.Fatal(err)
	}
	gains := make([][]float64, 3)
	for j := range gains {
		for i := range 3 {
			gains[j] = append(gains[j], signatures.Cosine(m.H.Row(j), truth.H.Row(i)))
		}
	}
	mean, least := 0.0, 1.0
	for j, i := range rank.Assign(gains) {
		t.Logf("%s: cosine %.4f", truth.Names[i], gains[j][i])
		mean += gains[j][i] / 3
		least = min(least, gains[j][i])
	}
	if mean < 0.99 || least < 0.975 {
		t.Errorf("cosines to the truth: mean %.4f, least %.4f", mean, least)
	}
	a, err := signatures.Refit(context.Background(), x, m.H, "nnls", 0)
	if err != nil {
		t.Fatal(err)
	}
	e := signatures.RelativeError(x, a, m.H)
	t.Logf("relative error: fit by KL %.5f, its signatures refitted by least squares %.5f (SigProfilerExtractor 0.00243)", m.Info.RelativeError, e)
	if e > 0.00243 {
		t.Errorf("relative error %.5f", e)
	}
	// Named after COSMIC's.
	cosmic, err := signatures.ReadSet[float64](testdata.Shared(t, "data/cosmic-sbs/COSMIC_v3.4_SBS_GRCh37.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := signatures.Compare(context.Background(), m.H, cosmic, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, match := range list {
		t.Logf("%+v", match)
		names[match.Name] = true
	}
	if len(names) != 3 || !names["SBS3"] || !names["SBS5"] || !names["SBS40"] && !names["SBS40a"] {
		t.Errorf("named %v", names)
	}
}

// TestScenario8Rank finds the number of signatures by stability.
func TestScenario8Rank(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes")
	}
	x := catalogue(t, "data/sbs96-scenario8/Samples.txt.gz")
	r, err := rank.Sweep(context.Background(), matrix.Matrix[float64](x), rank.BySilhouettes(signatures.Preset(), []int{1, 2, 3, 4, 5}))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range r.K {
		t.Logf("k %d: silhouettes %.3f least, %.3f mean; error %.5f", k.K, k.SilhouetteMin, k.SilhouetteMean, k.RelativeError)
	}
	t.Log(r.Recommended.Why)
	if r.Recommended.K != 3 {
		t.Errorf("%d signatures found", r.Recommended.K)
	}
}

// TestMutPatterns reaches the published model of 9 cultures: R's NMF has 378.745
// on V + 1e-4, the best of 10 runs.
func TestMutPatterns(t *testing.T) {
	x := catalogue(t, "data/mutpatterns-nmf/mut_mat.csv")
	for i := range x.Data {
		x.Data[i] += 1e-4
	}
	m, err := nmf.Fit(context.Background(), matrix.Matrix[float64](x), 2, signatures.Preset())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("KL %.5f", m.Info.Loss)
	if m.Info.Loss > 378.746 {
		t.Errorf("KL %.5f", m.Info.Loss)
	}
	published, err := signatures.ReadSet[float64](testdata.Shared(t, "data/mutpatterns-nmf/signatures_W.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for j := range 2 {
		best := max(signatures.Cosine(m.H.Row(j), published.H.Row(0)), signatures.Cosine(m.H.Row(j), published.H.Row(1)))
		if best < 0.98 { // models of two signatures of the same fit are not unique
			t.Errorf("signature %d: cosine %.5f with the published one", j, best)
		}
	}
}

func TestResample(t *testing.T) {
	x, _, _ := mixture(60, 11)
	x = signatures.Poisson(x, 1, 5)
	o := signatures.Preset()
	o.Runs = 2
	m, err := nmf.Fit(context.Background(), matrix.Matrix[float64](x), 3, o)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	s, err := signatures.Resample(context.Background(), x, m, 6, o, func(int) { calls++ })
	if err != nil {
		t.Fatal(err)
	}
	for j := range 3 {
		if s.Cosine[j] < 0.98 || s.Cosine[j] > 1 {
			t.Errorf("signature %d of clear data has the stability %.3f", j, s.Cosine[j])
		}
		for c, low := range s.Low.Row(j) {
			if low > s.High.At(j, c) {
				t.Fatal("an interval ends before it begins")
			}
		}
	}
	if calls != 6 {
		t.Errorf("%d calls", calls)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := signatures.Resample(ctx, x, m, 2, o, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
