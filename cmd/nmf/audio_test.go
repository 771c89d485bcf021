package main

import (
	"bytes"
	"math"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/partsof/nmf/internal/audio"
)

// writeSound writes tones as a .wav file, one after the other and an eighth of a
// second each, 0 for silence: wav FILE RATE HZ...
func writeSound(ts *testscript.TestScript, _ bool, args []string) {
	rate, err := strconv.Atoi(args[1])
	ts.Check(err)
	s := &audio.Sound{Rate: rate, Channels: make([][]float64, 1), Encoding: audio.Encoding{Bits: 32, Float: true}}
	for _, text := range args[2:] {
		f, err := strconv.ParseFloat(text, 64)
		ts.Check(err)
		for i := range rate / 8 {
			t := float64(i) / float64(rate)
			s.Channels[0] = append(s.Channels[0], 0.5*math.Sin(2*math.Pi*f*t)*math.Exp(-6*t))
		}
	}
	var b bytes.Buffer
	_, err = audio.WriteWAV(&b, s)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}
