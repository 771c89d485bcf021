package report

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/partsof/nmf/internal/sbs"
)

// FigureOptions says how a static figure is drawn. Nil and the zero value are
// the defaults.
type FigureOptions struct {
	// Width in millimetres. Default 180, two columns of a journal.
	Width float64
	// DPI of a PNG. Default 300.
	DPI int
	// Features is the number of features of a component that is drawn as bars.
	// Default 8.
	Features int
}

// FigureFormats lists what Figure writes.
func FigureFormats() []string { return []string{"svg", "png"} }

// figures are the static figures by their names. Each draws at a width and
// gives its height; it draws nothing where the height of the sheet is 0.
var figures = []struct {
	name, title string
	// needs says what of the input is missing, or "".
	needs func(in *Input) string
	draw  func(s *sheet) float64
}{
	{"convergence", "Convergence", func(in *Input) string {
		if len(in.Model.Info.Trace) == 0 {
			return "the model has no trace"
		}
		return ""
	}, (*sheet).convergence},
	{"components", "Components", nil, (*sheet).components},
	{"heatmap", "Mixtures of the samples", nil, (*sheet).heatmap},
	{"embedding", "Samples by the principal components of their mixtures", nil, (*sheet).embedding},
	{"similarity", "Cosine between components", nil, (*sheet).similarity},
	{"residuals", "Residuals", func(in *Input) string {
		if in.X == nil {
			return "residuals need the data that the model was fitted to"
		}
		return ""
	}, (*sheet).residuals},
	{"rank", "Choice of the number of components", func(in *Input) string {
		if in.Rank == nil {
			return "nothing is known about other numbers of components"
		}
		return ""
	}, (*sheet).rank},
	{"consensus", "Consensus of the runs", func(in *Input) string {
		if in.Consensus == nil || in.Consensus.N == 0 {
			return "there is no consensus matrix"
		}
		return ""
	}, (*sheet).consensus},
}

// Figures lists the names of the figures, and of those alone that in has what
// is needed for unless it is nil.
func Figures(in *Input) []string {
	var names []string
	for _, f := range figures {
		if in == nil || f.needs == nil || f.needs(in) == "" {
			names = append(names, f.name)
		}
	}
	return names
}

// Figure draws a static figure as "svg" or "png": one of Figures. It errs with
// ErrInput where the input lacks what the figure shows.
func Figure(w io.Writer, in *Input, name, format string, o *FigureOptions) error {
	if err := in.check(); err != nil {
		return err
	}
	in = in.unit()
	opt := FigureOptions{}
	if o != nil {
		opt = *o
	}
	if opt.Width == 0 {
		opt.Width = 180
	}
	if opt.DPI == 0 {
		opt.DPI = 300
	}
	if opt.Features == 0 {
		opt.Features = 8
	}
	if !(opt.Width >= 40 && opt.Width <= 2000) || opt.DPI < 20 || opt.DPI > 1200 || opt.Features < 1 {
		return fmt.Errorf("%w: a figure of %v mm at %d dpi with %d features; from 40 to 2000 mm, 20 to 1200 dpi and 1 feature are possible", ErrInput, opt.Width, opt.DPI, opt.Features)
	}
	i := slices.IndexFunc(figures, func(f struct {
		name, title string
		needs       func(in *Input) string
		draw        func(s *sheet) float64
	}) bool {
		return f.name == name
	})
	if i < 0 {
		return fmt.Errorf("%w: the figure %q is unknown; it is one of %s", ErrInput, name, strings.Join(Figures(nil), ", "))
	}
	f := figures[i]
	if f.needs != nil {
		if missing := f.needs(in); missing != "" {
			return fmt.Errorf("%w: figure %s: %s", ErrInput, name, missing)
		}
	}
	s := &sheet{in: in, m: measure(in.Model), width: opt.Width * 72 / 25.4, bars: opt.Features}
	s.ink = &svgInk{} // to find the height
	height := f.draw(s)
	const mostPixels = 400e6
	switch format {
	case "svg":
		s.ink = &svgInk{width: s.width, height: height, title: strings.Trim(in.Name+": "+f.title, ": ")}
	case "png":
		if pixels := s.width * height * float64(opt.DPI*opt.DPI) / (72 * 72); pixels > mostPixels {
			return fmt.Errorf("%w: a picture of %.0f million pixels; lower the dpi or the width", ErrInput, pixels/1e6)
		}
		s.ink = newPixelInk(s.width, height, opt.DPI)
	default:
		return fmt.Errorf("%w: a figure is written as %s, not as %q", ErrInput, strings.Join(FigureFormats(), " or "), format)
	}
	f.draw(s)
	return s.ink.writeTo(w)
}

