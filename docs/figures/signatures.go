package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/matrix"
	"github.com/partsof/nmf/recipe/signatures"
)

// drawSignatures draws the signatures of 60 tumours that three processes of its
// own making have mutated.
func drawSignatures(out string) error {
	r := rand.New(rand.NewPCG(8, 0))
	x := matrix.NewDense[float64](60, signatures.NChannels)
	for j := range 3 {
		process := make([]float64, signatures.NChannels)
		sum := 0.0
		for c := range process {
			process[c] = 0.05 + math.Pow(r.ExpFloat64(), 2)
			if c/16 == 2*j || c/16 == 2*j+1 { // two substitutions that it prefers
				process[c] *= 6
			}
			sum += process[c]
		}
		for i := range x.Rows {
			mutations := 4000 * r.ExpFloat64() * float64(r.IntN(2))
			for c, p := range process {
				x.Set(i, c, x.At(i, c)+mutations*p/sum)
			}
		}
	}
	x = signatures.Poisson(x, 1, 0)
	ctx, o := context.Background(), signatures.Preset()
	model, err := nmf.Fit(ctx, matrix.Matrix[float64](x), 3, o)
	if err != nil {
		return err
	}
	stability, err := signatures.Resample(ctx, x, model, 20, o, nil)
	if err != nil {
		return err
	}
	bars := make([]signatures.Bars, 3)
	for j, name := range signatures.Names(3) {
		bars[j] = signatures.Bars{Title: name, Values: model.H.Row(j), Low: stability.Low.Row(j), High: stability.High.Row(j),
			Note: fmt.Sprintf("%.1f%% of the mutations; stability %.3f over %d resampled catalogues", 100*model.Shares()[j], stability.Cosine[j], stability.Resamples)}
	}
	return atomicfile.Write(out, func(w io.Writer) error { return signatures.Plot(w, bars) })
}
