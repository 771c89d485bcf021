package main

import (
	"runtime"

	"github.com/partsof/nmf"
)

type versionCmd struct {
	JSON bool `group:"Output" help:"Print the result as JSON."`
}

func (c *versionCmd) examples() [][2]string {
	return [][2]string{{"nmf version", "version, Go, platform and the kernels in use"}}
}

func (c *versionCmd) Run(a *app) error {
	v := struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
		SIMD     string `json:"simd"`
	}{nmf.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, nmf.SIMD()}
	if c.JSON {
		return a.printJSON(v)
	}
	a.printf("nmf %s, %s, %s, kernels %s\n", v.Version, v.Go, v.Platform, v.SIMD)
	return nil
}
