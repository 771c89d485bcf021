package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/partsof/nmf"
)

// Write writes the report as one HTML page that needs nothing else.
func Write(w io.Writer, in *Input) error {
	p, err := newPage(in, false)
	if err != nil {
		return err
	}
	return p.write(w)
}

// page is a report on its way to a file.
type page struct {
	head head
	pack pack
	res  *residuals
}

// head is what the page's scripts know besides the packed arrays. Fields that
// a script reads have short names; docs/report.md names the arrays.
type head struct {
	Name     string `json:"name"`
	Samples  int    `json:"m"`
	Features int    `json:"n"`
	K        int    `json:"k"`
	// Live says that a server computes what is not here.
	Live    bool             `json:"live"`
	Arrays  map[string]array `json:"arrays"`
	Scales  []float64        `json:"scales"`
	Shares  []float64        `json:"shares"`
	Sparse  [2][]float64     `json:"sparsity"`
	Nearest []nearest        `json:"nearest"`
	PCA     [2]float64       `json:"pcaVariance"`
	Drawing drawing          `json:"drawing"`
	// Info is the model's, without its trace and its runs.
	Info      nmf.Info         `json:"info"`
	Runs      []float64        `json:"runs"`
	Facts     []fact           `json:"facts"`
	Warnings  []string         `json:"warnings"`
	LeftOut   []string         `json:"leftOut"`
	Metadata  []metadataColumn `json:"metadata"`
	Sounds    []soundOnPage    `json:"sounds"`
	Rank      *rankSection     `json:"rank"`
	Consensus *consensusOnPage `json:"consensus"`
	// Input says what was found in X; nil without it.
	Input *inputSection `json:"input"`
}

type nearest struct {
	Component int     `json:"j"`
	Cosine    float64 `json:"c"`
}

type drawing struct {
	Kind        Kind   `json:"kind"`
	Width       int    `json:"w,omitempty"`
	Height      int    `json:"h,omitempty"`
	ColumnMajor bool   `json:"columnMajor,omitempty"`
	Axis        string `json:"axis,omitempty"`
	// Channels gives for each of the 96 the feature that it is.
	Channels []int `json:"channels,omitempty"`
}

// fact is a line of the overview's table.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type metadataColumn struct {
	Name string `json:"name"`
	// Levels are the values of a category; nil for numbers.
	Levels []string `json:"levels"`
	// Array is the packed array of levels' numbers (from 1; 0 is missing) or
	// of numbers.
	Array string `json:"array"`
}

type rankSection struct {
	Criteria       []criterion `json:"criteria"`
	Chosen         int         `json:"chosen"`
	Recommendation string      `json:"recommendation"`
}

type criterion struct {
	Name   string `json:"name"`
	About  string `json:"about"`
	Better string `json:"better"`
	// Points are k, value, low and high.
	Points [][4]*float64 `json:"points"`
}

type consensusOnPage struct {
	Runs       int        `json:"runs"`
	Side       int        `json:"side"`
	Of         int        `json:"of"`
	Stability  []*float64 `json:"stability"`
	Cophenetic *float64   `json:"cophenetic"`
	Dispersion *float64   `json:"dispersion"`
	Words      string     `json:"words"`
}

type inputSection struct {
	Nonzero       int     `json:"nonzero"`
	RelativeError float64 `json:"relativeError"`
	Hash          string  `json:"hash"`
	// Fits is false where the input is not what the model was fitted to.
	Fits bool `json:"fits"`
	// Sparse says how the originals are packed.
	Sparse bool `json:"sparse"`
}

// newPage gathers everything that a page shows.
func newPage(in *Input, live bool) (*page, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	in = in.unit()
	m := in.Model
	p := &page{}
	if in.X != nil {
		p.res = findResiduals(m, in.X)
	}
	s := measure(m)
	sel := choose(in, p.res)
	p.head = head{Name: in.Name, Samples: m.W.Rows, Features: m.H.Cols, K: m.K(), Live: live, Scales: m.Scales,
		Shares: s.shares, Sparse: [2][]float64{s.sparsityH, s.sparsityW}, PCA: s.variance, Info: m.Info,
		Drawing: drawing{Kind: in.Drawing.Kind, Width: sel.width, Height: sel.height, ColumnMajor: in.Drawing.ColumnMajor, Axis: in.Drawing.axis()}}
	h := &p.head
	if h.Drawing.Kind == "" {
		h.Drawing.Kind = Bars
	}
	if h.Drawing.Kind == Signatures {
		h.Drawing.Channels = channelOrder(m.ColumnNames)
	}
	for j, other := range s.nearest {
		c := 0.0
		if other >= 0 {
			c = s.cosine[j*m.K()+other]
		}
		h.Nearest = append(h.Nearest, nearest{other, c})
	}
	p.packFactors(in, s, sel)
	p.packHistory(&m.Info)
	h.Facts = facts(in)
	h.Warnings = slices.Concat(m.Info.Warnings, in.Notes)
	p.packMetadata(in, sel)
	p.packRank(in)
	p.packConsensus(in)
	if in.X != nil {
		p.packInput(in, sel)
	}
	if err := p.packSounds(in, sel); err != nil {
		return nil, err
	}
	if in.X != nil {
		p.packOriginals(in, sel, h.Input)
	}
	h.LeftOut = sel.leftOut
	h.Arrays = p.pack.Arrays
	h.Info.Trace, h.Info.Runs, h.Info.Dispersions = nil, nil, nil
	return p, nil
}

