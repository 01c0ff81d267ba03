"""zsh: one function around `_arguments`, for a folder of `$fpath` or for `eval`.

`compinit` looks for `#compdef` in the first line only. The first TAB after that runs the file as the function itself,
so its last lines call what it has defined; run by `eval`, they register it instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.render.grammar import Argument, Command, Option, Program, Takes
from gpuprobe.render.shell import quoted
from gpuprobe.saved.key import BOOT_ID, MOUNTS
from gpuprobe.saved.proposals import NAME

TEMPLATE = r"""#compdef @NAME@
# zsh completion for @NAME@. Written by `python -m gpuprobe.manual write`; changes here are lost.

_@NAME@_words() {  # the given words, in any case
    compadd -M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]}' "$@"
}

_@NAME@_devices() {  # the same, and what the last discovery found: one's own file of this start and container
    local folder=$HOME/.cache file here root held word name id parent device at rest
    [[ $OSTYPE == darwin* ]] && folder=$HOME/Library/Caches
    [[ $XDG_CACHE_HOME == /* ]] && folder=$XDG_CACHE_HOME
    file=$folder/@NAME@/@DEVICES@
    if [[ -f $file && -O $file && ! -h $file && -r $file ]]; then
        [[ -r @BOOT@ ]] && read -r here < @BOOT@
        [[ -r @MOUNTS@ ]] && while read -r id parent device folder at rest; do
            [[ $at == / ]] && root="$id $parent $device $folder / $rest"
        done < @MOUNTS@
        {
            IFS= read -r held
            while [[ $held == "$here $root" ]] && IFS=$'\t' read -r word name; do
                [[ -z $word || $word == *[^A-Za-z0-9:.\#_/-]* ]] || set -- "$@" $word
            done
        } < $file
    fi
    _@NAME@_words "$@"
}

_@NAME@_commands() {
    local -a commands
    commands=(
@COMMANDS@
    )
    _describe -t commands 'command' commands
}

_@NAME@() {
    local curcontext=$curcontext context state state_descr line ret=1
    local -A opt_args
    _arguments -s -S -C -A '-*' : \
@LEADING@
        '1: :_@NAME@_commands' \
        '*:: :->behind' && ret=0
    [[ $state == behind ]] || return ret
    curcontext=${curcontext%:*}-$words[1]:
@RUNS@
    case $words[1] in
@BEHIND@
    esac
    return ret
}

if [[ $funcstack[1] == _@NAME@ ]]; then
    _@NAME@ "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _@NAME@ @NAME@
fi
"""

# What stands behind `--` is completed as a command line of its own.
RUNS = r"""    if [[ $words[1] == (@THESE@) ]]; then
        local -i place=${words[(i)--]}
        if (( place < CURRENT )); then
            shift $place words
            (( CURRENT -= place ))
            _normal
            return
        fi
    fi"""


def script(program: Program) -> str:
    these = "|".join(command.name for command in program.commands if command.runs_another)
    parts = {
        "@COMMANDS@": "\n".join(f"        {quoted(_described(each))}" for each in program.commands),
        "@LEADING@": "\n".join(f"        {spec} \\" for spec in _specifications(program.leading)),
        "@BEHIND@": "\n".join(_case(command) for command in program.commands),
        "@RUNS@\n": RUNS.replace("@THESE@", these) + "\n" if these else "",
        "@DEVICES@": NAME,
        "@BOOT@": BOOT_ID,
        "@MOUNTS@": MOUNTS,
        "@NAME@": program.name,
    }
    text = TEMPLATE
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _described(command: Command) -> str:
    return f"{command.name}:{command.help.summary}"


def _case(command: Command) -> str:
    specifications = " \\\n".join(f"                {each}" for each in _specifications(command))
    return f"        {command.name})\n            _arguments -s -S : \\\n{specifications} && ret=0 ;;"


def _specifications(command: Command) -> Iterator[str]:
    for option in command.options:
        yield from _option(option)
    for argument in command.arguments:
        yield _argument(argument)


def _option(option: Option) -> Iterator[str]:
    """One specification for each spelling, which excludes the others; `=` behind a long one allows `--from=FILE` too."""
    excluded = "*" if option.repeatable else f"({' '.join(option.names)})"
    for name in option.names:
        joined = ("=" if name.startswith("--") else "+") if option.metavar else ""
        value = f":{_plain(option.metavar.strip('[]'))}:{_action(option.takes)}" if option.metavar else ""
        if option.optional:  # in the same word only: the next one may be another option
            joined, value = f"{joined}-", f":{value}"
        yield quoted(f"{excluded}{name}{joined}[{_plain(option.summary)}]{value}")


def _argument(argument: Argument) -> str:
    place = "*" if argument.repeatable else "1" if not argument.metavar.startswith("[") else ":"
    return quoted(f"{place}:{argument.kind}:{_action(argument.takes)}")


def _plain(text: str) -> str:
    """Text within a specification, where brackets, colons and backslashes have a meaning."""
    return "".join("\\" + character if character in "[]:\\" else character for character in text)


def _action(takes: Takes) -> str:
    if takes.paths:
        return "_path_files -/" if takes.paths == "directories" else "_files"
    if not takes.words:
        return " "
    words = " ".join(takes.words)
    if takes.listed:
        return f"_sequence _@NAME@_words - {words}"
    return f"_@NAME@_{'devices' if takes.devices else 'words'} {words}"
