package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" optional:"" needed:"" type:"choice" help:"Shell to complete in."`
}

func (c *completionCmd) examples() [][2]string {
	return [][2]string{
		{"source <(nmf completion bash)", "in ~/.bashrc"},
		{`nmf completion zsh > "${fpath[1]}/_nmf"`, "once"},
		{"nmf completion fish > ~/.config/fish/completions/nmf.fish", "once"},
	}
}

func (c *completionCmd) Run(a *app, k *kong.Kong) error {
	commands := completedCommands(k.Model)
	switch c.Shell {
	case "":
		return usagef("completion", "the shell is missing: one of %s", strings.Join(choicesOf("shell"), ", "))
	case "bash":
		a.bashCompletion(commands)
	case "zsh":
		a.zshCompletion(commands)
	case "fish":
		a.fishCompletion(commands)
	}
	return nil
}

// completedCommand is what can follow a command's name.
type completedCommand struct {
	name, help string
	flags      []completedFlag
	// words are the values of the first argument; nil where it is a file.
	words []string
}

type completedFlag struct {
	// names are as they are typed, such as --output and -o.
	names  []string
	help   string
	value  bool
	values []string
}

func completedCommands(app *kong.Application) []completedCommand {
	var list []completedCommand
	for _, n := range app.Children {
		c := completedCommand{name: n.Name, help: oneSentence(n.Help)}
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				c.flags = append(c.flags, completedFlags(f)...)
			}
		}
		for _, p := range n.Positional {
			c.words = choicesOf(p.Name)
			if n.Name == "help" {
				c.words = commandNames(app)
			}
		}
		list = append(list, c)
	}
	return list
}

func completedFlags(f *kong.Flag) []completedFlag {
	c := completedFlag{names: []string{"--" + f.Name}, help: oneSentence(f.Help), value: !f.IsBool()}
	if f.Short != 0 && string(f.Short) != f.Name {
		c.names = append(c.names, "-"+string(f.Short))
	}
	if f.Short != 0 && string(f.Short) == f.Name {
		c.names = []string{"-" + f.Name}
	}
	if f.Tag.Type == "choice" {
		c.values = choicesOf(f.Name)
	}
	flags := []completedFlag{c}
	if f.Tag.Negatable != "" {
		flags = append(flags, completedFlag{names: []string{"--no-" + f.Name}, help: c.help})
	}
	return flags
}

func oneSentence(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(first, ".")
}

func (a *app) bashCompletion(commands []completedCommand) {
	names := func(list []completedCommand) string {
		var s []string
		for _, c := range list {
			s = append(s, c.name)
		}
		return strings.Join(s, " ")
	}
	a.printf("# bash completion for nmf\n_nmf() {\n")
	a.printf("    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags= words=\n")
	a.printf("    COMPREPLY=()\n")
	a.printf("    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '%s' -- \"$word\"))\n        return\n    fi\n", names(commands))
	a.printf("    case ${COMP_WORDS[1]}:$before in\n")
	for _, c := range commands {
		for _, f := range c.flags {
			if f.values == nil {
				continue
			}
			for _, name := range f.names {
				a.printf("    %s:%s) words='%s' ;;\n", c.name, name, strings.Join(f.values, " "))
			}
		}
	}
	a.printf("    esac\n    if [ -n \"$words\" ]; then\n        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n        return\n    fi\n")
	a.printf("    case ${COMP_WORDS[1]} in\n")
	for _, c := range commands {
		var flags []string
		for _, f := range c.flags {
			flags = append(flags, f.names...)
		}
		a.printf("    %s) flags='%s' words='%s' ;;\n", c.name, strings.Join(flags, " "), strings.Join(c.words, " "))
	}
	a.printf("    esac\n    case $word in\n    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n")
	a.printf("    *) if [ -n \"$words\" ]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\")); fi ;;\n    esac\n}\n")
	a.printf("complete -o default -F _nmf nmf\n")
}

func (a *app) zshCompletion(commands []completedCommand) {
	quote := strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace
	a.printf("#compdef nmf\n\n_nmf() {\n    local -a commands\n    commands=(\n")
	for _, c := range commands {
		a.printf("        '%s:%s'\n", c.name, quote(c.help))
	}
	a.printf("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n    case ${words[2]} in\n")
	for _, c := range commands {
		a.printf("    %s)\n        _arguments -s", c.name)
		for _, f := range c.flags {
			for _, name := range f.names {
				a.printf(" \\\n            '%s[%s]%s'", name, quote(f.help), zshValue(f))
			}
		}
		rest := "*:file:_files"
		if c.words != nil {
			rest = "*:word:(" + strings.Join(c.words, " ") + ")"
		}
		a.printf(" \\\n            '1:command:' '%s'\n        ;;\n", rest)
	}
	a.printf("    esac\n}\n\nif [ \"$funcstack[1]\" = _nmf ]; then\n    _nmf \"$@\"\nelse\n    compdef _nmf nmf\nfi\n")
}

// zshValue describes the value of a flag to _arguments.
func zshValue(f completedFlag) string {
	switch {
	case f.values != nil:
		return ":value:(" + strings.Join(f.values, " ") + ")"
	case f.value:
		return ":value:_files"
	}
	return ""
}

func (a *app) fishCompletion(commands []completedCommand) {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
	a.printf("# fish completion for nmf\n")
	for _, c := range commands {
		a.printf("complete -c nmf -n __fish_use_subcommand -f -a %s -d %s\n", c.name, quote(c.help))
	}
	for _, c := range commands {
		seen := quote("__fish_seen_subcommand_from " + c.name)
		for _, f := range c.flags {
			a.printf("complete -c nmf -n %s%s%s -d %s\n", seen, fishNames(f), fishValue(f), quote(f.help))
		}
		if c.words != nil {
			a.printf("complete -c nmf -n %s -f -a %s\n", seen, quote(strings.Join(c.words, " ")))
		}
	}
}

func fishNames(f completedFlag) string {
	var b strings.Builder
	for _, name := range slices.Sorted(slices.Values(f.names)) {
		if long, ok := strings.CutPrefix(name, "--"); ok {
			fmt.Fprintf(&b, " -l %s", long)
		} else {
			fmt.Fprintf(&b, " -s %s", name[1:])
		}
	}
	return b.String()
}

func fishValue(f completedFlag) string {
	switch {
	case f.values != nil:
		return " -x -a '" + strings.Join(f.values, " ") + "'"
	case f.value:
		return " -r"
	}
	return ""
}