// sheet is a figure that is being drawn.
type sheet struct {
	ink   ink
	in    *Input
	m     *measures
	width float64
	bars  int
}

// Letterings and colours of figures on white paper.
var (
	inkColour  = color.NRGBA{0x22, 0x26, 0x2a, 255}
	softColour = color.NRGBA{0x5a, 0x62, 0x69, 255}
	ruleColour = color.NRGBA{0xdd, 0xdf, 0xda, 255}
	lineColour = color.NRGBA{0x1d, 0x65, 0x83, 255}

	tickText  = lettering{size: 7, fill: softColour}
	plainText = lettering{size: 7.5, fill: inkColour}
	titleText = lettering{size: 8.5, bold: true, fill: inkColour}
)

func anchored(f lettering, anchor string) lettering { f.anchor = anchor; return f }
func turned(f lettering) lettering                  { f.turned = true; f.anchor = "middle"; return f }

// okabeIto are the colours of Okabe & Ito (2008), the yellow darkened for
// paper. Further ones follow the golden angle, in three lightnesses.
var okabeIto = []color.NRGBA{{0x00, 0x72, 0xb2, 255}, {0xd9, 0x8a, 0x00, 255}, {0x00, 0x9e, 0x73, 255}, {0xc4, 0x61, 0x8f, 255},
	{0x3a, 0xa0, 0xdc, 255}, {0xc9, 0x4f, 0x00, 255}, {0x8c, 0x83, 0x00, 255}, {0x6b, 0x6f, 0x76, 255}}

func componentColour(j int) color.NRGBA {
	if j < len(okabeIto) {
		return okabeIto[j]
	}
	hue := math.Mod(40+137.508*float64(j), 360) * math.Pi / 180
	return oklch([]float64{0.58, 0.46, 0.67}[j%3], 0.11, hue)
}

// oklch is a colour by lightness, chroma and hue (Ottosson 2020).
func oklch(l, c, hue float64) color.NRGBA {
	a, b := c*math.Cos(hue), c*math.Sin(hue)
	cube := func(x float64) float64 { return x * x * x }
	p, q, r := cube(l+0.3963377774*a+0.2158037573*b), cube(l-0.1055613458*a-0.0638541728*b), cube(l-0.0894841775*a-1.2914855480*b)
	channel := func(v float64) uint8 {
		if v = max(0, v); v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		return uint8(math.Round(255 * min(1, v)))
	}
	return color.NRGBA{channel(4.0767416621*p - 3.3077115913*q + 0.2309699292*r), channel(-1.2684380046*p + 2.6097574011*q - 0.3413193965*r), channel(-0.0041960863*p - 0.7034186147*q + 1.7076147010*r), 255}
}

// amounts is the ramp of the page in the light, of falling lightness.
var amounts = []color.NRGBA{{0xf1, 0xf3, 0xf0, 255}, {0xc4, 0xdf, 0xda, 255}, {0x7b, 0xbc, 0xc0, 255}, {0x3f, 0x8f, 0xa8, 255}, {0x23, 0x60, 0x8a, 255}, {0x15, 0x2a, 0x52, 255}}

