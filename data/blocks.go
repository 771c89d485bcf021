package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/partsof/nmf/internal/blockfile"
	"github.com/partsof/nmf/matrix"
)

// BlockOptions say where and how OpenBlocks makes a block file.
type BlockOptions struct {
	// Folder is where block files are kept; "" is the folder nmf of the user's
	// caches.
	Folder string
	// Memory is how many bytes there are to use, 0 for many.
	Memory float64
	// Columns wants the columns of a dense matrix, which other losses than the
	// plain Frobenius loss need.
	Columns bool
	// Compress stores those blocks as zstd frames that become smaller by a third or
	// more. It pays where the file does not stay in the system's cache.
	Compress bool
	// Making, unless nil, is called before a block file is made, with why and its
	// path.
	Making func(why, path string)
	// Waiting, unless nil, is called before it is waited for another process that
	// makes the same file.
	Waiting func(path string)
}

// blockExtension ends the name of a block file.
const blockExtension = ".nmf-blocks"

// OpenBlocks opens the matrix at path to be read block by block, whatever its
// format is: from a block file that was made of it before, or that is made now.
// Neither takes memory for the matrix, but for names. Memory does not go by what
// Read and OpenBlocks give: the numbers are the same.
//
// A block file belongs to one source and one way to read it. It is made anew
// where the source has changed (in size or date, and then in content), or where
// the file is damaged. Of several processes that want the same one, one makes it
// and the others wait for it. Errors are those of Read, and those of writing.
func OpenBlocks[F matrix.Float](path string, o *ReadOptions, b BlockOptions) (*Stream[F], error) {
	if o == nil {
		o = &ReadOptions{}
	}
	if path == "-" {
		return nil, &Error{File: stdinName, Found: "is read once, and cannot be read block by block", Hint: "save it to a file first", Err: ErrUnsupported}
	}
	parts, err := partsOf(path)
	if err != nil {
		return nil, err
	}
	folder, err := blockFolder(b.Folder)
	if err != nil {
		return nil, err
	}
	reading := readingOf[F](o)
	blocks := filepath.Join(folder, blockName(path, parts, reading))
	if s, _, err := reuse[F](blocks, parts, reading, b.Columns); s != nil || err != nil {
		return s, err
	}
	m, err := beginMaking(blocks, b.Waiting)
	if err != nil {
		return nil, err
	}
	defer m.done()
	// Another process may have made it in between.
	s, why, err := reuse[F](blocks, parts, reading, b.Columns)
	if s != nil || err != nil {
		return s, err
	}
	if b.Making != nil {
		b.Making(why, blocks)
	}
	if err := makeBlocks[F](path, m, reading, o, parts, b); err != nil {
		return nil, err
	}
	f, err := blockfile.Open[F](blocks)
	if err != nil {
		return nil, blockError(blocks, err)
	}
	if s, err = streamBlocks(blocks, f); err == nil {
		s.Made = why
	}
	return s, err
}

// blockFolder makes the folder of block files.
func blockFolder(folder string) (string, error) {
	if folder == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return "", &Error{File: "block file", Found: "this user has no folder for caches: " + err.Error(), Hint: "name a folder for it with --cache", Err: err}
		}
		folder = filepath.Join(caches, "nmf")
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", blockError(folder, &blockfile.WriteError{Folder: folder, Err: err})
	}
	return folder, nil
}

// partsOf lists the files that are read for path.
func partsOf(path string) ([]blockfile.Part, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openError(path, err)
	}
	paths := []string{path}
	if info.IsDir() {
		paths = nil
		for _, names := range [][]string{tenXMatrix, tenXFeatures, tenXBarcodes} {
			member, err := tenXMember(path, names)
			if err != nil {
				return nil, err
			}
			paths = append(paths, member)
		}
	}
	var parts []blockfile.Part
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, openError(p, err)
		}
		if !info.Mode().IsRegular() {
			return nil, &Error{File: p, Found: "it is no regular file", Hint: "only a file can be read again in every pass", Err: ErrUnsupported}
		}
		if p, err = filepath.Abs(p); err != nil {
			return nil, err
		}
		parts = append(parts, blockfile.Part{Path: p, Size: info.Size(), Modified: info.ModTime().UTC().Round(0)})
	}
	return parts, nil
}

// readingOf is a text of all that decides what is read from a file.
func readingOf[F matrix.Float](o *ReadOptions) string {
	return fmt.Sprintf("f%d format=%s key=%s transpose=%t header=%d row_names=%d delimiter=%q missing=%d long=%d base=%d",
		8*unsafe.Sizeof(F(0)), strings.ToLower(o.Format), o.Key, o.Transpose, o.Header, o.RowNames, o.Delimiter, o.Missing, o.Long, o.IndexBase)
}

// blockName is the name of the block file of a source that is read in one way.
func blockName(path string, parts []blockfile.Part, reading string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%s\n", p.Path)
	}
	fmt.Fprint(h, reading)
	return filepath.Base(path) + "-" + hex.EncodeToString(h.Sum(nil)[:8]) + blockExtension
}

