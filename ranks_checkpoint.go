package nmf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"

	"github.com/partsof/nmf/internal/checkpoint"
	"github.com/partsof/nmf/internal/comm"
	"github.com/partsof/nmf/internal/engine"
	"github.com/partsof/nmf/internal/fingerprint"
	"github.com/partsof/nmf/internal/kernel"
)

// first0 reports whether this is rank 0, or the only process.
func (r *ranks[F]) first0() bool { return r == nil || r.c.Rank() == 0 }

// any reports whether it is so on any rank, or whether the ranks have lost each
// other.
func (r *ranks[F]) any(so bool) bool {
	if r == nil {
		return so
	}
	v := []float64{0}
	if so {
		v[0] = 1
	}
	return comm.SumAll(r.c, v) != nil || v[0] > 0
}

// decides gives what rank 0 says.
func (r *ranks[F]) decides(so bool) bool { return r.any(so && r.first0()) }

// joinIdentity makes an identity, whose fingerprints of rows are of the ranks'
// own, that of all rows.
func (r *ranks[F]) joinIdentity(id *fitIdentity) error {
	if r == nil {
		return nil
	}
	text, err := json.Marshal([]string{id.Data, id.Given[givenW], id.Given[heldW]})
	if err != nil {
		return err
	}
	each, err := comm.EachBytes(r.c, text)
	if err != nil {
		return err
	}
	var sums [3]fingerprint.Sum
	for _, text := range each {
		var of []string
		if err := json.Unmarshal(text, &of); err != nil {
			return err
		}
		for i, s := range of {
			var part fingerprint.Sum
			if _, err := hex.Decode(part[:], []byte(s)); err != nil {
				return err
			}
			sums[i].Join(part)
		}
	}
	id.Data = sums[0].String()
	for i, name := range []string{givenW, heldW} {
		if id.Given[name] != "" {
			id.Given[name] = sums[1+i].String()
		}
	}
	return nil
}

// wholeState puts a state together at rank 0 from the parts of the ranks.
func (r *ranks[F]) wholeState(s *checkpoint.State[F]) (*checkpoint.State[F], error) {
	if r == nil {
		return s, nil
	}
	whole := *s
	for _, p := range []**engine.Snapshot[F]{&whole.Before, &whole.Now} {
		if *p == nil {
			continue
		}
		all := new(engine.Snapshot[F])
		for i := range (*p).Runs {
			state, err := engine.WholeState(r.grid, r.rows, &(*p).Runs[i])
			if err != nil {
				return nil, err
			}
			all.Runs = append(all.Runs, *state)
		}
		*p = all
	}
	return &whole, nil
}

// resumed is what all ranks get to know of a state of rank 0 beside the state
// without its factors.
type resumed struct {
	SIMD []string
	// K has the columns of each factor of each run, 0 where there is none.
	K []int
}

// partOfState gives each rank its part of the state that rank 0 has; nil is none.
func (r *ranks[F]) partOfState(s *checkpoint.State[F], simd []string) (*checkpoint.State[F], []string, error) {
	if r == nil || !r.decides(s != nil) {
		return s, simd, nil
	}
	all := resumed{SIMD: simd}
	var text []byte
	if r.first0() {
		var err error
		if text, err = bare(s, &all); err != nil {
			return nil, nil, err
		}
	}
	text, err := comm.BroadcastBytes(r.c, 0, text)
	if err != nil {
		return nil, nil, err
	}
	if !r.first0() {
		s, err = checkpoint.Read[F](bytes.NewReader(text), int64(len(text)), func(header []byte) error {
			return json.Unmarshal(header, &all)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	for _, p := range []*engine.Snapshot[F]{s.Before, s.Now} {
		if p == nil {
			continue
		}
		for i := range p.Runs {
			for _, t := range factorsOf(&p.Runs[i]) {
				if k := all.K[0]; k > 0 && !r.first0() {
					*t = &engine.Tall[F]{K: k}
				}
				all.K = all.K[1:]
			}
			if err := engine.PartOfState(r.grid, r.rows, &p.Runs[i]); err != nil {
				return nil, nil, err
			}
		}
	}
	return s, all.SIMD, nil
}

// bare writes a state without its factors, which it lists in all.
func bare[F kernel.Float](s *checkpoint.State[F], all *resumed) ([]byte, error) {
	without := *s
	for _, p := range []**engine.Snapshot[F]{&without.Before, &without.Now} {
		if *p == nil {
			continue
		}
		runs := &engine.Snapshot[F]{Runs: append([]engine.RunState[F](nil), (*p).Runs...)}
		for i := range runs.Runs {
			for _, t := range factorsOf(&runs.Runs[i]) {
				k := 0
				if *t != nil {
					k, *t = (*t).K, nil
				}
				all.K = append(all.K, k)
			}
		}
		*p = runs
	}
	header, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = checkpoint.Write(&text, header, &without)
	return text.Bytes(), err
}

func factorsOf[F kernel.Float](s *engine.RunState[F]) []**engine.Tall[F] {
	w, h := s.Factors()
	return append(w, h...)
}
