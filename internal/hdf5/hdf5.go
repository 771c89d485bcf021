// Package hdf5 reads HDF5 files with the HDF Group's library, libhdf5, which is
// opened when it is first needed: nothing is linked, and cgo is not used. The
// build tag nonative leaves it out; every call then gives ErrAbsent.
package hdf5

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strings"
	"unsafe"
)

// Sentinels, found with errors.Is in what the functions return.
var (
	// ErrFormat: the library cannot make sense of the file.
	ErrFormat = errors.New("malformed or damaged HDF5")
	// ErrTruncated: the file ends before what its superblock promises.
	ErrTruncated = errors.New("file is cut short")
	// ErrMissing: there is no such object.
	ErrMissing = errors.New("not in the file")
	// ErrUnsupported: a valid object of a kind that is not read.
	ErrUnsupported = errors.New("not supported")
	// ErrRange: a number does not fit in the type that it is read into.
	ErrRange = errors.New("out of range")
)

// signature starts every file, or follows a block of another program.
const signature = "\x89HDF\r\n\x1a\n"

// IsHDF5 says whether content that starts with head is an HDF5 file.
func IsHDF5(head []byte) bool { return signatureAt(head) >= 0 }

// Available says why nothing can be read on this machine; nil where all can.
func Available() error {
	_, err := library()
	return err
}

// File is an open file.
type File struct {
	id   id
	size int64
}

// Open opens a file for reading. head is its first bytes, a few kilobytes.
func Open(name string, head []byte, size int64) (*File, error) {
	if err := check(head, size); err != nil {
		return nil, err
	}
	a, leave, err := enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return a.openFile(name, size, 0)
}

// check refuses what the library should not see.
func check(head []byte, size int64) error {
	at := signatureAt(head)
	if at < 0 {
		return fmt.Errorf("%w: the content does not start as HDF5 does", ErrFormat)
	}
	return checkSuperblock(head[at:], size)
}

// OpenBytes opens a file that is in memory.
func OpenBytes(content []byte) (*File, error) {
	if err := check(content, int64(len(content))); err != nil {
		return nil, err
	}
	a, leave, err := enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	access := a.H5Pcreate(a.fileAccess)
	if access < 0 {
		return nil, fmt.Errorf("%w: libhdf5 has no memory files", ErrUnsupported)
	}
	defer a.H5Pclose(access)
	const increment = 1 << 20
	if a.H5Pset_fapl_core(access, increment, 0) < 0 ||
		a.H5Pset_file_image(access, unsafe.Pointer(unsafe.SliceData(content)), uintptr(len(content))) < 0 {
		return nil, fmt.Errorf("%w: libhdf5 has no memory files", ErrUnsupported)
	}
	return a.openFile("in memory", int64(len(content)), access)
}

func (a *api) openFile(name string, size int64, access id) (*File, error) {
	f := a.H5Fopen(name, readOnly, access)
	if f < 0 {
		return nil, fmt.Errorf("%w: libhdf5 cannot open the file", ErrFormat)
	}
	return &File{id: f, size: size}, nil
}

// Close closes the file.
func (f *File) Close() error {
	a, leave, err := enter()
	if err != nil {
		return err
	}
	defer leave()
	if a.H5Fclose(f.id) < 0 {
		return fmt.Errorf("%w: libhdf5 cannot close the file", ErrFormat)
	}
	return nil
}

// Kind is what a path leads to.
type Kind int

const (
	Nothing Kind = iota
	Group
	Dataset
	Other
)

// Kind says what is at a path; "/" is the root.
func (f *File) Kind(name string) (Kind, error) {
	a, leave, err := enter()
	if err != nil {
		return Nothing, err
	}
	defer leave()
	object, err := a.object(f.id, name)
	if errors.Is(err, ErrMissing) {
		return Nothing, nil
	}
	if err != nil {
		return Nothing, err
	}
	defer a.H5Oclose(object)
	return a.kind(object), nil
}

func (a *api) kind(object id) Kind {
	switch a.H5Iget_type(object) {
	case isGroup:
		return Group
	case isDataset:
		return Dataset
	}
	return Other
}

