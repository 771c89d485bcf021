package data

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "plink", about: "genotypes of PLINK: .bed with .bim and .fam beside it", extensions: []string{".bed"},
		sniff:  func(head []byte) bool { return bytes.HasPrefix(head, plinkMagic) },
		read32: readPLINK[float32], read64: readPLINK[float64],
	})
}

// plinkMagic starts a .bed file; the byte after it says what a block is: a
// locus (1) or, in very old files, an individual (0).
var plinkMagic = []byte{0x6c, 0x1b}

const (
	plinkByLocus     = 1
	plinkHeader      = 3
	genotypesPerByte = 4
)

// plinkCodes are the copies of allele A1 that two bits stand for.
var plinkCodes = [4]int8{2, missingGenotype, 1, 0}

// readPLINK reads genotypes of PLINK 1 (Purcell et al. 2007): the copies of
// allele A1, which the fifth column of .bim names. Rows are named by the
// individuals in .fam, columns by the loci in .bim.
func readPLINK[F matrix.Float](s *source, _ *ReadOptions) (*Table[F], error) {
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	switch {
	case !bytes.HasPrefix(head, plinkMagic):
		return nil, withGuess(malformed("the content does not start as PLINK's .bed does"), head)
	case len(head) > 2 && head[2] != plinkByLocus:
		return nil, &Error{Found: "the genotypes are stored by individual", Hint: "write the file anew with plink --make-bed", Err: ErrUnsupported}
	case s.path == "-":
		return nil, &Error{Found: "a .bed file needs .bim and .fam beside it, and standard input has none", Hint: "name the file", Err: ErrUnsupported}
	}
	base := s.path
	if _, compression := splitExtension(base); compression != "" {
		base = base[:len(base)-len(compression)]
	}
	if ext, _ := splitExtension(base); ext == ".bed" {
		base = base[:len(base)-len(ext)]
	}
	loci, err := readNames(base+".bim", locusName)
	if err != nil {
		return nil, err
	}
	individuals, err := readNames(base+".fam", individualName)
	if err != nil {
		return nil, err
	}
	var r io.Reader = s.r
	size := s.size
	if size < 0 {
		// The matrix takes many times the bytes that there are: see them first.
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		r, size = bytes.NewReader(content), int64(len(content))
	}
	t, err := readBED[F](r, size, len(individuals), len(loci))
	if err != nil {
		return nil, err
	}
	t.RowNames, t.ColumnNames = individuals, loci
	return t, nil
}

// readNames reads a file of fields parted by blanks and makes a name of each
// line.
func readNames(path string, name func(fields []string) string) (names []string, err error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for line := 1; ; line++ {
		text, err := readLine(s.r, maxHeaderLine)
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, s.fail(err)
		}
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		const few = 5
		if len(fields) < few {
			return nil, s.fail(&Error{Line: line, Found: fmt.Sprintf("the line has %s, not 6", count(len(fields), "field")), Err: ErrFormat})
		}
		names = append(names, name(fields))
	}
}

// locusName is the identifier in a line of .bim, or chromosome and position
// where it has none.
func locusName(fields []string) string {
	if fields[1] == "." {
		return fields[0] + ":" + fields[3]
	}
	return fields[1]
}

// individualName is the individual's identifier, with that of the family where
// it is another one.
func individualName(fields []string) string {
	if fields[0] == "0" || fields[0] == fields[1] {
		return fields[1]
	}
	return fields[0] + ":" + fields[1]
}

// readBED reads genotypes, block by block. size is the number of bytes in r.
func readBED[F matrix.Float](r io.Reader, size int64, samples, loci int) (*Table[F], error) {
	if err := checkDims(samples, loci); err != nil {
		return nil, err
	}
	block := (samples + genotypesPerByte - 1) / genotypesPerByte
	if need := plinkHeader + int64(block)*int64(loci); size != need {
		e := &Error{
			Found: fmt.Sprintf("%s of %s take %d bytes, %d are there", lociText(loci), count(samples, "individual"), need, size),
			Hint:  ".bim and .fam must be of the same data", Err: ErrFormat,
		}
		if size < need {
			e.Found, e.Err = "file is cut short: "+e.Found, ErrTruncated
		}
		return nil, e
	}
	if _, err := io.CopyN(io.Discard, r, plinkHeader); err != nil {
		return nil, noEOF(err)
	}
	const tile = 64
	missing := 0
	raw := make([]byte, block*min(tile, loci))
	x := matrix.NewDense[F](samples, loci)
	for j0 := 0; j0 < loci; j0 += tile {
		width := min(tile, loci-j0)
		if _, err := io.ReadFull(r, raw[:block*width]); err != nil {
			return nil, noEOF(err)
		}
		for i := range samples {
			row := x.Row(i)[j0 : j0+width]
			at, shift := i/genotypesPerByte, 2*(i%genotypesPerByte)
			for j := range row {
				code := plinkCodes[raw[j*block+at]>>shift&3]
				if code == missingGenotype {
					missing++
				}
				row[j] = genotypeValue[F](code)
			}
		}
	}
	t := &Table[F]{X: x}
	t.addNote(genotypesTurned)
	t.noteMissing(missing)
	return t, nil
}
