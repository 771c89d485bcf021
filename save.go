package nmf

import (
	"errors"

	"github.com/partsof/nmf/matrix"
)

// formatVersion is the version of the model file's layout that is written.
const formatVersion = 1

// Save writes the model to a .npz file that numpy.load opens.
func (m *Model[F]) Save(path string) error { return errors.ErrUnsupported }

// Load reads a model of either precision as F.
func Load[F matrix.Float](path string) (*Model[F], error) { return nil, errors.ErrUnsupported }
