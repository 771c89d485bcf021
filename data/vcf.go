package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "vcf", about: "genotypes of a VCF file: the biallelic loci", extensions: []string{".vcf"},
		sniff:  func(head []byte) bool { return bytes.HasPrefix(head, []byte(vcfMagic)) },
		read32: readVCF[float32], read64: readVCF[float64],
	})
}

const (
	vcfMagic = "##fileformat=VCF"
	// vcfFixed is how many columns stand before the samples.
	vcfFixed = 9
	// vcfHeaderLine bounds the line that names the samples.
	vcfHeaderLine = 1 << 28
)

// readVCF reads the genotypes (GT) of the biallelic loci of a VCF file (Danecek
// et al. 2011): the copies of the alternative allele. A genotype of which any
// allele is missing is missing. Other loci are left out, and a note says so.
func readVCF[F matrix.Float](s *source, o *ReadOptions) (*Table[F], error) {
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("BCF\x02")) {
		return nil, &Error{Found: "this is BCF, the binary form of VCF", Hint: "convert it with bcftools view -Oz", Err: ErrUnsupported}
	}
	samples, line, err := vcfHeader(s.r)
	if err != nil {
		return nil, err
	}
	var g genotypes
	p := vcfParser{samples: len(samples)}
	if err := g.read(s.r, len(samples), line+1, o.Threads, p.parse); err != nil {
		return nil, err
	}
	if len(g.codes) == 0 && g.left > 0 {
		return nil, &Error{Found: fmt.Sprintf("none of its %s is biallelic", lociText(g.left)), Err: ErrFormat}
	}
	t, err := genotypeTable[F](&g)
	if err != nil {
		return nil, err
	}
	t.RowNames = samples
	if g.left > 0 {
		t.addNote(fmt.Sprintf("%s not biallelic %s left out", lociText(g.left), were(g.left)))
	}
	return t, nil
}

// vcfHeader reads up to the line that names the samples, whose number it gives.
func vcfHeader(r *bufio.Reader) (samples []string, line int, err error) {
	for line = 1; ; line++ {
		text, err := readLine(r, vcfHeaderLine)
		switch {
		case err == io.EOF:
			return nil, 0, &Error{Found: "file is cut short: it ends before the line that names the samples (#CHROM)", Err: ErrTruncated}
		case errors.Is(err, bufio.ErrTooLong):
			return nil, 0, &Error{Line: line, Found: "the line is longer than any header's", Err: ErrFormat}
		case err != nil:
			return nil, 0, err
		}
		text = strings.TrimRight(text, "\r\n")
		switch {
		case line == 1 && !strings.HasPrefix(text, vcfMagic):
			return nil, 0, withGuess(&Error{Line: 1, Found: "a VCF file starts with " + vcfMagic, Err: ErrFormat}, []byte(text+"\n"))
		case strings.HasPrefix(text, "##"):
			continue
		case !strings.HasPrefix(text, "#CHROM\t"):
			return nil, 0, &Error{Line: line, Found: quote(text) + " where the line that names the samples (#CHROM) belongs", Err: ErrFormat}
		}
		fields := strings.Split(text, "\t")
		if len(fields) <= vcfFixed {
			return nil, 0, &Error{Line: line, Found: "the file has no genotypes: its header names no samples", Err: ErrUnsupported}
		}
		return fields[vcfFixed:], line, nil
	}
}

// vcfParser parses the lines of loci.
type vcfParser struct{ samples int }

func (p *vcfParser) parse(c *chunk[genotypeLines]) {
	out, text := &c.out, c.text
	out.reset()
	out.width = p.samples
	for i := 0; i < len(text); {
		end := lineEnd(text, i)
		line := bytes.TrimRight(text[i:end], "\r")
		if len(line) > 0 && line[0] != '#' {
			if q := p.locus(out, line); q != nil {
				q.offset = i
				c.problem = q
				return
			}
		}
		i = end + 1
	}
}

// locus parses a line; the problem's offset is left to the caller.
func (p *vcfParser) locus(out *genotypeLines, line []byte) *problem {
	var fixed [vcfFixed][]byte
	rest := line
	for i := range fixed {
		var more bool
		if fixed[i], rest, more = bytes.Cut(rest, []byte{'\t'}); !more {
			return p.ragged(line)
		}
	}
	alternative := fixed[4]
	if string(alternative) == "." || bytes.IndexByte(alternative, ',') >= 0 {
		out.left++
		return nil
	}
	format := fixed[8]
	if string(format) != "GT" && !bytes.HasPrefix(format, []byte("GT:")) {
		return &problem{column: vcfFixed, found: fmt.Sprintf("the format %s does not start with GT", quote(string(format))), hint: "genotypes are read from GT alone", err: ErrUnsupported}
	}
	for sample := range p.samples {
		field, after, more := bytes.Cut(rest, []byte{'\t'})
		if more == (sample == p.samples-1) {
			return p.ragged(line)
		}
		rest = after
		if colon := bytes.IndexByte(field, ':'); colon >= 0 {
			field = field[:colon]
		}
		code, ok := vcfGenotype(field)
		if !ok {
			return &problem{column: vcfFixed + 1 + sample, found: quote(string(field)) + " is not a genotype of two alleles", hint: "it is such as 0/1, 1|1 or ./.", err: ErrFormat}
		}
		if code == missingGenotype {
			out.missing++
		}
		out.codes = append(out.codes, code)
	}
	name := string(fixed[2])
	if name == "." || name == "" {
		name = string(fixed[0]) + ":" + string(fixed[1])
	}
	out.names = append(out.names, name)
	out.lines++
	return nil
}

func (p *vcfParser) ragged(line []byte) *problem {
	return &problem{found: fmt.Sprintf("the line has %s, the header %d", count(bytes.Count(line, []byte{'\t'})+1, "field"), vcfFixed+p.samples), err: ErrFormat}
}

// vcfGenotype counts the copies of the alternative allele: alleles are 0 or 1,
// or . where missing, parted by / or |.
func vcfGenotype(field []byte) (code int8, ok bool) {
	const mostAlleles = 16
	if len(field)%2 == 0 || len(field) >= 2*mostAlleles {
		return 0, false
	}
	missing := false
	for i, b := range field {
		switch {
		case i%2 == 1:
			if b != '/' && b != '|' {
				return 0, false
			}
		case b == '.':
			missing = true
		case b == '1':
			code++
		case b != '0':
			return 0, false
		}
	}
	if missing {
		code = missingGenotype
	}
	return code, true
}
