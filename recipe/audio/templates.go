package audio

import (
	"context"
	"fmt"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// Learn fits k components to each part of a recording alone, and gives them one
// part after the other (parts·k x bins): templates to hold a fit of a mixture to
// (nmf.Penalty.Held of H), as Smaragdis, Raj & Shashanka (2007) do. Rows sum to 1.
func Learn[F matrix.Float](ctx context.Context, r *Recording[F], k int, o *nmf.Options) (*matrix.Dense[float64], error) {
	all := r.X.(*matrix.Dense[F])
	h := matrix.NewDense[float64](len(r.Parts)*k, all.Cols)
	for i, p := range r.Parts {
		x := &matrix.Dense[F]{Rows: p.Frames, Cols: all.Cols, Stride: all.Stride, Data: all.Data[p.First*all.Stride:][:(p.Frames-1)*all.Stride+all.Cols]}
		fit := *o
		fit.RowNames, fit.ColumnNames, fit.W, fit.H = nil, nil, nil, nil
		m, err := nmf.Fit(ctx, matrix.Matrix[F](x), k, &fit)
		if err == nil && m.Info.Status == nmf.Cancelled {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("templates of %s: %w", p.Name, err)
		}
		for l := range k {
			for j, v := range m.H.Row(l) {
				h.Set(i*k+l, j, float64(v))
			}
		}
	}
	return h, nil
}
