package nmf

import "runtime/debug"

// release is the version of this source tree.
const release = "0.1.0-dev"

// Version is the version of this module: of the release as it was fetched, or
// of the source tree, with its commit where that is known.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	if info.Main.Path == modulePath && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == modulePath && dep.Version != "(devel)" {
			return dep.Version
		}
	}
	return release
}

const modulePath = "github.com/partsof/nmf"
