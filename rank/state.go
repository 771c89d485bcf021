package rank

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/partsof/nmf"
	"github.com/partsof/nmf/internal/atomicfile"
	"github.com/partsof/nmf/internal/fingerprint"
	"github.com/partsof/nmf/internal/lines"
	"github.com/partsof/nmf/matrix"
)

// state is the folder that keeps the parts of a sweep that are done: a file for
// each, written whole or not at all, and one that says what the sweep is of. The
// nil state keeps nothing.
type state struct {
	// folder is "" where ranks share the sweep and this one keeps nothing.
	folder string
	// parts are those that ranks have told each other of.
	parts map[string]json.RawMessage
}

// identity is what a saved part depends on.
type identity struct {
	Format  int    `json:"format"`
	Version string `json:"version"`
	SIMD    string `json:"simd"`
	Data    string `json:"data"`
	Options string `json:"options"`
}

const (
	stateFormat  = 2
	identityFile = "sweep.json"
)

// openState makes the folder, or checks that what it holds is of the same
// sweep.
func openState(folder string, id identity) (*state, error) {
	if folder == "" {
		return nil, nil
	}
	s := &state{folder: folder}
	old := new(identity)
	found, err := s.load("sweep", old)
	if err != nil {
		return nil, err
	}
	if found {
		for _, c := range []struct{ what, old, now string }{
			{"version of nmf", old.Version, id.Version},
			{"kind of processor", old.SIMD, id.SIMD},
			{"data", old.Data, id.Data},
			{"options", old.Options, id.Options},
		} {
			if c.old != c.now || old.Format != id.Format {
				return nil, fmt.Errorf("%w: %s was made with another %s; use another folder, or remove it to begin anew", ErrState, folder, c.what)
			}
		}
		return s, nil
	}
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%w: the folder %s holds other things; name a new or an empty one", ErrState, folder)
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	return s, s.save("sweep", id)
}

// envelope is a saved part with its sum, so that a damaged one is known.
type envelope struct {
	SHA256 string          `json:"sha256"`
	Part   json.RawMessage `json:"part"`
}

// load reads a part; it reports false where it was not saved.
func (s *state) load(name string, v any) (bool, error) {
	if s == nil {
		return false, nil
	}
	if part, ok := s.parts[name]; ok {
		return true, json.Unmarshal(part, v)
	}
	if s.folder == "" {
		return false, nil
	}
	path := filepath.Join(s.folder, name+".json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := open(text, v); err != nil {
		return false, fmt.Errorf("%w: %s: %v; remove that file, and the sweep makes it again", ErrState, path, err)
	}
	return true, nil
}

// open checks and decodes what save wrote.
func open(text []byte, v any) error {
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	if sum(e.Part) != e.SHA256 {
		return errors.New("damaged: its contents do not match their sum")
	}
	if err := json.Unmarshal(e.Part, v); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	return nil
}

func sum(part []byte) string {
	h := sha256.Sum256(part)
	return hex.EncodeToString(h[:])
}

func (s *state) save(name string, v any) error {
	if s == nil || s.folder == "" {
		return nil
	}
	part, err := json.Marshal(v)
	if err != nil {
		return err
	}
	text, err := json.Marshal(envelope{sum(part), part})
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(s.folder, name+".json"), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// drop removes a part that is no longer needed.
func (s *state) drop(name string) {
	if s == nil {
		return
	}
	delete(s.parts, name)
	if s.folder != "" {
		os.Remove(filepath.Join(s.folder, name+".json"))
	}
}

// identify says what a sweep is of.
func identify[F matrix.Float](x matrix.Matrix[F], o *Options) (identity, error) {
	data := fingerprint.New()
	if err := data.Matrix(x); err != nil {
		return identity{}, err
	}
	options := *o
	options.Fit.Threads, options.Fit.Memory, options.State = 0, 0, ""
	text, err := json.Marshal(struct {
		Fit                                                             nmf.Options
		K                                                               []int
		Runs, Repeats, Bootstraps, Resamples, Randomised, ConsensusSize int
		HoldOut                                                         float64
		Criteria                                                        []string
	}{options.Fit, o.K, o.Runs, o.Repeats, o.Bootstraps, o.Resamples, o.Randomised, o.ConsensusSamples, o.HoldOut, o.Criteria})
	if err != nil {
		return identity{}, err
	}
	fit := fingerprint.New()
	fit.Bytes(text)
	err = hashMask(fit, &o.Fit)
	fit.Floats(o.Fit.RowWeights)
	fit.Floats(o.Fit.ColumnWeights)
	err = errors.Join(err, fit.Matrix(o.Fit.Weights))
	for _, p := range []*nmf.Penalty{&o.Fit.PenaltyW, &o.Fit.PenaltyH} {
		err = errors.Join(err, fit.Matrix(orNil(p.GraphWeights)), fit.Matrix(orNil(p.Held)))
	}
	return identity{Format: stateFormat, Version: nmf.Version(), SIMD: nmf.SIMD(), Data: data.String(), Options: fit.String()}, err
}

// hashMask adds the cells that are masked, whatever says which they are.
func hashMask(h *fingerprint.Hash, fit *nmf.Options) error {
	var of any = fit.MaskOf
	if fit.Mask != nil {
		of = lines.OfMask(fit.Mask)
	}
	if of == nil {
		h.Numbers(0)
		return nil
	}
	m, n := of.(nmf.Weights).Dims()
	var all fingerprint.Sum
	read := lines.NewReader[float64](of, false)
	for first, step := 0, partRows(n); first < m; first += step {
		mask, err := read.Nonzeros(first, min(step, m-first))
		if err != nil {
			return err
		}
		part, err := fingerprint.Rows(lines.OfMask(mask), first)
		if err != nil {
			return err
		}
		all.Join(part)
	}
	h.Numbers(1, m, n)
	h.Bytes(all[:])
	return nil
}

// orNil makes a nil pointer a nil matrix.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}

// pack and unpack keep floats as bytes, which JSON takes as base64.
func pack(values []float32) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func unpack(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// packInts keeps clusters, which are from -1.
func packInts(values []int) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, uint32(int32(v)))
	}
	return out
}

func unpackInts(b []byte) []int {
	out := make([]int, len(b)/4)
	for i := range out {
		out[i] = int(int32(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return out
}
