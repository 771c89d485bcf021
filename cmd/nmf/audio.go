package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	sound "github.com/partsof/nmf/internal/audio"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/audio"
	"github.com/partsof/nmf/report"
)

type audioCmd struct {
	Input  []string `arg:"" name:"files" optional:"" needed:"" help:"WAV and FLAC files of one sampling rate."`
	K      int      `short:"k" group:"Fit" type:"count" needed:"" default:"-2147483648" placeholder:"K" help:"Number of components; with --templates of each of its files."`
	Output string   `short:"o" group:"Output" default:"audio.npz" placeholder:"FILE" help:"Model to write, an .npz file."`

	Templates []string `group:"Audio" placeholder:"FILES" help:"Sound files, one a source: K components are learned from each and held, and every source becomes one sound."`
	Free      int      `group:"Audio" type:"count" default:"0" placeholder:"N" help:"Further components, to be learned, for what is in no file of --templates."`
	Window    string   `group:"Audio" type:"choice" default:"hann" placeholder:"NAME" help:"Window of the short-time Fourier transform."`
	Size      int      `group:"Audio" type:"count" default:"0" placeholder:"N" help:"Its samples. Default: the power of two nearest to 93 ms."`
	Hop       int      `group:"Audio" type:"count" default:"0" placeholder:"N" help:"Samples from one window to the next. Default: a quarter of the window."`
	Spectrum  string   `group:"Audio" type:"choice" default:"auto" placeholder:"NAME" help:"Cells of the matrix (auto is power with --loss is, else magnitude)."`
	Floor     float64  `group:"Audio" type:"number" default:"0" placeholder:"X" help:"Lift cells to this part of the largest. Default: 1e-8 with --loss is, else none."`
	MaskPower float64  `group:"Audio" type:"number" default:"1" placeholder:"X" help:"Power of the model in the masks; above 1 they are sharper."`
	Rise      float64  `group:"Audio" type:"number" default:"0.15" placeholder:"X" help:"How far an activation must rise for an onset, as a part of its largest value."`

	Plot          string `group:"Output" placeholder:"FILE" help:"Picture of the components, an .svg: spectrum, activation, onsets; none for none. Default: named after the model."`
	Sounds        string `group:"Output" placeholder:"FOLDER" help:"Folder for the sound of each component, a .wav each, which add up to the input; none for none. Default: named after the model."`
	Activations   string `group:"Output" placeholder:"FILE" help:"Write the activations as a table: a row a window, its time in seconds, a column a component."`
	Onsets        string `group:"Output" placeholder:"FILE" help:"Write when components begin as a .csv: file, component, seconds, strength."`
	SaveTemplates string `group:"Output" placeholder:"FILE" help:"Write the components of --templates as a table, for --fix-h of nmf fit."`
	doorFlags
}

func (c *audioCmd) examples() [][2]string {
	return [][2]string{
		{"nmf audio song.wav -k 8", "eight sounds that add up to the song"},
		{"nmf audio piano.flac -k 12 --spectrum power --runs 5 --onsets notes.csv", "notes, and when they begin"},
		{"nmf audio mix.wav -k 10 --templates speech.wav,music.wav", "two sources, known from other recordings"},
		{"nmf audio drums.wav -k 3 --loss is", "Itakura-Saito, of powers"},
	}
}

func (c *audioCmd) notes() string {
	return "The matrix is the magnitude of the short-time Fourier transform, the fit --loss kl --init random; docs/audio.md says more."
}

func (c *audioCmd) Run(a *app, ctx *kong.Context) error {
	if len(c.Input) == 0 {
		return usagef("audio", "the files of sound are missing")
	}
	k := c.K
	if len(c.Templates) > 0 && k != kMissing {
		if err := errors.Join(checkK("audio", k), notNegative("audio", "free", c.Free)); err != nil {
			return err
		}
		k = k*len(c.Templates) + c.Free
	}
	d, err := c.enter(ctx, audio.Preset(), k, c.Output, slices.Concat(c.Input, c.Templates)...)
	if err != nil {
		return err
	}
	switch {
	case c.Free != 0 && len(c.Templates) == 0:
		return usagef("audio", "--free is beside the components of --templates, which is missing")
	case c.SaveTemplates != "" && len(c.Templates) == 0:
		return usagef("audio", "--save-templates writes the components of --templates, which is missing")
	case len(c.Templates) > 0 && (c.FixH != "" || c.SupportH != ""):
		return usagef("audio", "--templates holds H itself: leave --fix-h and --support-h out")
	case !(c.MaskPower > 0) || c.MaskPower > 100:
		return usagef("audio", "--mask-power is %v; it must be above 0 and at most 100", c.MaskPower)
	case !(c.Rise > 0 && c.Rise <= 1):
		return usagef("audio", "--rise is %v; it must be above 0 and at most 1", c.Rise)
	}
	if c.Plot, err = d.beside(c.Plot, ".svg"); err != nil {
		return err
	}
	if c.Sounds, err = d.folderBeside(c.Sounds); err != nil {
		return err
	}
	if err := errors.Join(d.checkTables(c.Activations, c.SaveTemplates), d.checkFiles(c.Onsets)); err != nil {
		return err
	}
	if c.Precision == "f64" {
		return takeApart[float64](a, c, d)
	}
	return takeApart[float32](a, c, d)
}