func amount(v float64) color.NRGBA {
	at := min(1, max(0, v)) * float64(len(amounts)-1)
	low := min(len(amounts)-2, int(at))
	mix := func(a, b uint8) uint8 {
		return uint8(math.Round(float64(a) + (at-float64(low))*(float64(b)-float64(a))))
	}
	a, b := amounts[low], amounts[low+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// box is a part of the sheet.
type box struct{ x, y, w, h float64 }

// axes are those of a plot within a box.
type axes struct {
	area           box
	x0, x1, y0, y1 float64
	log            bool
}

func (a *axes) px(v float64) float64 { return a.area.x + (v-a.x0)/(a.x1-a.x0)*a.area.w }
func (a *axes) py(v float64) float64 {
	low, high := a.y0, a.y1
	if a.log {
		v, low, high = math.Log10(v), math.Log10(low), math.Log10(high)
	}
	return a.area.y + (high-v)/(high-low)*a.area.h
}

func (a *axes) shows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.log || v > 0)
}

// axes draws a frame with ticks around what the values span.
func (s *sheet) axes(b box, title, xLabel string, xs, ys []float64, log, fromZero bool) *axes {
	a := &axes{log: log, x0: math.Inf(1), x1: math.Inf(-1), y0: math.Inf(1), y1: math.Inf(-1)}
	for _, x := range xs {
		a.x0, a.x1 = min(a.x0, x), max(a.x1, x)
	}
	for _, y := range ys {
		if a.shows(y) {
			a.y0, a.y1 = min(a.y0, y), max(a.y1, y)
		}
	}
	if math.IsInf(a.y0, 0) {
		a.y0, a.y1, a.log = 0, 1, false
	}
	if fromZero {
		a.y0 = min(0, a.y0)
	}
	if a.x0 == a.x1 {
		a.x0, a.x1 = a.x0-0.5, a.x1+0.5
	}
	switch {
	case a.y0 == a.y1 && a.log:
		a.y0, a.y1 = a.y0/2, 2*a.y1
	case a.y0 == a.y1:
		a.y0, a.y1 = a.y0-0.5, a.y1+0.5
	case a.log:
		pad := math.Pow(a.y1/a.y0, 0.04)
		a.y0, a.y1 = a.y0/pad, a.y1*pad
	default:
		pad := 0.04 * (a.y1 - a.y0)
		a.y1 += pad
		if !fromZero || a.y0 < 0 {
			a.y0 -= pad
		}
	}
	yTicks := ticks(a.y0, a.y1, 4)
	if a.log {
		yTicks = logTicks(a.y0, a.y1, 5)
	}
	left := 0.0
	for _, t := range yTicks {
		left = max(left, textWidth(tickLabel(t), tickText))
	}
	const above, below = 18, 27
	a.area = box{b.x + left + 6, b.y + above, b.w - left - 14, b.h - above - below}
	s.ink.text(b.x, b.y+9, title, titleText)
	for _, t := range yTicks {
		s.ink.line([]point{{a.area.x, a.py(t)}, {a.area.x + a.area.w, a.py(t)}}, 0.5, ruleColour, false)
		s.ink.text(a.area.x-4, a.py(t)+2.4, tickLabel(t), anchored(tickText, "end"))
	}
	for _, t := range ticks(a.x0, a.x1, max(2, int(a.area.w/50))) {
		s.ink.text(a.px(t), a.area.y+a.area.h+10, tickLabel(t), anchored(tickText, "middle"))
	}
	s.ink.text(a.area.x+a.area.w/2, a.area.y+a.area.h+21, xLabel, anchored(plainText, "middle"))
	return a
}

// curve draws values that the axes show; others part it.
func (s *sheet) curve(a *axes, xs, ys []float64, stroke color.Color) {
	var points []point
	end := func() {
		if len(points) > 1 {
			s.ink.line(points, 1.1, stroke, false)
		}
		points = nil
	}
	for i, y := range ys {
		if !a.shows(y) {
			end()
			continue
		}
		points = append(points, point{a.px(xs[i]), a.py(y)})
	}
	end()
}

// ticks gives round values between two, about as many as asked for.
func ticks(low, high float64, about int) []float64 {
	if !(high > low) {
		return []float64{low}
	}
	raw := (high - low) / float64(about)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * power
	for _, q := range []float64{1, 2, 2.5, 5} {
		if q*power >= raw*0.999 {
			step = q * power
			break
		}
	}
	var list []float64
	for v := math.Ceil(low/step-1e-9) * step; v <= high+1e-9*(high-low); v += step {
		if math.Abs(v) < step/1e6 {
			v = 0
		}
		list = append(list, v)
	}
	return list
}

