package data

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partsof/nmf/internal/testdata"
	"github.com/partsof/nmf/matrix"
)

func TestReadList(t *testing.T) {
	x := dense(2, 3, 5, 3, 0, 0, 0, 4.5)
	users, items := []string{"u1", "u2"}, []string{"a", "b", "c"}
	left := []string{"the fields after the third of each line were left out (1)"}
	tests := []struct {
		name, text string
		options    ReadOptions
		notes      []string
	}{
		{"plain", "u1,a,5\nu1,b,3\nu2,c,4.5\n", ReadOptions{}, nil},
		{"header", "user,item,rating\nu1,a,5\nu1,b,3\nu2,c,4.5", ReadOptions{}, nil},
		{"times", "userId,movieId,rating,timestamp\nu1,a,5,978300760\nu1,b,3,978302109\nu2,c,4.5,978301968\n", ReadOptions{}, left},
		{"tab", "u1\ta\t5\nu1\tb\t3\nu2\tc\t4.5\n", ReadOptions{}, nil},
		{"blanks", "u1 a 5\n u1  b 3\nu2 c\t4.5\n", ReadOptions{}, nil},
		{"semicolons", "\"u1\";\"a\";\"5\"\n\"u1\";\"b\";\"3\"\nu2;c;4.5\n", ReadOptions{}, nil},
		{"colons", "u1::a::5::978300760\r\nu1::b::3::1\r\n\r\nu2::c::4.5::0\r\n", ReadOptions{}, left},
		{"comments, blank lines", "% bip weighted\n# x\n\nu1 a 5\n\nu1 b 3\nu2 c 4.5\n\n", ReadOptions{}, nil},
		{"told delimiter", "u1|a|5\nu1|b|3\nu2|c|4.5\n", ReadOptions{Delimiter: '|'}, nil},
		{"told header", "1,2,3\nu1,a,5\nu1,b,3\nu2,c,4.5\n", ReadOptions{Header: Yes}, nil},
		{"byte order mark", "\xef\xbb\xbfu1,a,5\nu1,b,3\nu2,c,4.5\n", ReadOptions{}, nil},
	}
	for _, tt := range tests {
		tt.options.Format = "list"
		got, err := readBytes[float64](t, "ratings.csv", []byte(tt.text), &tt.options)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if s, ok := got.X.(*matrix.CSR[float64]); !ok || s.NNZ() != 3 || s.Check() != nil || !sameBits(s.Dense(), x) {
			t.Errorf("%s: %v", tt.name, got.X)
		}
		if diff := cmp.Diff([][]string{users, items, tt.notes}, [][]string{got.RowNames, got.ColumnNames, got.Notes}); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	got, err := readBytes[float64](t, "a", []byte("u1,a,0\nu2,a,1\n\"with\nbreak\",\"x,y\",2\n"), &ReadOptions{Format: "list"})
	if err != nil || got.X.(*matrix.CSR[float64]).NNZ() != 3 || got.RowNames[2] != "with break" || got.ColumnNames[1] != "x,y" {
		t.Errorf("a zero, quotes: %v, %v", got, err)
	}
}

func TestReadListErrors(t *testing.T) {
	tests := []struct {
		text   string
		header Choice
		err    error
		says   string
	}{
		{"u1,a,5\nu1,b,3\n\nu1,a,4\n", Auto, ErrFormat, `ratings.csv:4: "u1" and "a" stand in line 1 already; keep one line of each pair`},
		{"user,item,rating\nu,\"a\nb\",5\nv,a,3\nu,\"a\nb\",4\n", Auto, ErrFormat, `ratings.csv:5: "u" and "a\nb" stand in line 2 already`},
		{"u1,a,5\nu1,b,good\n", Auto, ErrFormat, `ratings.csv:2, column 3: "good" where a number belongs`},
		{"u1,a,5\nu1,b,\n", Auto, ErrMissing, "ratings.csv:2, column 3: the cell is empty; leave the line out: what is not in the list is missing"},
		{"u1,a,5\nu1,,3\n", Auto, ErrFormat, "ratings.csv:2, column 2: the name is empty"},
		{"u1,a,5\nu1,b\n", Auto, ErrFormat, "ratings.csv:2: the line has 2 fields, the first line 3"},
		{"u1,a\n", Auto, ErrFormat, "ratings.csv:1: the line has 2 fields; a list has row, column and value in each line"},
		{"user,item,rating\n", Auto, ErrFormat, "there is a header but no line of data"},
		{"user,item,rating\nu,a,1\n", No, ErrFormat, `ratings.csv:1, column 3: "rating" where a number belongs; if this line holds names of columns, say --header`},
		{"# only\n", Auto, ErrFormat, "there is no line of data"},
		{"u1,a,1,5\nu1,b,inf\n", Auto, ErrFormat, "the line has 3 fields, the first line 4"},
		{"u1,a,1\nu1,b,inf\n", Auto, ErrFormat, `"inf" is not a finite number`},
		{"\xff\xfeu\x001\x00", Auto, ErrUnsupported, "the text is UTF-16"},
	}
	for _, tt := range tests {
		_, err := readBytes[float64](t, "ratings.csv", []byte(tt.text), &ReadOptions{Format: "list", Header: tt.header})
		if err == nil {
			t.Errorf("%q was read", tt.text)
			continue
		}
		wantError(t, err, tt.err, tt.says)
	}
}

// TestListByThreads: chunks on any number of threads give the same table and
// the same error.
func TestListByThreads(t *testing.T) {
	var b strings.Builder
	const users, items = 3000, 120
	for u := range users {
		for i := range items {
			fmt.Fprintf(&b, "user%d,%d,%d\n", u, (i*7+u)%items, (u+i)%5)
		}
	}
	path := writeTemp(t, "a.csv", []byte(b.String()))
	twice := writeTemp(t, "b.csv", []byte(b.String()+"user17,119,1\n"))
	var first *Table[float32]
	for _, threads := range []int{1, 4} {
		got, err := Read[float32](path, &ReadOptions{Format: "list", Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if rows, cols := got.X.Dims(); rows != users || cols != items || got.X.(*matrix.CSR[float32]).NNZ() != users*items {
			t.Fatalf("%d x %d", rows, cols)
		}
		if first == nil {
			first = got
		}
		if !sameMatrix(first.X, got.X) || !slices.Equal(first.ColumnNames, got.ColumnNames) {
			t.Error("the table depends on the number of threads")
		}
		_, err = Read[float32](twice, &ReadOptions{Format: "list", Threads: threads})
		wantError(t, err, ErrFormat, fmt.Sprintf("b.csv:%d: \"user17\" and \"119\" stand in line 2", users*items+1))
	}
}

// TestListAgainstPandas compares with the table that pandas pivots.
func TestListAgainstPandas(t *testing.T) {
	dir := t.TempDir()
	python(t, `
import sys, numpy as np, pandas as pd
d = sys.argv[1] + "/"
rng = np.random.default_rng(0)
cells = rng.permutation(40 * 30)[:500]
f = pd.DataFrame({"user": cells // 30, "item": cells % 30, "rating": rng.integers(1, 11, 500) / 2, "time": cells})
f.to_csv(d + "ratings.csv", index=False)
f.to_csv(d + "plain.csv", index=False, header=False)
p = f.pivot(index="user", columns="item", values="rating").fillna(0)
p = p.loc[f.user.drop_duplicates(), f.item.drop_duplicates()]
np.save(d + "want.npy", p.to_numpy())
`, dir)
	want, err := Read[float64](filepath.Join(dir, "want.npy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ratings.csv", "plain.csv"} {
		got, err := Read[float64](filepath.Join(dir, name), &ReadOptions{Format: "list"})
		if err != nil || !sameBits(asDense(got.X), asDense(want.X)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadSharedList(t *testing.T) {
	got, err := Read[float64](testdata.Shared(t, "data/movielens-small/ratings.csv.gz"), &ReadOptions{Format: "list"})
	if err != nil {
		t.Fatal(err)
	}
	x := got.X.(*matrix.CSR[float64])
	if x.Rows != 706 || x.NNZ() != 100023 || got.RowNames[0] != "1" || got.ColumnNames[0] != "6" || x.Val[0] != 2 {
		t.Errorf("%d x %d with %d cells, %s, %s", x.Rows, x.Cols, x.NNZ(), got.RowNames[0], got.ColumnNames[0])
	}
}

func FuzzList(f *testing.F) {
	for _, text := range []string{"u1,a,5\nu1,b,3\nu2,c,4.5\n", "user\titem\tx\nu1\ta\t5\n\nu2\ta\t1", "u1::a::5::9\r\nu1::b::3::1", "\"a\nb\";\"c\"\"d\";1\n% x\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := textSource(text)
		got, err := readWith(formatList(t), s, &ReadOptions{}, intoMemory[float32](&ReadOptions{}))
		if err != nil {
			return
		}
		if err := got.X.(*matrix.CSR[float32]).Check(); err != nil {
			t.Fatal(err)
		}
		if err := got.check(); err != nil {
			t.Fatal(err)
		}
	})
}

func formatList(t *testing.T) *format {
	f, err := formatNamed("list")
	if err != nil {
		t.Fatal(err)
	}
	return f
}
