package npy

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unsafe"
)

// structDescr stands for the list that describes a structured type.
const structDescr = "struct"

// element is a type of numbers as a file stores it.
type element struct {
	// kind is NumPy's letter and size: "f4", "i8", "b1".
	kind string
	size int
	big  bool
}

// parseElement understands a descr, or says why its type is not read.
func parseElement(descr string) (element, error) {
	rest, order := descr, byte('=')
	if rest != "" && strings.IndexByte("<>|=", rest[0]) >= 0 {
		order, rest = rest[0], rest[1:]
	}
	switch rest {
	case "?":
		rest = "b1"
	case "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1":
	default:
		return element{}, refuseElement(descr, rest)
	}
	big := order == '>' || order == '=' && nativeBig
	return element{kind: rest, size: int(rest[1] - '0'), big: big}, nil
}

func refuseElement(descr, rest string) error {
	switch {
	case descr == structDescr:
		return fmt.Errorf("%w: a structured array; save one of its fields, or the fields as columns", ErrUnsupported)
	case rest == "":
		return fmt.Errorf("%w .npy: its header has no valid descr", ErrFormat)
	}
	what := ""
	switch rest[0] {
	case 'c', 'F', 'D', 'G':
		what = "complex numbers; save their magnitude (numpy.abs) or their parts"
	case 'O':
		what = "Python objects, whose loading could run code; save numbers with .astype('f8')"
	case 'S', 'U', 'a':
		what = "text; save numbers with .astype('f8')"
	case 'V':
		what = "raw bytes or a structured type; save numbers"
	case 'M', 'm':
		what = "dates or times; save numbers with .astype('f8')"
	case 'f', 'g':
		what = "long double numbers; save them with .astype('f8')"
	default:
		return fmt.Errorf("%w .npy: its header has an unknown element type %s", ErrFormat, quoted(descr))
	}
	return fmt.Errorf("%w: element type %s: %s", ErrUnsupported, quoted(descr), what)
}

// CheckReal says why arrays of this type cannot be read, nil where they can.
func (h Header) CheckReal() error {
	_, err := parseElement(h.Descr)
	return err
}

// integral says that every value is an integer.
func (e element) integral() bool { return e.kind[0] != 'f' }

var nativeBig = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// kindOf gives the kind under which T is stored.
func kindOf[T Number]() string {
	switch any(T(0)).(type) {
	case float32:
		return "f4"
	case float64:
		return "f8"
	case int32:
		return "i4"
	}
	return "i8"
}

func isInteger[T Number]() bool { return kindOf[T]()[0] == 'i' }

// native says that the elements lie in the file as a []T does in memory, but
// for the byte order.
func native[T Number](e element) bool { return e.kind == kindOf[T]() }

// bytesOf views the memory of data.
func bytesOf[T Number](data []T) []byte {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(data[0])))
}

// swapBytes reverses each element of the given size in place.
func swapBytes(b []byte, size int) {
	switch size {
	case 2:
		for i := 0; i+2 <= len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	case 4:
		for i := 0; i+4 <= len(b); i += 4 {
			binary.LittleEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
		}
	case 8:
		for i := 0; i+8 <= len(b); i += 8 {
			binary.LittleEndian.PutUint64(b[i:], binary.BigEndian.Uint64(b[i:]))
		}
	}
}

// decode converts len(dst) elements of the given kind, in the byte order of
// this machine and aligned. Integers are rounded to floats. It gives the index
// of the first element that does not fit: a finite float that would become
// infinite, an integer that an integer type cannot hold; -1 where all do.
func decode[T Number](dst []T, b []byte, kind string) (bad int) {
	switch kind {
	case "f2":
		for i, v := range view[uint16](b) {
			dst[i] = T(halfToFloat(v))
		}
	case "b1":
		for i, v := range b {
			dst[i] = 0
			if v != 0 {
				dst[i] = 1
			}
		}
	case "f4":
		convert[T, float32](dst, b)
	case "f8":
		return convertFinite(dst, b)
	case "i1":
		convert[T, int8](dst, b)
	case "u1":
		convert[T, uint8](dst, b)
	case "i2":
		convert[T, int16](dst, b)
	case "u2":
		convert[T, uint16](dst, b)
	case "i4":
		convert[T, int32](dst, b)
	case "u4":
		return convertInteger[T, uint32](dst, b)
	case "i8":
		return convertInteger[T, int64](dst, b)
	case "u8":
		return convertInteger[T, uint64](dst, b)
	}
	return -1
}

// stored is a type in which elements lie in a file.
type stored interface {
	int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64 | float32 | float64
}

// view takes aligned bytes for elements.
func view[S stored](b []byte) []S {
	var s S
	return unsafe.Slice((*S)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(s)))
}

func convert[T Number, S stored](dst []T, b []byte) {
	for i, v := range view[S](b)[:len(dst)] {
		dst[i] = T(v)
	}
}

// convertFinite checks that no finite number overflows: x - x is 0 only for
// finite x.
func convertFinite[T Number](dst []T, b []byte) (bad int) {
	for i, v := range view[float64](b)[:len(dst)] {
		t := T(v)
		if t-t != 0 && v-v == 0 {
			return i
		}
		dst[i] = t
	}
	return -1
}

// convertInteger checks that integers stay what they are where T is an integer
// type, also in sign.
func convertInteger[T Number, S uint32 | int64 | uint64](dst []T, b []byte) (bad int) {
	if !isInteger[T]() {
		convert[T, S](dst, b)
		return -1
	}
	for i, v := range view[S](b)[:len(dst)] {
		t := T(v)
		if S(t) != v || (t < 0) != (v < 0) {
			return i
		}
		dst[i] = t
	}
	return -1
}

// halfToFloat converts an IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10)&0x1f, uint32(h&0x3ff)
	switch exponent {
	case 0:
		v := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