// logTicks gives powers of ten, or round values where there is less than two
// powers between the ends.
func logTicks(low, high float64, about int) []float64 {
	first, last := math.Ceil(math.Log10(low)-1e-9), math.Floor(math.Log10(high)+1e-9)
	if last-first < 1 {
		return ticks(low, high, about)
	}
	step := max(1, math.Ceil((last-first)/float64(about)))
	var list []float64
	for p := first; p <= last; p += step {
		list = append(list, math.Pow(10, p))
	}
	return list
}

func tickLabel(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a >= 1e5 || a < 1e-3:
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
		if f, err := strconv.ParseFloat(mantissa, 64); err == nil {
			mantissa = strconv.FormatFloat(f, 'g', 4, 64)
		}
		n, _ := strconv.Atoi(exponent)
		return fmt.Sprintf("%se%d", mantissa, n)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}

func (s *sheet) name(names []string, i int, what string) string {
	if names == nil || names[i] == "" {
		return fmt.Sprintf("%s %d", what, i+1)
	}
	return names[i]
}

func upTo(n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = float64(i + 1)
	}
	return list
}

func (s *sheet) convergence() float64 {
	info := &s.in.Model.Info
	var iteration, loss, kkt []float64
	for _, it := range info.Trace {
		iteration, loss, kkt = append(iteration, float64(it.Iteration)), append(loss, it.Loss), append(kkt, it.KKT)
	}
	const gap, height = 18, 165
	half := (s.width - gap - 12) / 2
	a := s.axes(box{6, 8, half, height}, "Loss ("+info.LossName+")", "iteration", iteration, loss, true, false)
	s.curve(a, iteration, loss, lineColour)
	a = s.axes(box{6 + half + gap, 8, half, height}, "KKT residual", "iteration", iteration, kkt, true, false)
	if tol := info.Resolved.Tol; tol > a.y0 && tol < a.y1 {
		s.ink.line([]point{{a.area.x, a.py(tol)}, {a.area.x + a.area.w, a.py(tol)}}, 0.7, softColour, true)
		s.ink.text(a.area.x+a.area.w, a.py(tol)-3, "tolerance", anchored(tickText, "end"))
	}
	s.curve(a, iteration, kkt, lineColour)
	return height + 14
}

// components draws one component beside another, each as what it is.
func (s *sheet) components() float64 {
	cell := map[Kind]struct{ least, tall float64 }{
		Image: {70, 0}, Profile: {220, 105}, Sound: {220, 105}, Signatures: {430, 92},
	}[s.in.Drawing.Kind]
	if cell.least == 0 {
		cell.least, cell.tall = 120, 22+9.6*float64(s.bars)
	}
	const margin, gap = 6, 14
	columns := max(1, int((s.width-2*margin+gap)/(cell.least+gap)))
	columns = min(columns, s.in.Model.K())
	w := (s.width - 2*margin - gap*float64(columns-1)) / float64(columns)
	if s.in.Drawing.Kind == Image {
		w = min(w, 110)
		cell.tall = 16 + w*float64(s.in.Drawing.Height)/float64(s.in.Drawing.Width)
	}
	for j := range s.in.Model.K() {
		b := box{margin + float64(j%columns)*(w+gap), margin + float64(j/columns)*(cell.tall+gap), w, cell.tall}
		s.component(j, b)
	}
	rows := (s.in.Model.K() + columns - 1) / columns
	return 2*margin + float64(rows)*(cell.tall+gap) - gap
}

