package data

import (
	"github.com/partsof/nmf/internal/atomicfile"
)

// CheckWrite finds out whether Write could write to path in the format, as far
// as that can be told without a table, so that long work need not end in an
// error.
func CheckWrite(path string, o *WriteOptions) error {
	if o == nil {
		o = &WriteOptions{}
	}
	f, err := writeFormat(path, o)
	if err != nil {
		return withFile(err, outputName(path))
	}
	if path == "-" || f.folder != nil {
		return nil
	}
	return withFile(atomicfile.Check(path), path)
}
