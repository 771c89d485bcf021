package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/hdf5"
	"github.com/partsof/nmf/internal/mpirun"
	"github.com/partsof/nmf/internal/npy"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nmf": main, "stubborn": stubborn})
}

// TestScripts runs testdata/script: a script for each command, and one for
// each row of the table in docs/errors.md.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("COLUMNS", "80")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // a second at the end of each command otherwise
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "libhdf5":
				return hdf5.Available() == nil, nil
			case "mpirun":
				return native && mpirun.Available() == nil, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": runStatus, "npy": writeArray, "pattern": writePattern, "gzip": compressFile, "cut": cutFile, "tack": tackOn, "newer": makeNewer, "same": sameModel, "decode": decodeFiles, "wav": writeSound,
			"planted": writePlanted, "table": writeDigits, "ranks": runRanks,
		},
	})
}

// runStatus runs a command that must exit with a status: status 2 nmf fit.
func runStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// writeArray writes a .npy file of float64 with any shape in its header:
// npy FILE ROWS COLUMNS VALUES...
func writeArray(ts *testscript.TestScript, _ bool, args []string) {
	shape := make([]int, 2)
	for i := range shape {
		n, err := strconv.Atoi(args[1+i])
		ts.Check(err)
		shape[i] = n
	}
	values := make([]float64, len(args)-3)
	for i, s := range args[3:] {
		v, err := strconv.ParseFloat(s, 64)
		ts.Check(err)
		values[i] = v
	}
	var body, file bytes.Buffer
	ts.Check(npy.Write(&body, []int{len(values)}, values))
	elements := body.Bytes()[body.Len()-8*len(values):]
	ts.Check(npy.WriteHeader(&file, "<f8", shape))
	file.Write(elements)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), file.Bytes(), 0o644))
}

// writePattern writes a .npy file of float32, of any size: pattern FILE ROWS
// COLUMNS.
func writePattern(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	cols, err := strconv.Atoi(args[2])
	ts.Check(err)
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(i/cols%3*(i%cols%5) + (i*i)%7)
	}
	var file bytes.Buffer
	ts.Check(npy.Write(&file, []int{rows, cols}, values))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), file.Bytes(), 0o644))
}

// writeDigits writes a text table of digits: table FILE ROWS COLUMNS.
func writeDigits(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	cols, err := strconv.Atoi(args[2])
	ts.Check(err)
	text, state := make([]byte, 0, 2*rows*cols), uint32(1)
	for range rows {
		for range cols {
			state = state*1664525 + 1013904223
			text = append(text, '0'+byte(state>>16%10), ',')
		}
		text[len(text)-1] = '\n'
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// compressFile makes FILE.gz of a file.
func compressFile(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, ts.ReadFile(args[0]))
	ts.Check(errors.Join(err, z.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".gz"), b.Bytes(), 0o644))
}

// cutFile takes bytes off the end of a file: cut FILE BYTES.
func cutFile(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	content := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(content[:len(content)-n]), 0o644))
}

// tackOn adds text to the end of a file: tack FILE TEXT.
func tackOn(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+args[1]), 0o644))
}

// decodeFiles makes of files in base64 what they stand for: decode FILE...
func decodeFiles(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(ts.ReadFile(name), "\n", ""))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), content, 0o644))
	}
}

// makeNewer makes a model one of a version to come: newer FILE.
func makeNewer(ts *testscript.TestScript, _ bool, args []string) {
	old := ts.ReadFile(args[0])
	r, err := zip.NewReader(strings.NewReader(old), int64(len(old)))
	ts.Check(err)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		in, err := f.Open()
		ts.Check(err)
		content, err := io.ReadAll(in)
		ts.Check(err)
		content = bytes.Replace(content, []byte(`"format_version": 1,`), []byte(`"format_version": 99,`), 1)
		out, err := w.Create(f.Name)
		ts.Check(err)
		_, err = out.Write(content)
		ts.Check(err)
	}
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}

