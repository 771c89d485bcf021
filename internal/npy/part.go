package npy

import (
	"fmt"
	"io"
)

// ReadMemberPart fills dst with the elements of the array under a key from
// element `first` on, in the order of the file; they must be there. Of a member
// that is not compressed only those are read, of others what is before them,
// too. The checksum, which is of the whole member, is not compared.
func ReadMemberPart[T Number](a *Archive, key string, first int, dst []T) error {
	m, err := a.open(key + ".npy")
	if err != nil {
		return err
	}
	defer m.Close()
	return m.named(readPartOf(a, m, first, dst))
}

func readPartOf[T Number](a *Archive, m *member, first int, dst []T) error {
	h, err := ReadHeader(m)
	if err != nil {
		return err
	}
	e, err := parseElement(h.Descr)
	if err != nil {
		return err
	}
	if isInteger[T]() && !e.integral() {
		return fmt.Errorf("%w: element type %s where integers are wanted", ErrUnsupported, quoted(h.Descr))
	}
	n, err := h.Len()
	if err != nil {
		return err
	}
	if need := h.Size + int64(n)*int64(e.size); need != m.size {
		return fmt.Errorf("%w: shape %s of %s takes %d bytes, the directory says %d", ErrFormat, ShapeString(h.Shape), h.Descr, need, m.size)
	}
	d := decoder[T]{r: m, element: e, total: n, done: first}
	skip := int64(first) * int64(e.size)
	if m.stored {
		if raw, err := a.members[m.name].OpenRaw(); err != nil {
			return err
		} else if at, ok := raw.(io.ReaderAt); ok {
			d.r = io.NewSectionReader(at, h.Size+skip, int64(len(dst))*int64(e.size))
			return d.fill(dst)
		}
	}
	if _, err := io.CopyN(io.Discard, m, skip); err != nil {
		return err
	}
	return d.fill(dst)
}
