package nmf_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// meals counts what six people ate in a week.
var meals, _ = matrix.FromRows([][]float64{
	{5, 4, 0, 0, 1},
	{6, 5, 0, 0, 0},
	{3, 2, 0, 1, 0},
	{0, 0, 4, 6, 5},
	{0, 1, 3, 5, 4},
	{3, 2, 2, 3, 3},
})

var dishes = []string{"rice", "beans", "bread", "cheese", "olives"}

// A fit needs a matrix and a number of components.
func ExampleFit() {
	model, err := nmf.Fit(context.Background(), meals, 2, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, relative error %.2f\n", model.Info.Status, model.Info.RelativeError)
	for j, share := range model.Shares() {
		fmt.Printf("component %d, %.0f%% of all:", j+1, 100*share)
		for i, v := range model.H.Row(j) {
			fmt.Printf(" %s %.2f", dishes[i], v)
		}
		fmt.Println()
	}
	// Output:
	// converged, relative error 0.08
	// component 1, 54% of all: rice 0.00 beans 0.02 bread 0.25 cheese 0.40 olives 0.33
	// component 2, 46% of all: rice 0.55 beans 0.43 bread 0.00 cheese 0.00 olives 0.03
}

// Several random starts, the best kept; names travel into the model and into
// errors.
func ExampleOptions() {
	model, err := nmf.Fit(context.Background(), meals, 2, &nmf.Options{
		Runs:        10,
		Seed:        7,
		Tol:         1e-6,
		ColumnNames: dishes,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(model.Info.Runs), "runs,", model.Info.Resolved.Init, "starts")
	components, err := model.Components(2, 0, nmf.ByWeight)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range components {
		fmt.Println(c.Features[0].Name, c.Features[1].Name)
	}
	// Output:
	// 10 runs, random starts
	// cheese olives
	// rice beans
}

// A sparse matrix stores only cells that are not zero.
func ExampleFit_sparse() {
	x, _, err := matrix.FromTriplets(4, 1000,
		[]int32{0, 0, 1, 1, 2, 2, 3, 3},
		[]int32{10, 20, 10, 20, 500, 700, 500, 700},
		[]float32{1, 2, 2, 4, 3, 1, 6, 2})
	if err != nil {
		log.Fatal(err)
	}
	model, err := nmf.Fit(context.Background(), x, 2, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Info.StoredCells, "cells,", model.Info.Precision)
	fmt.Printf("scales %.3f, relative error %.3f\n", model.Scales, model.Info.RelativeError)
	// Output:
	// 8 cells, f32
	// scales [12.000 9.000], relative error 0.000
}

// Transform gives the weights of new samples, Reconstruct what the model makes
// of them, Score how well.
func ExampleModel_Transform() {
	ctx := context.Background()
	model, err := nmf.Fit(ctx, meals, 2, nil)
	if err != nil {
		log.Fatal(err)
	}
	fresh, err := matrix.FromRows([][]float64{{10, 8, 0, 0, 0}, {0, 0, 0, 0, 0}})
	if err != nil {
		log.Fatal(err)
	}
	w, err := model.Transform(ctx, fresh, nil)
	if err != nil {
		log.Fatal(err)
	}
	for i := range w.Rows {
		fmt.Printf("weights %.2f\n", w.Row(i))
	}
	back, err := model.Reconstruct(w)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("rice %.1f, beans %.1f\n", back.At(0, 0), back.At(0, 1))
	score, err := model.Score(ctx, fresh, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("relative error %.2f\n", score.RelativeError)
	// Output:
	// weights [0.00 0.59]
	// weights [0.00 0.00]
	// rice 10.1, beans 7.9
	// relative error 0.04
}

// A model file is an .npz that numpy.load opens too.
func ExampleModel_Save() {
	folder, err := os.MkdirTemp("", "nmf")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	model, err := nmf.Fit(context.Background(), meals, 2, &nmf.Options{ColumnNames: dishes})
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(folder, "meals.npz")
	if err := model.Save(path); err != nil {
		log.Fatal(err)
	}
	again, err := nmf.Load[float64](path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.K(), "components of", again.ColumnNames)
	// Output: 2 components of [rice beans bread cheese olives]
}

// Progress is called after every iteration. Cancelling the context ends a fit
// with the best model so far.
func ExampleProgress() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	model, err := nmf.Fit(ctx, meals, 2, &nmf.Options{
		Tol: -1, LossTol: -1,
		Progress: func(p nmf.Progress) {
			if p.RelativeError < 0.1 {
				fmt.Println("good enough")
				cancel()
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Info.Status)
	// Output:
	// good enough
	// cancelled
}

// A fit keeps its state in a folder. The same program, started again after it was
// killed, goes on from there and ends with the same model.
func ExampleCheckpoint() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	state := &nmf.Checkpoint{Dir: filepath.Join(dir, "state"), Every: 10 * time.Minute, Resume: true}
	model, err := nmf.Fit(context.Background(), meals, 2, &nmf.Options{Checkpoint: state})
	if err != nil {
		log.Fatal(err)
	}
	if err := model.Save(filepath.Join(dir, "model.npz")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Info.Status, state.Remove())
	// Output:
	// converged <nil>
}

// Errors name the cell, and wrap a sentinel.
func ExampleCellError() {
	x := meals.Clone()
	x.Set(2, 3, -1)
	_, err := nmf.Fit(context.Background(), x, 2, &nmf.Options{ColumnNames: dishes})
	fmt.Println(err)
	fmt.Println(errors.Is(err, nmf.ErrNegative))
	var cell *nmf.CellError
	if errors.As(err, &cell) {
		fmt.Println("column", cell.Column)
	}
	// Output:
	// row 3, column 4 ("cheese"): -1 is negative
	// true
	// column 3
}
