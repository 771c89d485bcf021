package atomicfile

import (
	"os"
	"sync"
)

// temporary holds the names of the files that are being filled.
var temporary sync.Map

// RemoveTemporary removes the files that are being filled, for a program that
// ends while Write is running.
func RemoveTemporary() {
	temporary.Range(func(name, _ any) bool {
		os.Remove(name.(string))
		return true
	})
}
