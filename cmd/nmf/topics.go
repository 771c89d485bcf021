package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/topics"
	"github.com/partsof/nmf/report"
)

type topicsCmd struct {
	Root   string `arg:"" name:"input" optional:"" needed:"" help:"Folder of .txt, .md, .html or .go files, a file with one document or JSON object a line, or - for standard input."`
	K      int    `short:"k" group:"Topics" type:"count" default:"20" placeholder:"K" help:"Number of topics."`
	Output string `short:"o" group:"Output" default:"topics.npz" placeholder:"FILE" help:"Model to write, an .npz file."`
	N      int    `short:"n" group:"Topics" type:"count" default:"8" placeholder:"N" help:"Terms of each topic."`
	Docs   int    `group:"Topics" type:"count" default:"4" placeholder:"N" help:"Documents of each topic."`
	By     string `group:"Topics" type:"choice" default:"weight" placeholder:"NAME" help:"Order of the terms."`

	MinDF       string `name:"min-df" group:"Text" placeholder:"N" help:"Drop terms in fewer documents: a count, or a share such as 1%. Default 3; 2 below 30 documents, 1 below 10."`
	MaxDF       string `name:"max-df" group:"Text" placeholder:"N" help:"Drop terms in more documents: a share such as 50%, or a count. Default half of them."`
	MaxFeatures int    `group:"Text" type:"count" default:"0" placeholder:"N" help:"Keep that many terms, the most frequent; 0 for all."`
	NGrams      int    `name:"ngrams" group:"Text" type:"count" default:"1" placeholder:"N" help:"Terms of 1 to N words."`
	StopWords   string `group:"Text" default:"english" placeholder:"LIST" help:"Words to leave out: english, none, or a file of words."`
	Field       string `group:"Text" placeholder:"NAME" help:"Field of JSON lines that holds the text. Default text."`
	NameField   string `group:"Text" placeholder:"NAME" help:"Field of JSON lines that names the document. Default: its line."`
	solveFlags
	reportFlags
	machineFlags
	checkpointFlags
	outputFlags
}

func (c *topicsCmd) examples() [][2]string {
	return [][2]string{
		{`nmf topics "$(go env GOROOT)/src" -k 20`, "what Go's own packages are about"},
		{"nmf topics notes/ -k 10 -o notes.npz", "a folder of text"},
		{"nmf topics reviews.jsonl --field body --name-field id -k 15", "JSON lines"},
		{"nmf top topics.npz -n 20", "the same topics again, in more detail"},
	}
}

func (c *topicsCmd) notes() string {
	return "Documents become rows of tf-idf weights; docs/topics.md says how. The weight of a term is its part of the topic."
}

func (c *topicsCmd) Run(a *app) error {
	if c.Root == "" {
		return usagef("topics", "the folder or file of text is missing")
	}
	if c.N < 1 || c.Docs < 0 {
		return usagef("topics", "-n must be at least 1 and --docs at least 0")
	}
	if c.NGrams < 1 {
		return usagef("topics", "--ngrams is %d; it must be at least 1", c.NGrams)
	}
	vectors, err := c.vectorOptions()
	if err != nil {
		return err
	}
	if err := errors.Join(c.solveFlags.check("topics", c.K), c.penaltyFlags.onePoint("topics"), c.machineFlags.check("topics"), c.checkpointFlags.check("topics")); err != nil {
		return err
	}
	out, err := newModelOutput("topics", c.Output)
	if err != nil {
		return err
	}
	if err := c.reportFlags.check("topics", c.Output, c.Root); err != nil {
		return err
	}
	if c.Precision == "f64" {
		return findTopics[float64](a, c, vectors, out)
	}
	return findTopics[float32](a, c, vectors, out)
}

func (c *topicsCmd) vectorOptions() (*topics.VectorOptions, error) {
	o := &topics.VectorOptions{MaxFeatures: c.MaxFeatures, NGrams: c.NGrams, Threads: c.Threads}
	var err error
	if o.MinDF, err = topics.ParseDF(c.MinDF); err != nil {
		return nil, usagef("topics", "--min-df: %v", err)
	}
	if o.MaxDF, err = topics.ParseDF(c.MaxDF); err != nil {
		return nil, usagef("topics", "--max-df: %v", err)
	}
	if o.StopWords, err = topics.LoadStopWords(c.StopWords); err != nil {
		return nil, fmt.Errorf("--stop-words: %w", systemError(c.StopWords, err))
	}
	return o, nil
}