// object opens what is at a path. Every step is looked up first, so that what
// is not there is told from what is damaged.
func (a *api) object(file id, name string) (id, error) {
	at := "/"
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			continue
		}
		at = path.Join(at, part)
		if a.H5Lexists(file, at, 0) <= 0 {
			return -1, fmt.Errorf("%q is %w", name, ErrMissing)
		}
	}
	object := a.H5Oopen(file, at, 0)
	if object < 0 {
		return -1, fmt.Errorf("%w: %q cannot be opened", ErrFormat, name)
	}
	return object, nil
}

// Members gives the names in a group, sorted; ErrUnsupported where there are
// more than the given number.
func (f *File) Members(group string, most int) ([]string, error) {
	a, leave, err := enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	object, err := a.object(f.id, group)
	if err != nil {
		return nil, err
	}
	defer a.H5Oclose(object)
	var info groupInfo
	if a.kind(object) != Group || a.H5Gget_info(object, &info) < 0 {
		return nil, fmt.Errorf("%w: %q is no group", ErrFormat, group)
	}
	if info.links > uint64(most) {
		return nil, fmt.Errorf("%w: %q has %d members", ErrUnsupported, group, info.links)
	}
	names := make([]string, info.links)
	for i := range names {
		var space [1024]byte
		n := a.H5Lget_name_by_idx(object, ".", byName, rising, uint64(i), &space[0], uintptr(len(space)), 0)
		if n < 0 || int(n) >= len(space) {
			return nil, fmt.Errorf("%w: a name in %q cannot be read", ErrFormat, group)
		}
		names[i] = string(space[:n])
	}
	return names, nil
}

// Array describes a dataset.
type Array struct {
	// Name is the path within the file.
	Name  string
	Shape []int
	// Type is the type of the elements as NumPy calls it, such as float64;
	// "text", "table" or "other" where they are not numbers.
	Type string

	file  *File
	class int32
	size  int
}

// Numeric says that the elements are numbers.
func (d *Array) Numeric() bool {
	return d.class == classInteger || d.class == classFloat || d.class == classEnum
}

// Len is the number of elements.
func (d *Array) Len() int {
	n := 1
	for _, length := range d.Shape {
		n *= length
	}
	return n
}

// Array describes the dataset at a path.
func (f *File) Array(name string) (*Array, error) {
	a, leave, err := enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	o, err := a.openArray(f, name)
	if err != nil {
		return nil, err
	}
	defer o.close()
	return o.array, nil
}

// openedArray is a dataset with what is opened to read it.
type openedArray struct {
	a               *api
	array           *Array
	set, space, typ id
	closers         []func()
}

func (o *openedArray) close() {
	for i := len(o.closers) - 1; i >= 0; i-- {
		o.closers[i]()
	}
}

// keep notes how to close an identifier; false where it is none.
func (o *openedArray) keep(i id, closer func(id) int32) bool {
	if i >= 0 {
		o.closers = append(o.closers, func() { closer(i) })
	}
	return i >= 0
}

func (a *api) openArray(f *File, name string) (o *openedArray, err error) {
	set, err := a.object(f.id, name)
	if err != nil {
		return nil, err
	}
	o = &openedArray{a: a, set: set, array: &Array{Name: name, file: f}}
	o.keep(set, a.H5Oclose)
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if a.kind(set) != Dataset {
		return nil, fmt.Errorf("%w: %q is no dataset", ErrFormat, name)
	}
	o.space, o.typ = a.H5Dget_space(set), a.H5Dget_type(set)
	if !o.keep(o.space, a.H5Sclose) || !o.keep(o.typ, a.H5Tclose) {
		return nil, fmt.Errorf("%w: %q cannot be opened", ErrFormat, name)
	}
	if o.array.Shape, err = a.shape(o.space, name); err != nil {
		return nil, err
	}
	o.array.describe(a, o.typ)
	return o, nil
}

