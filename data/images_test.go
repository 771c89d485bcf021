package data

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadImages(t *testing.T) {
	dir := writeFolderFiles(t, map[string]string{
		"b.pgm": "P2 3 2 5 0 1 2 3 4 5", "a.PGM": "P2 3 2 1 0 0 0 1 1 1", "README.txt": "not a picture", ".hidden.png": "no",
	})
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "c.pbm"), []byte("P1 3 2 1 1 1 0 0 1"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Read[float64](dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := dense(3, 6, 0, 0, 0, 1, 1, 1, 0, 0.2, 0.4, 0.6, 0.8, 1, 0, 0, 0, 1, 1, 0); !sameBits(asDense(got.X), want) {
		t.Errorf("%v", got.X)
	}
	if want := []string{"a.PGM", "b.pgm", "sub/c.pbm"}; !slices.Equal(got.RowNames, want) {
		t.Errorf("rows %q", got.RowNames)
	}
	if want := []string{"y0x0", "y0x1", "y0x2", "y1x0", "y1x1", "y1x2"}; !slices.Equal(got.ColumnNames, want) || got.Format != "images" {
		t.Errorf("%s, columns %q", got.Format, got.ColumnNames)
	}
	if want := []string{"3 pictures of 3 x 2 pixels became rows, grey from 0 to 1"}; !slices.Equal(got.Notes, want) {
		t.Errorf("notes %q", got.Notes)
	}
}

func TestReadImagesErrors(t *testing.T) {
	tests := []struct {
		name   string
		files  map[string]string
		format string
		err    error
		says   string
	}{
		{"two sizes", map[string]string{"a.pgm": "P2 3 2 5 0 1 2 3 4 5", "b.pgm": "P2 2 3 5 0 1 2 3 4 5"}, "", ErrUnsupported,
			"b.pgm: the picture is 2 wide and 3 high, the first one, a.pgm, 3 wide and 2 high; crop or resize them to one size"},
		{"cut short", map[string]string{"a.pgm": "P2 3 2 5 0 1 2 3 4"}, "", ErrTruncated, "a.pgm: file is cut short: it ends where a pixel belongs"},
		{"no picture", map[string]string{"a.png": "text"}, "", ErrFormat, "a.png: not a picture, or a damaged one: neither PNG, JPEG"},
		{"none", map[string]string{"a.txt": "text"}, "images", ErrFormat, "there is no picture in the folder; pictures are .gif, .jpeg, "},
		{"another folder", map[string]string{"a.txt": "text"}, "", ErrUnsupported, "is a folder, not a file; name a file in it; formats that are folders: 10x, images"},
	}
	for _, tt := range tests {
		dir := writeFolderFiles(t, tt.files)
		_, err := Read[float64](dir, &ReadOptions{Format: tt.format})
		wantError(t, err, tt.err, tt.says)
		if err != nil && !strings.HasPrefix(err.Error(), dir) {
			t.Errorf("%s: %q does not start with the folder", tt.name, err)
		}
	}
}

// TestImagesAgainstPillow reads pictures that Pillow writes in each mode.
func TestImagesAgainstPillow(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, numpy as np
from PIL import Image
d = sys.argv[1] + "/"
rng = np.random.default_rng(0)
x = rng.integers(0, 256, (20, 9, 7)).astype("u1")
for i in range(20):
    img = Image.fromarray(x[i])
    name = d + "pictures/%02d" % i
    import os; os.makedirs(d + "pictures", exist_ok=True)
    if i % 5 == 0: img.save(name + ".png")
    if i % 5 == 1: img.save(name + ".pgm")
    if i % 5 == 2: img.save(name + ".gif")
    if i % 5 == 3: img.convert("RGB").save(name + ".ppm")
    if i % 5 == 4: img.convert("RGBA").save(name + ".PNG")
np.save(d + "want.npy", x.reshape(20, -1) / 255)
`, dir)
	got, err := Read[float64](filepath.Join(dir, "pictures"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Read[float64](filepath.Join(dir, "want.npy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range asDense(got.X).Data {
		if d := v - asDense(want.X).Data[i]; d > 1e-4 || d < -1e-4 {
			t.Fatalf("%s, %s: %v", got.RowNames[i/63], got.ColumnNames[i%63], v)
		}
	}
}
