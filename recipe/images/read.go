package images

import (
	"errors"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe"
)

const (
	// maxSide and maxPixels bound what a picture's header can make us allocate.
	maxSide   = 1 << 15
	maxPixels = 1 << 26
)

// extensions are those of the pictures that are read.
var extensions = []string{".png", ".jpg", ".jpeg", ".gif", ".pgm", ".ppm", ".pbm", ".pnm"}

// Options says how pictures become rows. Nil and the zero value are the
// defaults.
type Options struct {
	// Colour keeps red, green and blue; otherwise pictures become grey.
	Colour bool
	// Crop is cut out of every picture before it is resized.
	Crop Crop
	// Width and Height are the size that pictures are brought to; 0 leaves them.
	Width, Height int
	// Standardise gives every picture the mean 0.25 and the standard deviation
	// 0.25, clipped to 0 to 1, as Lee & Seung (1999) did.
	Standardise bool
	// Grid is how the pixels lie in the rows of a matrix, of which Columns takes
	// some; 0 takes all.
	Grid    recipe.Grid
	Columns Range
	// Threads bounds the goroutines. Default GOMAXPROCS.
	Threads int
	// Read says how to read a matrix.
	Read *data.ReadOptions
}

// Set is a matrix of images: a row an image.
type Set[F matrix.Float] struct {
	data.Table[F]
	Shape Shape
	// White is the value that shows as white: 1, or the largest of a matrix.
	White float64
}

// Read reads the pictures of folders and files, in the order given and the
// lexical order of folders; or one matrix or array, a row or first index an
// image.
func Read[F matrix.Float](paths []string, o *Options) (*Set[F], error) {
	if o == nil {
		o = new(Options)
	}
	if len(paths) == 1 && !isPicture(paths[0]) && !isFolder(paths[0]) {
		return readMatrix[F](paths[0], o)
	}
	if o.Grid != (recipe.Grid{}) || o.Columns != (Range{}) {
		return nil, fmt.Errorf("%w: width, height, order and columns are for a matrix of pixels; pictures know their own: crop and resize change it", recipe.ErrOption)
	}
	files, notes, err := list(paths)
	if err != nil {
		return nil, err
	}
	pictures, err := readFiles(files, o)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.name
		if pictures[i].Shape != pictures[0].Shape {
			return nil, &data.Error{File: f.path, Err: recipe.ErrInput,
				Found: fmt.Sprintf("it is %d x %d, and %s is %d x %d", pictures[i].Width, pictures[i].Height, files[0].path, pictures[0].Width, pictures[0].Height),
				Hint:  "all images must have one size: --crop or --resize brings them to it"}
		}
	}
	s := stack[F](pictures, names)
	s.White, s.Notes = 1, notes
	return s, nil
}

func isPicture(path string) bool {
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(path)))
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// file is a picture to be read: what to open and what to call it.
type file struct{ path, name string }

// list finds the pictures of files and folders.
func list(paths []string) (files []file, notes []string, err error) {
	for _, path := range paths {
		if !isFolder(path) {
			files = append(files, file{path, filepath.ToSlash(path)})
			continue
		}
		before, others := len(files), 0
		root := path
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			root = resolved
		}
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			hidden := strings.HasPrefix(d.Name(), ".") && p != root
			switch {
			case err != nil:
				return err
			case hidden && d.IsDir():
				return fs.SkipDir
			case hidden || d.IsDir():
				return nil
			case !isPicture(p):
				others++
				return nil
			}
			name, err := filepath.Rel(root, p)
			files = append(files, file{filepath.Join(path, name), filepath.ToSlash(name)})
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if len(files) == before {
			return nil, nil, &data.Error{File: path, Err: recipe.ErrInput, Found: fmt.Sprintf("no picture is below it (%d other files)", others),
				Hint: "pictures end in " + strings.Join(extensions, ", ")}
		}
		if others > 0 {
			notes = append(notes, fmt.Sprintf("%s: files that are no pictures were passed over: %d", path, others))
		}
	}
	return files, notes, nil
}