// shape gives the lengths of the axes. A dataset without elements, which HDF5
// calls null, has one axis of length zero.
func (a *api) shape(space id, name string) ([]int, error) {
	axes := a.H5Sget_simple_extent_ndims(space)
	points := a.H5Sget_simple_extent_npoints(space)
	if axes < 0 || points < 0 {
		return nil, fmt.Errorf("%w: the shape of %q cannot be read", ErrFormat, name)
	}
	if axes == 0 {
		if points == 0 {
			return []int{0}, nil
		}
		return nil, nil
	}
	dims := make([]uint64, axes)
	if a.H5Sget_simple_extent_dims(space, &dims[0], nil) < 0 {
		return nil, fmt.Errorf("%w: the shape of %q cannot be read", ErrFormat, name)
	}
	shape, total := make([]int, axes), uint64(1)
	for i, d := range dims {
		if d > math.MaxInt/16 || d > 0 && total > math.MaxInt/16/d {
			return nil, fmt.Errorf("%w: %q has the shape %v, which is beyond any memory", ErrFormat, name, dims)
		}
		shape[i] = int(d)
		total *= max(d, 1)
	}
	return shape, nil
}

// describe fills in the type of the elements.
func (d *Array) describe(a *api, typ id) {
	d.class, d.size = a.H5Tget_class(typ), int(a.H5Tget_size(typ))
	switch d.class {
	case classInteger:
		d.Type = fmt.Sprintf("int%d", 8*d.size)
		if a.H5Tget_sign(typ) == 0 {
			d.Type = "u" + d.Type
		}
	case classFloat:
		d.Type = fmt.Sprintf("float%d", 8*d.size)
	case classEnum:
		d.Type = "bool"
	case classString:
		d.Type = "text"
	case classCompound:
		d.Type = "table"
	default:
		d.Type = "other"
	}
}

// checkSize refuses a dataset that is out of all proportion to the bytes that
// the file keeps for it: nothing is allocated on its word. No compression of
// HDF5 reaches the factor on anything but zeros.
func (o *openedArray) checkSize() error {
	const always, perByte = 64 << 20, 4096
	stored := min(o.a.H5Dget_storage_size(o.set), uint64(o.array.file.size))
	if need := uint64(o.array.Len()) * uint64(o.array.size); need > always && need/perByte > stored {
		return fmt.Errorf("%w: %q promises %d bytes, the file holds %d for it", ErrFormat, o.array.Name, need, stored)
	}
	return nil
}

// Number is an element type that datasets are read into.
type Number interface {
	float32 | float64 | int32 | int64
}

// Read reads all elements in the order of the file: the last index runs
// fastest. Integers are rounded to the nearest T where T is a float; a number
// that does not fit in T is an ErrRange.
func Read[T Number](d *Array) ([]T, error) {
	o, leave, err := enterNumbers[T](d)
	if err != nil {
		return nil, err
	}
	defer leave()
	data := make([]T, o.array.Len())
	if len(data) == 0 {
		return data, nil
	}
	if !narrows[T](o) {
		return data, readInto(o, 0, 0, 0, data)
	}
	const most = 1 << 20
	return data, o.blocks(most, func(from, to int, memory, file id) error {
		return readInto(o, memory, file, from, data[from:to])
	})
}

// ReadPart reads what lies between two indices of the first axis, as Read does.
func ReadPart[T Number](d *Array, from, to int) ([]T, error) {
	o, leave, err := enterNumbers[T](d)
	if err != nil {
		return nil, err
	}
	defer leave()
	if len(o.array.Shape) == 0 || from < 0 || to > o.array.Shape[0] || from >= to {
		return nil, nil
	}
	var data []T
	return data, o.part(from, to, func(first, end int, memory, file id) error {
		data = make([]T, end-first)
		return readInto(o, memory, file, first, data)
	})
}

// ChunkLength is the number of indices of the first axis that are stored, and
// decompressed, together; 0 where that is none.
func (d *Array) ChunkLength() (int, error) {
	a, leave, err := enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	o, err := a.openArray(d.file, d.Name)
	if err != nil {
		return 0, err
	}
	defer o.close()
	return o.chunkLength(), nil
}

// enterNumbers opens an array to be read into T; leave closes it.
func enterNumbers[T Number](d *Array) (o *openedArray, leave func(), err error) {
	a, out, err := enter()
	if err != nil {
		return nil, nil, err
	}
	if o, err = a.openArray(d.file, d.Name); err != nil {
		out()
		return nil, nil, err
	}
	leave = func() {
		o.close()
		out()
	}
	if err = checkNumbers[T](o); err != nil {
		leave()
		return nil, nil, err
	}
	return o, leave, nil
}

