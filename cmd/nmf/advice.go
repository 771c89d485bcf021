package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/partsof/nmf"
)

// withAdvice adds what to do to an error of the library that does not say it.
func withAdvice(err error) error {
	for _, a := range []struct {
		is     error
		advice string
	}{
		{nmf.ErrNegative, "NMF needs values of at least 0: use the data before centring, or clip or shift it"},
		{nmf.ErrNotFinite, "say --missing nan to fit without such cells, or fill them in or leave them out first"},
		{syscall.ENOSPC, "free some space or write elsewhere"},
	} {
		if errors.Is(err, a.is) {
			return fmt.Errorf("%w; %s", err, a.advice)
		}
	}
	return err
}
