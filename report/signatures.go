package report

import "strings"

// channels are the 96 classes of single-base substitutions in the order that
// they are drawn in: by substitution, then by the base before, then by the base
// after (Alexandrov et al. 2013).
var channels = substitutions()

// substitutionTypes are the six substitutions of a pyrimidine.
var substitutionTypes = []string{"C>A", "C>G", "C>T", "T>A", "T>C", "T>G"}

func substitutions() []string {
	var list []string
	for _, s := range substitutionTypes {
		for _, before := range "ACGT" {
			for _, after := range "ACGT" {
				list = append(list, string(before)+"["+s+"]"+string(after))
			}
		}
	}
	return list
}

// channelOrder gives for each channel the feature that it is, or nil where the
// names are not those of the channels.
func channelOrder(names []string) []int {
	if len(names) != len(channels) {
		return nil
	}
	at := make(map[string]int, len(names))
	for i, name := range names {
		at[channelName(name)] = i
	}
	order := make([]int, len(channels))
	for c, name := range channels {
		i, ok := at[name]
		if !ok {
			return nil
		}
		order[c] = i
	}
	return order
}

// channelName brings the ways of writing a channel to one: A[C>A]G is also
// written C>A A.G, and ACG>AAG.
func channelName(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) == 7 && s[1] != '[' && s[3] == '>' && s[0] == s[4] && s[2] == s[6] { // ACG>AAG
		return s[:1] + "[" + s[1:2] + ">" + s[5:6] + "]" + s[2:3]
	}
	if len(s) == 7 && s[1] == '>' && s[5] == '.' { // C>A A.G
		return s[4:5] + "[" + s[:3] + "]" + s[6:]
	}
	return s
}

// Guess gives the kind of drawing that names of features show: Signatures for
// those of the 96 classes of substitutions, Bars otherwise.
func Guess(featureNames []string) Kind {
	if channelOrder(featureNames) != nil {
		return Signatures
	}
	return Bars
}
