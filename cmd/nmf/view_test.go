package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/matrix"
)

// TestView serves a report, answers to whoever knows the token alone, and ends
// at Ctrl-C.
func TestView(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a program cannot be sent Ctrl-C here")
	}
	dir := t.TempDir()
	input := "id,apple,pear\na,1,2\nb,3,4\nc,5,7\n"
	if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte(input), 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := matrix.FromRows([][]float64{{1, 2}, {3, 4}, {5, 7}})
	if err != nil {
		t.Fatal(err)
	}
	model, err := nmf.Fit(t.Context(), x, 1, &nmf.Options{RowNames: []string{"a", "b", "c"}, ColumnNames: []string{"apple", "pear"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := model.Save(filepath.Join(dir, "m.npz")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nmf", "view", "m.npz", "x.csv")
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}()
	address, err := bufio.NewReader(pipe).ReadString('\n')
	address = strings.TrimSpace(address)
	if err != nil || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[A-Z2-7]{20,}/$`).MatchString(address) {
		t.Fatalf("the address is %q, %v", address, err)
	}
	get := func(address string) (int, http.Header, string) {
		answer, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, answer.Header, string(body)
	}
	status, header, page := get(address)
	if status != 200 || !strings.Contains(page, `"live":true`) || !strings.Contains(header.Get("Content-Security-Policy"), "connect-src 'self'") {
		t.Errorf("status %d, header %v, %d bytes", status, header, len(page))
	}
	_, _, text := get(address + "api/sample/2")
	var sample struct {
		Name    string
		Mixture []float64
		Error   float64
	}
	if err := json.Unmarshal([]byte(text), &sample); err != nil || sample.Name != "c" || len(sample.Mixture) != 1 || !(sample.Error > 0 && sample.Error < 0.2) {
		t.Errorf("sample %s: %v", text, err)
	}
	if _, _, text = get(address + "api/feature/1"); !strings.Contains(text, `"name":"pear"`) {
		t.Errorf("feature %s", text)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/api/sample/1", "/AAAAAAAAAAAAAAAAAAAAAAAAAA/", u.Path + "api/sample/3", u.Path + "api/sample/-1", u.Path + "api/sample/x", u.Path + "api/feature/2", u.Path + "other"} {
		if status, _, _ := get("http://" + u.Host + path); status != 404 {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	ended = true
	if err != nil || !strings.Contains(stderr.String(), "the server ends") {
		t.Errorf("%v, standard error:\n%s", err, stderr.String())
	}
}