// checkNumbers refuses what cannot be read into T.
func checkNumbers[T Number](o *openedArray) error {
	if !o.array.Numeric() {
		return fmt.Errorf("%w: %q holds %s, not numbers", ErrUnsupported, o.array.Name, o.array.Type)
	}
	if isInteger[T]() && o.array.class == classFloat {
		return fmt.Errorf("%w: %q holds %s where integers are wanted", ErrUnsupported, o.array.Name, o.array.Type)
	}
	return o.checkSize()
}

// narrows reports whether elements are read into a wider type first. The library
// makes infinities and the largest integers of what does not fit, so it converts
// only where everything does.
func narrows[T Number](o *openedArray) bool {
	switch any(T(0)).(type) {
	case float32:
		return o.array.class != classFloat || o.array.size > 4
	case int32:
		return true
	}
	return false
}

// readInto reads a selection of the elements, whose first one is number `first`.
func readInto[T Number](o *openedArray, memory, file id, first int, data []T) error {
	switch data := any(data).(type) {
	case []float64:
		return o.read(o.a.float64, memory, file, unsafe.Pointer(unsafe.SliceData(data)))
	case []int64:
		return o.read(o.a.int64, memory, file, unsafe.Pointer(unsafe.SliceData(data)))
	case []float32:
		if narrows[float32](o) {
			return readNarrowed[float32, float64](o, o.a.float64, memory, file, first, data)
		}
		return o.read(o.a.float32, memory, file, unsafe.Pointer(unsafe.SliceData(data)))
	case []int32:
		return readNarrowed[int32, int64](o, o.a.int64, memory, file, first, data)
	}
	return nil
}

func (o *openedArray) read(typ, memory, file id, to unsafe.Pointer) error {
	if o.a.H5Dread(o.set, typ, memory, file, 0, to) < 0 {
		return o.readError()
	}
	return nil
}

// readNarrowed reads a selection by way of the wider type S.
func readNarrowed[T, S Number](o *openedArray, typ, memory, file id, first int, data []T) error {
	block := make([]S, len(data))
	if err := o.read(typ, memory, file, unsafe.Pointer(unsafe.SliceData(block))); err != nil {
		return err
	}
	for i, v := range block {
		t := T(v)
		// A float that overflows is infinite, an integer another one.
		if S(t) != v && (math.IsInf(float64(t), 0) || isInteger[T]()) {
			return fmt.Errorf("%w: element %d of %q, %v, does not fit in %T", ErrRange, first+i+1, o.array.Name, v, t)
		}
		data[i] = t
	}
	return nil
}

func isInteger[T Number]() bool { return T(1)/T(2) == 0 }

// part calls do with the elements between two indices of the first axis selected.
func (o *openedArray) part(from, to int, do func(from, to int, memory, file id) error) error {
	shape := o.array.Shape
	width := o.array.Len() / max(1, shape[0])
	start, count := make([]uint64, len(shape)), make([]uint64, len(shape))
	for axis, n := range shape {
		count[axis] = uint64(n)
	}
	start[0], count[0] = uint64(from), uint64(to-from)
	if o.a.H5Sselect_hyperslab(o.space, selected, &start[0], nil, &count[0], nil) < 0 {
		return o.readError()
	}
	memory := o.a.H5Screate_simple(int32(len(count)), &count[0], nil)
	if memory < 0 {
		return o.readError()
	}
	defer o.a.H5Sclose(memory)
	return do(from*width, to*width, memory, o.space)
}

// blocks goes through the elements in blocks of about so many along the first
// axis: whole chunks, as the file has them, so that none is decompressed twice.
func (o *openedArray) blocks(most int, do func(from, to int, memory, file id) error) error {
	shape := o.array.Shape
	if len(shape) == 0 {
		return do(0, 1, 0, 0)
	}
	width := o.array.Len() / shape[0]
	step := max(1, most/width)
	if chunk := o.chunkLength(); chunk > 0 && chunk*width <= 8*most {
		step = max(1, step/chunk) * chunk
	}
	for from := 0; from < shape[0]; from += step {
		to := min(from+step, shape[0])
		err := o.part(from, to, do)
		if err != nil {
			return err
		}
	}
	return nil
}

