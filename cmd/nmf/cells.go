package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	singlecell "github.com/partsof/nmf/recipe/cells"
)

type cellsCmd struct {
	Input  string `arg:"" optional:"" needed:"" help:"Counts: a 10x folder, a 10x .h5, an .h5ad, or any matrix of cells x genes."`
	K      int    `short:"k" group:"Fit" type:"count" needed:"" default:"-2147483648" placeholder:"K" help:"Number of gene programs."`
	Output string `short:"o" group:"Output" default:"cells.npz" placeholder:"FILE" help:"Model to write, an .npz file."`
	N      int    `short:"n" group:"Cells" type:"count" default:"10" placeholder:"N" help:"Genes of each program."`
	By     string `group:"Cells" type:"choice" default:"specificity" placeholder:"NAME" help:"Order of the genes; specificity is that of cNMF."`

	MinGenes  int     `group:"Cells" type:"count" default:"1" placeholder:"N" help:"Leave out cells with fewer genes."`
	MinCells  int     `group:"Cells" type:"count" default:"3" placeholder:"N" help:"Leave out genes in fewer cells."`
	Genes     int     `group:"Cells" type:"count" default:"2000" placeholder:"N" help:"Variable genes to keep; 0 for all."`
	Flavour   string  `group:"Cells" type:"choice" default:"seurat" placeholder:"NAME" help:"How they are chosen, by scanpy's names."`
	TargetSum float64 `group:"Cells" type:"number" default:"0" placeholder:"X" help:"Scale the counts of every cell to this; 0 is their median."`
	NoScale   bool    `group:"Cells" help:"Leave genes in their units; otherwise each is divided by its standard deviation."`
	Clip      float64 `group:"Cells" type:"number" default:"10" placeholder:"X" help:"Bound the scaled values; 0 for no bound."`
	Counts    bool    `group:"Cells" help:"Fit the counts of the variable genes as they are, by --loss kl."`

	Programs string `group:"Output" placeholder:"FILE" help:"Write the top genes of all programs as a .csv: program, rank, gene, score, weight."`
	Scores   string `group:"Output" placeholder:"FILE" help:"Write the specificity of every gene, variable or not, as a table of programs x genes."`
	Usages   string `group:"Output" placeholder:"FILE" help:"Write the part of each program in each cell as a table of cells x programs; rows sum to 1."`
	inputFlags
	doorFlags
}

func (c *cellsCmd) examples() [][2]string {
	return [][2]string{
		{"nmf cells filtered_feature_bc_matrix -k 12 --usages usages.csv", "a 10x folder"},
		{"nmf cells filtered_feature_bc_matrix.h5 -k 12 --counts", "counts as they are, by Poisson's likelihood"},
		{"nmf cells pbmc.h5ad --key layers/counts -k 12 --genes 3000", "a layer of an AnnData file"},
		{"nmf cells matrix.mtx.gz --transpose -k 9", "a matrix of genes x cells"},
	}
}

func (c *cellsCmd) notes() string {
	return "A row of the matrix is a cell, a column a variable gene; the fit is --init random --runs 10. docs/cells.md says how counts become numbers."
}

func (c *cellsCmd) Run(a *app, ctx *kong.Context) error {
	in, err := c.source("cells", c.Input, "the file or folder of counts", c.Threads)
	if err != nil {
		return err
	}
	c.cellFlags.read(in)
	d, err := c.enter(ctx, singlecell.Preset(c.Counts), c.K, c.Output, c.Input)
	if err != nil {
		return err
	}
	if err := errors.Join(notNegative("cells", "genes", c.Genes), notNegative("cells", "n", c.N), d.checkTables(c.Scores, c.Usages), d.checkFiles(c.Programs)); err != nil {
		return err
	}
	if c.Clip < 0 {
		return usagef("cells", "--clip is %v; it must be at least 0, where 0 is no bound", c.Clip)
	}
	if c.Precision == "f64" {
		return findPrograms[float64](a, c, d, in)
	}
	return findPrograms[float32](a, c, d, in)
}

func (c *cellsCmd) prepareOptions() *singlecell.Options {
	o := &singlecell.Options{MinGenes: c.MinGenes, MinCells: c.MinCells, Genes: c.Genes, Flavour: c.Flavour,
		TargetSum: c.TargetSum, NoScale: c.NoScale, Clip: c.Clip, Counts: c.Counts}
	// What is 0 on the command line is below zero in the options.
	if o.Genes == 0 {
		o.Genes = -1
	}
	if o.Clip == 0 {
		o.Clip = -1
	}
	return o
}

