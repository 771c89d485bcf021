package report

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Handler serves the report below /token/: the page of Write, and what it asks
// for on demand, which a file cannot hold: every sample with its original and
// its reconstruction, every feature, and all names to search in. Whoever does
// not know the token gets nothing.
func Handler(in *Input, token string) (http.Handler, error) {
	p, err := newPage(in, true)
	if err != nil {
		return nil, err
	}
	in = in.unit()
	var b bytes.Buffer
	if err := p.write(&b); err != nil {
		return nil, err
	}
	l := &live{in: in, page: p, text: b.Bytes(), mixtures: mixtures(in.Model), samples: pageIndices(p, "samples"), features: pageIndices(p, "features")}
	if in.X != nil {
		l.rowErrors, l.rowShares = p.res.rows.errors(), p.res.rows.shares(p.res.wrong)
		l.columnErrors, l.columnShares = p.res.cols.errors(), p.res.cols.shares(p.res.wrong)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+token+"/{$}", l.servePage)
	mux.HandleFunc("GET /"+token+"/api/sample/{number}", l.serveSample)
	mux.HandleFunc("GET /"+token+"/api/feature/{number}", l.serveFeature)
	mux.HandleFunc("GET /"+token+"/api/find", l.serveFind)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy(true, len(in.Sounds) > 0)+"; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	}), nil
}

type live struct {
	in   *Input
	page *page
	text []byte

	mixtures rowsOf
	// samples and features are those on the page; nil for all.
	samples, features          []int
	rowErrors, rowShares       []float64
	columnErrors, columnShares []float64
}

// rowsOf is a dense matrix as its rows.
type rowsOf interface{ Row(i int) []float64 }

// pageIndices unpacks which samples or features a page holds.
func pageIndices(p *page, name string) []int {
	a, ok := p.head.Arrays[name]
	if !ok {
		return nil
	}
	list := make([]int, a.N)
	for q := range list {
		list[q] = int(binary.LittleEndian.Uint32(p.pack.bytes[a.At+4*q:]))
	}
	return list
}

func (l *live) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(l.text)
}

// liveSample is a sample as the page draws it. Floats are 32-bit,
// little-endian, in base64, over the features on the page.
type liveSample struct {
	Name           string      `json:"name"`
	Mixture        []float64   `json:"mixture"`
	Reconstruction string      `json:"reconstruction"`
	Original       string      `json:"original,omitempty"`
	Error          *float64    `json:"error"`
	Share          *float64    `json:"share"`
	Bias           *float64    `json:"bias"`
	Metadata       [][2]string `json:"metadata"`
}

// numberIn gives the number in a request's path where it is below n.
func numberIn(w http.ResponseWriter, r *http.Request, n int) (int, bool) {
	i, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || i < 0 || i >= n {
		http.NotFound(w, r)
		return 0, false
	}
	return i, true
}

func (l *live) serveSample(w http.ResponseWriter, r *http.Request) {
	m := l.in.Model
	i, ok := numberIn(w, r, m.W.Rows)
	if !ok {
		return
	}
	weights := make([]float64, m.K())
	for j, v := range m.W.Row(i) {
		weights[j] = v * m.Scales[j]
	}
	y := make([]float64, m.H.Cols)
	reconstruct(y, weights, m.H)
	s := liveSample{Name: nameAt(m.RowNames, i), Mixture: l.mixtures.Row(i), Reconstruction: l.floats(y), Metadata: [][2]string{}}
	if l.in.X != nil {
		var buf RowBuffer
		x := make([]float64, m.H.Cols)
		cols, vals := l.in.X.Row(i, &buf)
		for q, v := range vals {
			if cols != nil {
				x[cols[q]] = v
			} else {
				x[q] = v
			}
		}
		s.Original = l.floats(x)
		s.Error, s.Share, s.Bias = &l.rowErrors[i], &l.rowShares[i], &l.page.res.rows.bias[i]
	}
	if l.in.Metadata != nil {
		for _, c := range l.in.Metadata.Columns {
			s.Metadata = append(s.Metadata, [2]string{c.Name, c.Values[i]})
		}
	}
	writeJSON(w, s)
}

// liveFeature is a feature as the page draws it.
type liveFeature struct {
	Name    string    `json:"name"`
	Weights []float64 `json:"weights"`
	Error   *float64  `json:"error"`
	Share   *float64  `json:"share"`
	Bias    *float64  `json:"bias"`
}

func (l *live) serveFeature(w http.ResponseWriter, r *http.Request) {
	m := l.in.Model
	f, ok := numberIn(w, r, m.H.Cols)
	if !ok {
		return
	}
	out := liveFeature{Name: nameAt(m.ColumnNames, f)}
	for j := range m.K() {
		out.Weights = append(out.Weights, m.H.At(j, f))
	}
	if l.in.X != nil {
		out.Error, out.Share, out.Bias = &l.columnErrors[f], &l.columnShares[f], &l.page.res.cols.bias[f]
	}
	writeJSON(w, out)
}

// found is a name that a search found.
type found struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
}

// serveFind finds samples and features by a part of their names, whatever the
// case, among those that are not on the page.
func (l *live) serveFind(w http.ResponseWriter, r *http.Request) {
	want := strings.ToLower(r.URL.Query().Get("q"))
	m := l.in.Model
	writeJSON(w, struct {
		Samples  []found `json:"samples"`
		Features []found `json:"features"`
	}{findNames(m.RowNames, "sample", m.W.Rows, l.samples, want), findNames(m.ColumnNames, "feature", m.H.Cols, l.features, want)})
}

func findNames(names []string, what string, n int, here []int, want string) []found {
	const most = 20
	list := []found{}
	if here == nil || want == "" {
		return list
	}
	for i := range n {
		if len(here) > 0 && here[0] == i {
			here = here[1:]
			continue
		}
		name := nameAt(names, i)
		if name == "" {
			name = what + " " + strconv.Itoa(i+1)
		}
		if strings.Contains(strings.ToLower(name), want) {
			list = append(list, found{i, cutBytes(name, 400)})
			if len(list) == most {
				break
			}
		}
	}
	return list
}

func nameAt(names []string, i int) string {
	if names == nil {
		return ""
	}
	return names[i]
}

func (l *live) floats(values []float64) string {
	var b []byte
	for _, v := range pick(values, l.features) {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return base64.StdEncoding.EncodeToString(b)
}

func writeJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
}