// chunkLength is the length of a chunk along the first axis, 0 where the
// dataset is not chunked.
func (o *openedArray) chunkLength() int {
	list := o.a.H5Dget_create_plist(o.set)
	if list < 0 {
		return 0
	}
	defer o.a.H5Pclose(list)
	if o.a.H5Pget_layout(list) != layoutChunked {
		return 0
	}
	dims := make([]uint64, len(o.array.Shape))
	if o.a.H5Pget_chunk(list, int32(len(dims)), &dims[0]) < 0 || dims[0] > math.MaxInt32 {
		return 0
	}
	return int(dims[0])
}

// readError says why the library could not read: most often it lacks the
// decompressor.
func (o *openedArray) readError() error {
	if list := o.a.H5Dget_create_plist(o.set); list >= 0 {
		defer o.a.H5Pclose(list)
		for i := range o.a.H5Pget_nfilters(list) {
			var flags, config uint32
			var values uintptr
			var name [64]byte
			filter := o.a.H5Pget_filter2(list, uint32(i), &flags, &values, nil, uintptr(len(name)-1), &name[0], &config)
			if filter > 0 && o.a.H5Zfilter_avail(filter) <= 0 {
				text, _, _ := strings.Cut(string(name[:]), "\x00")
				return fmt.Errorf("%w: %q is compressed with filter %d (%s), which this libhdf5 lacks: install its plugin, or write the file with gzip",
					ErrUnsupported, o.array.Name, filter, text)
			}
		}
	}
	return fmt.Errorf("%w: %q cannot be read", ErrFormat, o.array.Name)
}

// ReadText reads a dataset of text.
func ReadText(d *Array) ([]string, error) { return readText(d, "") }

// ReadColumn reads a column of text of a dataset that is a table.
func ReadColumn(d *Array, column string) ([]string, error) { return readText(d, column) }

func readText(d *Array, column string) ([]string, error) {
	a, leave, err := enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	o, err := a.openArray(d.file, d.Name)
	if err != nil {
		return nil, err
	}
	defer o.close()
	text, memory := o.typ, o.typ
	if column != "" {
		if text, memory, err = o.column(column); err != nil {
			return nil, err
		}
	}
	if a.H5Tget_class(text) != classString {
		return nil, fmt.Errorf("%w: %q holds %s, not text", ErrUnsupported, d.Name, o.array.Type)
	}
	if err := o.checkSize(); err != nil {
		return nil, err
	}
	list := make([]string, 0, o.array.Len())
	if o.array.Len() == 0 {
		return list, nil
	}
	// Many elements may share one long string: what they take together is
	// checked block by block.
	const most, always, perByte = 1 << 12, 1 << 26, 64
	total := 0
	err = o.blocks(most, func(from, to int, space, file id) error {
		read := func(buf unsafe.Pointer) error {
			if a.H5Dread(o.set, memory, space, file, 0, buf) < 0 {
				return o.readError()
			}
			return nil
		}
		if space == 0 {
			space = o.space
		}
		list, err = a.text(list, text, space, to-from, read, func(buf unsafe.Pointer) { a.H5Dvlen_reclaim(memory, space, 0, buf) })
		for _, s := range list[min(from, len(list)):] {
			total += len(s)
		}
		if err == nil && total > always && int64(total)/perByte > o.array.file.size {
			err = fmt.Errorf("%w: the text in %q takes %d bytes so far, the whole file %d", ErrFormat, d.Name, total, o.array.file.size)
		}
		return err
	})
	return list, err
}

// column gives the type of a column of a table, and one to read it alone.
func (o *openedArray) column(name string) (text, memory id, err error) {
	missing := fmt.Errorf("column %q of %q is %w", name, o.array.Name, ErrMissing)
	if o.array.class != classCompound {
		return 0, 0, missing
	}
	i := o.a.H5Tget_member_index(o.typ, name)
	if i < 0 {
		return 0, 0, missing
	}
	text = o.a.H5Tget_member_type(o.typ, uint32(i))
	if !o.keep(text, o.a.H5Tclose) {
		return 0, 0, o.readError()
	}
	memory = o.a.H5Tcreate(classCompound, o.a.H5Tget_size(text))
	if !o.keep(memory, o.a.H5Tclose) || o.a.H5Tinsert(memory, name, 0, text) < 0 {
		return 0, 0, o.readError()
	}
	return text, memory, nil
}

// longestText bounds what one string of a fixed length may take.
const longestText = 1 << 20