func findPrograms[F matrix.Float](a *app, c *cellsCmd, d *door, in source) error {
	t, err := data.Read[F](in.path, in.options)
	if err != nil {
		return err
	}
	p, err := singlecell.Prepare(t, c.prepareOptions())
	if err != nil {
		return inFile(in.name(), err)
	}
	m, err := fitPrepared(a, d, in.name(), &p.Table)
	if err != nil {
		return err
	}
	scores, err := singlecell.Scores(m, p)
	if err != nil {
		return err
	}
	programs := singlecell.Programs(m, p, scores, c.N, c.By)
	if err := writePrograms(c, m, p, scores, programs); err != nil {
		return err
	}
	if err := showPrograms(a, c, d, in.name(), m, p, programs); err != nil {
		return err
	}
	return cancelled(&m.Info, d.out)
}

func programNames(k int) []string {
	names := make([]string, k)
	for l := range names {
		names[l] = fmt.Sprintf("program %d", l+1)
	}
	return names
}

func writePrograms[F matrix.Float](c *cellsCmd, m *nmf.Model[F], p *singlecell.Prepared[F], scores *matrix.Dense[F], programs []singlecell.Program) error {
	if c.Usages != "" {
		err := data.Write(c.Usages, &data.Table[F]{X: singlecell.Usages(m), RowNames: p.RowNames, ColumnNames: programNames(m.K())}, nil)
		if err != nil {
			return err
		}
	}
	if c.Scores != "" {
		err := data.Write(c.Scores, &data.Table[F]{X: scores, RowNames: programNames(m.K()), ColumnNames: p.Genes}, nil)
		if err != nil {
			return err
		}
	}
	if c.Programs == "" {
		return nil
	}
	return atomicfile.Write(c.Programs, func(w io.Writer) error {
		t := csv.NewWriter(w)
		err := t.Write([]string{"program", "rank", "gene", "score", "weight"})
		for l, program := range programs {
			for i, g := range program.Genes {
				err = errors.Join(err, t.Write([]string{strconv.Itoa(l + 1), strconv.Itoa(i + 1), g.Name,
					strconv.FormatFloat(g.Score, 'g', 6, 64), strconv.FormatFloat(g.Weight, 'g', 6, 64)}))
			}
		}
		t.Flush()
		return errors.Join(err, t.Error())
	})
}

func showPrograms[F matrix.Float](a *app, c *cellsCmd, d *door, input string, m *nmf.Model[F], p *singlecell.Prepared[F], programs []singlecell.Program) error {
	if c.JSON {
		return a.printJSON(struct {
			Cells     int                  `json:"cells"`
			Genes     int                  `json:"genes"`
			Variable  int                  `json:"variable_genes"`
			TargetSum float64              `json:"target_sum"`
			Programs  []singlecell.Program `json:"programs"`
			Model     string               `json:"model"`
			Fit       nmf.Info             `json:"fit"`
		}{p.All.Rows, p.All.Cols, len(p.Variable), p.TargetSum, programs, d.out.path, withoutTrace(m.Info)})
	}
	if c.Quiet {
		return nil
	}
	a.summarize(input, fmt.Sprintf("%s of %s genes, of which %s are taken; counts of a cell scaled to %.6g", plural(p.All.Rows, "cell"),
		thousands(p.All.Cols), thousands(len(p.Variable)), p.TargetSum), &m.Info)
	a.printf("program, share of all programs, cells that it dominates, top genes by %s:\n\n", c.By)
	width := min(terminalWidth(), topicsWidth)
	for l, program := range programs {
		head := fmt.Sprintf("%3d %6s %6s ", l+1, shareText(program.Share), thousands(program.Cells))
		var texts []string
		for _, g := range program.Genes {
			texts = append(texts, shown(g.Name))
		}
		lines := wrapItems(texts, width-len(head))
		if len(lines) == 0 {
			lines = []string{""}
		}
		for _, line := range lines {
			a.printf("%s%s\n", head, line)
			head = fmt.Sprintf("%*s", len(head), "")
		}
	}
	a.printf("\nmodel   %s, look at it with: nmf top %s\n", d.out.path, shellWord(d.out.path))
	d.again(a)
	return nil
}
