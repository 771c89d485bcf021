package rank

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// python runs a program that finds `data` and leaves `result`, with the
// system's scipy and scikit-learn; the test skips where they are absent.
func python(t *testing.T, program string, data, result any) {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if _, err := os.Stat(interpreter); err != nil {
		t.Skip("there is no /usr/bin/python3 to compare with")
	}
	if err := exec.Command(interpreter, "-c", "import scipy, sklearn").Run(); err != nil {
		t.Skip("/usr/bin/python3 has no scipy and scikit-learn to compare with")
	}
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(interpreter, "-c", "import sys, json\nimport numpy as np\ndata = json.load(sys.stdin)\n"+program+"\njson.dump(result, sys.stdout)")
	cmd.Stdin = strings.NewReader(string(text))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(out, result); err != nil {
		t.Fatal(err)
	}
}
