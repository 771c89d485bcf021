package dist

import (
	"errors"
	"strings"
	"testing"
)

func TestLaunched(t *testing.T) {
	for _, test := range []struct {
		env     map[string]string
		want    Launch
		several bool
	}{
		{map[string]string{}, Launch{-1, -1, -1}, false},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_RANK": "1", "PMIX_RANK": "3"}, Launch{3, 1, 8}, true},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}, Launch{0, -1, 1}, false},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "8", Environment: "off"}, Launch{-1, -1, -1}, false},
		{map[string]string{"PMIX_RANK": "5", "SLURM_NTASKS": "16", "SLURM_STEP_NUM_TASKS": "6", "SLURM_LOCALID": "2"}, Launch{5, 2, 6}, true},
		{map[string]string{"PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "1"}, Launch{0, -1, 1}, false},
		{map[string]string{"PMI_SIZE": "1", "PMI_RANK": "0"}, Launch{-1, -1, -1}, false},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "x"}, Launch{-1, -1, -1}, false},
	} {
		got, several, err := launched(func(name string) string { return test.env[name] })
		if err != nil || got != test.want || several != test.several {
			t.Errorf("%v: %+v, %v, %v, not %+v, %v", test.env, got, several, err, test.want, test.several)
		}
	}
	_, several, err := launched(func(name string) string { return map[string]string{"PMI_SIZE": "4", "PMI_RANK": "1"}[name] })
	if several || !errors.Is(err, ErrOther) || !strings.Contains(err.Error(), "PMI_SIZE is 4") {
		t.Errorf("MPICH: %v, %v", several, err)
	}
}

func TestInstallHint(t *testing.T) {
	for goos, want := range map[string]string{"linux": "apt install openmpi-bin", "darwin": "brew install open-mpi"} {
		if hint := installHint(goos); !strings.Contains(hint, want) || !strings.Contains(hint, Environment) {
			t.Errorf("%s: %s", goos, hint)
		}
	}
}