// TestExamples parses the command line of every example in a help text.
func TestExamples(t *testing.T) {
	a := &app{}
	parser := newParser(a)
	for _, n := range parser.Model.Children {
		e, ok := n.Target.Addr().Interface().(exampler)
		if !ok || len(e.examples()) == 0 {
			t.Errorf("%s has no examples", n.Name)
			continue
		}
		for _, example := range e.examples() {
			if _, err := newParser(a).Parse(exampleArgs(example[0])); err != nil {
				t.Errorf("%s: %v", example[0], err)
			}
		}
	}
}

// exampleArgs gives the arguments of nmf in a shell command.
func exampleArgs(line string) []string {
	_, line, _ = strings.Cut(line, "nmf ")
	for _, end := range []string{" |", " >", " <", ")"} {
		if !strings.Contains(line, "$(") || end != ")" {
			line, _, _ = strings.Cut(line, end)
		}
	}
	return strings.Fields(strings.ReplaceAll(line, `"$(go env GOROOT)/src"`, "src"))
}

// TestChoices makes sure that every flag of type "choice" has values.
func TestChoices(t *testing.T) {
	for _, n := range newParser(&app{}).Model.Children {
		for _, f := range n.Flags {
			if f.Tag.Type == "choice" && len(choicesOf(f.Name)) < 2 {
				t.Errorf("%s --%s has the values %q", n.Name, f.Name, choicesOf(f.Name))
			}
		}
	}
}

func TestDidYouMean(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{"hasl", "hals"}, {"HALS", "hals"}, {"bp", "bpp"}, {"random", ""}, {"nndsvd", ""}, {"", ""},
	} {
		want := ""
		if c.want != "" {
			want = fmt.Sprintf(": did you mean %q?", c.want)
		}
		if got := didYouMean(c.word, []string{"auto", "hals", "bpp", "mu"}); got != want {
			t.Errorf("didYouMean(%q) = %q, want %q", c.word, got, want)
		}
	}
}

// TestDocs keeps docs/cli.md, the pages that it sends to and the page of a
// front door complete in their flags, and docs/errors.md in the scripts of bad input.
func TestDocs(t *testing.T) {
	var cli []byte
	for _, page := range []string{"cli", "penalties", "losses"} {
		text, err := os.ReadFile("../../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		cli = append(cli, text...)
	}
	for _, n := range newParser(&app{}).Model.Children {
		own, err := os.ReadFile("../../docs/" + n.Name + ".md")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, f := range n.Flags {
			text := append(slices.Clip(cli), own...)
			if len(f.Name) > 1 && !bytes.Contains(text, []byte("--"+f.Name)) && !bytes.Contains(text, []byte("--no-"+f.Name)) {
				t.Errorf("nmf %s --%s is not in the documentation", n.Name, f.Name)
			}
		}
	}
	table, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("testdata/script/bad_*.txtar")
	if err != nil || len(scripts) < 20 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, s := range scripts {
		name := strings.TrimSuffix(filepath.Base(s), ".txtar")
		if !bytes.Contains(table, []byte("`"+name+"`")) {
			t.Errorf("%s is not in docs/errors.md", name)
		}
	}
}

// sameModel compares W, H and scales of two models, bit for bit: same A B.
func sameModel(ts *testscript.TestScript, neg bool, args []string) {
	var models [2]*nmf.Model[float64]
	for i := range models {
		m, err := nmf.Load[float64](ts.MkAbs(args[i]))
		ts.Check(err)
		models[i] = m
	}
	a, b := models[0], models[1]
	same := slices.Equal(a.Scales, b.Scales) && slices.Equal(a.W.Data, b.W.Data) && slices.Equal(a.H.Data, b.H.Data)
	if same == neg {
		ts.Fatalf("%s and %s: the same is %v", args[0], args[1], same)
	}
}