// reuse opens a block file that is there and good, or says why another is made.
func reuse[F matrix.Float](blocks string, parts []blockfile.Part, reading string, columns bool) (s *Stream[F], why string, err error) {
	f, err := blockfile.Open[F](blocks)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "it is read for the first time", nil
	case errors.Is(err, blockfile.ErrDamaged):
		return nil, "the blocks that were there are damaged", nil
	case errors.Is(err, blockfile.ErrVersion):
		return nil, "the blocks that were there are of another version", nil
	case err != nil:
		return nil, "", openError(blocks, err)
	}
	h := &f.Header
	switch same, err := sameParts(h.Source, parts); {
	case err != nil:
		f.Close()
		return nil, "", err
	case !same || h.Reading != reading:
		f.Close()
		return nil, "it has changed since its blocks were made", nil
	case columns && !f.HasColumns():
		f.Close()
		return nil, "its columns are needed, too", nil
	}
	s, err = streamBlocks(blocks, f)
	return s, "", err
}

// sameParts reports whether files are what they were: by size and date, or where
// only the date is another by content.
func sameParts(before, now []blockfile.Part) (bool, error) {
	if len(before) != len(now) {
		return false, nil
	}
	for i, p := range now {
		b := before[i]
		if b.Path != p.Path || b.Size != p.Size {
			return false, nil
		}
		if b.Modified.Equal(p.Modified) {
			continue
		}
		sum, err := hashFile(p.Path)
		if err != nil {
			return false, openError(p.Path, err)
		}
		if sum != b.SHA256 {
			return false, nil
		}
	}
	return true, nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// streamBlocks is a Stream of an open block file.
func streamBlocks[F matrix.Float](path string, f *blockfile.File[F]) (*Stream[F], error) {
	s := &Stream[F]{Blocks: path, close: f.Close}
	rows, cols, err := f.Names()
	if err != nil {
		f.Close()
		return nil, blockError(path, err)
	}
	s.X, s.RowNames, s.ColumnNames, s.Format, s.Notes = f.Matrix(), rows, cols, f.Header.Format, f.Header.Notes
	// A block that turns out to be damaged is told in the words of this package;
	// without its file the next run makes another.
	tell := func(err error) error {
		if errors.Is(err, blockfile.ErrDamaged) {
			_ = os.Remove(path)
		}
		return blockError(path, err)
	}
	switch x := s.X.(type) {
	case *matrix.Streamed[F]:
		for _, read := range []*func(int, []F) error{&x.Read, &x.ReadColumns} {
			if inner := *read; inner != nil {
				*read = func(first int, dst []F) error { return tell(inner(first, dst)) }
			}
		}
	case *matrix.StreamedCSR[F]:
		for _, b := range []*matrix.Blocks[F]{&x.ByRows, &x.ByColumns} {
			inner := b.Read
			b.Read = func(first int, dst *matrix.CSR[F]) error { return tell(inner(first, dst)) }
		}
	}
	return s, nil
}

// blockError puts an error of a block file in the words of this package.
func blockError(path string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	var write *blockfile.WriteError
	var pe *fs.PathError
	switch {
	case errors.As(err, &write):
		cause := write.Err
		if errors.As(cause, &pe) {
			cause = pe.Err
		}
		return &Error{File: folderOf(write), Found: "the blocks could not be written: " + cause.Error(), Hint: "free some space, or name another folder with --cache", Err: err}
	case errors.Is(err, blockfile.ErrDamaged):
		return &Error{File: path, Found: err.Error(), Hint: "run it again: the file is removed, and made anew", Err: ErrFormat}
	case errors.As(err, &pe):
		return openError(path, err)
	}
	return &Error{File: path, Found: err.Error(), Err: err}
}

// makeBlocks makes the block file of a source.
func makeBlocks[F matrix.Float](path string, m *making, reading string, o *ReadOptions, parts []blockfile.Part, b BlockOptions) error {
	folder := filepath.Dir(m.blocks)
	removeStale(folder)
	const least, most, part = 8 << 20, 256 << 20, 10
	room := most
	if b.Memory > 0 {
		room = int(min(most, max(least, b.Memory/part)))
	}
	type sums struct {
		list []string
		err  error
	}
	hashed := make(chan sums, 1)
	go func() {
		var s sums
		for _, p := range parts {
			sum, err := hashFile(p.Path)
			s.list, s.err = append(s.list, sum), errors.Join(s.err, err)
		}
		hashed <- s
	}()
	var t *Table[F]
	var to elsewhere[F]
	err := blockfile.Build(m.path(), blockfile.Options{Room: room, Columns: b.Columns, Compress: b.Compress, Transpose: o.Transpose}, func(builder *blockfile.Builder[F]) (err error) {
		to.b = builder
		if t, err = spool(path, o, &to); err != nil {
			return err
		}
		rows, cols := t.RowNames, t.ColumnNames
		if o.Transpose {
			rows, cols = cols, rows
		}
		builder.RowNames, builder.ColumnNames = rows, cols
		return nil
	}, func(h *blockfile.Header) error {
		t.noteRepeats(to.b.Repeats)
		h.Format, h.Notes, h.Reading = t.Format, t.Notes, reading
		now, err := partsOf(path)
		if err != nil {
			return err
		}
		changed := slices.ContainsFunc(now, func(p blockfile.Part) bool { return !slices.Contains(parts, p) })
		s := <-hashed
		if s.err != nil || changed {
			return &Error{File: path, Found: "the file has changed while it was read", Hint: "leave it alone until the work is done", Err: ErrFormat}
		}
		h.Source = slices.Clone(parts)
		for i, sum := range s.list {
			h.Source[i].SHA256 = sum
		}
		return nil
	})
	if err == nil {
		err = m.publish()
	}
	var own *Error
	if err != nil && !errors.As(err, &own) {
		err = &blockfile.WriteError{Folder: folder, Err: err}
	}
	return blockError(m.blocks, err)
}