func (c *audioCmd) audioOptions() *audio.Options {
	o := &audio.Options{Window: c.Window, Size: c.Size, Hop: c.Hop, Floor: c.Floor}
	o.Power = c.Spectrum == "power" || c.Spectrum == "auto" && c.Loss == "is"
	if o.Floor == 0 && c.Loss == "is" {
		o.Floor = defaultFloor
	}
	return o
}

// defaultFloor keeps the loss "is" finite: 80 dB below the loudest cell.
const defaultFloor = 1e-8

func takeApart[F matrix.Float](a *app, c *audioCmd, d *door) error {
	r, err := audio.Read[F](c.Input, c.audioOptions())
	if err != nil {
		return systemError(c.Input[0], err)
	}
	names, groups := componentSounds(d.k)
	var tune []func(*nmf.Options)
	if len(c.Templates) > 0 {
		var held *matrix.Dense[float64]
		if names, groups, held, err = learnTemplates(a, c, d, r); err != nil {
			return err
		}
		tune = append(tune, func(o *nmf.Options) { o.PenaltyH.Held = held })
	}
	input := strings.Join(c.Input, " ")
	if len(c.Input) > 1 {
		input = plural(len(c.Input), "file")
	}
	d.ownPage = true
	m, err := fitPrepared(a, d, input, &r.Table, tune...)
	if err != nil {
		return err
	}
	if c.Report != "" {
		page, err := soundPage(c, m, r, input, names, groups)
		if err == nil {
			err = a.describeSamples(page, c.Metadata, r.RowNames, m.W.Rows, c.Quiet)
		}
		if err == nil {
			err = savePage(page, c.Report)
		}
		if err != nil {
			return err
		}
	}
	onsets := audio.Onsets(m, r, c.Rise)
	if err := writeAudio(c, m, r, names, groups, onsets); err != nil {
		return err
	}
	if err := showAudio(a, c, d, input, m, r, len(onsets)); err != nil {
		return err
	}
	return cancelled(&m.Info, d.out)
}

// componentSounds makes every component a sound of its own.
func componentSounds(k int) (names []string, groups [][]int) {
	for l := range k {
		names = append(names, fmt.Sprintf("component-%0*d", len(strconv.Itoa(k)), l+1))
		groups = append(groups, []int{l})
	}
	return names, groups
}

// learnTemplates learns components from the files of --templates, which the fit
// is to hold.
func learnTemplates[F matrix.Float](a *app, c *audioCmd, d *door, r *audio.Recording[F]) (names []string, groups [][]int, held *matrix.Dense[float64], err error) {
	o := c.optionsFor(r.Transform)
	t, err := audio.Read[F](c.Templates, o)
	if err != nil {
		return nil, nil, nil, systemError(c.Templates[0], err)
	}
	if t.Rate != r.Rate {
		return nil, nil, nil, audio.OtherRate(c.Templates[0], t.Rate, c.Input[0], r.Rate)
	}
	fit, err := d.options(a, d.Threads, d.Quiet)
	if err != nil {
		return nil, nil, nil, err
	}
	steps := newProgress(c.Quiet)
	steps.step("learning templates of " + strings.Join(c.Templates, " "))
	h, err := audio.Learn(context.Background(), t, c.K, fit)
	steps.clear()
	if err != nil {
		return nil, nil, nil, err
	}
	if c.SaveTemplates != "" {
		if err := data.Write(c.SaveTemplates, &data.Table[float64]{X: h, ColumnNames: r.ColumnNames}, nil); err != nil {
			return nil, nil, nil, err
		}
		d.fitFlags = append(d.fitFlags, "--fix-h "+shellWord(c.SaveTemplates))
	}
	for i, p := range t.Parts {
		names = append(names, p.Name)
		var group []int
		for l := range c.K {
			group = append(group, i*c.K+l)
		}
		groups = append(groups, group)
	}
	if c.Free > 0 {
		names = append(names, "rest")
		var group []int
		for l := range c.Free {
			group = append(group, len(t.Parts)*c.K+l)
		}
		groups = append(groups, group)
	}
	return names, groups, h, nil
}

// optionsFor are those of the transform that the recording has.
func (c *audioCmd) optionsFor(t *audio.Transform) *audio.Options {
	o := c.audioOptions()
	o.Size, o.Hop = t.Size, t.Hop
	return o
}

