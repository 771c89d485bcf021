package nmf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/npy"
	"github.com/partsof/nmf/matrix"
)

// formatVersion is the version of the model file's layout that is written.
const formatVersion = 1

// Members of a model file.
const (
	infoMember        = "model.json"
	rowNamesMember    = "row_names.txt"
	columnNamesMember = "column_names.txt"
	// onlineH, onlineA, onlineB and onlineMass are what learning goes on from.
	onlineH, onlineA, onlineB, onlineMass = "online_H", "online_sums", "online_weights", "online_mass"
)

// Save writes the model to a .npz file that numpy.load opens: W.npy (m x k),
// H.npy (k x n) and scales.npy (k), the fit being W·diag(scales)·H;
// row_names.txt and column_names.txt, one name a line, where there are names
// (a line break within a name becomes a space); and model.json, the Info. The
// file is whole or not there, and the same model gives the same bytes.
func (m *Model[F]) Save(path string) error {
	return atomicfile.Write(path, m.write)
}

func (m *Model[F]) write(w io.Writer) error {
	z := npy.NewWriter(w)
	info, err := json.MarshalIndent(m.Info, "", "  ")
	if err != nil {
		return err
	}
	member, err := z.Create(infoMember, true)
	if err != nil {
		return err
	}
	if _, err := member.Write(append(info, '\n')); err != nil {
		return err
	}
	for _, a := range []struct {
		name string
		d    *matrix.Dense[F]
	}{{"W.npy", m.W}, {"H.npy", m.H}} {
		member, err := z.Create(a.name, false)
		if err != nil {
			return err
		}
		if err := npy.WriteDense(member, a.d); err != nil {
			return err
		}
	}
	if err := npy.WriteMember(z, "scales", false, []int{m.K()}, m.Scales); err != nil {
		return err
	}
	if err := m.online.write(z); err != nil {
		return err
	}
	for _, n := range []struct {
		name  string
		lines []string
	}{{rowNamesMember, m.RowNames}, {columnNamesMember, m.ColumnNames}} {
		if n.lines == nil {
			continue
		}
		if err := z.WriteLines(n.name, oneLine(n.lines)); err != nil {
			return err
		}
	}
	return z.Close()
}

// oneLine replaces line breaks within names.
func oneLine(names []string) []string {
	r := strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = r.Replace(name)
	}
	return out
}

// Load reads a model that Save wrote, of either precision, as F. Errors name
// the file and wrap ErrModelFormat or ErrModelVersion, or are the system's.
func Load[F matrix.Float](path string) (*Model[F], error) {
	var m *Model[F]
	err := withArchive(path, func(a *npy.Archive) (err error) {
		m, err = readModel[F](a)
		return err
	})
	return m, err
}

// ReadInfo reads how a model came to be without reading its factors.
func ReadInfo(path string) (*Info, error) {
	var info *Info
	err := withArchive(path, func(a *npy.Archive) (err error) {
		info, err = readInfo(a)
		return err
	})
	return info, err
}

// withArchive opens a model file and says in its errors which it was.
func withArchive(path string, read func(a *npy.Archive) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if stat.IsDir() {
		return fmt.Errorf("%s: %w: it is a folder", path, ErrModelFormat)
	}
	a, err := npy.OpenArchive(f, stat.Size())
	if err == nil {
		err = read(a)
	}
	var system *fs.PathError
	switch {
	case err == nil, errors.As(err, &system):
		return err
	case errors.Is(err, ErrModelFormat), errors.Is(err, ErrModelVersion):
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s: %w: %w", path, ErrModelFormat, err)
}

func readInfo(a *npy.Archive) (*Info, error) {
	if !a.Has(infoMember) {
		return nil, fmt.Errorf("%w: it has no member %s", ErrModelFormat, infoMember)
	}
	r, err := a.Open(infoMember)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	const longest = 256 << 20
	text, err := io.ReadAll(io.LimitReader(r, longest))
	if err != nil {
		return nil, err
	}
	var version struct {
		FormatVersion int    `json:"format_version"`
		Version       string `json:"version"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrModelFormat, infoMember, err)
	}
	switch {
	case version.FormatVersion > formatVersion:
		return nil, fmt.Errorf("%w: format %d, made by nmf %s; this is nmf %s, which reads up to format %d: update nmf",
			ErrModelVersion, version.FormatVersion, version.Version, Version(), formatVersion)
	case version.FormatVersion < 1:
		return nil, fmt.Errorf("%w: %s has no format_version", ErrModelFormat, infoMember)
	}
	info := new(Info)
	if err := json.Unmarshal(text, info); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrModelFormat, infoMember, err)
	}
	if info.Rows < 1 || info.Columns < 1 || info.K < 1 {
		return nil, fmt.Errorf("%w: %s says %d x %d with k = %d", ErrModelFormat, infoMember, info.Rows, info.Columns, info.K)
	}
	return info, nil
}

func readModel[F matrix.Float](a *npy.Archive) (*Model[F], error) {
	info, err := readInfo(a)
	if err != nil {
		return nil, err
	}
	m := &Model[F]{Info: *info}
	if m.W, err = readFactor[F](a, "W", info.Rows, info.K); err != nil {
		return nil, err
	}
	if m.H, err = readFactor[F](a, "H", info.K, info.Columns); err != nil {
		return nil, err
	}
	scales, err := npy.ReadMember[float64](a, "scales")
	if err != nil {
		return nil, err
	}
	if len(scales.Shape) != 1 || scales.Shape[0] != info.K {
		return nil, fmt.Errorf("%w: scales.npy has shape %s, not (%d,)", ErrModelFormat, npy.ShapeString(scales.Shape), info.K)
	}
	m.Scales = scales.Data
	if firstBad(m.Scales) >= 0 {
		return nil, fmt.Errorf("%w: scales.npy has a value that is negative or not finite", ErrModelFormat)
	}
	if m.RowNames, err = readNames(a, rowNamesMember, info.Rows); err != nil {
		return nil, err
	}
	if m.ColumnNames, err = readNames(a, columnNamesMember, info.Columns); err != nil {
		return nil, err
	}
	m.online, err = readOnlineState[F](a, info)
	return m, err
}

func readFactor[F matrix.Float](a *npy.Archive, key string, rows, cols int) (*matrix.Dense[F], error) {
	array, err := npy.ReadMember[F](a, key)
	if err != nil {
		return nil, err
	}
	if len(array.Shape) != 2 || array.Shape[0] != rows || array.Shape[1] != cols {
		return nil, fmt.Errorf("%w: %s.npy has shape %s, not (%d, %d)", ErrModelFormat, key, npy.ShapeString(array.Shape), rows, cols)
	}
	d, err := matrix.FromSlice(rows, cols, array.Data)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if j := firstBad(d.Row(i)); j >= 0 {
			return nil, fmt.Errorf("%w: %s.npy: row %d, column %d: %v is negative or not finite", ErrModelFormat, key, i+1, j+1, d.At(i, j))
		}
	}
	return d, nil
}

func readNames(a *npy.Archive, member string, n int) ([]string, error) {
	if !a.Has(member) {
		return nil, nil
	}
	names, err := a.Lines(member)
	if err != nil {
		return nil, err
	}
	if len(names) != n {
		return nil, fmt.Errorf("%w: %s has %d lines, not %d", ErrModelFormat, member, len(names), n)
	}
	return names, nil
}
