// Command gen writes the assembly of package kernel: for each tier a .s file
// and the Go declarations of its functions. Both element types come from the
// same code.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

func main() {
	dir := flag.String("dir", "..", "directory of package kernel")
	flag.Parse()
	for _, t := range tiers {
		if err := write(*dir, t); err != nil {
			log.Fatal(err)
		}
	}
}

// write generates the two files of a tier.
func write(dir string, t tier) error {
	ctx := build.NewContext()
	ctx.ConstraintExpr("amd64,!noasm")
	constants := map[string]operand.Mem{}
	for _, e := range elements {
		g := newGen(ctx, t, e, constants)
		for _, s := range t.mulAdd {
			g.mulAdd(s)
		}
		for _, v := range t.gather {
			g.gather(v, false)
			g.gather(v, true)
			g.dots(v)
			g.gatherRows(v)
			g.scatterRows(v)
		}
		g.transposeRows()
		for _, v := range t.quotient {
			g.gatherQuotient(v)
		}
		for _, s := range t.gram {
			g.gram(s)
		}
		g.mirror()
		g.scan()
		g.sweep()
		g.pack()
		g.unpack()
		g.residual()
		g.extrapolate()
		g.peak()
		g.elementwise()
		g.newton()
		g.divergences()
	}
	file, err := ctx.Result()
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	cfg := printer.Config{Name: "internal/kernel/_gen", Pkg: "kernel"}
	var asm, stubs bytes.Buffer
	passes := pass.Concat(pass.Compile,
		&pass.Output{Writer: closer{&asm}, Printer: printer.NewGoAsm(cfg)},
		&pass.Output{Writer: closer{&stubs}, Printer: printer.NewStubs(cfg)})
	if err := passes.Execute(file); err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, t.name+"_amd64.s"), asm.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, t.name+"_amd64.go"), stubs.Bytes(), 0o644)
}

type closer struct{ *bytes.Buffer }

func (closer) Close() error { return nil }
