package report

import (
	"embed"
	"strings"
)

//go:embed assets
var assets embed.FS

// style and script are what a page holds, each in one piece. The scripts of
// assets share one scope; start.js comes last.
var (
	style  = asset("style.css")
	script = "\"use strict\";\n(() => {\n" + concatenated(
		"dom.js", "data.js", "colour.js", "chart.js", "draw.js", "sound.js",
		"overview.js", "components.js", "samples.js", "sample.js", "residuals.js", "rank.js", "start.js") + "})();\n"
)

func asset(name string) string {
	b, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is part of this binary
	}
	return string(b)
}

func concatenated(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(asset(name))
	}
	return b.String()
}