func findTopics[F matrix.Float](a *app, c *topicsCmd, o *topics.VectorOptions, out modelOutput) error {
	ctx := context.Background()
	corpus, err := topics.ReadCorpus(ctx, c.Root, &topics.CorpusOptions{Field: c.Field, NameField: c.NameField, Threads: c.Threads})
	if err != nil {
		return systemError(c.Root, err)
	}
	for _, n := range corpus.Notes {
		a.note(c.Quiet, "%s", n)
	}
	x, v, err := topics.Vectorize[F](ctx, corpus.Documents, o)
	if err != nil {
		return inFile(c.Root, err)
	}
	t := &data.Table[F]{X: x, RowNames: corpus.Names(), ColumnNames: v.Terms}
	fit, err := c.options(a, c.Threads, c.Quiet)
	if err != nil {
		return err
	}
	page, err := c.begin(a, c.Root, report.Drawing{Kind: report.Words}, report.FromMatrix[F](x), t.RowNames, x.Rows, c.Quiet)
	if err != nil {
		return err
	}
	c.checkpointFlags.into(a, fit, c.Quiet)
	model, err := fitTable(a, t, c.K, fit, c.Quiet)
	if err != nil {
		return inFile(c.Root, err)
	}
	if err := saveModel(a, model, out, c.Quiet); err != nil {
		return err
	}
	wide := wider(model)
	if err := c.finish(page, wide); err != nil {
		return err
	}
	if err := showTopics(a, c, corpus, v, wide, out); err != nil {
		return err
	}
	return cancelled(&model.Info, out)
}

// wider gives a model in float64, for showing.
func wider[F matrix.Float](m *nmf.Model[F]) *nmf.Model[float64] {
	return &nmf.Model[float64]{W: toDense(matrix.Convert[float64](m.W)), H: toDense(matrix.Convert[float64](m.H)), Scales: m.Scales,
		RowNames: m.RowNames, ColumnNames: m.ColumnNames, Info: m.Info}
}

func showTopics(a *app, c *topicsCmd, corpus *topics.Corpus, v *topics.Vectorizer, m *nmf.Model[float64], out modelOutput) error {
	list, err := components(m, c.N, c.Docs, c.By)
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(struct {
			Documents int            `json:"documents"`
			Terms     int            `json:"terms"`
			Counted   topics.Counted `json:"counted"`
			Model     string         `json:"model"`
			Fit       nmf.Info       `json:"fit"`
			Topics    []component    `json:"topics"`
		}{len(corpus.Documents), len(v.Terms), v.Counted, out.path, withoutTrace(m.Info), list})
	}
	width := min(terminalWidth(), topicsWidth)
	if !c.Quiet {
		a.printf("%s: %s, %s of text, %s\n", c.Root, plural(len(corpus.Documents), "document"), byteText(float64(corpus.Bytes())), plural(len(v.Terms), "term"))
		explain := "explain"
		if m.K() == 1 {
			explain = "explains"
		}
		a.printf("%s in %s %s %s of the squares; the rest is what documents do not share\n", plural(m.K(), "topic"),
			shortDuration(seconds(m.Info.Seconds)), explain, percent(explained(m.Info.RelativeError)))
		a.printf("topic, share of all topics, top terms with their part of the topic, top documents:\n\n")
	}
	a.printTopics(list, width)
	if !c.Quiet {
		a.printf("\nThe model is in %s; see more of it with: nmf top %s -n 20\n", out.path, shellWord(out.path))
		if c.Report != "" {
			a.printf("The report is in %s: open it in a browser\n", c.Report)
		}
	}
	return nil
}

// topicsWidth bounds lines: longer ones read badly.
const topicsWidth = 120

// printTopics shows each topic by its terms and its documents.
func (a *app) printTopics(list []component, width int) {
	const margin = 11
	for i, c := range list {
		if i > 0 {
			a.printf("\n")
		}
		head := fmt.Sprintf("%3d %6s ", c.Number, shareText(c.Share))
		for _, l := range wrapItems(termTexts(c.Features), width-margin) {
			a.printf("%s%s\n", head, l)
			head = strings.Repeat(" ", margin)
		}
		var documents []string
		for _, e := range c.Samples {
			documents = append(documents, cut(shown(e.Name), width-margin-3))
		}
		for j, l := range wrapItems(documents, width-margin-3) {
			lead := "in "
			if j > 0 {
				lead = "   "
			}
			a.printf("%s%s%s\n", strings.Repeat(" ", margin), lead, l)
		}
	}
}

func termTexts(features []entry) []string {
	d := decimals(features)
	d = max(0, d-1)
	var texts []string
	for _, e := range features {
		texts = append(texts, shown(e.Name)+" "+fixed(e.Weight, d))
	}
	return texts
}

func shareText(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// wrapItems joins items by commas to lines; an item is not broken.
func wrapItems(items []string, width int) []string {
	var lines []string
	line := ""
	for i, item := range items {
		if i < len(items)-1 {
			item += ","
		}
		switch {
		case line == "":
			line = item
		case displayWidth(line)+1+displayWidth(item) <= width:
			line += " " + item
		default:
			lines = append(lines, line)
			line = item
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
