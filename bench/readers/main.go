// Command readers times nmf's readers on files, for bench/readers.sh to set
// beside those of numpy, scipy and pandas. It prints one line a file: name,
// reader, seconds (the least of five), MB/s of the file as it lies on disk.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/partsof/nmf/data"
)

func main() {
	threads := flag.Int("threads", 0, "goroutines that parse; 0 is one a core")
	flag.Parse()
	for _, path := range flag.Args() {
		if err := measure(path, *threads); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func measure(path string, threads int) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	least := math.Inf(1)
	for range 5 {
		start := time.Now()
		if _, err := data.Read[float64](path, &data.ReadOptions{Threads: threads}); err != nil {
			return err
		}
		least = min(least, time.Since(start).Seconds())
	}
	name := "nmf"
	if threads > 0 {
		name = fmt.Sprintf("nmf -threads %d", threads)
	}
	fmt.Printf("%s\t%s\t%.3f\t%.0f\n", filepath.Base(path), name, least, float64(info.Size())/1e6/least)
	return nil
}