func (p *page) packFactors(in *Input, s *measures, sel *selection) {
	m := in.Model
	k := m.K()
	var w, h []float64
	each(m.W.Rows, sel.samples, func(i int) { w = append(w, m.W.Row(i)...) })
	for j := range k {
		h = append(h, pick(m.H.Row(j), sel.features)...)
	}
	p.pack.f4("W", w)
	p.pack.f4("H", h)
	p.pack.f4("meanH", pick(s.meanH, sel.features))
	var pca []float64
	each(m.W.Rows, sel.samples, func(i int) { pca = append(pca, s.pca[2*i], s.pca[2*i+1]) })
	p.pack.f4("pca", pca)
	if sel.samples != nil {
		p.pack.u4("samples", sel.samples)
	}
	if sel.features != nil {
		p.pack.u4("features", sel.features)
	}
	if k <= maxCosine {
		p.pack.f4("cosine", s.cosine)
	}
	if in.Drawing.Positions != nil {
		p.pack.f8("positions", pick(in.Drawing.Positions, sel.features))
	}
	if in.Drawing.Kind == Sound {
		times := in.Drawing.Seconds
		if times == nil {
			times = PositionsIn(m.RowNames)
		}
		if times != nil {
			p.pack.f8("times", pick(times, sel.samples))
		}
	}
	for _, n := range []struct {
		array, what string
		names       []string
		at          []int
	}{{"rowNames", "samples", m.RowNames, sel.samples}, {"columnNames", "features", m.ColumnNames, sel.features}} {
		if n.names != nil && p.pack.names(n.array, pickNames(n.names, n.at)) {
			sel.leftOut = append(sel.leftOut, "the ends of long names of "+n.what)
		}
	}
}

// each calls do with the indices, or with 0 to n-1 where there are none.
func each(n int, at []int, do func(i int)) {
	if at == nil {
		for i := range n {
			do(i)
		}
	}
	for _, i := range at {
		do(i)
	}
}

// packHistory packs the trace and the runs' losses, thinned where they are
// very many.
func (p *page) packHistory(info *nmf.Info) {
	const most = 2000
	step := max(1, (len(info.Trace)+most-1)/most)
	var iteration []int
	var loss, kkt, seconds []float64
	for i, it := range info.Trace {
		if i%step == 0 || i == len(info.Trace)-1 {
			iteration = append(iteration, it.Iteration)
			loss, kkt, seconds = append(loss, it.Loss), append(kkt, it.KKT), append(seconds, it.Seconds)
		}
	}
	p.pack.u4("iteration", iteration)
	p.pack.f8("loss", loss)
	p.pack.f8("kkt", kkt)
	p.pack.f8("seconds", seconds)
	if len(info.Runs) > 1 {
		step = max(1, (len(info.Runs)+most-1)/most)
		for i, r := range info.Runs {
			if i%step == 0 {
				p.head.Runs = append(p.head.Runs, r.RelativeError)
			}
		}
	}
}

// facts are the lines of the overview that say how the model came to be.
func facts(in *Input) []fact {
	i := &in.Model.Info
	r := &i.Resolved
	never := func(tol float64) string {
		if tol <= 0 {
			return "never"
		}
		return fmt.Sprintf("%g", tol)
	}
	list := []fact{
		{"loss", fmt.Sprintf("%s, %.6g", i.LossName, i.Loss)},
		{"status", fmt.Sprintf("%v, %s iterations", i.Status, thousands(i.Iterations))},
		{"solver", r.Solver}, {"init", r.Init},
		{"seed", fmt.Sprint(r.Seed)}, {"runs", thousands(r.Runs)},
		{"most iterations", thousands(r.MaxIter)},
		{"stops at KKT residual", never(r.Tol)}, {"stops at loss change", never(r.LossTol)},
	}
	if r.TargetError > 0 {
		list = append(list, fact{"stops at relative error", fmt.Sprintf("%g", r.TargetError)})
	}
	if r.InnerSweeps > 0 {
		list = append(list, fact{"inner sweeps", fmt.Sprint(r.InnerSweeps)})
	}
	if r.NoExtrapolation {
		list = append(list, fact{"extrapolation", "off"})
	}
	if i.Compression != nil {
		list = append(list, fact{"sketch", fmt.Sprintf("%d directions hold %.4g%% of the squares", i.Compression.Directions, 100*i.Compression.Captured)})
	}
	list = append(list, otherOptions(r)...)
	return append(list, fact{"precision", i.Precision}, fact{"instructions", i.SIMD}, fact{"made by", "nmf " + i.Version})
}

