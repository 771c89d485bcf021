package signatures

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
)

// WriteSignatures writes signatures (rows of h) as tables of them are: a line a
// channel, a column a signature, separated by tabs.
func WriteSignatures[F matrix.Float](path string, names []string, h *matrix.Dense[F]) error {
	return writeTable(path, append([]string{"MutationType"}, names...), func(put func(...string) error) error {
		for c, channel := range Channels {
			line := []string{channel}
			for j := range h.Rows {
				line = append(line, numberText(h.At(j, c)))
			}
			if err := put(line...); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteActivities writes the mutations of each signature in each sample: a line
// a sample, a column a signature.
func WriteActivities[F matrix.Float](path string, samples, names []string, activities *matrix.Dense[F]) error {
	return writeTable(path, append([]string{"Samples"}, names...), func(put func(...string) error) error {
		for i := range activities.Rows {
			line := []string{sampleName(samples, i)}
			for _, v := range activities.Row(i) {
				line = append(line, numberText(v))
			}
			if err := put(line...); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteAttribution writes a line for each sample and signature: mutations, and
// their interval where there is one.
func WriteAttribution[F matrix.Float](path string, samples []string, a *Attribution[F]) error {
	return writeTable(path, []string{"Samples", "Signature", "Mutations", "Low", "High"}, func(put func(...string) error) error {
		for i := range a.Mutations.Rows {
			for j, name := range a.Names {
				low, high := "", ""
				if a.Low != nil {
					low, high = numberText(a.Low.At(i, j)), numberText(a.High.At(i, j))
				}
				if err := put(sampleName(samples, i), name, numberText(a.Mutations.At(i, j)), low, high); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func sampleName(names []string, i int) string {
	if names == nil {
		return strconv.Itoa(i + 1)
	}
	return names[i]
}

func numberText[F matrix.Float](v F) string {
	bits := 64
	if _, narrow := any(v).(float32); narrow {
		bits = 32
	}
	return strconv.FormatFloat(float64(v), 'g', -1, bits)
}

func writeTable(path string, header []string, fill func(put func(...string) error) error) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Comma = '\t'
		put := func(fields ...string) error { return c.Write(fields) }
		if err := put(header...); err != nil {
			return err
		}
		if err := fill(put); err != nil {
			return err
		}
		c.Flush()
		return c.Error()
	})
}
