// Package sbs names the 96 classes of single-base substitutions, the channels of
// mutational signatures.
package sbs

import (
	"image/color"
	"regexp"
	"strings"
)

// Substitutions are the six substitutions of a pyrimidine, in the usual order.
var Substitutions = [6]string{"C>A", "C>G", "C>T", "T>A", "T>C", "T>G"}

// Channels are the 96 classes of single-base substitutions in the usual order:
// by substitution, by the base before it, by the base after (Alexandrov et al.
// 2013).
var Channels = channels()

// N is the number of channels.
const N = 96

// Colours are the usual ones of the six substitutions.
var Colours = [6]color.NRGBA{{0x1e, 0xbf, 0xf0, 255}, {0x0b, 0x0d, 0x0e, 255}, {0xe6, 0x27, 0x25, 255}, {0xb5, 0xb3, 0xb5, 255}, {0x9a, 0xc7, 0x5d, 255}, {0xe9, 0xb3, 0xb0, 255}}

const bases = "ACGT"

func channels() [N]string {
	var list [N]string
	for i := range list {
		list[i] = string(bases[i/4%4]) + "[" + Substitutions[i/16] + "]" + string(bases[i%4])
	}
	return list
}

// The ways of writing a channel: before, from, to, after are named groups.
var (
	channelForms = []*regexp.Regexp{
		form(`{before}\W?[\[(]{from}>{to}[\])]\W?{after}`),  // A[C>A]G
		form(`{before}{from}{after}>{before2}{to}{after2}`), // ACG>AAG
		form(`{from}>?{to}[ :_|,;]+{before}[.\-_N]{after}`), // C>A A.G and CA A.G
		form(`{from}>{to}[ :_|,;]+{before}{from2}{after}`),  // C>A:ACG
		form(`{before}{from}{after}[ :_|,;]+{from2}>{to}`),  // ACG:C>A
		form(`{before}[.\-_N]{after}[ :_|,;]+{from}>{to}`),  // A.G C>A
		form(`{before}\.{from}\.{to}\.{after}`),             // A.C.A.G, what R makes of A[C>A]G
		form(`{before}{from}{after}{to}`),                   // ACGA
	}
	placeholder = regexp.MustCompile(`\{(\w+)\}`)
)

func form(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + placeholder.ReplaceAllString(pattern, "(?P<$1>[ACGT])") + "$")
}

// Parse gives the index in Channels of a channel that is written in any
// of the usual ways: A[C>A]G, ACG>AAG, "C>A A.G", C>A:ACG, ACG:C>A, A.C.A.G,
// ACGA. Substitutions of purines are those of the pyrimidine on the other
// strand.
func Parse(name string) (index int, ok bool) {
	name = strings.ToUpper(strings.TrimSpace(name))
	for _, f := range channelForms {
		m := f.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		part := map[string]string{}
		for i, group := range f.SubexpNames() {
			part[group] = m[i]
		}
		for _, twice := range []string{"before", "from", "after"} {
			if again, given := part[twice+"2"]; given && again != part[twice] {
				return 0, false
			}
		}
		return channelIndex(part["before"], part["from"], part["to"], part["after"])
	}
	return 0, false
}

func channelIndex(before, from, to, after string) (int, bool) {
	if from == "G" || from == "A" {
		before, from, to, after = complement(after), complement(from), complement(to), complement(before)
	}
	for s, substitution := range Substitutions {
		if substitution == from+">"+to {
			return 16*s + 4*strings.Index(bases, before) + strings.Index(bases, after), true
		}
	}
	return 0, false
}

// complement is the base on the other strand.
func complement(base string) string { return string(bases[3-strings.Index(bases, base)]) }