func (s *sheet) component(j int, b box) {
	m, d := s.in.Model, &s.in.Drawing
	title := fmt.Sprintf("%d", j+1)
	s.ink.rect(b.x, b.y+2, 7, 7, componentColour(j))
	s.ink.text(b.x+11, b.y+8.5, title, titleText)
	s.ink.text(b.x+11+textWidth(title, titleText)+5, b.y+8.5, fmt.Sprintf("%.1f%%", 100*s.m.shares[j]), tickText)
	h := m.H.Row(j)
	most := slices.Max(h)
	if most == 0 {
		s.ink.text(b.x, b.y+22, "empty", tickText)
		return
	}
	switch d.Kind {
	case Image:
		pixels := image.NewGray(image.Rect(0, 0, d.Width, d.Height))
		for i, v := range h {
			x, y := i%d.Width, i/d.Width
			if d.ColumnMajor {
				x, y = i/d.Height, i%d.Height
			}
			pixels.SetGray(x, y, color.Gray{Y: uint8(math.Round(255 * v / most))})
		}
		s.ink.image(b.x, b.y+14, b.w, b.h-14, pixels)
	case Profile, Sound:
		xs := d.Positions
		if xs == nil {
			xs = upTo(len(h))
		}
		a := s.axes(box{b.x, b.y, b.w, b.h}, "", d.axis(), xs, h, false, true)
		s.curve(a, xs, h, componentColour(j))
	case Signatures:
		s.signature(h, most, box{b.x, b.y + 13, b.w, b.h - 13})
	default:
		s.topBars(j, b)
	}
}

// topBars lists the features of the largest weights with bars.
func (s *sheet) topBars(j int, b box) {
	m := s.in.Model
	h := m.H.Row(j)
	order := byFalling(h)
	const row, value = 9.6, 24
	bar := (b.w - value) * 0.4
	decimals := 1
	if h[order[0]] < 0.01 {
		decimals = 2
	}
	for r, i := range order[:min(s.bars, len(order))] {
		if h[i] == 0 {
			break
		}
		y := b.y + 16 + row*float64(r)
		s.ink.text(b.x, y+6.5, fitted(printable(s.name(m.ColumnNames, i, "feature")), plainText, b.w-bar-value-4), plainText)
		s.ink.rect(b.x+b.w-bar-value, y+0.8, bar*h[i]/h[order[0]], 6, componentColour(j))
		s.ink.text(b.x+b.w, y+6.5, fmt.Sprintf("%.*f%%", decimals, 100*h[i]), anchored(tickText, "end"))
	}
}

func (s *sheet) signature(h []float64, most float64, b box) {
	order := channelOrder(s.in.Model.ColumnNames)
	step := b.w / sbs.N
	const above, below = 14, 13
	full := b.h - above - below
	small := lettering{size: min(4.5, 0.95*step), fill: softColour}
	for t, name := range sbs.Substitutions {
		x := b.x + float64(16*t)*step
		s.ink.rect(x+0.5, b.y, 16*step-1, 3, sbs.Colours[t])
		s.ink.text(x+8*step, b.y+10.5, name, anchored(tickText, "middle"))
	}
	for c, name := range sbs.Channels {
		i := c
		if order != nil {
			i = order[c]
		}
		x, tall := b.x+float64(c)*step, full*h[i]/most
		s.ink.rect(x+0.14*step, b.y+above+full-tall, 0.72*step, tall, sbs.Colours[c/16])
		context := name[:1] + name[2:3] + name[6:]
		s.ink.text(x+step/2+0.35*small.size, b.y+above+full+1.5, context, lettering{size: small.size, fill: small.fill, anchor: "end", turned: true})
	}
	s.ink.line([]point{{b.x, b.y + above + full}, {b.x + b.w, b.y + above + full}}, 0.5, softColour, false)
}

