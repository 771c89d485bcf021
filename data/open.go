package data

import "io"

// Open opens a file, or standard input for "-", as Read does: gzip, zstd and
// bzip2 are seen through, and errors name the file. It is for tables of text
// that are no matrix as they stand.
func Open(path string) (io.ReadCloser, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	return content{s}, nil
}

// content is what Open gives.
type content struct{ *source }

func (c content) Read(p []byte) (int, error) { return c.r.Read(p) }
