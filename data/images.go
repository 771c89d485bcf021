package data

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/partsof/nmf/internal/raster"
	"github.com/partsof/nmf/matrix"
)

func init() {
	register(&format{
		name: "images", about: "folder of pictures of one size, each a row: PNG, JPEG, GIF, PGM",
		folder: hasImages,
		read32: readImages[float32], read64: readImages[float64],
	})
}

// hasImages takes a folder for one of pictures where it, or a folder in it,
// holds a file with the name of one.
func hasImages(path string) bool {
	names, err := imageNames(path)
	return err == nil && len(names) > 0
}

// imageNames lists the pictures in a folder and in the folders in it, sorted.
// Other files, and those whose name starts with a dot, are passed over.
func imageNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, openError(dir, err)
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			inner, err := os.ReadDir(filepath.Join(dir, name))
			if err != nil {
				return nil, openError(filepath.Join(dir, name), err)
			}
			for _, f := range inner {
				if isImage(f) {
					names = append(names, name+"/"+f.Name())
				}
			}
		case isImage(e):
			names = append(names, name)
		}
	}
	return names, nil
}

func isImage(e os.DirEntry) bool {
	return !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && raster.HasExtension(e.Name())
}

// readImages reads a folder of pictures of one size. Each is a row: its grey,
// from 0 to 1, pixel by pixel from the top left. Rows are named by file, columns
// by position.
func readImages[F matrix.Float](s *source, _ *ReadOptions) (*Table[F], error) {
	names, err := imageNames(s.path)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, &Error{Found: "there is no picture in the folder", Hint: "pictures are " + strings.Join(raster.Extensions(), ", "), Err: ErrFormat}
	}
	var width, height int
	var values, row []F
	for i, name := range names {
		path := filepath.Join(s.path, filepath.FromSlash(name))
		content, err := readContent(path)
		if err != nil {
			return nil, err
		}
		img, err := raster.Decode(content)
		if err != nil {
			return nil, withFile(rasterError(err), path)
		}
		size := img.Bounds()
		if i == 0 {
			width, height = size.Dx(), size.Dy()
		} else if size.Dx() != width || size.Dy() != height {
			return nil, &Error{
				File:  path,
				Found: fmt.Sprintf("the picture is %d wide and %d high, the first one, %s, %d wide and %d high", size.Dx(), size.Dy(), names[0], width, height),
				Hint:  "crop or resize them to one size", Err: ErrUnsupported,
			}
		}
		row = raster.AppendGray(row[:0], img)
		values = extend(values, row, len(names)*width*height)
	}
	x, err := matrix.FromSlice(len(names), width*height, values)
	if err != nil {
		return nil, err
	}
	t := &Table[F]{X: x, RowNames: names, ColumnNames: make([]string, width*height)}
	for j := range t.ColumnNames {
		t.ColumnNames[j] = "y" + strconv.Itoa(j/width) + "x" + strconv.Itoa(j%width)
	}
	t.addNote(fmt.Sprintf("%s of %d x %d pixels became rows, grey from 0 to 1", count(len(names), "picture"), width, height))
	return t, nil
}

// readContent reads a whole file, decompressed.
func readContent(path string) ([]byte, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	content, err := io.ReadAll(s.r)
	if err != nil {
		return nil, s.fail(err)
	}
	return content, nil
}

// rasterError puts an error of the codec in the words of this package.
func rasterError(err error) error {
	e := &Error{Found: err.Error(), Err: ErrFormat}
	switch {
	case errors.Is(err, raster.ErrTruncated):
		e.Err, e.Hint = ErrTruncated, "copy, download or save it again"
	case errors.Is(err, raster.ErrUnsupported):
		e.Err = ErrUnsupported
	}
	return e
}