// text appends n strings of a type, which read stores in a buffer.
func (a *api) text(list []string, typ, space id, n int, read func(unsafe.Pointer) error, reclaim func(unsafe.Pointer)) ([]string, error) {
	switch variable := a.H5Tis_variable_str(typ); {
	case variable < 0:
		return nil, fmt.Errorf("%w: a type of text cannot be read", ErrFormat)
	case variable > 0:
		pointers := make([]*byte, n)
		buf := unsafe.Pointer(unsafe.SliceData(pointers))
		if err := read(buf); err != nil {
			return nil, err
		}
		defer reclaim(buf)
		for _, p := range pointers {
			list = append(list, cString(p))
		}
		return list, nil
	}
	size := int(a.H5Tget_size(typ))
	if size > longestText {
		return nil, fmt.Errorf("%w: text of %d bytes", ErrUnsupported, size)
	}
	buf := make([]byte, n*size)
	if err := read(unsafe.Pointer(unsafe.SliceData(buf))); err != nil {
		return nil, err
	}
	padding := "\x00"
	if a.H5Tget_strpad(typ) == spacePadded {
		padding = " "
	}
	for ; len(buf) > 0; buf = buf[size:] {
		s := string(buf[:size])
		if padding == "\x00" {
			s, _, _ = strings.Cut(s, padding)
		}
		list = append(list, strings.TrimRight(s, padding))
	}
	return list, nil
}

// cString copies a string of the library.
func cString(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}

// Text gives an attribute that is text; found is false where the object has
// none of that name, or one of another type.
func (f *File) Text(object, name string) (text string, found bool, err error) {
	err = f.attribute(object, name, func(a *api, attr, typ, space id, n int) error {
		if a.H5Tget_class(typ) != classString || n != 1 {
			return nil
		}
		read := func(buf unsafe.Pointer) error { return a.attributeRead(attr, typ, name, buf) }
		list, err := a.text(nil, typ, space, n, read, func(buf unsafe.Pointer) { a.H5Dvlen_reclaim(typ, space, 0, buf) })
		if err == nil {
			text, found = list[0], true
		}
		return err
	})
	return text, found, err
}

// Integers gives an attribute that is one integer or an array of at most 64;
// nil where the object has none of that name.
func (f *File) Integers(object, name string) (list []int64, err error) {
	err = f.attribute(object, name, func(a *api, attr, typ, _ id, n int) error {
		if a.H5Tget_class(typ) != classInteger || n < 1 || n > 64 {
			return nil
		}
		list = make([]int64, n)
		return a.attributeRead(attr, a.int64, name, unsafe.Pointer(unsafe.SliceData(list)))
	})
	return list, err
}

func (a *api) attributeRead(attr, typ id, name string, buf unsafe.Pointer) error {
	if a.H5Aread(attr, typ, buf) < 0 {
		return fmt.Errorf("%w: attribute %q cannot be read", ErrFormat, name)
	}
	return nil
}

// attribute calls do with an attribute, its type, its space and its number of
// elements, where there is one.
func (f *File) attribute(object, name string, do func(a *api, attr, typ, space id, n int) error) error {
	a, leave, err := enter()
	if err != nil {
		return err
	}
	defer leave()
	o, err := a.object(f.id, object)
	if err != nil {
		return err
	}
	defer a.H5Oclose(o)
	if a.H5Aexists(o, name) <= 0 {
		return nil
	}
	attr := a.H5Aopen(o, name, 0)
	if attr < 0 {
		return fmt.Errorf("%w: attribute %q of %q cannot be opened", ErrFormat, name, object)
	}
	defer a.H5Aclose(attr)
	typ, space := a.H5Aget_type(attr), a.H5Aget_space(attr)
	if typ >= 0 {
		defer a.H5Tclose(typ)
	}
	if space >= 0 {
		defer a.H5Sclose(space)
	}
	if typ < 0 || space < 0 {
		return fmt.Errorf("%w: attribute %q of %q cannot be read", ErrFormat, name, object)
	}
	n := a.H5Sget_simple_extent_npoints(space)
	if n < 0 || n > math.MaxInt32 {
		return fmt.Errorf("%w: attribute %q of %q cannot be read", ErrFormat, name, object)
	}
	return do(a, attr, typ, space, int(n))
}
