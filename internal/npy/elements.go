package npy

import "fmt"

// Elements reads the array under a key of an archive piece by piece.
type Elements[T Number] struct {
	Header
	m *member
	d decoder[T]
}

// OpenElements opens the array under a key. Its elements are read in the order
// of the file, whatever the order of its axes is.
func OpenElements[T Number](a *Archive, key string) (*Elements[T], error) {
	m, err := a.open(key + ".npy")
	if err != nil {
		return nil, err
	}
	e := &Elements[T]{m: m}
	if err := e.begin(); err != nil {
		m.Close()
		return nil, m.named(err)
	}
	return e, nil
}

func (e *Elements[T]) begin() (err error) {
	if e.Header, err = ReadHeader(e.m); err != nil {
		return err
	}
	el, err := parseElement(e.Descr)
	if err != nil {
		return err
	}
	if isInteger[T]() && !el.integral() {
		return fmt.Errorf("%w: element type %s where integers are wanted", ErrUnsupported, quoted(e.Descr))
	}
	n, err := e.Len()
	if err != nil {
		return err
	}
	if need := e.Size + int64(n)*int64(el.size); need != e.m.size {
		return fmt.Errorf("%w: shape %s of %s takes %d bytes, the directory says %d", ErrFormat, ShapeString(e.Shape), e.Descr, need, e.m.size)
	}
	e.d = decoder[T]{r: e.m, element: el, total: n}
	return nil
}

// Fill reads the next len(dst) elements, which must be there. With the last one
// the checksum of the member is compared.
func (e *Elements[T]) Fill(dst []T) error {
	err := e.d.fill(dst)
	if err == nil && len(dst) > 0 && e.d.done == e.d.total {
		err = e.m.finish()
	}
	return e.m.named(err)
}

// Close ends the reading.
func (e *Elements[T]) Close() error { return e.m.Close() }
