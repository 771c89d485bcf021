package data

import (
	"fmt"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "geno", about: "genotypes of LEA and EIGENSTRAT: a locus a line, a digit an individual", extensions: []string{".geno"},
		read32: readGeno[float32], read64: readGeno[float64],
	})
}

// readGeno reads genotypes as LEA (Frichot et al. 2014) and EIGENSTRAT write
// them: a line a locus, in it for each individual the number of copies of an
// allele, 0 to 2, or 9 where it is missing.
func readGeno[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	var g genotypes
	if err := g.read(s.r, 0, 1, o.Threads, parseGeno); err != nil {
		return nil, err
	}
	return genotypeTable[F](&g)
}

// parseGeno parses the lines of a chunk.
func parseGeno(c *chunk[genotypeLines]) {
	out, text := &c.out, c.text
	out.reset()
	for i := 0; i < len(text); {
		end := lineEnd(text, i)
		line := text[i:end]
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			i = end + 1
			continue
		}
		if out.lines == 0 {
			out.width = len(line)
		}
		for j, b := range line {
			switch b {
			case '0', '1', '2':
				out.codes = append(out.codes, int8(b-'0'))
			case '9':
				out.codes = append(out.codes, missingGenotype)
				out.missing++
			default:
				c.problem = genoProblem(line, i, j)
				return
			}
		}
		if len(line) != out.width {
			c.problem = &problem{offset: i, err: ErrFormat,
				found: fmt.Sprintf("the line has %s, the line before %d", count(len(line), "genotype"), out.width)}
			return
		}
		out.lines++
		i = end + 1
	}
}

func genoProblem(line []byte, offset, j int) *problem {
	q := &problem{offset: offset, column: j + 1, err: ErrFormat}
	switch b := line[j]; {
	case b == ' ' || b == '\t':
		q.found = "there is a blank between the genotypes"
		q.hint = "a .geno file has a line of digits for each locus, one for each individual"
	default:
		q.found = fmt.Sprintf("%q is not a genotype", b)
		q.hint = "it is 0, 1 or 2 copies of an allele, or 9 where it is missing"
	}
	return q
}