// otherOptions are those that facts does not name and that are set, so that an
// option that is new is shown, too.
func otherOptions(o *nmf.Options) []fact {
	named := []string{"solver", "init", "seed", "runs", "max_iter", "tol", "loss_tol", "target_error", "inner_sweeps", "no_extrapolation", "compression", "threads", "memory", "loss"}
	text, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	var list []fact
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := string(all[name])
		if slices.Contains(named, name) || slices.Contains([]string{"0", `""`, "null", "false", "{}", "[]"}, value) {
			continue
		}
		plain := strings.NewReplacer(`{`, "", `}`, "", `"`, "", ":true", "", ":", " ", ",", ", ", "_", " ")
		list = append(list, fact{plain.Replace(name), cutBytes(plain.Replace(value), 200)})
	}
	return list
}

func (p *page) packMetadata(in *Input, sel *selection) {
	if in.Metadata == nil {
		return
	}
	const maxLevels, maxCells = 1000, 250_000
	here := in.Model.W.Rows
	if sel.samples != nil {
		here = len(sel.samples)
	}
	cells := 0
	for c, column := range in.Metadata.Columns {
		if cells += here; cells > maxCells && c > 0 {
			sel.leftOut = append(sel.leftOut, fmt.Sprintf("%d of %d columns of the metadata, the last ones", len(in.Metadata.Columns)-c, len(in.Metadata.Columns)))
			return
		}
		name := fmt.Sprintf("meta%d", c)
		out := metadataColumn{Name: cutBytes(column.Name, 200), Array: name}
		if column.Numbers != nil {
			p.pack.f4(name, pick(column.Numbers, sel.samples))
			p.head.Metadata = append(p.head.Metadata, out)
			continue
		}
		levels, codes := categories(pickNames(column.Values, sel.samples))
		if len(levels) > maxLevels {
			sel.leftOut = append(sel.leftOut, fmt.Sprintf("the metadata column %q, which has %s values", out.Name, thousands(len(levels))))
			continue
		}
		for l, s := range levels {
			levels[l] = cutBytes(s, 100)
		}
		out.Levels = levels
		p.pack.u2(name, codes)
		p.head.Metadata = append(p.head.Metadata, out)
	}
}

// categories gives the distinct values in order, and for each value its number
// among them from 1, 0 for "".
func categories(values []string) (levels []string, codes []int) {
	levels = slices.Compact(slices.Sorted(slices.Values(values)))
	levels = slices.DeleteFunc(levels, func(s string) bool { return s == "" })
	codes = make([]int, len(values))
	for i, s := range values {
		if s != "" {
			at, _ := slices.BinarySearch(levels, s)
			codes[i] = at + 1
		}
	}
	return levels, codes
}

// finite gives a number for JSON, nil where it is none.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func (p *page) packRank(in *Input) {
	if in.Rank == nil {
		return
	}
	r := &rankSection{Chosen: in.Rank.Chosen, Recommendation: in.Rank.Recommendation}
	for _, c := range in.Rank.Criteria {
		out := criterion{Name: c.Name, About: c.About, Better: c.Better}
		for _, q := range c.Points {
			out.Points = append(out.Points, [4]*float64{finite(float64(q.K)), finite(q.Value), finite(q.Low), finite(q.High)})
		}
		r.Criteria = append(r.Criteria, out)
	}
	p.head.Rank = r
}

// packConsensus packs the consensus matrix as bytes, averaged over blocks
// where it is larger than a screen.
func (p *page) packConsensus(in *Input) {
	c := in.Consensus
	if c == nil {
		return
	}
	out := &consensusOnPage{Runs: c.Runs, Of: c.N, Words: c.Words, Cophenetic: finite(c.Cophenetic), Dispersion: finite(c.Dispersion)}
	for _, s := range c.Stability {
		out.Stability = append(out.Stability, finite(s))
	}
	if c.N > 0 {
		const most = 512
		out.Side = min(c.N, most)
		p.pack.u1("consensusMatrix", shrink(c.Matrix, c.N, out.Side))
		if c.Order != nil && out.Side == c.N {
			p.pack.u4("consensusOrder", c.Order)
		}
	}
	p.head.Consensus = out
}