func writeAudio[F matrix.Float](c *audioCmd, m *nmf.Model[F], r *audio.Recording[F], names []string, groups [][]int, onsets []audio.Onset) error {
	if c.Sounds != "" {
		if err := os.MkdirAll(c.Sounds, 0o777); err != nil {
			return err
		}
		for i, p := range r.Parts {
			for g, s := range audio.Separate(m, r, i, groups, c.MaskPower) {
				path := filepath.Join(c.Sounds, p.Name+"."+names[g]+".wav")
				if err := atomicfile.Write(path, func(w io.Writer) error { _, err := sound.WriteWAV(w, s); return err }); err != nil {
					return err
				}
			}
		}
	}
	if c.Plot != "" {
		if err := atomicfile.Write(c.Plot, func(w io.Writer) error { return audio.Plot(w, m, r, onsets) }); err != nil {
			return err
		}
	}
	if c.Activations != "" {
		if err := writeWeights(c.Activations, m); err != nil {
			return err
		}
	}
	if c.Onsets == "" {
		return nil
	}
	return atomicfile.Write(c.Onsets, func(w io.Writer) error {
		t := csv.NewWriter(w)
		err := t.Write([]string{"file", "component", "seconds", "strength"})
		for _, o := range onsets {
			err = errors.Join(err, t.Write([]string{r.Parts[o.Part].Name, strconv.Itoa(o.Component + 1),
				strconv.FormatFloat(o.Seconds, 'f', 4, 64), strconv.FormatFloat(o.Strength, 'f', 3, 64)}))
		}
		t.Flush()
		return errors.Join(err, t.Error())
	})
}

// soundPage is what a report shows of a recording: spectra, spectrograms and the
// sounds that the command writes. Files follow one another, each as long as its
// windows, so that the times of the windows and of the sounds are the same.
func soundPage[F matrix.Float](c *audioCmd, m *nmf.Model[F], r *audio.Recording[F], input string, names []string, groups [][]int) (*report.Input, error) {
	in := &report.Input{Name: filepath.Base(filepath.Clean(input)), Model: wider(m), X: report.FromMatrix(r.X), Fitted: true, Drawing: report.Drawing{Kind: report.Sound}}
	t := r.Transform
	for j := range t.Bins() {
		in.Drawing.Positions = append(in.Drawing.Positions, t.Frequency(j, r.Rate))
	}
	joined := make([]*sound.Sound, len(groups))
	for g := range joined {
		joined[g] = &sound.Sound{Rate: r.Rate, Channels: make([][]float64, 1), Encoding: sound.Encoding{Bits: 32, Float: true}}
	}
	for i, p := range r.Parts {
		for frame := range p.Frames {
			in.Drawing.Seconds = append(in.Drawing.Seconds, t.Time(p.First+frame, r.Rate))
		}
		for g, s := range audio.Separate(m, r, i, groups, c.MaskPower) {
			samples := make([]float64, p.Frames*t.Hop)
			if i == len(r.Parts)-1 {
				samples = samples[:s.Len()]
			}
			for _, channel := range s.Channels {
				for at, v := range channel {
					samples[at] += v / float64(len(s.Channels))
				}
			}
			joined[g].Channels[0] = append(joined[g].Channels[0], samples...)
		}
	}
	for g, s := range joined {
		var b bytes.Buffer
		if _, err := sound.WriteWAV(&b, s); err != nil {
			return nil, err
		}
		in.Sounds = append(in.Sounds, report.ComponentSound{Name: names[g], Components: groups[g], WAV: b.Bytes()})
	}
	return in, nil
}

func showAudio[F matrix.Float](a *app, c *audioCmd, d *door, input string, m *nmf.Model[F], r *audio.Recording[F], onsets int) error {
	t := r.Transform
	if c.JSON {
		return a.printJSON(struct {
			Seconds float64  `json:"seconds"`
			Rate    int      `json:"rate"`
			Window  string   `json:"window"`
			Size    int      `json:"size"`
			Hop     int      `json:"hop"`
			Onsets  int      `json:"onsets"`
			Model   string   `json:"model"`
			Sounds  string   `json:"sounds,omitempty"`
			Plot    string   `json:"plot,omitempty"`
			Fit     nmf.Info `json:"fit"`
		}{r.Seconds(), r.Rate, t.Window, t.Size, t.Hop, onsets, d.out.path, c.Sounds, c.Plot, withoutTrace(m.Info)})
	}
	if c.Quiet {
		return nil
	}
	a.summarize(input, fmt.Sprintf("%s at %s Hz; %s windows of %d samples (%.0f ms), a hop of %d", shortDuration(seconds(r.Seconds())), thousands(r.Rate),
		t.Window, t.Size, 1000*float64(t.Size)/float64(r.Rate), t.Hop), &m.Info)
	a.printf("onsets  %s\n", thousands(onsets))
	if c.Plot != "" {
		a.printf("look    %s\n", c.Plot)
	}
	if c.Sounds != "" {
		a.printf("listen  %s\n", c.Sounds)
	}
	a.printf("model   %s, look at it with: nmf top %s\n", d.out.path, shellWord(d.out.path))
	if len(c.Templates) == 0 || c.SaveTemplates != "" {
		d.again(a)
	}
	return nil
}
