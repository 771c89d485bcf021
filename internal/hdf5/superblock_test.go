package hdf5

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// superblock makes one of a version that promises a file of a size.
func superblock(version byte, end uint64) []byte {
	b := make([]byte, superblockSize)
	copy(b, signature)
	b[8] = version
	at := 40
	switch version {
	case 0, 1:
		b[13], b[14], b[16], b[18], b[24] = 8, 8, 4, 16, 32
		at += 4 * int(version)
	default:
		b[9], b[10] = 8, 8
		at = 28
	}
	binary.LittleEndian.PutUint64(b[at:], end)
	return b
}

func TestCheckSuperblock(t *testing.T) {
	with := func(b []byte, at int, v byte) []byte {
		b[at] = v
		return b
	}
	tests := []struct {
		head []byte
		err  error
		says string
	}{
		{superblock(0, 1000), nil, ""},
		{superblock(1, 1000), nil, ""},
		{superblock(2, 1000), nil, ""},
		{superblock(3, 999), nil, ""},
		{superblock(0, 1001), ErrTruncated, "its superblock promises 1001 bytes, 1000 are there"},
		{superblock(1, 1001), ErrTruncated, ""},
		{superblock(3, 1<<60), ErrTruncated, ""},
		{superblock(4, 10), ErrUnsupported, "a superblock of version 4"},
		{with(superblock(0, 10), 19, 0xff), ErrFormat, "groups of fan-out 4 and 65296"},
		{with(superblock(0, 10), 16, 0), ErrFormat, "groups of fan-out 0 and 16"},
		{with(superblock(1, 10), 25, 0x80), ErrFormat, "chunks of fan-out 32800"},
		{superblock(0, 1001)[:30], nil, ""},
	}
	for i, tt := range tests {
		err := checkSuperblock(tt.head, 1000)
		if !errors.Is(err, tt.err) || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("case %d: %v, want %v %s", i, err, tt.err, tt.says)
		}
	}
}

func TestIsHDF5(t *testing.T) {
	for _, at := range []int{0, 512, 1024, 2048} {
		if !IsHDF5(append(make([]byte, at), signature...)) {
			t.Errorf("not found at %d", at)
		}
	}
	for _, head := range []string{"", signature[:7], " " + signature, strings.Repeat(" ", 1536) + signature} {
		if IsHDF5([]byte(head)) {
			t.Errorf("found in %q", head)
		}
	}
}