// shrink averages an n x n matrix of values from 0 to 1 to side x side bytes.
func shrink(values []float32, n, side int) []byte {
	out := make([]byte, side*side)
	for a := range side {
		for b := range side {
			sum, count := 0.0, 0
			for i := a * n / side; i < (a+1)*n/side; i++ {
				for j := b * n / side; j < (b+1)*n/side; j++ {
					sum += float64(values[i*n+j])
					count++
				}
			}
			out[a*side+b] = byte(math.Round(255 * min(1, max(0, sum/float64(count)))))
		}
	}
	return out
}

func (p *page) packInput(in *Input, sel *selection) {
	res, m := p.res, in.Model
	section := &inputSection{Nonzero: res.nonzero, Hash: hashOf(in.X)}
	if res.squares > 0 {
		section.RelativeError = math.Sqrt(res.wrong / res.squares)
	}
	section.Fits = in.Fitted || m.Info.LossName != "frobenius" || // whose relative error is another measure
		math.Abs(section.RelativeError-m.Info.RelativeError) <= 1e-3*math.Max(0.01, m.Info.RelativeError)
	p.head.Input = section
	if res.missing > 0 {
		p.head.Facts = append(p.head.Facts, fact{"missing cells", thousands(res.missing)})
	}
	for _, s := range []struct {
		name string
		side *side
		at   []int
	}{{"row", &res.rows, sel.samples}, {"column", &res.cols, sel.features}} {
		p.pack.f4(s.name+"Error", pick(s.side.errors(), s.at))
		p.pack.f4(s.name+"Share", pick(s.side.shares(res.wrong), s.at))
		p.pack.f4(s.name+"Bias", pick(s.side.bias, s.at))
		p.pack.f4(s.name+"Squares", pick(s.side.squares, s.at))
	}
}

// packOriginals packs as many samples of X as there is room for: as rows of
// the features that are here, or as pairs of feature and value where X is
// sparse.
func (p *page) packOriginals(in *Input, sel *selection, section *inputSection) {
	var buf RowBuffer
	n := in.Model.H.Cols
	if sel.features != nil {
		n = len(sel.features)
	}
	cols, _ := in.X.Row(0, &buf)
	section.Sparse = cols != nil
	size := func(int) int { return 4 * n }
	if section.Sparse {
		size = func(i int) int {
			_, vals := in.X.Row(i, &buf)
			return 8*len(vals) + 8
		}
	}
	chosen := sel.originals(in, p.res, min(maxOriginal, maxPacked-len(p.pack.bytes)), size)
	p.pack.u4("originals", chosen)
	if !section.Sparse {
		var values []float64
		for _, i := range chosen {
			_, vals := in.X.Row(i, &buf)
			values = append(values, pick(vals, sel.features)...)
		}
		p.pack.f4("X", values)
		return
	}
	place := make(map[int32]int, n) // of a feature on the page
	at := 0
	each(in.Model.H.Cols, sel.features, func(j int) { place[int32(j)] = at; at++ })
	starts, indices := []int{0}, []int{}
	var values []float64
	for _, i := range chosen {
		cols, vals := in.X.Row(i, &buf)
		for q, j := range cols {
			if to, ok := place[j]; ok {
				indices, values = append(indices, to), append(values, vals[q])
			}
		}
		starts = append(starts, len(indices))
	}
	p.pack.u4("XStarts", starts)
	p.pack.u4("XFeatures", indices)
	p.pack.f4("X", values)
}

//go:embed assets/page.html
var template string

// write assembles the page.
func (p *page) write(w io.Writer) error {
	head, err := json.Marshal(&p.head) // which writes <, > and & as escapes
	if err != nil {
		return err
	}
	var data bytes.Buffer
	if err := p.pack.write(&data); err != nil {
		return err
	}
	title := p.head.Name
	if title == "" {
		title = "nmf report"
	}
	r := strings.NewReplacer("{{policy}}", html.EscapeString(policy(p.head.Live, len(p.head.Sounds) > 0)), "{{title}}", html.EscapeString(title),
		"{{style}}", style, "{{head}}", string(head), "{{data}}", data.String(), "{{script}}", script)
	_, err = r.WriteString(w, template)
	return err
}

// policy is the page's content-security policy: nothing but its own style and
// script, which it names by their hashes. The page of a server may ask that
// server; a page with sounds may play what it holds itself.
func policy(live, sounds bool) string {
	connect, media := "'none'", ""
	if live {
		connect = "'self'"
	}
	if sounds {
		media = " media-src blob:;"
	}
	return fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; img-src data: blob:;%s connect-src %s; base-uri 'none'; form-action 'none'",
		hashSource(script), hashSource(style), media, connect)
}

func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
