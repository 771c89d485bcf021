package hdf5

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// superblockSize is enough for the part of the superblock that is checked.
const superblockSize = 96

// checkSuperblock looks at the superblock (HDF5 File Format Specification
// 3.0, II.A) before the library does: for a file that is cut short, and for
// sizes that would have the library allocate much more than the file holds.
// head starts at the signature, size is that of the whole file.
func checkSuperblock(head []byte, size int64) error {
	if len(head) < superblockSize {
		head = append(bytes.Clone(head), make([]byte, superblockSize-len(head))...)
	}
	little := binary.LittleEndian
	version, offsets := head[8], head[13]
	ends := 40
	switch version {
	case 0, 1:
		// The greatest fan-outs of the trees that groups are kept in.
		const most = 1 << 12
		leaf, internal := little.Uint16(head[16:]), little.Uint16(head[18:])
		if leaf == 0 || leaf > most || internal == 0 || internal > most {
			return fmt.Errorf("%w: its superblock has groups of fan-out %d and %d", ErrFormat, leaf, internal)
		}
		if version == 1 {
			if chunks := little.Uint16(head[24:]); chunks == 0 || chunks > most {
				return fmt.Errorf("%w: its superblock has chunks of fan-out %d", ErrFormat, chunks)
			}
			ends += 4
		}
	case 2, 3:
		offsets, ends = head[9], 28
	default:
		return fmt.Errorf("%w: a superblock of version %d", ErrUnsupported, version)
	}
	if offsets != 8 {
		return nil // for files below 4 GiB, which only the library's users ask for
	}
	if end := little.Uint64(head[ends:]); end > uint64(size) {
		return fmt.Errorf("%w: its superblock promises %d bytes, %d are there", ErrTruncated, end, size)
	}
	return nil
}

// signatureAt gives the offset of the signature, which may follow a block of
// another program: at 0, 512, 1024, and so on; -1 where there is none.
func signatureAt(head []byte) int {
	for at := 0; at < len(head); at = max(512, 2*at) {
		if bytes.HasPrefix(head[at:], []byte(signature)) {
			return at
		}
	}
	return -1
}
