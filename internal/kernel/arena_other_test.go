//go:build !linux

package kernel

import "testing"

func protected(_ testing.TB, n int) []byte { return make([]byte, n) }
