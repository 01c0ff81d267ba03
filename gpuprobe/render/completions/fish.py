"""fish: one `complete` line for each command, option and argument, with the conditions under which it is proposed."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.render.grammar import Command, Option, Program, Takes
from gpuprobe.saved.key import BOOT_ID, MOUNTS
from gpuprobe.saved.proposals import NAME

TEMPLATE = r"""# fish completion for @NAME@. Written by `python -m gpuprobe.manual write`; changes here are lost.

function __@NAME@_given --description 'The words before the cursor that are no options: the command, then its arguments'
    set -l value_of ''
    set -l ended ''
    for word in (commandline -opc)[2..]
        if test -n "$value_of"
            set value_of ''
        else if test -n "$ended"
            echo -- $word
        else
            switch $word
                case --
                    set ended yes
                case @TAKING@
                    set value_of $word
                case '-*'
                case '*'
                    echo -- $word
            end
        end
    end
end

function __@NAME@_behind --description 'Whether the command line stands behind one of these commands; an empty one: before any'
    set -l given (__@NAME@_given)
    contains -- "$given[1]" $argv
end

function __@NAME@_argument --description 'Whether the word at the cursor is this argument of this command'
    set -l given (__@NAME@_given)
    test "$given[1]" = $argv[1] -a (count $given) = $argv[2]
end

function __@NAME@_devices --description 'What the last discovery found: from one\'s own file of this start and container'
    set -l folder $HOME/.cache
    test -d $HOME/Library/Caches; and set folder $HOME/Library/Caches
    string match -q '/*' -- "$XDG_CACHE_HOME"; and set folder $XDG_CACHE_HOME
    set -l file $folder/@NAME@/@DEVICES@
    test -f $file -a -O $file -a ! -L $file -a -r $file; or return
    set -l here ''
    test -r @BOOT@; and read here <@BOOT@
    set -l roots
    test -r @MOUNTS@; and set roots (string match -r '^\d+ \d+ \S+ \S+ / .*' <@MOUNTS@)
    read -l held <$file
    test "$held" = "$here $roots[-1]"; or return
    while read -l line
        string match -r '^[A-Za-z0-9:.#_/-]+\t[ -~]*$' -- $line
    end <$file
end
@RUNS@
complete -c @NAME@ -f
@LINES@
"""

RUNS = r"""
function __@NAME@_runs --description 'Whether the cursor stands behind the `--` of one of these commands'
    contains -- -- (commandline -opc); and __@NAME@_behind $argv
end

function __@NAME@_run --description 'What can be typed there: the rest of the line is a command line of its own'
    set -l words (commandline -opc)
    set -l place (contains --index -- -- $words)
    complete -C (string join ' ' -- (string escape -- $words[(math $place + 1)..]) (commandline -ct))
end
"""

LISTED = """(__fish_complete_list , "printf '%s\\\\n' {}")"""


def script(program: Program) -> str:
    runs = any(command.runs_another for command in program.commands)
    parts = {
        "@LINES@": "\n".join(_lines(program)),
        "@TAKING@": " ".join(program.with_a_value),
        "@RUNS@": RUNS.rstrip("\n") if runs else "",
        "@DEVICES@": NAME,
        "@BOOT@": BOOT_ID,
        "@MOUNTS@": MOUNTS,
        "@NAME@": program.name,
    }
    text = TEMPLATE
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _lines(program: Program) -> Iterator[str]:
    for command in program.commands:
        yield f"{_complete('__@NAME@_behind', _quoted(''))} -a {command.name} -d {_quoted(command.help.summary)}"
    for option, levels in program.placed.items():
        yield _complete("__@NAME@_behind", *(level or _quoted("") for level in levels)) + _option(option)
    for command in program.commands:
        yield from _arguments(command)


def _complete(*condition: str) -> str:
    return f'complete -c @NAME@ -n "{" ".join(condition)}"'


def _option(option: Option) -> str:
    spelled = "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.names)
    return f"{spelled}{_value(option.takes) if option.takes_a_word else ''} -d {_quoted(option.summary)}"


def _arguments(command: Command) -> Iterator[str]:
    for place, argument in enumerate(command.arguments, start=1):
        once = ("__@NAME@_argument", command.name, str(place))
        condition = ("__@NAME@_behind", command.name) if argument.repeatable else once
        if command.runs_another:
            condition = ("not", "contains", "--", "--", "(commandline -opc);", "and", *condition)
        if argument.takes.words:
            yield f"{_complete(*condition)}{_value(argument.takes)} -d {_quoted(argument.kind)}"
        elif argument.takes.paths:
            yield f"{_complete(*condition)}{_value(argument.takes).replace(' -r', '')}"
    if command.runs_another:
        yield f"{_complete('__@NAME@_runs', command.name)} -x -a '(__@NAME@_run)'"


def _value(takes: Takes) -> str:
    if takes.paths:
        return " -x -a '(__fish_complete_directories)'" if takes.paths == "directories" else " -r -F"
    words = " ".join((*takes.words, *(["(__@NAME@_devices)"] if takes.devices else [])))
    if takes.listed:
        return f" -x -a {_quoted(LISTED.format(words))}"
    return f" -x -a {_quoted(words)}" if words else " -x"


def _quoted(text: str) -> str:
    """One word of fish, where a backslash within single quotes protects another and a quote."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
