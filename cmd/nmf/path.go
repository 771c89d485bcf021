package main

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/data"
	"github.com/partsof/nmf/matrix"
)

// pathPoint is one model of a path of penalties.
type pathPoint struct {
	Value         float64    `json:"value"`
	Loss          float64    `json:"loss"`
	RelativeError float64    `json:"relative_error"`
	ZerosW        float64    `json:"zeros_w"`
	ZerosH        float64    `json:"zeros_h"`
	Components    int        `json:"components"`
	Iterations    int        `json:"iterations"`
	Status        nmf.Status `json:"status"`
	Model         string     `json:"model"`
}

// fitPath fits a model for every value of a penalty, each started at the one
// before. The models are named after out and the value.
func fitPath[F matrix.Float](a *app, c *fitCmd, in source, t *data.Table[F], along path, o *nmf.Options, out modelOutput) error {
	outs := make([]modelOutput, len(along.values))
	for i, v := range along.values {
		var err error
		name := strings.TrimSuffix(out.path, ".npz") + "." + along.name + "=" + strconv.FormatFloat(v, 'g', -1, 64) + ".npz"
		if outs[i], err = newModelOutput("fit", name); err != nil {
			return err
		}
	}
	var points []pathPoint
	for i, v := range along.values {
		*along.at(o) = v
		if err := c.penaltyFlags.readGraphs(a, o, c.Quiet); err != nil {
			return err
		}
		model, err := fitTable(a, t, c.K, o, c.Quiet)
		if err != nil {
			return inFile(in.name(), err)
		}
		if err := saveModel(a, model, outs[i], c.Quiet); err != nil {
			return err
		}
		points = append(points, pathPoint{Value: v, Loss: model.Info.Loss, RelativeError: model.Info.RelativeError,
			ZerosW: zeros(model.W), ZerosH: zeros(model.H), Components: alive(model.Scales),
			Iterations: model.Info.Iterations, Status: model.Info.Status, Model: outs[i].path})
		if model.Info.Status == nmf.Cancelled {
			return errors.Join(showPath(a, c, in, t, along, points), cancelled(&model.Info, outs[i]))
		}
		o.W, o.H = startAfter(model)
		o.Runs = 1
	}
	return showPath(a, c, in, t, along, points)
}

// startAfter gives the factors of a model to start at. Components that are zero
// are left to the init: from zero they could not come back.
func startAfter[F matrix.Float](m *nmf.Model[F]) (w, h *matrix.Dense[float64]) {
	w, h = m.Factors()
	for l, s := range m.Scales {
		if s > 0 {
			continue
		}
		for i := range w.Rows {
			w.Set(i, l, math.NaN())
		}
		for j := range h.Cols {
			h.Set(l, j, math.NaN())
		}
	}
	return w, h
}

func showPath[F matrix.Float](a *app, c *fitCmd, in source, t *data.Table[F], along path, points []pathPoint) error {
	if c.JSON {
		return a.printJSON(struct {
			Penalty string      `json:"penalty"`
			Path    []pathPoint `json:"path"`
		}{along.name, points})
	}
	if c.Quiet {
		return nil
	}
	a.printf("read    %s: %s\n", in.name(), describe(t.X))
	a.printf("path    of --%s, %s\n\n", along.name, plural(len(points), "model"))
	a.printf("%10s  %12s  %10s  %8s  %8s  %10s  %10s\n", along.name, "loss", "rel. error", "W zero", "H zero", "components", "iterations")
	for _, p := range points {
		a.printf("%10.6g  %12.6g  %10.4g  %8s  %8s  %10d  %10d\n", p.Value, p.Loss, p.RelativeError, percent(p.ZerosW), percent(p.ZerosH), p.Components, p.Iterations)
	}
	a.printf("\nmodels  %s to %s\n", points[0].Model, points[len(points)-1].Model)
	return nil
}

// zeros is the part of a factor that is zero.
func zeros[F matrix.Float](d *matrix.Dense[F]) float64 {
	n := 0
	for i := range d.Rows {
		n += d.Cols - countNonzero(d.Row(i))
	}
	return float64(n) / float64(max(1, d.Rows*d.Cols))
}

// alive is the number of components that are not zero.
func alive(scales []float64) int {
	n := 0
	for _, s := range scales {
		if s > 0 {
			n++
		}
	}
	return n
}
