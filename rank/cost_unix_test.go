//go:build unix

package rank_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/bench"
	"github.com/partsof/nmf/rank"
)

// BenchmarkCriteria measures what the criteria cost on ALL-AML, k = 2…8 and 50
// restarts each, in units of the restarts alone:
//
//	go test ./rank -run - -bench Criteria -benchtime 1x -timeout 1h
func BenchmarkCriteria(b *testing.B) {
	x, _, _ := leukemia(b)
	for _, loss := range []string{"frobenius", "kl"} {
		sweep := func(b *testing.B, criteria ...string) float64 {
			began := bench.ProcessorTime()
			o := &rank.Options{K: []int{2, 3, 4, 5, 6, 7, 8}, Runs: 50, Bootstraps: 50, Criteria: criteria,
				Fit: nmf.Options{Loss: loss, Threads: 1}}
			if _, err := rank.Sweep(b.Context(), x, o); err != nil {
				b.Fatal(err)
			}
			return (bench.ProcessorTime() - began).Seconds()
		}
		bare := 0.0
		for _, criteria := range [][]string{{"bic"}, {"cv"}, {"bcv"}, {"bootstrap"}, {"silhouette", "amari"}, nil} {
			name := "all"
			if criteria != nil {
				name = strings.Join(criteria, "+")
			}
			b.Run(fmt.Sprintf("%s/%s", loss, name), func(b *testing.B) {
				used := 0.0
				for b.Loop() {
					used += sweep(b, criteria...)
				}
				used /= float64(b.N)
				if name == "bic" {
					bare = used
				}
				b.ReportMetric(used, "cpu-s/op")
				if bare > 0 {
					b.ReportMetric(used/bare, "x-restarts")
				}
			})
		}
	}
}
