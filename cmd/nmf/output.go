package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
)

// tableFlags say where a command writes a matrix.
type tableFlags struct {
	Output string `short:"o" group:"Output" placeholder:"FILE" help:"File to write; its extension tells the format. Default: CSV on standard output."`
	To     string `group:"Output" type:"choice" placeholder:"NAME" help:"Format of the output, whatever its name."`
}

func (f *tableFlags) path() string {
	if f.Output == "" {
		return "-"
	}
	return f.Output
}

// check finds out before the work whether the output can be written.
func (f *tableFlags) check() error {
	return data.CheckWrite(f.path(), &data.WriteOptions{Format: f.To})
}

// spare refuses, before the work, to write over a model, which no command that
// writes a matrix could put back.
func (f *tableFlags) spare() error {
	if info, err := os.Stat(f.path()); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if _, err := nmf.ReadInfo(f.path()); err == nil || errors.Is(err, nmf.ErrModelVersion) {
		return fmt.Errorf("%s exists and is a model, which a matrix would replace: it is left alone; name another file, or remove it", f.path())
	}
	return nil
}

// spareInputs refuses to write over what the command reads.
func (f *tableFlags) spareInputs(command, model, input string) error {
	switch {
	case sameFile(f.path(), model):
		return usagef(command, "the output %s is the model itself: name another file with -o", f.path())
	case sameFile(f.path(), input):
		return usagef(command, "the output %s is the input itself: name another file with -o", f.path())
	}
	return f.spare()
}

// sameFile says that an output and an input, through whatever links, are one
// file or folder. Devices may be both.
func sameFile(output, input string) bool {
	if output == "-" || input == "" {
		return false
	}
	out, err := os.Stat(output)
	if err != nil || !out.Mode().IsRegular() && !out.IsDir() {
		return false
	}
	in, err := os.Stat(input)
	if input == "-" {
		in, err = os.Stdin.Stat()
	}
	return err == nil && os.SameFile(out, in)
}

// isStdout says that path is another name of what standard output goes to, as
// /dev/stdout is.
func isStdout(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	stdout, err := os.Stdout.Stat()
	return err == nil && os.SameFile(info, stdout)
}

// writeTable writes a matrix, and says so unless it went to standard output.
func writeTable[F matrix.Float](a *app, f *tableFlags, o *outputFlags, t *data.Table[F], notes []string) error {
	path := f.path()
	options := &data.WriteOptions{Format: f.To}
	if path == "-" {
		if o.JSON {
			return a.printTable(data.Table[float64]{X: matrix.Convert[float64](t.X), RowNames: t.RowNames, ColumnNames: t.ColumnNames})
		}
		return data.WriteTo(a.stdout, path, t, options)
	}
	if err := data.Write(path, t, options); err != nil {
		return err
	}
	rows, cols := t.X.Dims()
	return a.wrote(o, written{Output: path, Rows: rows, Columns: cols, Notes: notes})
}

// wrote acknowledges a file, unless that would mix with what was written.
func (a *app) wrote(o *outputFlags, w written) error {
	if isStdout(w.Output) {
		return nil
	}
	if o.JSON {
		return a.printJSON(w)
	}
	if !o.Quiet {
		a.printf("wrote %s: %d x %d\n", w.Output, w.Rows, w.Columns)
	}
	return nil
}

// printTable writes a matrix as JSON.
func (a *app) printTable(t data.Table[float64]) error {
	d := toDense(t.X)
	rows := make([][]float64, d.Rows)
	for i := range rows {
		rows[i] = d.Row(i)
	}
	return a.printJSON(struct {
		RowNames    []string    `json:"row_names,omitempty"`
		ColumnNames []string    `json:"column_names,omitempty"`
		Values      [][]float64 `json:"values"`
	}{t.RowNames, t.ColumnNames, rows})
}

// componentNames heads the columns of weights.
func componentNames(k int) []string {
	names := make([]string, k)
	for j := range names {
		names[j] = fmt.Sprintf("component %d", j+1)
	}
	return names
}

// modelOutput is where a fit writes its model.
type modelOutput struct {
	path string
	// replaces says that an older model is there.
	replaces bool
}

// newModelOutput checks before the work that the model can be written: to a
// new file, over an older model, or to a device, but never over anything else.
func newModelOutput(command, path string) (modelOutput, error) {
	if path == "-" {
		return modelOutput{}, usagef(command, "a model is a .npz archive and is not written to standard output; name a file with -o")
	}
	info, err := os.Stat(path)
	regular := err == nil && info.Mode().IsRegular()
	if (regular || errors.Is(err, fs.ErrNotExist)) && strings.ToLower(filepath.Ext(path)) != ".npz" {
		return modelOutput{}, usagef(command, "a model is a .npz archive: name the output %s.npz, not %s", strings.TrimSuffix(path, filepath.Ext(path)), path)
	}
	if err := atomicfile.Check(path); err != nil {
		return modelOutput{}, err
	}
	if !regular {
		return modelOutput{path: path}, nil
	}
	if _, err := nmf.ReadInfo(path); errors.Is(err, nmf.ErrModelFormat) && info.Size() > 0 {
		return modelOutput{}, fmt.Errorf("%s exists and is not a model: it is left alone; name another file with -o, or remove it", path)
	}
	return modelOutput{path, info.Size() > 0}, nil
}

// defaultModelPath names a model after its input, in the current folder.
func defaultModelPath(input string) string {
	if input == "-" {
		return "model.npz"
	}
	base := filepath.Base(filepath.Clean(input))
	for _, ext := range []string{".gz", ".zst", ".bz2"} {
		base = strings.TrimSuffix(base, ext)
	}
	if ext := filepath.Ext(base); ext != base {
		base = strings.TrimSuffix(base, ext)
	}
	return base + ".model.npz"
}
