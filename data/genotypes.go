package data

import (
	"fmt"
	"io"
	"math"

	"github.com/partsof/nmf/matrix"
)

// missingGenotype stands for a genotype that was not called.
const missingGenotype int8 = -1

// genotypesTurned is the note of every reader of genotypes.
const genotypesTurned = "loci x samples were turned to samples x loci"

// lociText writes a number of loci.
func lociText(n int) string {
	if n == 1 {
		return "1 locus"
	}
	return fmt.Sprintf("%d loci", n)
}

// genotypes are what formats that keep a locus a line hold: the copies of an
// allele that each sample has, locus by locus, a byte each.
type genotypes struct {
	samples int
	codes   []int8
	names   []string // of loci
	missing int
	left    int // loci that were left out
}

// genotypeLines is what one chunk holds: a code for each sample of each line.
type genotypeLines struct {
	codes []int8
	names []string
	// lines counts the loci; width is how many samples they have.
	lines, width int
	missing      int
	left         int
}

func (l *genotypeLines) reset() {
	*l = genotypeLines{codes: l.codes[:0], names: l.names[:0]}
}

// read parses the lines of r. samples is how many there are, 0 where the first
// line tells; line is the number of the first one.
func (g *genotypes) read(r io.Reader, samples, line, threads int, parse func(*chunk[genotypeLines])) error {
	g.samples = samples
	c := chunks[genotypeLines]{r: r, threads: threads, line: line, whole: wholeLines, parse: parse}
	c.collect = func(c *chunk[genotypeLines]) error {
		out := &c.out
		if q := c.problem; q != nil {
			return &Error{Line: c.lineAt(q.offset), Column: q.column, Found: q.found, Hint: q.hint, Err: q.err}
		}
		if out.lines == 0 {
			g.left += out.left
			return nil
		}
		if g.samples == 0 {
			g.samples = out.width
		}
		if out.width != g.samples {
			return &Error{Line: c.lineAt(0), Found: fmt.Sprintf("the line has %s, the lines before %d", count(out.width, "genotype"), g.samples), Err: ErrFormat}
		}
		g.codes = append(g.codes, out.codes...)
		g.names = append(g.names, out.names...)
		g.missing += out.missing
		g.left += out.left
		return nil
	}
	_, err := c.run()
	return err
}

// genotypeTable makes the matrix of samples x loci, in which a missing genotype
// is NaN.
func genotypeTable[F matrix.Float](g *genotypes) (*Table[F], error) {
	if g.samples == 0 || len(g.codes) == 0 {
		return nil, &Error{Found: "there are no genotypes in the file", Err: ErrFormat}
	}
	loci := len(g.codes) / g.samples
	if err := checkDims(g.samples, loci); err != nil {
		return nil, err
	}
	x := matrix.NewDense[F](g.samples, loci)
	const tile = 64
	for j0 := 0; j0 < loci; j0 += tile {
		for i := range g.samples {
			row := x.Row(i)
			for j := j0; j < min(j0+tile, loci); j++ {
				row[j] = genotypeValue[F](g.codes[j*g.samples+i])
			}
		}
	}
	t := &Table[F]{X: x, ColumnNames: g.names}
	t.addNote(genotypesTurned)
	t.noteMissing(g.missing)
	return t, nil
}

func genotypeValue[F matrix.Float](code int8) F {
	if code == missingGenotype {
		return F(math.NaN())
	}
	return F(code)
}

// noteMissing says that genotypes are missing.
func (t *Table[F]) noteMissing(missing int) {
	if missing > 0 {
		t.addNote(fmt.Sprintf("%s %s missing: NaN", count(missing, "genotype"), were(missing)))
	}
}
