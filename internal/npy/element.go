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

// decode converts len(dst) little-endian elements of the given kind. Integers
// are rounded to floats. It gives the index of the first element that does not
// fit: a finite float that would become infinite, an integer that an integer
// type cannot hold; -1 where all do.
func decode[T Number](dst []T, b []byte, kind string) (bad int) {
	le := binary.LittleEndian
	exact := isInteger[T]()
	switch kind {
	case "f2":
		for i := range dst {
			dst[i] = T(halfToFloat(le.Uint16(b[2*i:])))
		}
	case "f4":
		for i := range dst {
			dst[i] = T(math.Float32frombits(le.Uint32(b[4*i:])))
		}
	case "f8":
		for i := range dst {
			v := math.Float64frombits(le.Uint64(b[8*i:]))
			dst[i] = T(v)
			if math.IsInf(float64(dst[i]), 0) && !math.IsInf(v, 0) {
				return i
			}
		}
	case "i1":
		for i := range dst {
			dst[i] = T(int8(b[i]))
		}
	case "u1":
		for i := range dst {
			dst[i] = T(b[i])
		}
	case "b1":
		for i := range dst {
			dst[i] = 0
			if b[i] != 0 {
				dst[i] = 1
			}
		}
	case "i2":
		for i := range dst {
			dst[i] = T(int16(le.Uint16(b[2*i:])))
		}
	case "u2":
		for i := range dst {
			dst[i] = T(le.Uint16(b[2*i:]))
		}
	case "i4":
		for i := range dst {
			dst[i] = T(int32(le.Uint32(b[4*i:])))
		}
	case "u4":
		for i := range dst {
			v := le.Uint32(b[4*i:])
			dst[i] = T(v)
			if exact && int64(dst[i]) != int64(v) {
				return i
			}
		}
	case "i8":
		for i := range dst {
			v := int64(le.Uint64(b[8*i:]))
			dst[i] = T(v)
			if exact && int64(dst[i]) != v {
				return i
			}
		}
	case "u8":
		for i := range dst {
			v := le.Uint64(b[8*i:])
			dst[i] = T(v)
			if exact && (dst[i] < 0 || uint64(dst[i]) != v) {
				return i
			}
		}
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