// heatmap draws the mixtures of all samples, by their dominant component,
// averaged where there are more than columns of pixels.
func (s *sheet) heatmap() float64 {
	m := s.in.Model
	k, n := m.K(), m.W.Rows
	mix := mixtures(m)
	order := make([]int, n)
	main := make([]int, n)
	for i := range n {
		order[i] = i
		row := mix.Row(i)
		main[i] = k
		if top := slices.Max(row); top > 0 {
			main[i] = slices.Index(row, top)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if main[a] != main[b] || main[a] == k {
			return main[a] - main[b]
		}
		switch x, y := mix.At(a, main[a]), mix.At(b, main[b]); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	const most, margin, left = 2000, 6, 22
	columns := min(n, most)
	top := max(1e-300, slices.Max(mix.Data))
	pixels := image.NewNRGBA(image.Rect(0, 0, columns, k))
	for c := range columns {
		sum := make([]float64, k)
		from, to := c*n/columns, (c+1)*n/columns
		for _, i := range order[from:to] {
			for j, v := range mix.Row(i) {
				sum[j] += v
			}
		}
		for j, v := range sum {
			pixels.SetNRGBA(c, j, amount(v/float64(to-from)/top))
		}
	}
	row := min(16, max(5, 330/float64(k)))
	w, h := s.width-2*margin-left, row*float64(k)
	s.ink.image(margin+left, margin, w, h, pixels)
	every := max(1, int(math.Ceil(7/row)))
	for j := 0; j < k; j++ {
		s.ink.rect(margin+left-6, margin+row*float64(j)+0.4, 3.5, row-0.8, componentColour(j))
		if j%every == 0 {
			s.ink.text(margin+left-9, margin+row*(float64(j)+0.5)+2.4, fmt.Sprint(j+1), anchored(tickText, "end"))
		}
	}
	s.ink.text(margin+left, margin+h+13, fmt.Sprintf("%s samples, by dominant component", thousands(n)), plainText)
	s.ramp(margin+left+w-150, margin+h+6, "0", fmt.Sprintf("%.0f%% of the sample", 100*top))
	return h + 2*margin + 16
}

// ramp is the legend of amounts.
func (s *sheet) ramp(x, y float64, low, high string) {
	pixels := image.NewNRGBA(image.Rect(0, 0, 60, 1))
	for p := range 60 {
		pixels.SetNRGBA(p, 0, amount(float64(p)/59))
	}
	s.ink.text(x-3, y+6.5, low, anchored(tickText, "end"))
	s.ink.image(x, y, 60, 7, pixels)
	s.ink.text(x+63, y+6.5, high, tickText)
}

func (s *sheet) embedding() float64 {
	mix := mixtures(s.in.Model)
	var xs, ys []float64
	for i := range mix.Rows {
		xs, ys = append(xs, s.m.pca[2*i]), append(ys, s.m.pca[2*i+1])
	}
	const margin = 6
	legend := 62.0
	w := s.width - 2*margin - legend
	h := min(w, 330)
	a := s.axes(box{margin + 10, margin - 12, w - 10, h}, "", fmt.Sprintf("first principal component, %.1f%%", 100*s.m.variance[0]), xs, ys, false, false)
	s.ink.text(margin+6, a.area.y+a.area.h/2, fmt.Sprintf("second, %.1f%%", 100*s.m.variance[1]), turned(plainText))
	r := max(0.8, min(2.2, 60/math.Sqrt(float64(len(xs)))))
	for i := range xs {
		fill := color.NRGBA{0xb9, 0xbc, 0xb6, 200}
		if top := slices.Max(mix.Row(i)); top > 0 {
			fill = componentColour(slices.Index(mix.Row(i), top))
			fill.A = 200
		}
		s.ink.circle(a.px(xs[i]), a.py(ys[i]), r, fill)
	}
	s.ink.text(margin+w+8, margin+8, "dominant", tickText)
	most := int((h - 30) / 10)
	for j := range min(s.in.Model.K(), most) {
		y := margin + 14 + 10*float64(j)
		s.ink.rect(margin+w+8, y, 6, 6, componentColour(j))
		s.ink.text(margin+w+18, y+5.8, fmt.Sprint(j+1), tickText)
	}
	return h + margin
}

func (s *sheet) similarity() float64 {
	k := s.in.Model.K()
	pixels := image.NewNRGBA(image.Rect(0, 0, k, k))
	for a := range k {
		for b := range k {
			pixels.SetNRGBA(b, a, amount(s.m.cosine[a*k+b]))
		}
	}
	return s.square(pixels, k, "cosine 0", "1")
}

// square draws a square of cells with their numbers beside, and a legend.
func (s *sheet) square(pixels image.Image, numbers int, low, high string) float64 {
	const margin, left = 6, 22
	side := min(s.width-2*margin-left, 300)
	s.ink.image(margin+left, margin, side, side, pixels)
	if numbers > 0 {
		row := side / float64(numbers)
		every := max(1, int(math.Ceil(8/row)))
		for j := 0; j < numbers; j += every {
			s.ink.text(margin+left-4, margin+row*(float64(j)+0.5)+2.4, fmt.Sprint(j+1), anchored(tickText, "end"))
			s.ink.text(margin+left+row*(float64(j)+0.5), margin+side+9, fmt.Sprint(j+1), anchored(tickText, "middle"))
		}
	}
	s.ramp(margin+left+34, margin+side+15, low, high)
	return side + 2*margin + 24
}

func (s *sheet) residuals() float64 {
	if s.in.X == nil {
		return 0
	}
	if s.m.residuals == nil {
		s.m.residuals = findResiduals(s.in.Model, s.in.X)
	}
	const gap, height = 18, 165
	half := (s.width - gap - 12) / 2
	for i, side := range []struct {
		what string
		side *side
	}{{"sample", &s.m.residuals.rows}, {"feature", &s.m.residuals.cols}} {
		errs := side.side.errors()
		slices.SortFunc(errs, func(a, b float64) int {
			switch {
			case a > b:
				return -1
			case a < b:
				return 1
			}
			return 0
		})
		xs := upTo(len(errs))
		a := s.axes(box{6 + float64(i)*(half+gap), 8, half, height}, "Relative error by "+side.what, side.what+", from the worst", xs, errs, false, true)
		xs, errs = thinned(xs, errs, 1500)
		s.curve(a, xs, errs, lineColour)
	}
	return height + 14
}

// thinned takes every so many of the points of a smooth curve.
func thinned(xs, ys []float64, most int) (x, y []float64) {
	step := max(1, len(xs)/most)
	for i := 0; i < len(xs); i += step {
		x, y = append(x, xs[i]), append(y, ys[i])
	}
	return x, y
}

func (s *sheet) rank() float64 {
	const margin, gap, height = 6, 18, 150
	columns := max(1, min(len(s.in.Rank.Criteria), int(s.width/160)))
	w := (s.width - 2*margin - gap*float64(columns-1)) / float64(columns)
	for i, c := range s.in.Rank.Criteria {
		var xs, ys, all, low, high []float64
		for _, p := range c.Points {
			xs, ys, low, high = append(xs, float64(p.K)), append(ys, p.Value), append(low, p.Low), append(high, p.High)
			all = append(all, p.Value, p.Low, p.High)
		}
		if len(xs) == 0 {
			continue
		}
		b := box{margin + float64(i%columns)*(w+gap), margin + float64(i/columns)*(height+gap), w, height}
		a := s.axes(b, c.Name, "components", xs, all, false, false)
		s.band(a, xs, low, high)
		if k := float64(s.in.Rank.Chosen); k >= a.x0 && k <= a.x1 {
			s.ink.line([]point{{a.px(k), a.area.y}, {a.px(k), a.area.y + a.area.h}}, 0.7, softColour, true)
		}
		s.curve(a, xs, ys, lineColour)
		for q, y := range ys {
			if a.shows(y) {
				s.ink.circle(a.px(xs[q]), a.py(y), 1.8, lineColour)
			}
		}
	}
	rows := max(1, (len(s.in.Rank.Criteria)+columns-1)/columns)
	return 2*margin + float64(rows)*(height+gap) - gap
}

func (s *sheet) band(a *axes, xs, low, high []float64) {
	var there, back []point
	for i, x := range xs {
		if a.shows(low[i]) && a.shows(high[i]) {
			there = append(there, point{a.px(x), a.py(high[i])})
			back = append(back, point{a.px(x), a.py(low[i])})
		}
	}
	if len(there) < 2 {
		return
	}
	slices.Reverse(back)
	fill := lineColour
	fill.A = 40
	s.ink.polygon(append(there, back...), fill)
}

func (s *sheet) consensus() float64 {
	c := s.in.Consensus
	side := min(c.N, 1000)
	pixels := image.NewNRGBA(image.Rect(0, 0, side, side))
	for p, v := range shrink(c.Matrix, c.N, side) {
		pixels.SetNRGBA(p%side, p/side, amount(float64(v)/255))
	}
	return s.square(pixels, 0, "never", "always")
}