// readFiles reads and prepares pictures side by side. The error is that of the
// first that has one.
func readFiles(files []file, o *Options) ([]*picture, error) {
	pictures, errs := make([]*picture, len(files)), make([]error, len(files))
	workers := o.Threads
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(workers, len(files)) {
		wg.Go(func() {
			for i := range next {
				pictures[i], errs[i] = readFile(files[i].path, o)
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return pictures, nil
}

func readFile(path string, o *Options) (*picture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	bad := func(found, hint string, err error) error {
		return &data.Error{File: path, Found: found, Hint: hint, Err: errors.Join(recipe.ErrInput, err)}
	}
	config, _, err := image.DecodeConfig(f)
	switch {
	case errors.Is(err, image.ErrFormat):
		return nil, bad("is not a picture that is read", "png, jpeg, gif, pgm and ppm are", err)
	case err != nil:
		return nil, bad(err.Error(), "it is damaged or cut short: copy or download it again", err)
	case config.Width < 1 || config.Height < 1:
		return nil, bad("has no pixels", "leave it out", nil)
	case config.Width > maxSide || config.Height > maxSide || config.Width*config.Height > maxPixels:
		return nil, bad(fmt.Sprintf("it is %d x %d; at most %d pixels are read", config.Width, config.Height, maxPixels), "make it smaller first", nil)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(f)
	if err != nil {
		return nil, bad(err.Error(), "it is damaged or cut short: copy or download it again", err)
	}
	p, err := prepare(fromImage(img, o.Colour), o)
	if err != nil {
		return nil, &data.Error{File: path, Found: strings.TrimPrefix(err.Error(), recipe.ErrInput.Error()+": "), Hint: "take a smaller crop, or leave it out", Err: err}
	}
	return p, nil
}

// prepare crops, resizes and standardises, in that order.
func prepare(p *picture, o *Options) (*picture, error) {
	p, err := p.crop(o.Crop)
	if err != nil {
		return nil, err
	}
	p = p.resize(o.Width, o.Height)
	if o.Standardise {
		p.standardise()
	}
	return p, nil
}

// stack makes rows of pictures of one shape.
func stack[F matrix.Float](pictures []*picture, names []string) *Set[F] {
	shape := pictures[0].Shape
	x := matrix.NewDense[F](len(pictures), shape.Len())
	for i, p := range pictures {
		for j, v := range p.pix {
			x.Set(i, j, F(v))
		}
	}
	return &Set[F]{Table: data.Table[F]{X: x, RowNames: names, ColumnNames: shape.Names()}, Shape: shape}
}

// Range is a run of columns from First to Last, counted from 1.
type Range struct{ First, Last int }

// ParseRange reads "FIRST-LAST".
func ParseRange(text string) (Range, error) {
	var r Range
	if text == "" {
		return r, nil
	}
	if n, err := fmt.Sscanf(text, "%d-%d", &r.First, &r.Last); n != 2 || err != nil || r.First < 1 || r.Last < r.First || fmt.Sprintf("%d-%d", r.First, r.Last) != text {
		return Range{}, fmt.Errorf("%w: columns %q: FIRST-LAST is wanted, counted from 1, such as 1-64", recipe.ErrOption, text)
	}
	return r, nil
}

// readMatrix reads images that are numbers already.
func readMatrix[F matrix.Float](path string, o *Options) (*Set[F], error) {
	a, err := recipe.ReadArray[F](path)
	if err != nil {
		return nil, err
	}
	var t *data.Table[F]
	shape := Shape{o.Grid.Width, o.Grid.Height, 1}
	grid := o.Grid
	if o.Colour {
		shape.Channels = 3
	}
	if a != nil {
		switch s := a.Shape; {
		case len(s) == 3 || len(s) == 4 && (s[3] == 1 || s[3] == 3):
			shape = Shape{s[2], s[1], 1}
			if len(s) == 4 {
				shape.Channels = s[3]
			}
		default:
			return nil, &data.Error{File: path, Found: fmt.Sprintf("an array of the shape %v", s), Hint: "images x height x width, or with 3 colours last, is wanted", Err: recipe.ErrInput}
		}
		if grid.Width != 0 && (grid.Width != shape.Width || grid.Height != shape.Height) {
			return nil, &data.Error{File: path, Found: fmt.Sprintf("its images are %d x %d, not %d x %d", shape.Width, shape.Height, grid.Width, grid.Height), Hint: "leave --width and --height out", Err: recipe.ErrInput}
		}
		grid = recipe.Grid{Width: shape.Width, Height: shape.Height}
		d := &matrix.Dense[F]{Rows: a.Shape[0], Cols: shape.Len(), Stride: shape.Len(), Data: a.Data}
		t = &data.Table[F]{X: d, Format: "npy"}
	} else if t, err = data.Read[F](path, o.Read); err != nil {
		return nil, err
	}
	return fromTable(path, t, shape, grid, o)
}

// fromTable prepares the rows of a table of pixels.
func fromTable[F matrix.Float](path string, t *data.Table[F], shape Shape, grid recipe.Grid, o *Options) (*Set[F], error) {
	rows, cols := t.X.Dims()
	first, last := 1, cols
	if o.Columns != (Range{}) {
		first, last = o.Columns.First, o.Columns.Last
	}
	if last > cols {
		return nil, &data.Error{File: path, Found: fmt.Sprintf("columns %d to %d are asked of %d", first, last, cols), Hint: "check --columns", Err: recipe.ErrInput}
	}
	n := last - first + 1
	if n%shape.Channels != 0 {
		return nil, &data.Error{File: path, Found: fmt.Sprintf("%d columns are no multiple of 3 colours", n), Hint: "leave --colour out, or check --columns", Err: recipe.ErrInput}
	}
	if err := grid.Check(path, n/shape.Channels, "columns of pixels"); err != nil {
		return nil, err
	}
	var x *matrix.Dense[F]
	switch m := t.X.(type) {
	case *matrix.Dense[F]:
		x = m
	case *matrix.CSR[F]:
		x = m.Dense()
	}
	if rows == 0 {
		return nil, &data.Error{File: path, Found: "holds no images", Err: recipe.ErrInput}
	}
	pictures := make([]*picture, rows)
	white := 0.0
	for i := range pictures {
		p := newPicture(shape)
		row := x.Row(i)[first-1 : last]
		for y := range shape.Height {
			for px := range shape.Width {
				for c := range shape.Channels {
					p.pix[(y*shape.Width+px)*shape.Channels+c] = float64(row[grid.Index(px, y)*shape.Channels+c])
				}
			}
		}
		var err error
		if pictures[i], err = prepare(p, o); err != nil {
			return nil, &data.Error{File: path, Found: strings.TrimPrefix(err.Error(), recipe.ErrInput.Error()+": "), Hint: "take a smaller crop", Err: err}
		}
		white = max(white, slices.Max(pictures[i].pix))
	}
	s := stack[F](pictures, t.RowNames)
	s.White, s.Notes, s.Format = white, t.Notes, t.Format
	return s, nil
}
